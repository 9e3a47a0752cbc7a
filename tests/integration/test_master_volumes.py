"""Tasks that use persistent volumes: what they write outlives them, their executors and the agent.

With filesystem/linux a volume is a mount in the container's own namespace, with filesystem/posix a
link in the sandbox. What holds for both is tested with both.
"""

from __future__ import annotations

import base64
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from executor_case import ExecutorTestCase
from harness import ISOLATION, TIMEOUT, Flag, bin_dir, eventually, shell
from master_case import MasterTestCase
from scripted_scheduler import Framework
from scripted_tasks import Task
from volumes import allocated, create, destroy, reserve, source, unreserve, volume
from wire import Message

RESOURCES = "cpus:4;mem:2048;disk:1024;ports:[31000-31100]"
LINKS = ISOLATION.replace(",namespaces/pid", "").replace("filesystem/linux", "filesystem/posix")
NOBODY = pwd.getpwnam("nobody")
UNTIL_STOP = "until test -e data/stop; do sleep 0.05; done"

# Exchanges "a" in the sandbox between a directory and a link, as fast as it can.
SWAP = """
import ctypes, os, sys
os.chdir(sys.argv[1])
os.mkdir("a")
os.symlink(sys.argv[2], "link")
libc = ctypes.CDLL(None)
while True:
    libc.renameat2(-100, b"a", -100, b"link", 2)
"""

# Mounts a file system that never answers at "a" in a directory, and keeps it until stdin ends.
HANG = """
import ctypes, os, sys
os.chdir(sys.argv[1])
os.makedirs("a", exist_ok=True)
fd = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={fd},rootmode=40000,user_id=0,group_id=0"
if ctypes.CDLL(None).mount(b"hangs", b"a", b"fuse", 0, options.encode()):
    sys.exit("mount")
print("mounted", flush=True)
sys.stdin.read()
"""


class VolumeTestCase(MasterTestCase):
    isolation = ISOLATION

    def join_with_volume(self, flags: dict[str, Flag] | None = None, **fields: Any) -> Framework:
        """An agent that has the volume v1, and a framework of its role. Any user can execute its
        programs, wherever they have been built."""
        self.join({"resources": RESOURCES, "isolation": self.isolation,
                   "executor_reregistration_timeout": "5secs", **(flags or {})}, start=False)
        programs = self.agent.scratch / "bin"
        programs.mkdir()
        for program in bin_dir().iterdir():
            if program.name == "mesos-executor":
                shutil.copy(program, programs)
            else:
                (programs / program.name).symlink_to(program)
        self.agent.flags["launcher_dir"] = str(programs)
        self.agent.start(wait=False)
        self.await_registered()
        self.finish(reserve(), create(**fields))
        return self.master.subscribe(checkpoint=True, role="r")

    @property
    def directory(self) -> Path:
        return self.agent.work_dir / "volumes" / "roles" / "r" / "v1"

    def start(self, framework: Framework, command: str, *resources: Message,
              user: str | None = None) -> Task:
        """A task with these resources, by default with the volume v1 at "data"."""
        task = self.master.task(framework, shell(command, user=user))
        task["resources"] += [allocated(resource) for resource in resources or (volume(),)]
        return self.master.run_task(framework, task)

    def sandbox(self, task: Task) -> Path:
        return next(self.agent.work_dir.glob(
            f"slaves/*/frameworks/*/executors/{task.task_id}/runs/latest"))

    def output(self, task: Task) -> str:
        """What is in its sandbox's stdout and stderr."""
        return "".join((self.sandbox(task) / name).read_text() for name in ("stdout", "stderr"))

    def succeed(self, framework: Framework, command: str, *resources: Message,
                user: str | None = None) -> Task:
        task = self.start(framework, command, *resources, user=user)
        end = self.master.await_end(task)
        self.assertEqual("TASK_FINISHED", end.state, (end.status, self.output(task)))
        return task

    def restart(self) -> None:
        self.agent.restart()
        self.master.expect("ReregisterSlaveMessage")
        self.await_registered()


