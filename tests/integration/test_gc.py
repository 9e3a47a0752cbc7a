"""Garbage collection: what has ended stays for a while, then goes; what runs never does."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from executor_case import ExecutorTestCase
from harness import Agent, Flag, OwnAgentTestCase, eventually, shell
from master_case import MasterTestCase
from scripted_scheduler import Framework
from scripted_tasks import Task

SOON: dict[str, Flag] = {"gc_delay": "500ms"}
LATER: dict[str, Flag] = {"gc_delay": "1hrs"}
HOUR = 3600.0


def metrics(agent: Agent) -> dict[str, float]:
    with agent.connect() as connection:
        return json.loads(connection.request("GET", "/metrics/snapshot", {}).body)


def pending(agent: Agent) -> float:
    return metrics(agent)["gc/path_removals_pending"]


def succeeded(agent: Agent) -> float:
    return metrics(agent)["gc/path_removals_succeeded"]


def make_old(path: Path, age: float = 2 * HOUR) -> None:
    os.utime(path, (time.time(), time.time() - age), follow_symlinks=False)


class Directories:
    """Those of a framework's executors, as the agent sees them."""

    def __init__(self, agent: Agent, framework: Framework | str, root: Path | None = None) -> None:
        base = Path(f"{root}{agent.work_dir}") if root else agent.work_dir
        self.id = framework if isinstance(framework, str) else framework.id
        ours = [path.name for path in (base / "meta/slaves").iterdir() if not path.is_symlink()]
        (self.slave,) = (name for name in ours if not name.startswith("other"))
        self.agent = base / "slaves" / self.slave
        self.meta_agent = base / "meta/slaves" / self.slave
        self.work = self.agent / "frameworks" / self.id
        self.meta = self.meta_agent / "frameworks" / self.id

    def executor(self, executor_id: str) -> tuple[Path, Path]:
        return self.work / "executors" / executor_id, self.meta / "executors" / executor_id

    def sandbox(self, executor_id: str, run: str) -> Path:
        return self.executor(executor_id)[0] / "runs" / run


class GcTestCase(MasterTestCase):
    def await_gone(self, *paths: Path) -> None:
        for path in paths:
            eventually(lambda path=path: not path.exists(), f"{path} is gone")

    def browse(self, path: str | Path) -> int:
        with self.agent.connect() as connection:
            return connection.request("GET", f"/files/browse?path={quote(str(path))}", {}).status

    def attached(self) -> dict[str, str]:
        with self.agent.connect() as connection:
            return json.loads(connection.request("GET", "/files/debug", {}).body)

    def run_of(self, task: Task) -> str:
        (container,) = self.container_of(task)
        return container

    def restart(self, flags: dict[str, Flag] | None = None) -> None:
        self.agent.stop()
        self.agent.flags.update(flags or {})
        self.agent.start(wait=False)
        self.await_registered()


