"""An agent that runs out of something: disk, descriptors, processes, memory. It answers or ends
with a clear message; and when there is room again, nothing is lost and nothing is left."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cgroups
from attach import attach_output, session, write_input
from harness import (SMALL, Agent, OwnAgentTestCase, argv, container_id, eventually, resources,
                     shell, unique)
from load import ATTACHABLE, lines
from rawhttp import ConnectionClosed
from wire import Message

FULL = os.environ.get("MESOS_TEST_FULL") == "1"


def launch_call(*path: str, command: Message) -> Message:
    return {"type": "LAUNCH_CONTAINER", "launch_container": {
        "container_id": container_id(*path), "command": command,
        **({"resources": SMALL} if len(path) == 1 else {})}}


class SmallDisk:
    """A tmpfs, and a file in it that fills it up. The agent's clean-up unmounts it."""

    def __init__(self, directory: Path, size: str = "512k", inodes: int = 1000) -> None:
        self.filling = directory / "filling"
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},nr_inodes={inodes},mode=755",
                        "faults", str(directory)], check=True)

    def fill(self) -> None:
        with self.filling.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            for size in (4096, 1):
                while True:
                    try:
                        file.write(b"x" * size)
                    except OSError:
                        break

    def free(self) -> None:
        self.filling.unlink()


class FullDisk(OwnAgentTestCase):
    def agent_on_small_disk(self, which: str) -> tuple[Agent, SmallDisk]:
        agent = self.new_agent(start=False)
        disk = SmallDisk(getattr(agent, which))
        agent.start()
        return agent, disk

    def test_work_dir(self) -> None:
        """A command sees that the disk is full; readers get everything; all statuses are there."""
        agent, disk = self.agent_on_small_disk("work_dir")
        agent.launch("root", command=shell("exec sleep 100000"))
        data = lines(200_000)  # 1.3 MB
        agent.launch("plain", command=shell("seq 1 200000; echo $? > /dev/null; exit 4"))
        self.assertEqual(4 << 8, agent.wait("plain")["exit_status"])
        self.assertTrue(data.startswith(agent.output("plain").encode()))
        agent.launch("streamed", command=shell("read go; seq 1 200000; exit 5", **ATTACHABLE))
        with attach_output(agent, "streamed") as reader:
            self.assertEqual(200, write_input(agent, "streamed", data=b"go\n", eof=False).status)
            self.assertEqual(data, bytes(reader.read_to_end().stdout))
        self.assertEqual(5 << 8, agent.wait("streamed")["exit_status"])
        with session(agent, "root", "s", command=shell("seq 1 200000; exit 6")) as reader:
            self.assertEqual(data, bytes(reader.read_to_end().stdout))
        self.assertEqual(6 << 8, agent.wait("root", "s")["exit_status"])
        disk.fill()
        reply = agent.call(launch_call("more", command=shell("echo hello; exit 7")))
        self.assertIn(reply.status, (200, 400), str(reply))
        if reply.status == 200:
            agent.wait("more")
        agent.restart()
        self.assertEqual({("root",)}, agent.containers())
        for path in (("plain",), ("streamed",), ("root", "s"), ("more",)):
            self.assertIn(agent.remove(*path).status, (200, 404))
        disk.free()
        agent.run("plain", command=shell("seq 1 1000; exit 3"))
        self.assertEqual(lines(1000).decode(), agent.output("plain"))
        agent.destroy_all()
        agent.assert_nothing_left()

    def test_runtime_dir(self) -> None:
        """What ends while there is no room for its record is known all the same, also later."""
        agent, disk = self.agent_on_small_disk("runtime_dir")
        agent.launch("root", command=shell("exec sleep 100000"))
        ends = {("root", "ended"): 3 << 8, ("alone",): 4 << 8, ("root", "killed"): 9}
        for path, status in ends.items():
            ending = "sleep 100000" if status == 9 else f"exit {status >> 8}"
            agent.launch(*path, command=shell(
                f"while ! test -e go; do sleep 0.02; done; {ending}"))
        disk.fill()
        for path in ends:
            (agent.sandbox(*path) / "go").touch()
        self.assertEqual(200, agent.kill("root", "killed").status)
        eventually(lambda: agent.containers() == {("root",)}, "all have ended")
        for when in ("at once", "again", "after a restart", "with room again", "and a restart"):
            with self.subTest(when=when):
                if when == "with room again":
                    disk.free()
                if "restart" in when:
                    agent.restart()
                for path, status in ends.items():
                    reply = agent.try_wait(*path)
                    self.assertEqual(200, reply.status, f"{path}: {reply}")
                    assert reply.message is not None
                    self.assertEqual(status, reply.message["wait_container"]["exit_status"])
        for path in ends:
            self.assertEqual(200, agent.remove(*path).status)
            self.assert_status(404, agent.try_wait(*path))
        agent.destroy_all()
        agent.assert_nothing_left()

    def test_launches_without_room(self) -> None:
        """Refused with the reason, whatever the step that finds no room; nothing is left."""
        for inodes in range(20, 34, 1 if FULL else 2):
            agent = self.new_agent(start=False)
            disk = SmallDisk(agent.runtime_dir, inodes=inodes)
            agent.start()
            root = agent.call(launch_call("root", command=shell("exec sleep 100000")))
            answers = []
            if root.status == 200:
                for path in (("root", "a"), ("root", "b"), ("c",), ("d",)):
                    reply = agent.call(launch_call(*path, command=argv("sleep", "1000",
                                                                       **ATTACHABLE)))
                    answers.append(reply.status)
                    if reply.status != 200:
                        self.assert_status(400, reply)
                        self.assertIn("No space left on device", reply.text)
                        self.assert_status(404, agent.try_wait(*path))
                        self.assertFalse(agent.sandbox(*path).exists())
            else:
                self.assertIn("No space left on device", root.text)
            del disk
            self.assertEqual(answers.count(200) + (root.status == 200), len(agent.containers()))
            agent.destroy_all()
            agent.assert_nothing_left()

    def test_start_without_room(self) -> None:
        agent, disk = self.agent_on_small_disk("runtime_dir")
        agent.kill9()
        (agent.runtime_dir / "lock").unlink()
        for file in agent.runtime_dir.iterdir():
            file.rmdir()
        n = 0
        with contextlib.suppress(OSError):
            while True:
                (agent.runtime_dir / f"filling-{n}").touch()
                n += 1
        agent.start(wait=False)
        self.assertNotEqual(0, agent.join())
        self.assertIn("No space left on device", agent.log_tail(1))