class Volumes(VolumeTestCase):
    def test_data_outlives_tasks_and_agents(self) -> None:
        framework = self.join_with_volume()
        self.succeed(framework, "echo one > data/file")
        self.assertEqual("one\n", (self.directory / "file").read_text())
        self.restart()
        self.succeed(framework, "grep -q one data/file && echo two >> data/file")
        self.assertEqual("one\ntwo\n", (self.directory / "file").read_text())
        self.finish(destroy())
        eventually(lambda: not self.directory.exists(), "the volume's directory is gone")
        self.finish(unreserve())

    def test_used_right_after_it_was_created(self) -> None:
        """By a task of the same accepted offer: nothing in between waits for an answer."""
        self.join({"resources": RESOURCES, "isolation": self.isolation})
        framework = self.master.subscribe(role="r")
        with self.master.lock:
            self.master.apply_operation(reserve())
            self.master.apply_operation(create())
            task = self.start(framework, "echo x > data/file")
        self.assertEqual("TASK_FINISHED", self.master.await_end(task).state)
        self.assertEqual("x\n", (self.directory / "file").read_text())

    def test_goes_on_while_the_agent_restarts(self) -> None:
        framework = self.join_with_volume()
        task = self.start(framework, f"{UNTIL_STOP}; echo x > data/end")
        self.master.await_state(task, "TASK_RUNNING")
        self.restart()
        (self.directory / "stop").touch()
        self.assertEqual("TASK_FINISHED", self.master.await_end(task).state)
        self.assertEqual("x\n", (self.directory / "end").read_text())

    def test_nothing_of_it_is_left_in_the_sandbox(self) -> None:
        """Deleting the sandbox, whoever does it and however, must not reach the volume: when its
        task has ended it is gone from there, and what a killed executor leaves is no way to it."""
        framework = self.join_with_volume()
        task = self.succeed(framework, "echo precious > data/file")
        self.assertFalse(os.path.lexists(self.sandbox(task) / "data"))
        task = self.start(framework, "grep precious data/file && sleep 1000")
        self.master.await_state(task, "TASK_RUNNING")
        os.kill(self.executor_pid(task), signal.SIGKILL)
        self.assertEqual("TASK_FAILED", self.master.await_end(task).state)
        place = self.sandbox(task) / "data"
        if self.isolation == LINKS:
            self.assertEqual(str(self.directory), os.readlink(place))
        else:
            self.assertEqual([], list(place.iterdir()))
        self.assertNotIn(str(place), Path("/proc/self/mountinfo").read_text())
        self.assertEqual("precious\n", (self.directory / "file").read_text())

    def test_garbage_collection(self) -> None:
        """The sandbox goes, the volume stays, also one that the executor had when it was killed."""
        framework = self.join_with_volume(flags={"gc_delay": "100ms"})
        task = self.start(framework, "echo precious > data/file && sleep 1000")
        file = self.directory / "file"
        eventually(lambda: file.exists() and file.read_text(), "it has written")
        self.master.await_state(task, "TASK_RUNNING")
        sandbox = self.sandbox(task).resolve()
        os.kill(self.executor_pid(task), signal.SIGKILL)
        self.master.await_end(task)
        eventually(lambda: not sandbox.exists(), "the sandbox is gone")
        self.assertEqual("precious\n", file.read_text())

    def test_shared_by_two_tasks_at_once(self) -> None:
        """The first user of a shared volume has it; others may join."""
        shared = volume(shared=True)
        framework = self.join_with_volume(shared=True)
        first = self.start(framework, UNTIL_STOP,
                           shared, user="nobody")
        self.master.await_state(first, "TASK_RUNNING")
        self.assertEqual(NOBODY.pw_uid, self.directory.stat().st_uid)
        daemon = self.start(framework, "touch data/not-mine", shared, user="daemon")
        self.assertEqual("TASK_FAILED", self.master.await_end(daemon).state)
        self.assertEqual(NOBODY.pw_uid, self.directory.stat().st_uid)
        self.assertFalse(first.terminal)
        self.succeed(framework, "touch data/stop", shared)
        self.assertEqual("TASK_FINISHED", self.master.await_end(first).state)
        # Nobody has it now.
        self.succeed(framework, "touch data/mine", shared, user="daemon")

    def test_other_users(self) -> None:
        """The directory is given to the task's user, and what is in it is left alone."""
        framework = self.join_with_volume()
        self.succeed(framework, "echo x > data/of-root")
        self.assertEqual(0, self.directory.stat().st_uid)
        self.succeed(framework, "echo x > data/of-nobody && ! echo x >> data/of-root",
                     user="nobody")
        info = self.directory.stat()
        self.assertEqual((NOBODY.pw_uid, NOBODY.pw_gid), (info.st_uid, info.st_gid))
        self.assertEqual(0, (self.directory / "of-root").stat().st_uid)
        self.succeed(framework, "echo x >> data/of-nobody")  # root may write anyway
        self.assertEqual(NOBODY.pw_uid, self.directory.stat().st_uid)

    def test_disks(self) -> None:
        """Volumes of PATH and MOUNT disks are on those disks. The MOUNT disk is mounted for the
        agent alone, and a volume on it is the whole disk."""
        self.join({"isolation": self.isolation}, start=False)
        path, mount = self.agent.scratch / "path-disk", self.agent.scratch / "mount-disk"
        mount.mkdir()
        disks = {"PATH": source("PATH", path), "MOUNT": source("MOUNT", mount)}

        def scalar(name: str, value: float, **fields: Any) -> Message:
            return {"name": name, "type": "SCALAR", "scalar": {"value": value}, **fields}

        self.agent.flags["resources"] = json.dumps(
            [scalar("cpus", 4), scalar("mem", 1024), scalar("disk", 100)]
            + [scalar("disk", 64, disk={"source": disk}) for disk in disks.values()])
        self.agent.wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                              'mount -t tmpfs -o size=1m none "$0" && exec "$@"', str(mount)]
        self.agent.start(wait=False)
        self.await_registered()
        framework = self.master.subscribe(role="r")
        for kind, disk in disks.items():
            with self.subTest(kind=kind):
                self.finish(reserve(disk=disk), create(kind, disk=disk))
                self.succeed(framework, "echo x > data/file", volume(kind, disk=disk))
                root = Path(f"/proc/{self.agent.pid}/root{mount}")
                file = root / "file" if kind == "MOUNT" else (
                    path / "volumes" / "roles" / "r" / kind / "file")
                self.assertEqual("x\n", file.read_text())
                self.succeed(framework, "grep -q x data/file", volume(kind, disk=disk))
                self.finish(destroy(kind, disk=disk))
                eventually(lambda file=file: not file.exists(), "the data is gone")
                self.assertEqual(kind == "MOUNT", file.parent.is_dir())

    def test_places(self) -> None:
        framework = self.join_with_volume()
        for path in ("data", "./data/", "a/b/c", "with blank", "..data"):
            with self.subTest(path=path):
                self.succeed(framework, f"echo '{path}' > '{path}/file'", volume(path=path))
                self.assertEqual(f"{path}\n", (self.directory / "file").read_text())

    def test_places_that_are_none(self) -> None:
        """The task is refused, with the reason."""
        framework = self.join_with_volume()
        outside = self.agent.scratch / "outside"
        for path, reason in (
                (str(outside), "is absolute"), ("../../../../outside", "has '..' in it"),
                ("a/../../b", "has '..' in it"), ("", "names nothing"), (".", "names nothing"),
                ("n" * 256, "too long"), ("stdout", "of its own"), ("containers/x", "of its own")):
            with self.subTest(path=path):
                end = self.master.await_end(self.start(framework, "true", volume(path=path)))
                self.assertEqual(("TASK_ERROR", "REASON_TASK_INVALID"), (end.state, end.reason))
                self.assertIn(reason, end.status["message"])
                self.assertIn("Persistent volume 'v1'", end.status["message"])
        self.assertFalse(outside.exists())
        self.assert_no_containers()

    def test_two_in_one_place(self) -> None:
        self.join({"resources": RESOURCES, "isolation": self.isolation})
        self.finish(reserve(128), create("v1"), create("v2"))
        framework = self.master.subscribe(role="r")
        for first, second in (("data", "data"), ("data", "data/more"), ("data/more", "data")):
            with self.subTest(first=first, second=second):
                end = self.master.await_end(self.start(
                    framework, "true", volume("v1", first), volume("v2", second)))
                self.assertEqual(("TASK_ERROR", "REASON_TASK_INVALID"), (end.state, end.reason))
                self.assertIn("in each other's way", end.status["message"])
        self.succeed(framework, "echo 1 > data/f && echo 2 > data2/f", volume("v1"),
                     volume("v2", "data2"))
        self.assertEqual("2\n", (self.directory.parent / "v2" / "f").read_text())

    def test_volumes_that_are_not_there(self) -> None:
        framework = self.join_with_volume()
        unknown = self.master.await_end(self.start(framework, "true", volume("v2")))
        self.assertEqual(("TASK_DROPPED", "REASON_RESOURCES_UNKNOWN"),
                         (unknown.state, unknown.reason))
        self.directory.rmdir()
        missing = self.master.await_end(self.start(framework, "true"))
        self.assertEqual(("TASK_DROPPED", "REASON_RESOURCES_UNKNOWN"),
                         (missing.state, missing.reason))
        self.assertIn(f"'{self.directory}' of a persistent volume is missing",
                      missing.status["message"])
        self.assertFalse(self.directory.exists())

    def test_in_the_files_api(self) -> None:
        """What a task has in its sandbox is shown in its sandbox, also if it is elsewhere."""
        framework = self.join_with_volume()
        task = self.start(framework, f"echo seen > data/file; {UNTIL_STOP}")
        file = self.directory / "file"
        eventually(lambda: file.exists() and file.read_text(), "it has written")
        sandbox = f"/frameworks/{framework.id}/executors/{task.task_id}/runs/latest"
        listed = self.agent.expect(200, {"type": "LIST_FILES", "list_files": {
            "path": f"{sandbox}/data"}}).message
        assert listed is not None
        self.assertEqual([f"{sandbox}/data/file"], [
            info["path"] for info in listed["list_files"]["file_infos"]])
        read = self.agent.expect(200, {"type": "READ_FILE", "read_file": {
            "path": f"{sandbox}/data/file", "offset": 0}}).message
        assert read is not None
        self.assertEqual(b"seen\n", base64.b64decode(read["read_file"]["data"]))
        # A link in the volume leads nowhere else.
        (self.directory / "link").symlink_to(self.agent.log)
        self.assert_status(400, self.agent.call({"type": "READ_FILE", "read_file": {
            "path": f"{sandbox}/data/link", "offset": 0}}))
        (self.directory / "stop").touch()
        self.master.await_end(task)


