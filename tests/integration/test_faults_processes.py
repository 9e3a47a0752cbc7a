"""kill -9 and SIGSTOP of whatever stands between the agent and a container: launch helpers,
switchboards, readers."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from attach import Output, attach_output, session, tty, write_input
from harness import (ISOLATION, SMALL, Agent, AgentTestCase, OwnAgentTestCase, argv, container_id, eventually,
                     pid_gone, shell, unique)
from load import ATTACHABLE, differ, lines
from rawhttp import TIMEOUT, TIMEOUT_FACTOR
from sessions import switchboard_of

FULL = os.environ.get("MESOS_TEST_FULL") == "1"
SWITCHBOARD_EXITED = "REASON_IO_SWITCHBOARD_EXITED"


def children(agent: Agent) -> list[int]:
    """Its launch helpers and switchboards, from the moment they are cloned."""
    file = Path(f"/proc/{agent.pid}/task/{agent.pid}/children")
    return [int(pid) for pid in file.read_text().split()]


def init_of(agent: Agent, *path: str) -> int:
    file = agent.runtime_dir / "containers" / "/containers/".join(path) / "pid"
    return int(file.read_text().split()[0])


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """The process stands still meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] == "T",
               "it stands still")
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


class KilledSwitchboards(AgentTestCase):
    """The container goes with its switchboard, and says why; nothing else is touched."""

    def test_each_kind(self) -> None:
        with self.root() as root, attach_session(self.agent, root) as bystander:
            for nested in (False, True):
                for container in (None, tty()):
                    path = (root, unique()) if nested else (unique(),)
                    with self.subTest(nested=nested, tty=container is not None):
                        self.agent.launch(*path, container=container, command=shell(
                            "echo ready; exec sleep 100000", **ATTACHABLE))
                        eventually(lambda p=path: "ready" in self.agent.output(*p), "it runs")
                        with attach_output(self.agent, *path) as reader:
                            os.kill(switchboard_of(self.agent, *path), signal.SIGKILL)
                            self.assertTrue(reader.ends_uncleanly())
                        termination = self.agent.wait(*path)
                        # The terminal's hangup comes first.
                        self.assertIn(termination["exit_status"], (1, 9) if container else (9,))
                        self.assertEqual(SWITCHBOARD_EXITED, termination.get("reason"))
                        self.assertEqual(200, self.agent.remove(*path).status)
            self.assertEqual(200, write_input(self.agent, root, bystander.name,
                                              data=b"hello\n").status)
            self.assertEqual(b"hello\n", bystander.output.read_to_end().stdout)
        self.agent.assert_nothing_left()

    def test_sessions(self) -> None:
        with self.root() as root:
            for container in (None, tty()):
                name = unique()
                with session(self.agent, root, name, container=container,
                             command=shell("echo ready; exec sleep 100000")) as output:
                    output.read_until(b"ready")
                    os.kill(switchboard_of(self.agent, root, name), signal.SIGKILL)
                    self.assertTrue(output.ends_uncleanly())
                termination = self.agent.wait(root, name)
                self.assertEqual(SWITCHBOARD_EXITED, termination.get("reason"), termination)
        self.agent.assert_nothing_left()


class attach_session:
    """A session that copies its input to its output."""

    def __init__(self, agent: Agent, root: str) -> None:
        self.name = unique("bystander")
        self.output: Output = session(agent, root, self.name, command=argv("cat"))

    def __enter__(self) -> attach_session:
        return self

    def __exit__(self, *_: object) -> None:
        self.output.close()