class Cluster(GcTestCase):
    def test_what_has_ended_goes(self) -> None:
        """Sandboxes with their virtual paths, and what was checkpointed."""
        self.join(LATER)
        framework = self.master.subscribe(checkpoint=True)
        task = self.run_to_end(framework, "echo hello")
        directories = Directories(self.agent, framework)
        run = task.updates[1].status["container_status"]["container_id"]["value"]
        sandbox = directories.sandbox(task.task_id, run)
        virtual = f"/frameworks/{framework.id}/executors/{task.task_id}/runs/latest"
        paths = [virtual, str(sandbox), str(sandbox.parent / "latest")]
        # They outlive the executor.
        eventually(lambda: pending(self.agent) == 6, "run, executor and framework wait")
        self.assertEqual([200, 200, 200], [self.browse(path) for path in paths])
        self.assertIn("hello\n", (sandbox / "stdout").read_text())
        self.assertLessEqual(set(paths), set(self.attached()))
        self.restart(SOON)
        self.await_gone(directories.work, directories.meta)
        self.assertEqual([404, 404, 404], [self.browse(path) for path in paths])
        self.assertEqual(set(), set(paths) & set(self.attached()))
        eventually(lambda: pending(self.agent) == 0, "nothing waits")
        found = metrics(self.agent)
        self.assertGreaterEqual(found["gc/path_removals_succeeded"], 2)
        self.assertEqual(0, found["gc/path_removals_failed"])
        # Nobody minds, now or later.
        self.restart()
        self.run_to_end(framework, "true")

    def test_what_runs_stays(self) -> None:
        """Beside what has ended, in the same framework, and across restarts."""
        self.join({**SOON, "executor_reregistration_timeout": "5secs"})
        framework = self.master.subscribe(checkpoint=True)
        running = self.running(framework, "echo here; sleep 1000")
        directories = Directories(self.agent, framework)
        sandbox = directories.sandbox(running.task_id, self.run_of(running))
        for path in (sandbox, *directories.executor(running.task_id), directories.work,
                     directories.meta, directories.agent, directories.meta_agent):
            make_old(path)
        for when in ("first", "after a restart"):
            with self.subTest(when=when):
                ended = self.run_to_end(framework, "true")
                self.await_gone(*directories.executor(ended.task_id))
                eventually(lambda: pending(self.agent) == 0, "nothing waits")
                self.assertIn("here\n", (sandbox / "stdout").read_text())
                for path in directories.executor(running.task_id):
                    self.assertTrue(path.exists())
                self.assertTrue((directories.meta / "framework.info").exists())
                self.assertEqual(0, metrics(self.agent)["gc/path_removals_failed"])
                self.restart()
        self.assert_states(running, "STARTING", "RUNNING")
        self.master.kill_task(running)
        self.assertEqual("TASK_KILLED", self.master.await_end(running).state)
        self.await_gone(directories.work, directories.meta)

    def test_the_clock_goes_on_over_restarts(self) -> None:
        self.join(LATER)
        framework = self.master.subscribe(checkpoint=True)
        old, young = (self.run_to_end(framework, "true") for _ in range(2))
        directories = Directories(self.agent, framework)
        eventually(lambda: pending(self.agent) == 10, "both and their framework wait")
        self.agent.stop()
        for path in directories.executor(old.task_id):
            make_old(path)
        self.agent.start(wait=False)
        self.await_registered()
        self.await_gone(*directories.executor(old.task_id))
        eventually(lambda: succeeded(self.agent) == 2, "that was all")
        for path in directories.executor(young.task_id):
            self.assertTrue(path.exists())
        self.assertTrue(directories.meta.exists())
        self.assertEqual(4, pending(self.agent), "the other one and their framework")

    def test_other_agents(self) -> None:
        """They are as old as may be, but get the whole delay."""
        self.join(LATER)
        self.agent.stop()
        others = [self.agent.work_dir / where / "other-S0" for where in ("slaves", "meta/slaves")]
        for path in others:
            (path / "frameworks/f/executors/e/runs/c").mkdir(parents=True)
            make_old(path, 100 * HOUR)
        self.agent.start(wait=False)
        self.await_registered()
        eventually(lambda: pending(self.agent) == 2, "both wait")
        for path in others:
            self.assertTrue(path.exists())
            self.assertLess(time.time() - path.stat().st_mtime, HOUR)
        self.restart(SOON)
        self.await_gone(*others)
        self.assertTrue((self.agent.work_dir / "meta/slaves/latest/slave.info").exists())

    def test_a_forgotten_agent(self) -> None:
        """Whoever is a new agent deletes what the one before has left."""
        self.join(LATER)
        framework = self.master.subscribe(checkpoint=True)
        self.run_to_end(framework, "true")
        directories = Directories(self.agent, framework)
        self.agent.stop()
        (self.agent.work_dir / "meta/slaves/latest").unlink()
        self.agent.start(wait=False)
        self.await_registered()
        self.assertNotEqual(directories.slave, self.master.slave_id["value"])
        eventually(lambda: pending(self.agent) == 2, "both of its directories wait")
        self.restart(SOON)
        self.await_gone(directories.agent, directories.meta_agent)
        self.run_to_end(framework, "true")

    def test_without_checkpoints(self) -> None:
        """No checkpoint tells of these sandboxes, but a restart does not lose them."""
        self.join(LATER)
        framework = self.master.subscribe()
        task = self.run_to_end(framework, "true")
        directories = Directories(self.agent, framework)
        eventually(lambda: pending(self.agent) == 3, "run, executor and framework wait")
        self.restart()
        self.assertEqual(1, pending(self.agent))
        self.assertTrue(directories.executor(task.task_id)[0].exists())
        self.agent.stop()
        make_old(directories.work)
        for path in directories.work.glob("executors/*/runs/*"):
            for old in (path, *(path / name for name in ("stdout", "stderr"))):
                make_old(old)
        self.agent.start(wait=False)
        self.await_gone(directories.work)
        self.await_registered()

    def test_killed_while_deleting(self) -> None:
        self.interrupt(self.join(SOON).kill9)

    def test_stopped_while_deleting(self) -> None:
        """It does not wait until all is deleted."""
        self.interrupt(self.join(SOON).stop)

    def interrupt(self, end: Callable[[], None]) -> None:
        """The agent starts again, and what is left goes."""
        framework = self.master.subscribe(checkpoint=True)
        directories = None
        for attempt in range(5):
            task = self.running(framework, "sleep 1000")
            directories = Directories(self.agent, framework)
            sandbox = directories.sandbox(task.task_id, self.run_of(task))
            for i in range(200):
                (sandbox / f"d{i}").mkdir()
                for j in range(100 * (attempt + 1)):
                    (sandbox / f"d{i}" / f"f{j}").touch()
            self.master.kill_task(task)
            self.master.await_end(task)

            def begun(sandbox: Path = sandbox) -> bool:
                with contextlib.suppress(FileNotFoundError):
                    return len(os.listdir(sandbox)) < 200
                return True

            deadline = time.monotonic() + 20
            while not begun() and time.monotonic() < deadline:
                time.sleep(0.0005)
            self.agent.expect(200, {"type": "GET_HEALTH"})
            end()
            caught = sandbox.exists() and 0 < len(list(sandbox.iterdir())) < 200
            self.agent.start(wait=False)
            self.await_registered()
            if caught:
                break
        else:
            self.fail("no deletion could be interrupted")
        assert directories is not None
        self.await_gone(directories.work, directories.meta)
        self.assertEqual(0, metrics(self.agent)["slave/recovery_errors"])
        self.run_to_end(framework, "true")

    def test_mounts(self) -> None:
        """A volume that is still mounted in a sandbox keeps what is in it."""
        self.join(LATER)
        volume = self.agent.scratch / "volume"
        (volume / "nested").mkdir(parents=True)
        (volume / "data").write_text("precious")
        framework = self.master.subscribe(checkpoint=True)
        task = self.running(framework)
        directories = Directories(self.agent, framework)
        sandbox = directories.sandbox(task.task_id, self.run_of(task))
        self.master.kill_task(task)
        self.master.await_end(task)
        eventually(lambda: pending(self.agent) == 6, "all waits")
        # In the mount namespace of the next agent, before it starts.
        names = ("volume", "volume with \\ blank", "volume/nested")
        for name in names[:2]:
            (sandbox / name).mkdir()
        mounting = " && ".join([f"mount --bind '{volume}' '{sandbox / name}'" for name in names]
                               + ['exec "$@"'])
        self.agent.wrapper = ["unshare", "--mount", "--propagation", "private",
                              "sh", "-c", mounting, "sh"]
        self.restart(LATER)
        inside = Path(f"/proc/{self.agent.pid}/root{sandbox}")
        for name in names:
            self.assertTrue((inside / name / "data").exists(), name)
        self.restart(SOON)
        self.await_gone(directories.work, directories.meta)
        self.assertEqual("precious", (volume / "data").read_text())
        self.assertEqual(["data", "nested"], sorted(os.listdir(volume)))
        self.assertEqual(0, metrics(self.agent)["gc/path_removals_failed"])
        self.assertNotIn(str(sandbox), Path(f"/proc/{self.agent.pid}/mounts").read_text())

    def test_a_full_disk(self) -> None:
        """Whatever the delay, sandboxes go for room; those of what runs do not."""
        self.join({"gc_delay": "1weeks", "disk_watch_interval": "200ms"}, start=False)
        mounting = 'mount -t tmpfs -o size=32m,mode=755 none "$0" && exec "$@"'
        self.agent.wrapper = ["unshare", "--mount", "--propagation", "private",
                              "sh", "-c", mounting, str(self.agent.work_dir)]
        self.agent.start(wait=False)
        self.await_registered()
        week = 7 * 24 * HOUR
        framework = self.master.subscribe(checkpoint=True)
        ended = self.run_to_end(framework, "true")
        running = self.running(framework, "echo here; sleep 1000")
        root = Path(f"/proc/{self.agent.pid}/root")
        directories = Directories(self.agent, framework, root)
        sandbox = directories.sandbox(running.task_id, self.run_of(running))
        eventually(lambda: pending(self.agent) > 0, "something waits")
        allowed = metrics(self.agent)["slave/executor_directory_max_allowed_age_secs"]
        self.assertTrue(0.8 * week < allowed <= 0.9 * week, allowed)
        for path in directories.executor(ended.task_id):
            self.assertTrue(path.exists())
        filler = Path(f"{root}{self.agent.work_dir}/filler")
        filler.write_bytes(b"x" * (30 << 20))
        self.await_gone(*directories.executor(ended.task_id))
        self.assertEqual(
            0, metrics(self.agent)["slave/executor_directory_max_allowed_age_secs"])
        again = self.run_to_end(framework, "true")
        self.await_gone(*directories.executor(again.task_id))
        self.assertIn("here\n", (sandbox / "stdout").read_text())
        filler.unlink()
        self.assert_states(running, "STARTING", "RUNNING")