def limit_descriptors(agent: Agent, left: int) -> tuple[int, int]:
    """Let it open only so many more; the limits as they were."""
    agent.settled_fds()
    used = {int(fd) for fd in os.listdir(f"/proc/{agent.pid}/fd")}
    limit = free = 0
    while free < left or limit in used:
        free += limit not in used
        limit += 1
    before = resource.prlimit(agent.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (limit, before[1]))
    return before


class Exhausted(OwnAgentTestCase):
    """With less and less left, each call is answered; with enough again, all is as before."""

    def squeeze(self, agent: Agent, at: Callable[[int], contextlib.AbstractContextManager[None]],
                steps: range) -> dict[int, list[int]]:
        """Launch, stream and kill with so much left; what was answered, by what was left."""
        agent.launch("root", command=shell("exec sleep 100000"), resources=resources(cpus=1,
                                                                                     mem=256))
        agent.run("root", "first", command=argv("true", **ATTACHABLE))  # workers, files once opened
        agent.remove("root", "first")
        before = agent.settled_fds()
        answers: dict[int, list[int]] = {}
        for left in steps:
            victims = [("root", unique("victim")), (unique("victim"),)]
            for path in victims:
                agent.launch(*path, command=shell("sleep 100000 & sleep 100000 & wait",
                                                  **ATTACHABLE))
                eventually(lambda p=path: len(agent.pids(*p)) >= 4, "it has forked")
            made = []
            with at(left):
                seen = answers.setdefault(left, [])
                for path in ((unique("new"),), ("root", unique("new"))):
                    reply = agent.call(launch_call(*path, command=shell("exit 3", **ATTACHABLE)))
                    seen.append(reply.status)
                    if reply.status == 200:
                        made.append(path)
                    else:
                        self.assertIn(reply.status, (400, 500), str(reply))
                        self.assertTrue(reply.text)
                for path in victims:
                    self.assertEqual(200, agent.kill(*path).status)
                time.sleep(0.05)
            for path in victims:
                with self.subTest(left=left, path=path):
                    reply = agent.try_wait(*path)
                    self.assertEqual(200, reply.status, str(reply))
                    assert reply.message is not None
                    self.assertEqual(9, reply.message["wait_container"].get("exit_status"))
            for path in made:
                with self.subTest(left=left, path=path):
                    # 1: the helper may have found no process for the command.
                    self.assertIn(agent.wait(*path)["exit_status"], (3 << 8, 1 << 8))
            self.assertEqual({("root",)}, agent.containers(), f"with {left} left")
            for path in (*victims, *made):
                with self.subTest(left=left, path=path):
                    self.assert_status(200, agent.remove(*path))
        eventually(lambda: agent.settled_fds() <= before, "descriptors are closed again")
        agent.run("after", command=shell("exit 3"))
        agent.remove("after")
        agent.destroy_all()
        agent.assert_nothing_left()
        for directory in (agent.runtime_dir, agent.work_dir):
            left_over = [p.name for p in (directory / "containers").iterdir()]
            self.assertLessEqual(set(left_over), {"root"})
        return answers

    def test_descriptors(self) -> None:
        agent = self.new_agent()

        @contextlib.contextmanager
        def left(count: int) -> Iterator[None]:
            before = limit_descriptors(agent, count)
            try:
                yield
            finally:
                resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, before)

        answers = self.squeeze(agent, left, range(8, 120, 1 if FULL else 14))
        self.assertIn(400, sum(answers.values(), []))
        self.assertIn(200, sum(answers.values(), []))

    def test_no_descriptor_for_a_connection(self) -> None:
        """It waits to be accepted; those that are open go on."""
        agent = self.new_agent()
        agent.launch("root", command=shell("exec sleep 100000"))
        with agent.connect() as connection:
            agent.call_on(connection, {"type": "GET_HEALTH"})
            before = limit_descriptors(agent, 0)
            with agent.connect() as second:
                second.send_request("POST", "/api/v1", {"Content-Type": "application/json"},
                                    b'{"type":"GET_HEALTH"}')
                self.assertFalse(second.readable(0.3))
                reply = agent.call_on(connection, {"type": "GET_HEALTH"})
                self.assertEqual(200, reply.status)
                resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, before)
                self.assertEqual(200, second.read_response().status)

    def test_idle_connections(self) -> None:
        """However many there are, containers end as they should, and are cleaned up."""
        agent = self.new_agent(wrapper=["prlimit", "--nofile=256:256"])
        agent.launch("root", command=shell("exec sleep 100000"))
        ends = [(("root", "a"), 3), (("b",), 4), (("root", "c"), 5), (("d",), 6)]
        for path, code in ends:
            agent.launch(*path, command=shell(
                f"while ! test -e go; do sleep 0.02; done; exit {code}", **ATTACHABLE))
        with contextlib.ExitStack() as idle:
            for _ in range(400):
                idle.enter_context(agent.connect())
            time.sleep(0.3)
            for path, _ in ends:
                (agent.sandbox(*path) / "go").touch()
            eventually(lambda: not any(agent.pids(*path) for path, _ in ends), "they have ended")
            time.sleep(0.3)
        for path, code in ends:
            self.assertEqual(code << 8, agent.wait(*path)["exit_status"])
        agent.destroy_all()
        agent.assert_nothing_left()

    def test_many_containers(self) -> None:
        """Launches are refused as long as what runs can still be cleaned up."""
        agent = self.new_agent(wrapper=["prlimit", "--nofile=160:160"])
        made, refused = [], 0
        while refused < 5 and len(made) < 100:
            path = (unique("many"),)
            reply = agent.call(launch_call(*path, command=argv("sleep", "100000", **ATTACHABLE)))
            if reply.status == 200:
                made.append(path)
            else:
                refused += 1
                self.assert_status(400, reply)
                self.assertIn("Too many open files", reply.text)
                self.assertFalse(agent.sandbox(*path).exists())
        self.assertEqual(5, refused)
        self.assertGreater(len(made), 3)
        self.assertEqual(set(made), agent.containers())
        for path in made:
            self.assertEqual(200, agent.kill(*path).status)
        for path in made:
            self.assertEqual(9, agent.wait(*path)["exit_status"])
        agent.assert_nothing_left()

    def test_processes(self) -> None:
        """In a pids cgroup with little room."""
        agent = self.new_agent()
        group = self.new_group("pids", agent)

        @contextlib.contextmanager
        def left(count: int) -> Iterator[None]:
            (group / "cgroup.procs").write_text(str(agent.pid))
            used = int((group / "pids.current").read_text())
            (group / "pids.max").write_text(str(used + count))
            try:
                yield
            finally:
                (group / "pids.max").write_text("max")
                for pid in (group / "cgroup.procs").read_text().split():
                    (group.parent / "cgroup.procs").write_text(pid)

        answers = self.squeeze(agent, left, range(0, 9))
        self.assertIn(400, sum(answers.values(), []))
        self.assertIn(200, sum(answers.values(), []))

    def test_memory(self) -> None:
        """In a memory cgroup that is too small it is killed; the next one takes everything up."""
        agent = self.new_agent()
        agent.launch("root", command=shell("exec sleep 100000"))
        agent.launch("root", "cat", command=argv("cat", **ATTACHABLE))
        agent.launch("alone", command=shell(
            "while ! test -e go; do sleep 0.02; done; exit 5"))
        group = self.new_group("memory", agent)
        (group / "cgroup.procs").write_text(str(agent.pid))
        (group / "memory.limit_in_bytes").write_text("4M")
        # Its memory was charged elsewhere so far; what it takes now is charged here.
        connections = []
        with contextlib.suppress(OSError, ConnectionClosed):
            while len(connections) < 200:
                connection = agent.connect()
                connections.append(connection)
                connection.send(b"POST /api/v1 HTTP/1.1\r\nHost: a\r\nContent-Type: application/json"
                                b"\r\nContent-Length: 1000000\r\n\r\n" + b" " * 900_000)
        assert agent.process is not None
        self.assertEqual(-9, agent.join())
        for connection in connections:
            connection.close()
        (agent.sandbox("alone") / "go").touch()
        agent.start()
        self.assertEqual(5 << 8, agent.wait("alone")["exit_status"])
        self.assertEqual({("root",), ("root", "cat")}, agent.containers())
        self.assertEqual(200, write_input(agent, "root", "cat", data=b"x").status)
        self.assertEqual(0, agent.wait("root", "cat")["exit_status"])
        agent.destroy_all()
        agent.assert_nothing_left()

    def new_group(self, controller: str, agent: Agent) -> Path:
        """A cgroup of the test's own; gone, with whatever is in it, when the agent is."""
        group = cgroups.hierarchies()[controller] / f"{agent.cgroups_root}_around"
        group.mkdir()
        self.addCleanup(eventually, lambda: not group.exists() or not self.rmdir(group),
                        "its cgroup is empty")
        return group

    @staticmethod
    def rmdir(group: Path) -> bool:
        """Whether it is still there."""
        with contextlib.suppress(OSError):
            group.rmdir()
        return group.exists()


if __name__ == "__main__":
    import run
    run.main([__file__])