class KilledWhileDown(OwnAgentTestCase):
    def test_switchboard(self) -> None:
        """A container whose switchboard has died meanwhile is mute: it goes, with the reason."""
        agent = self.new_agent()
        agent.launch("root", command=shell("exec sleep 100000"))
        for path in (("mute",), ("root", "mute")):
            agent.launch(*path, command=shell("exec sleep 100000", **ATTACHABLE))
        agent.launch("fine", command=argv("cat", **ATTACHABLE))
        pids = [switchboard_of(agent, *path) for path in (("mute",), ("root", "mute"))]
        agent.kill9()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: all(map(pid_gone, pids)), "the switchboards are dead")
        agent.start()
        for path in (("mute",), ("root", "mute")):
            termination = agent.wait(*path)
            self.assertEqual((9, SWITCHBOARD_EXITED),
                             (termination["exit_status"], termination.get("reason")))
        self.assertEqual({("root",), ("fine",)}, agent.containers())
        self.assertEqual(200, write_input(agent, "fine", data=b"x").status)
        self.assertEqual(0, agent.wait("fine")["exit_status"])
        agent.destroy_all()
        agent.assert_nothing_left()


class KilledHelpers(OwnAgentTestCase):
    def test_with_and_without_a_pid_namespace(self) -> None:
        """The init's death ends everything in the container, also what left its session."""
        for isolation in ("cgroups/cpu,cgroups/mem", ISOLATION):
            agent = self.new_agent({"isolation": isolation})
            with self.subTest(isolation=isolation):
                agent.launch("root", command=shell("exec sleep 100000"))
                for path in (("top",), ("root", "child")):
                    agent.launch(*path, command=shell(
                        "for i in 1 2 3; do setsid sh -c 'trap : TERM HUP; sleep 98765 & wait' & "
                        "done; echo ready; wait"))
                    eventually(lambda p=path: agent.output(*p) == "ready\n"
                               and len(agent.pids(*p)) >= 8, "it has forked")
                    pids = agent.pids(*path)
                    os.kill(init_of(agent, *path), signal.SIGKILL)
                    self.assertEqual(9, agent.wait(*path)["exit_status"])
                    self.assertTrue(all(map(pid_gone, pids)), "processes survive their init")
                agent.destroy_all()
                agent.assert_nothing_left()

    def test_at_any_moment(self) -> None:
        """Helpers and switchboards are killed while they start: each launch comes to one end."""
        agent = self.new_agent()
        agent.launch("root", command=shell("exec sleep 100000"))
        agent.run("root", "first", command=argv("true", **ATTACHABLE))
        agent.remove("root", "first")
        keep = init_of(agent, "root")
        before = agent.settled_fds()
        over = threading.Event()
        killed = 0

        def kill_some() -> None:
            nonlocal killed
            while not over.is_set():
                for pid in children(agent):
                    if pid != keep and random.random() < 0.3:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)
                            killed += 1
                time.sleep(random.random() * 0.02)

        killer = threading.Thread(target=kill_some)
        killer.start()
        answers: dict[int, int] = {}
        try:
            end = time.monotonic() + (60 if FULL else 3)
            # On a slow machine a launch takes as long as many do elsewhere.
            while time.monotonic() < end or (killed <= 10 and time.monotonic() < end + TIMEOUT):
                path = random.choice(((unique("k"),), ("root", unique("k"))))
                env = random.choice(({}, ATTACHABLE))
                reply = agent.call({"type": "LAUNCH_CONTAINER", "launch_container": {
                    "container_id": container_id(*path), "resources": SMALL if len(path) == 1 else [],
                    "command": shell("sleep 0.03; exit 5", **env)}})
                answers[reply.status] = answers.get(reply.status, 0) + 1
                if reply.status == 200:
                    termination = agent.wait(*path)
                    self.assertIn(termination.get("exit_status"), (5 << 8, 9), termination)
                    self.assertEqual(200, agent.remove(*path).status)
                else:
                    self.assertEqual(400, reply.status, str(reply))
                    self.assert_status(404, agent.try_wait(*path))
                    self.assertFalse(agent.sandbox(*path).exists())
        finally:
            over.set()
            killer.join()
        self.assertGreater(killed, 10)
        self.assertEqual({("root",)}, agent.containers())
        eventually(lambda: agent.settled_fds() <= before, "descriptors are back")
        agent.destroy_all()
        agent.assert_nothing_left()