class CustomExecutors(ExecutorTestCase, GcTestCase):
    def test_an_executor_id_used_again(self) -> None:
        """The new run keeps the executor's directories; only those of the old one go."""
        framework = self.framework(flags={**LATER, "executor_reregistration_timeout": "15secs"})
        runs = []
        for _ in range(2):
            executor, task = self.running_executor(framework)
            runs.append(self.run_of(task))
            if len(runs) == 1:
                self.update(executor, task, "TASK_FINISHED")
                self.master.await_end(task)
                self.agent.kill(runs[0])
                self.assert_no_containers()
                eventually(lambda: pending(self.agent) == 6, "run, executor, framework")
        self.assertEqual(2, pending(self.agent), "the old run")
        directories = Directories(self.agent, framework)
        old, new = (directories.sandbox("custom", run) for run in runs)
        metas = [directories.executor("custom")[1] / "runs" / run for run in runs]
        self.agent.stop()
        executor.expect("stream ended")
        for path in (old, metas[0]):
            make_old(path)
        self.agent.start(wait=False)

        def back() -> bool:
            executor.do("subscribe")
            return executor.expect("subscribed")["status"] == 200

        eventually(back, "the executor has come back")
        self.await_registered()
        self.await_gone(old, metas[0])
        eventually(lambda: pending(self.agent) == 0, "nothing waits")
        self.assertTrue(new.exists())
        self.assertTrue(list(metas[1].glob("tasks/*/task.info")))
        self.assertEqual(new, (new.parent / "latest").resolve())


