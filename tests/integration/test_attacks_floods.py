"""Clients and containers that want everything: all connections, all memory, all of the agent's time.

Nothing here is about durations: what is asked is that the others are served at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import resource
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from attach import Input, Output, attach_output, session, write_input
from harness import (Agent, AgentTestCase, OwnAgentTestCase, argv, eventually,
                     resources, shell, unique)
from rawhttp import TIMEOUT, TIMEOUT_FACTOR
from sessions import ATTACHABLE, MB, random_file, rss, switchboard_of

CROWD = 10_000
ROOM = 1000

# How much a process may grow. Sanitizers keep what has been freed for a while.
SLACK = (8 if TIMEOUT_FACTOR == 1 else 64) * MB


@contextlib.contextmanager
def many_descriptors() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


class Crowd:
    """Connections to an agent that each send something and then nothing, or a byte now and then."""

    def __init__(self, agent: Agent, first: bytes = b"", then: bytes = b"") -> None:
        self.agent, self.first, self.then = agent, first, then
        self.sockets: list[socket.socket] = []
        self.stopping = threading.Event()
        self.thread: threading.Thread | None = None

    def add(self, count: int, receive_buffer: int | None = None) -> None:
        for _ in range(count):
            client = socket.socket()
            self.sockets.append(client)
            if receive_buffer is not None:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            client.settimeout(5)
            with contextlib.suppress(OSError):
                client.connect(self.agent.address)
                client.sendall(self.first)

    def go_on(self) -> None:
        """From now on, trickle, and replace who was thrown out."""
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        while not self.stopping.wait(0.001):
            gone = []
            for at, client in enumerate(self.sockets):
                if self.stopping.is_set():
                    return
                try:
                    client.settimeout(0)
                    if self.then:
                        client.send(self.then)
                    elif client.recv(1) == b"":
                        gone.append(at)
                except BlockingIOError:
                    pass
                except OSError:
                    gone.append(at)
            for at in gone[:50]:
                if self.stopping.is_set():
                    return
                self.sockets[at].close()
                self.add(1)
                self.sockets[at] = self.sockets.pop()

    def close(self) -> None:
        self.stopping.set()
        if self.thread is not None:
            self.thread.join()
        for client in self.sockets:
            client.close()


class Connections(OwnAgentTestCase):
    """More clients than --max_connections who do nothing, or do it slowly."""

    def agent_with_crowd(self, room: int, count: int, first: bytes = b"", then: bytes = b"",
                         receive_buffer: int | None = None) -> tuple[Agent, Crowd]:
        """Before the crowd comes, somebody has a session, and somebody an input stream."""
        agent = self.new_agent({"max_connections": str(room)})
        agent.launch("root", command=shell("sleep 100000"))
        agent.launch("root", "cat", command=argv("cat", **ATTACHABLE))
        self.session = session(agent, "root", "session", command=argv("cat"))
        self.addCleanup(self.session.close)
        self.output = attach_output(agent, "root", "cat")
        self.addCleanup(self.output.close)
        self.input = Input(agent, "root", "cat")
        self.addCleanup(self.input.close)
        self.input.stdin(b"before ")
        self.output.read_until(b"before ")
        crowd = Crowd(agent, first, then)
        self.addCleanup(crowd.close)
        crowd.add(count, receive_buffer)
        crowd.go_on()
        return agent, crowd

    def assert_served(self, agent: Agent) -> None:
        """Who comes now, and who was there before."""
        failures = 0
        for number in range(10):
            # Between connecting and asking it may be thrown out like the others, but not always.
            for attempt in itertools.count(1):
                try:
                    name = unique()
                    agent.launch(name, command=shell(f"exit {number}"))
                    self.assertEqual(number << 8, agent.wait(name)["exit_status"])
                    break
                except (OSError, AssertionError):
                    failures += 1
                    if attempt == 5:
                        raise
        self.assertLess(failures, 10)
        self.input.stdin(b"after").eof()
        self.assertEqual(200, self.input.finish().status)
        self.assertEqual(b"before after", bytes(self.output.read_to_end().stdout))
        for attempt in itertools.count(1):
            # Nor is it safe before its first record, with which it becomes a stream.
            try:
                self.assertEqual(200, write_input(agent, "root", "session", data=b"typed").status)
                break
            except OSError:
                if attempt == 5:
                    raise
        self.assertEqual(b"typed", bytes(self.session.read_to_end().stdout))

    def test_idle(self) -> None:
        with many_descriptors():
            agent, crowd = self.agent_with_crowd(ROOM, CROWD)
            self.assertEqual(CROWD, len(crowd.sockets))
            self.assertLess(agent.fd_count(), ROOM + 100)
            self.assert_served(agent)
            self.assertLess(rss(agent.pid), 128 * MB)
            crowd.close()

    def test_slow_heads(self) -> None:
        agent, _ = self.agent_with_crowd(200, 600, b"GET /health HTTP/1.1\r\nX: ", b"x")
        self.assert_served(agent)

    def test_slow_bodies(self) -> None:
        agent, _ = self.agent_with_crowd(
            200, 600, b"POST /api/v1 HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000000\r\n\r\n", b" ")
        self.assert_served(agent)

    def test_streams_without_a_first_record(self) -> None:
        agent, _ = self.agent_with_crowd(
            200, 600, b"POST /api/v1 HTTP/1.1\r\nHost: a\r\nContent-Type: application/recordio\r\n"
            b"Message-Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"4\r\n100\n\r\n", b"1\r\n \r\n")
        self.assert_served(agent)

    def test_answers_that_nobody_takes(self) -> None:
        request = b"GET /help HTTP/1.1\r\nHost: a\r\n\r\n"
        agent, _ = self.agent_with_crowd(60, 120, request * 1000, request, receive_buffer=4096)
        self.assert_served(agent)
        self.assertLess(rss(agent.pid), 128 * MB)


class Memory(AgentTestCase):
    """Output that nobody takes (CVE-2022-31030)."""

    def test_a_gigabyte_that_nobody_reads(self) -> None:
        name = unique()
        self.agent.launch(name, command=shell("read go; head -c 1073741824 /dev/zero; read end",
                                              **ATTACHABLE), resources=resources(cpus=1, mem=256))
        switchboard = switchboard_of(self.agent, name)
        before = rss(self.agent.pid), rss(switchboard)
        write_input(self.agent, name, data=b"go\n", eof=False)
        stdout = self.agent.sandbox(name) / "stdout"
        largest = [0, 0]

        def all_there() -> bool:
            for at, pid in enumerate((self.agent.pid, switchboard)):
                largest[at] = max(largest[at], rss(pid))
            return stdout.stat().st_size == 1024 * MB

        eventually(all_there, "all of it is in the sandbox", 6 * TIMEOUT)
        self.assertLess(largest[0], before[0] + SLACK)
        self.assertLess(largest[1], before[1] + SLACK)
        self.agent.kill(name)
        self.agent.wait(name)
        stdout.unlink()

    def test_a_reader_that_never_reads(self) -> None:
        """The program waits for it; what waits is bounded."""
        name = unique()
        self.agent.launch(name, command=shell("read go; exec yes", **ATTACHABLE))
        switchboard = switchboard_of(self.agent, name)
        before = rss(self.agent.pid), rss(switchboard)
        with contextlib.ExitStack() as stack:
            for _ in range(20):
                stack.enter_context(attach_output(self.agent, name, receive_buffer=4096))
            write_input(self.agent, name, data=b"go\n", eof=False)
            stdout = self.agent.sandbox(name) / "stdout"
            last = [-1, 0]

            def stands_still() -> bool:
                size = stdout.stat().st_size
                last[:] = [size, last[1] + 1 if size == last[0] and size > 0 else 0]
                return last[1] == 30

            eventually(stands_still, "the program is held up")
            self.assertLess(rss(self.agent.pid), before[0] + 4 * SLACK)
            self.assertLess(rss(switchboard), before[1] + 4 * SLACK)
            self.agent.expect(200, {"type": "GET_HEALTH"})
        self.agent.kill(name)
        self.agent.wait(name)


class Starvation(AgentTestCase):
    """One client's stream, or calls, and those of others."""

    READERS = 20

    def read(self, output: Output) -> str:
        digest = hashlib.sha256()
        for _ in output.records():
            digest.update(output.stdout)
            output.stdout.clear()
        return digest.hexdigest()

    def attach_all(self, stack: contextlib.ExitStack, name: str) -> list[Output]:
        return [stack.enter_context(attach_output(self.agent, name, timeout=6 * TIMEOUT))
                for _ in range(self.READERS)]

    def test_beside_one_that_never_reads(self) -> None:
        """On one container: up to what is kept for the slowest, the others notice nothing. Beyond
        that it holds them up until it is cut off, as `Stopped.test_reader_for_good` shows."""
        path, expected = random_file(self.agent, MB)
        name = unique()
        self.agent.launch(name, command=shell(f"read go; head -c 700000 {path}", **ATTACHABLE))
        with path.open("rb") as file:
            expected = hashlib.sha256(file.read(700_000)).hexdigest()
        with contextlib.ExitStack() as stack:
            stalled = stack.enter_context(attach_output(self.agent, name, receive_buffer=4096))
            readers = self.attach_all(stack, name)
            write_input(self.agent, name, data=b"go\n", eof=False)
            with ThreadPoolExecutor(self.READERS) as pool:
                found = [pool.submit(self.read, reader) for reader in readers]
                eventually(lambda: all(f.done() for f in found) or
                           (self.agent.sandbox(name) / "stdout").stat().st_size == 700_000,
                           "it has written all")
                self.assertEqual(expected, self.read(stalled))
                self.assertEqual({expected}, {f.result() for f in found})

    def test_beside_others_that_never_read(self) -> None:
        """On other containers; and beside calls without end."""
        path, expected = random_file(self.agent, 8 * MB)
        greedy, name = unique("greedy"), unique()
        self.agent.launch(greedy, command=shell("read go; exec yes", **ATTACHABLE))
        self.agent.launch(name, command=shell(f"read go; cat {path}", **ATTACHABLE),
                          resources=resources(cpus=1, mem=128))
        stop = threading.Event()
        calls = []

        def flood() -> int:
            done = 0
            with self.agent.connect(6 * TIMEOUT) as connection:
                while not stop.is_set():
                    reply = self.agent.call_on(connection, {
                        "type": "GET_CONTAINERS",
                        "get_containers": {"show_nested": True, "show_standalone": True}})
                    assert reply.status == 200, reply
                    done += 1
            return done

        with contextlib.ExitStack() as stack, ThreadPoolExecutor(self.READERS + 8) as pool:
            stack.callback(stop.set)
            for _ in range(10):
                stack.enter_context(attach_output(self.agent, greedy, receive_buffer=4096))
            readers = self.attach_all(stack, name)
            write_input(self.agent, greedy, data=b"go\n", eof=False)
            calls = [pool.submit(flood) for _ in range(8)]
            write_input(self.agent, name, data=b"go\n", eof=False)
            found = [pool.submit(self.read, reader) for reader in readers]
            self.assertEqual({expected}, {f.result() for f in found})
            stop.set()
            done = [call.result() for call in calls]
        self.assertGreater(min(done), 0, "the calls were answered as well")
        self.agent.kill(greedy)
        self.agent.wait(greedy)


if __name__ == "__main__":
    import run
    run.main([__file__])