class Stopped(AgentTestCase):
    """SIGSTOP: whoever stands still holds up nobody else for longer than is said."""

    def test_helper(self) -> None:
        for path in ((unique(),), (unique(),)):
            self.agent.launch(*path, command=shell("exec sleep 100000"))
            with stopped(init_of(self.agent, *path)):
                self.assertEqual(200, self.agent.kill(*path, signal=15).status)
                self.assertIn(path, self.agent.containers())
                self.assertEqual(200, self.agent.kill(*path).status)
                self.assertEqual(9, self.agent.wait(*path)["exit_status"])
        self.agent.assert_nothing_left()

    def test_command(self) -> None:
        path = (unique(),)
        self.agent.launch(*path, command=shell("exec sleep 100000"))
        with stopped(self.agent.await_process(*path, containing="sleep 100000")):
            self.assertEqual(200, self.agent.kill(*path).status)
            self.assertEqual(9, self.agent.wait(*path)["exit_status"])

    def flood(self, readers: int) -> tuple[str, bytes, list[Output]]:
        """A container that writes on request, and its readers."""
        name = unique("flood")
        data = lines(700_000)
        self.agent.launch(name, command=shell("read go; seq 1 700000; exit 7", **ATTACHABLE))
        streams = [attach_output(self.agent, name, receive_buffer=4096)]
        streams += [attach_output(self.agent, name, timeout=60 * TIMEOUT_FACTOR)
                    for _ in range(readers - 1)]
        self.assertEqual(200, write_input(self.agent, name, data=b"go\n", eof=False).status)
        return name, data, streams

    def test_reader_for_a_while(self) -> None:
        """It holds up the others, but loses nothing, and neither do they."""
        name, data, streams = self.flood(3)
        threads = [threading.Thread(target=stream.read_to_end) for stream in streams[1:]]
        for thread in threads:
            thread.start()
        time.sleep(1)
        self.assertLess(len(streams[1].stdout), len(data), "nobody was held up")
        streams[0].read_to_end()
        for thread in threads:
            thread.join(60 * TIMEOUT_FACTOR)
        for stream in streams:
            self.assertEqual(data, bytes(stream.stdout), differ(stream.stdout, data))
            stream.close()
        self.assertEqual(7 << 8, self.agent.wait(name)["exit_status"])

    def test_agent_and_switchboard_for_a_while(self) -> None:
        name, data, streams = self.flood(2)
        threads = [threading.Thread(target=stream.read_to_end) for stream in streams]
        for thread in threads:
            thread.start()
        with stopped(self.agent.pid):
            time.sleep(1)
        with stopped(switchboard_of(self.agent, name)):
            self.assertIn((name,), self.agent.containers())
            time.sleep(1)
        for thread in threads:
            thread.join(60 * TIMEOUT_FACTOR)
        for stream in streams:
            self.assertEqual(data, bytes(stream.stdout), differ(stream.stdout, data))
            stream.close()
        self.assertEqual(7 << 8, self.agent.wait(name)["exit_status"])

    if FULL:
        def test_reader_for_good(self) -> None:
            """It is cut off, so that the others go on, and lose nothing."""
            name, data, streams = self.flood(3)
            threads = [threading.Thread(target=stream.read_to_end) for stream in streams[1:]]
            for thread in threads:
                thread.start()
            for thread, stream in zip(threads, streams[1:]):
                thread.join(100 * TIMEOUT_FACTOR)
                self.assertEqual(data, bytes(stream.stdout), differ(stream.stdout, data))
            self.assertTrue(streams[0].ends_uncleanly())
            self.assertTrue(data.startswith(streams[0].stdout))
            self.assertEqual(7 << 8, self.agent.wait(name)["exit_status"])

        def test_switchboard_for_good(self) -> None:
            """It is killed in the end; the status is there."""
            name = unique()
            self.agent.launch(name, command=shell("exec sleep 100000", **ATTACHABLE))
            with stopped(switchboard_of(self.agent, name)):
                self.assertEqual(200, self.agent.kill(name).status)
                termination = self.agent.wait(name, timeout=100 * TIMEOUT_FACTOR)
            self.assertEqual(9, termination["exit_status"])
            self.agent.assert_nothing_left()


if __name__ == "__main__":
    import run
    run.main([__file__])