class Containers(OwnAgentTestCase):
    """Standalone and nested containers, without a master."""

    def collecting(self, flags: dict[str, Flag]) -> Agent:
        return self.new_agent({**flags, "gc_non_executor_container_sandboxes": True})

    def test_go_when_they_have_ended(self) -> None:
        agent = self.collecting(SOON)
        agent.launch("root", command=shell("echo here; sleep 1000"))
        agent.launch("root", "lives", command=shell("sleep 1000"))
        agent.run("root", "child", command=shell("exit 3"))
        agent.run("alone", command=shell("exit 4"))
        for path in (agent.sandbox("root", "child"), agent.sandbox("alone")):
            eventually(lambda path=path: not path.exists(), f"{path} is gone")
        self.assertEqual("here\n", agent.output("root"))
        self.assertTrue(agent.sandbox("root", "lives").exists())
        # What is known of their ends is not in the sandboxes.
        self.assertEqual(3 << 8, agent.wait("root", "child")["exit_status"])
        self.assertEqual(4 << 8, agent.wait("alone")["exit_status"])
        self.assertEqual(200, agent.remove("root", "child").status)
        self.assertEqual(200, agent.remove("alone").status)
        self.assertEqual((0, 2), (pending(agent), succeeded(agent)))

    def test_removed_ones_do_not_wait(self) -> None:
        agent = self.collecting(LATER)
        agent.launch("root", command=shell("sleep 1000"))
        for name in ("a", "b"):
            agent.run("root", name, command=shell("true"))
        self.assertEqual(2, pending(agent))
        self.assertEqual(200, agent.remove("root", "a").status)
        self.assertEqual(1, pending(agent))
        agent.kill("root")
        eventually(lambda: pending(agent) == 2, "the root waits too")
        self.assertEqual(200, agent.remove("root").status)
        self.assertEqual(0, pending(agent))
        self.assertFalse(agent.sandbox("root").exists())

    def test_an_id_used_again(self) -> None:
        agent = self.collecting(LATER)
        agent.run("c", command=shell("echo first >> file"))
        self.assertEqual(1, pending(agent))
        agent.launch("c", command=shell("echo second >> file; sleep 1000"))
        self.assertEqual(0, pending(agent))
        eventually(lambda: (agent.sandbox("c") / "file").read_text() == "first\nsecond\n",
                   "both have written to the same sandbox")

    def test_after_a_restart(self) -> None:
        """Also those whose ends are forgotten."""
        agent = self.collecting({**LATER, "termination_retention": "1ms"})
        agent.launch("root", command=shell("sleep 1000"))
        agent.run("root", "child", command=shell("true"))
        agent.launch("forgotten", command=shell("true"))
        eventually(lambda: pending(agent) == 2, "both wait")
        agent.restart()
        self.assertEqual(2, pending(agent))
        agent.kill9()
        for path in (("root", "child"), ("forgotten",), ("root",)):
            make_old(agent.sandbox(*path))
        agent.start()
        for path in (agent.sandbox("root", "child"), agent.sandbox("forgotten")):
            eventually(lambda path=path: not path.exists(), f"{path} is gone")
        self.assertTrue(agent.sandbox("root").exists(), "it runs")

    def test_stay_without_the_flag(self) -> None:
        agent = self.new_agent(SOON)
        agent.run("alone", command=shell("true"))
        self.assertEqual(0, pending(agent))
        agent.restart()
        self.assertEqual(0, pending(agent))
        self.assertTrue(agent.sandbox("alone").exists())


if __name__ == "__main__":
    import run
    run.main([__file__])