class VolumesByLinks(Volumes):
    isolation = LINKS


class ReadOnly(VolumeTestCase):
    """A mount can be read-only; a link cannot."""

    def test_read_only(self) -> None:
        framework = self.join_with_volume(shared=True)
        writable, readable = (volume(mode=mode, shared=True) for mode in ("RW", "RO"))
        self.succeed(framework, "echo x > data/file", writable)
        task = self.succeed(framework, "cat data/file && ! echo y > data/file", readable,
                            user="nobody")
        self.assertIn("Read-only file system", self.output(task))
        self.assertEqual("x\n", (self.directory / "file").read_text())
        # Others may write meanwhile, and afterwards.
        reader = self.start(framework, UNTIL_STOP, readable)
        self.master.await_state(reader, "TASK_RUNNING")
        self.succeed(framework, "touch data/stop", writable)
        self.assertEqual("TASK_FINISHED", self.master.await_end(reader).state)

    def test_one_container_that_may_write(self) -> None:
        """Twice the same volume in one container: what one may, the other may."""
        framework = self.join_with_volume(shared=True)
        self.succeed(framework, "echo x > data/file", volume(mode="RO", shared=True),
                     volume(mode="RW", shared=True))


class ExecutorVolumeTestCase(ExecutorTestCase):
    isolation = ISOLATION

    def join_with_volumes(self) -> Framework:
        framework = self.framework(flags={
            "resources": RESOURCES, "isolation": self.isolation,
            "executor_reregistration_timeout": "15secs"}, role="r")
        self.finish(reserve(128), create("v1"), create("v2"))
        return framework

    def directory(self, name: str) -> Path:
        return self.agent.work_dir / "volumes" / "roles" / "r" / name

    def with_volume(self, framework: Framework, info: Message, *resources: Message) -> Task:
        task = self.master.task(framework, None, executor=info)
        task["resources"] += [allocated(resource) for resource in resources]
        return self.master.run_task(framework, task)

    def seen_by(self, pid: int, sandbox: Path, path: str) -> list[str] | None:
        """What that process sees in a directory of the sandbox; None: there is none."""
        try:
            return sorted(os.listdir(Path(f"/proc/{pid}/root{sandbox}") / path))
        except FileNotFoundError:
            return None


