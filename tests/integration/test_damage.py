"""Starts after a crash with what it has damaged, or others have put, in the agent's directories."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import leftovers
from harness import Agent, OwnAgentTestCase, argv, eventually, pid_gone, shell, unique
from rawhttp import TIMEOUT
from sessions import ATTACHABLE


class Damage(OwnAgentTestCase):
    """Checkpoints that are empty, garbled, missing, stale or foreign never stop an agent."""

    def checkpoints(self, agent: Agent) -> list[Path]:
        """Files in the runtime directory, relative to it, without sockets and devices."""
        return sorted(p.relative_to(agent.runtime_dir)
                      for p in agent.runtime_dir.rglob("*") if p.is_file() and not p.is_symlink())

    def damage(self, how: str) -> None:
        """Damage each file of one tree's checkpoints in turn; another tree must be unharmed."""
        agent = self.new_agent()
        agent.launch("intact", command=shell("sleep 100000"))
        agent.launch("intact", "child", command=shell("sleep 100000"))
        done: set[str] = set()
        for number in range(100):
            root = f"damaged-{number}"
            agent.launch(root, command=shell("sleep 100000"))
            agent.launch(root, "child", command=shell("sleep 100000", **ATTACHABLE))
            agent.run(root, "ended", command=shell("exit 3"))
            files = {str(p).replace(root, "ROOT"): p for p in self.checkpoints(agent)
                     if root in str(p)}
            todo = sorted(set(files) - done)
            if not todo:
                break
            done.add(todo[0])
            with self.subTest(how=how, file=todo[0]):
                pids = agent.pids(root)
                agent.kill9()
                file = agent.runtime_dir / files[todo[0]]
                if how == "missing":
                    file.unlink()
                else:
                    file.write_bytes(b"" if how == "empty" else os.urandom(64))
                agent.start()
                self.assertLessEqual({("intact",), ("intact", "child")}, agent.containers())
                agent.launch("intact", unique(), command=argv("true"))
                for path in sorted(agent.containers()):
                    if path[0] == root:
                        self.assertIn(agent.kill(*path).status, (200, 404))
                eventually(lambda r=root: all(p[0] != r for p in agent.containers()),
                           "the damaged tree is gone")
                eventually(lambda p=pids: all(map(pid_gone, p)), "its processes are gone")
                self.assert_nothing_left_of(agent, root)
        self.assertTrue(done, "no checkpoints found: where are they?")
        agent.destroy_all()
        agent.assert_nothing_left()

    def assert_nothing_left_of(self, agent: Agent, root: str) -> None:
        """No process, cgroup, mount or socket that names that container is left, or stays."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            found = [line for line in leftovers.find(agent.owner, frozenset({agent.pid}))
                     if root in line]
            if not found or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        self.assertEqual([], found)

    def test_empty_files(self) -> None:
        self.damage("empty")

    def test_garbled_files(self) -> None:
        self.damage("garbled")

    def test_missing_files(self) -> None:
        self.damage("missing")

    def test_strangers_in_the_runtime_directory(self) -> None:
        agent = self.new_agent()
        agent.launch("root", command=shell("sleep 100000"))
        containers = agent.runtime_dir / "containers"
        self.assertTrue(containers.is_dir())
        agent.kill9()
        (containers / "stray-file").write_text("x")
        (containers / "empty-directory").mkdir()
        (containers / "nested" / "containers" / "deep").mkdir(parents=True)
        (containers / "root" / "containers").mkdir(exist_ok=True)
        (containers / "root" / "containers" / "stray-file").write_text("x")
        agent.start()
        eventually(lambda: agent.containers() == {("root",)}, "strangers are cleaned away")
        for name in ("stray-file", "empty-directory", "nested"):
            self.assertIn(agent.try_wait(name).status, (200, 404))

    def test_stale_pids_after_a_reboot(self) -> None:
        """What the checkpoints name is gone, whoever has its pids now (d2iq docs #1939)."""
        agent = self.new_agent()
        agent.launch("root", command=shell("sleep 100000"))
        agent.launch("root", "child", command=shell("sleep 100000"))
        agent.run("ended", command=shell("exit 3"))
        boot_ids = [p for d in (agent.work_dir, agent.runtime_dir) for p in d.rglob("boot_id")]
        pids = agent.pids("root")
        agent.kill9()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # gone with its init
                os.kill(pid, signal.SIGKILL)
        eventually(lambda: all(map(pid_gone, pids)), "as after a reboot")
        innocent = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        self.addCleanup(innocent.wait)
        self.addCleanup(innocent.kill)
        for file in boot_ids:
            file.write_text("00000000-0000-0000-0000-000000000000")
        for file in agent.runtime_dir.rglob("*"):
            if file.is_file() and file.name in ("pid", "forked.pid"):
                words = file.read_text().split()
                file.write_text(" ".join([str(innocent.pid), *words[1:]]))
        agent.start()
        eventually(lambda: not agent.containers(), "all containers are known as gone")
        for path in (("root",), ("root", "child")):
            reply = agent.try_wait(*path)
            self.assertIn(reply.status, (200, 404), str(reply))
        self.assertIsNone(innocent.poll(), "the agent killed a process that is not its own")
        agent.launch("root", command=shell("exit 1"))
        self.assertEqual(1 << 8, agent.wait("root")["exit_status"])
        agent.assert_nothing_left()

    def test_reused_pid_without_a_reboot(self) -> None:
        """The pid of a container that ended meanwhile belongs to somebody else now."""
        agent = self.new_agent()
        agent.launch("root", command=shell("sleep 100000"))
        pids = agent.pids("root")
        agent.kill9()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # gone with its init
                os.kill(pid, signal.SIGKILL)
        eventually(lambda: all(map(pid_gone, pids)), "the container is dead")
        innocent = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        self.addCleanup(innocent.wait)
        self.addCleanup(innocent.kill)
        for file in agent.runtime_dir.rglob("pid"):
            words = file.read_text().split()
            if words and words[0] in map(str, pids):
                file.write_text(" ".join([str(innocent.pid), *words[1:]]))
        agent.start()
        eventually(lambda: not agent.containers() or agent.kill("root").status == 404,
                   "the container is known as ended, or can be ended")
        time.sleep(0.3)
        self.assertIsNone(innocent.poll(), "the agent killed a process that is not its own")

    def test_empty_and_garbled_work_directory(self) -> None:
        """Files of the work directory's meta part, after an unclean shutdown of the host."""
        for content in (b"", os.urandom(64)):
            agent = self.new_agent()
            agent.launch("root", command=shell("sleep 100000"))
            agent.kill9()
            for file in (agent.work_dir / "meta").rglob("*"):
                if file.is_file() and not file.is_symlink():
                    file.write_bytes(content)
            agent.start()
            self.assertLessEqual(agent.containers(), {("root",)})

    def test_unwritable_leftovers_of_interrupted_writes(self) -> None:
        """Temporary files of a write that a crash cut off are no harm."""
        agent = self.new_agent()
        agent.launch("root", command=shell("sleep 100000"))
        agent.kill9()
        directory = agent.runtime_dir / "containers" / "root"
        for name in ("pid.tmp", "config.XXXXXX", ".status.tmp", "termination.AbC123"):
            (directory / name).write_bytes(b"\0\1")
        agent.start()
        self.assertEqual({("root",)}, agent.containers())
        agent.kill("root")
        self.assertEqual(9, agent.wait("root")["exit_status"])


if __name__ == "__main__":
    import run
    run.main([__file__])