class Executors(ExecutorVolumeTestCase):
    """Volumes come and go with the tasks of a running executor."""

    def test_come_and_go(self) -> None:
        framework = self.join_with_volumes()
        for name in ("v1", "v2"):
            (self.directory(name) / f"in-{name}").touch()
        executor, first = self.running_executor(framework)
        pid = self.executor_pid(first)
        sandbox = Path(executor.environment["MESOS_SANDBOX"])
        info = self.info(framework)
        self.assertIsNone(self.seen_by(pid, sandbox, "one"))
        second = self.with_volume(framework, info, volume("v1", "one"))
        self.event(executor, "LAUNCH")
        self.assertEqual(["in-v1"], self.seen_by(pid, sandbox, "one"))
        self.update(executor, second, "TASK_RUNNING")
        self.master.await_state(second, "TASK_RUNNING")
        # Another run of the agent does the rest.
        self.agent.kill9()
        self.agent.start(wait=False)
        self.agent.wait_until_ready()
        executor.expect("stream ended")
        self.subscribed(executor)
        self.master.expect("ReregisterSlaveMessage")
        self.await_registered()
        self.assertEqual(["in-v1"], self.seen_by(pid, sandbox, "one"))
        third = self.with_volume(framework, info, volume("v2", "two"))
        self.event(executor, "LAUNCH")
        self.assertEqual(["in-v1"], self.seen_by(pid, sandbox, "one"))
        self.assertEqual(["in-v2"], self.seen_by(pid, sandbox, "two"))
        self.update(executor, second, "TASK_FINISHED")
        self.master.await_end(second)
        eventually(lambda: self.seen_by(pid, sandbox, "one") is None, "the first volume is gone")
        self.assertEqual(["in-v2"], self.seen_by(pid, sandbox, "two"))
        self.assertTrue((self.directory("v1") / "in-v1").exists())
        self.update(executor, third, "TASK_FINISHED")
        self.master.await_end(third)
        eventually(lambda: self.seen_by(pid, sandbox, "two") is None, "the other one is gone")

    def test_a_place_that_another_task_has(self) -> None:
        """Only the task that comes later is refused."""
        framework = self.join_with_volumes()
        info = self.info(framework)
        first = self.with_volume(framework, info, volume("v1", "data"))
        executor = self.started()
        self.subscribed(executor)
        self.event(executor, "LAUNCH")
        second = self.with_volume(framework, info, volume("v2", "data"))
        end = self.master.await_end(second)
        self.assertEqual(("TASK_ERROR", "REASON_TASK_INVALID"), (end.state, end.reason))
        self.update(executor, first, "TASK_RUNNING")
        self.master.await_state(first, "TASK_RUNNING")

    def test_a_volume_in_use(self) -> None:
        """Is taken away when its task ends, and its executor goes on."""
        framework = self.join_with_volumes()
        executor, first = self.running_executor(framework)
        pid = self.executor_pid(first)
        sandbox = Path(executor.environment["MESOS_SANDBOX"])
        task = self.with_volume(framework, self.info(framework), volume("v1", "data"))
        self.event(executor, "LAUNCH")
        with (Path(f"/proc/{pid}/root{sandbox}") / "data" / "open").open("w") as file:
            self.update(executor, task, "TASK_FINISHED")
            self.master.await_end(task)
            eventually(lambda: self.seen_by(pid, sandbox, "data") is None, "the volume is gone")
            file.write("late")
        self.assertEqual("late", (self.directory("v1") / "open").read_text())
        self.assertFalse(first.terminal)

    def test_swapped_all_the_time(self) -> None:
        """While the owner of the sandbox exchanges a directory on the way to the volume for a link,
        volumes come and go: at worst the update fails, and nothing is done elsewhere."""
        framework = self.join_with_volumes()
        outside = self.agent.scratch / "outside"
        outside.mkdir()
        info = self.info(framework)
        for _ in range(3):
            executor, first = self.running_executor(framework)
            sandbox = Path(executor.environment["MESOS_SANDBOX"])
            swapper = subprocess.Popen([sys.executable, "-c", SWAP, str(sandbox), str(outside)])
            try:
                for _ in range(10):
                    task = self.with_volume(framework, info, volume("v1", "a/b"))
                    self.master.wait_for(lambda task=task: task.terminal or any(
                        report["what"] == "event" and report["event"]["type"] == "LAUNCH"
                        and report["event"]["launch"]["task"]["task_id"]["value"] == task.task_id
                        for report in executor.reports), "launched, or refused")
                    if task.terminal:
                        self.assertEqual("REASON_CONTAINER_UPDATE_FAILED", task.last.reason)
                        break
                    self.update(executor, task, "TASK_FINISHED")
                    self.master.await_end(task)
            finally:
                swapper.kill()
                swapper.wait()
            self.assertEqual([], list(outside.iterdir()))
            self.assertEqual([], [line for line in Path("/proc/self/mountinfo").read_text()
                                  .splitlines() if str(self.agent.scratch) in line])
            self.master.shutdown_executor(framework, "custom")
            if not first.terminal:
                executor.do("exit")
                self.master.await_end(first)
            self.assert_no_containers()
            self.master.wait_for(lambda: not self.master.agent.executors, "the master knows")

    def test_links_that_lead_elsewhere(self) -> None:
        """An executor that puts a link where a volume is to come gets neither the volume nor what
        the link leads to."""
        framework = self.join_with_volumes()
        outside = self.agent.scratch / "outside"
        outside.mkdir()
        executor, first = self.running_executor(framework)
        sandbox = Path(executor.environment["MESOS_SANDBOX"])
        (sandbox / "link").symlink_to(outside)
        (sandbox / "a").symlink_to(outside)
        task = self.with_volume(framework, self.info(framework), volume("v1", "link"),
                                volume("v2", "a/b"))
        end = self.master.await_end(task)
        self.assertEqual("REASON_CONTAINER_UPDATE_FAILED", end.reason, end.status)
        self.assertEqual([], list(outside.iterdir()))
        self.assertTrue((sandbox / "link").is_symlink())
        self.master.await_end(first)


class ExecutorsByLinks(Executors):
    isolation = LINKS


class NestedTestCase(ExecutorVolumeTestCase):
    def nest(self, task: Task, name: str, command: str) -> tuple[str, ...]:
        path = (*self.container_of(task), name)
        self.agent.launch(*path, command=shell(command), nested=True)
        return path


class Nested(NestedTestCase):
    """Containers below an executor see its volumes in its sandbox, also those that come later."""

    def test_below_an_executor(self) -> None:
        framework = self.join_with_volumes()
        (self.directory("v1") / "file").write_text("one")
        executor, first = self.running_executor(framework)
        sandbox = executor.environment["MESOS_SANDBOX"]
        early = self.nest(
            first, "early", f"until test -e {sandbox}/data/file; do sleep 0.05; done; touch seen;"
            "while test -e ../../data/file; do sleep 0.05; done; exit 3")
        task = self.with_volume(framework, self.info(framework), volume("v1", "data"))
        self.event(executor, "LAUNCH")
        late = self.nest(
            first, "late", f"grep one ../../data/file && echo two > {sandbox}/data/two")
        self.assertEqual(0, self.agent.wait(*late, nested=True)["exit_status"])
        self.assertEqual("two\n", (self.directory("v1") / "two").read_text())
        eventually(Path(sandbox, "containers", "early", "seen").exists, "it has come there too")
        self.update(executor, task, "TASK_FINISHED")
        self.master.await_end(task)
        self.assertEqual(3 << 8, self.agent.wait(*early, nested=True)["exit_status"])


class Hanging(NestedTestCase):
    """Root in a container can make the agent wait where a volume is to come or go, in the namespace
    of an executor or of a container below it: for some seconds, and that executor has lost it."""

    def hang(self, pid: int, sandbox: str) -> subprocess.Popen[str]:
        server = subprocess.Popen(
            ["nsenter", "--mount", "--target", str(pid), sys.executable, "-c", HANG, sandbox],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.let_go, server)
        assert server.stdout
        self.assertEqual("mounted\n", server.stdout.readline())
        return server

    def let_go(self, server: subprocess.Popen[str]) -> None:
        server.communicate(timeout=TIMEOUT)

    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self.agent.pid}/task"))

    def given_up(self, framework: Framework, server: subprocess.Popen[str], *tasks: Task) -> None:
        for task in tasks:
            end = self.master.await_end(task)
            self.assertEqual("REASON_CONTAINER_UPDATE_FAILED", end.reason, end.status)
            self.assertIn("has not answered within 5 s", end.status["message"])
        self.assert_no_containers()
        self.assertIsNone(server.poll())
        # All goes on, also with this volume.
        before = self.threads()
        executor, first = self.running_executor(framework, "next")
        task = self.with_volume(framework, self.info(framework, "next"), volume("v1", "a/b"))
        self.event(executor, "LAUNCH")
        pid, sandbox = self.executor_pid(first), Path(executor.environment["MESOS_SANDBOX"])
        self.assertEqual([], self.seen_by(pid, sandbox, "a/b"))
        self.update(executor, task, "TASK_FINISHED")
        self.master.await_end(task)
        # What hangs ends with what it hangs in.
        self.let_go(server)
        eventually(lambda: self.threads() < before, "the thread is gone")
        self.assertTrue(self.directory("v1").is_dir())
        self.assertFalse(first.terminal)

    def test_in_the_executor(self) -> None:
        framework = self.join_with_volumes()
        executor, first = self.running_executor(framework)
        server = self.hang(self.executor_pid(first), executor.environment["MESOS_SANDBOX"])
        task = self.with_volume(framework, self.info(framework), volume("v1", "a/b"))
        self.given_up(framework, server, task, first)

    def test_below_it(self) -> None:
        framework = self.join_with_volumes()
        executor, first = self.running_executor(framework)
        nested = self.nest(first, "nested", "sleep 1000")
        server = self.hang(min(self.agent.pids(*nested)), executor.environment["MESOS_SANDBOX"])
        task = self.with_volume(framework, self.info(framework), volume("v1", "a/b"))
        self.given_up(framework, server, task, first)

    def test_when_it_is_taken_away(self) -> None:
        framework = self.join_with_volumes()
        executor, first = self.running_executor(framework)
        task = self.with_volume(framework, self.info(framework), volume("v1", "a/b"))
        self.event(executor, "LAUNCH")
        server = self.hang(self.executor_pid(first), executor.environment["MESOS_SANDBOX"])
        status = self.status(task, "TASK_FINISHED")
        executor.do("call", call={"type": "UPDATE", "update": {"status": status}})
        self.master.await_end(task)
        self.given_up(framework, server, first)


if __name__ == "__main__":
    import run
    run.main([__file__])
