"""Mixed load on an agent from many clients at once, each of which knows what must come back.

Every client does one thing after the other: launches, nested containers, sessions, attached
readers, kills, trees, polls, and clients that vanish. It checks each exit status and every byte, and
removes what it has made, so that an agent under load for hours is as empty at its end as at its
start. With `crashing` the agent may be killed and started again at any moment: a call that got no
answer is made again, as a client would, and whatever was answered with 200 must still be true.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import random
import threading
import time
import traceback
from collections.abc import Callable, Iterator

import attach
import wire
from harness import SMALL, Agent, Reply, argv, container_id, id_path, resources, shell
from rawhttp import TIMEOUT_FACTOR, ConnectionClosed
from wire import JSON, Message

ATTACHABLE = {"MESOS_CONTAINER_ATTACHABLE": "true"}
ROOT = "load-root"
PATIENCE = 60 * TIMEOUT_FACTOR  # for an answer, over as many restarts as it takes
BROKEN = (ConnectionClosed, ConnectionError)

_serial = itertools.count(1)


def lines(count: int) -> bytes:
    return b"".join(b"%d\n" % i for i in range(1, count + 1))


class Load:
    """Clients of one agent. After start(), stop() gives what they found wrong."""

    def __init__(self, agent: Agent, clients: int = 6, crashing: bool = False,
                 seed: int | None = None) -> None:
        self.agent = agent
        self.crashing = crashing
        self.problems: list[str] = []
        self.counts: collections.Counter[str] = collections.Counter()
        self._answers: dict[tuple[str, ...], int] = {}  # of launches, for the messages
        self._stopping = threading.Event()
        seed = random.randrange(1 << 32) if seed is None else seed
        self._threads = [threading.Thread(target=self._client, args=(random.Random(seed + n),))
                         for n in range(clients)]
        self._operations: list[Callable[[random.Random], None]] = [
            self.short, self.nested, self.killed, self.terminated, self.tree, self.session,
            self.attached, self.vanishing, self.abandoned, self.poll]

    # -- life --

    def start(self) -> None:
        self.agent.launch(ROOT, command=shell("exec sleep 1000000"),
                          resources=resources(cpus=1, mem=1024))
        for thread in self._threads:
            thread.start()

    def stop(self) -> list[str]:
        """Let every client finish what it is at; then remove the common root. With the agent up."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(2 * PATIENCE)
            if thread.is_alive():
                self.problems.append("a client hangs")
        self._destroy((ROOT,), 9)
        return self.problems

    def _client(self, chance: random.Random) -> None:
        while not self._stopping.is_set() and len(self.problems) < 20:
            operation = chance.choice(self._operations)
            name = operation.__name__
            try:
                operation(chance)
                self.counts[name] += 1
            except Exception:
                self.problems.append(f"{time.strftime('%T')} {name}: {traceback.format_exc()}")

    # -- calls that outlive restarts --

    def _call(self, message: Message) -> Reply:
        """The agent's answer; when it crashes meanwhile, that of the one after it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                reply = self.agent.call(message, timeout=PATIENCE)
                if reply.status != 503:
                    return reply
            except BROKEN:
                if not self.crashing:
                    raise
            if time.monotonic() > deadline:
                raise AssertionError(f"no answer to {message}")
            time.sleep(0.02)

    def _launch_call(self, path: tuple[str, ...], command: Message,
                     container: Message | None = None) -> Message:
        fields: Message = {"container_id": container_id(*path), "command": command}
        if len(path) == 1:
            fields["resources"] = SMALL
        if container is not None:
            fields["container"] = container
        return {"type": "LAUNCH_CONTAINER", "launch_container": fields}

    def _launch(self, path: tuple[str, ...], command: Message,
                container: Message | None = None) -> None:
        reply = self._call(self._launch_call(path, command, container))
        self._answers[path] = reply.status
        # 202: an earlier attempt has succeeded, its answer was lost with the agent.
        expect(reply.status == 200 or self.crashing and reply.status == 202, f"{path}: {reply}")

    def _wait(self, path: tuple[str, ...]) -> int:
        message = self.agent.wait_call(*path)
        reply = self._call(message)
        expect(reply.status == 200 and reply.message is not None,
               f"lost: {path}, whose launch was answered with {self._answers.get(path)}: "
               f"{reply}")
        assert reply.message is not None
        termination = reply.message["wait_container"]
        expect("exit_status" in termination, f"lost: {path}, whose launch was answered with "
               f"{self._answers.get(path)}, ended with {termination}")
        return termination["exit_status"]

    def _expect_end(self, path: tuple[str, ...], status: int) -> None:
        found = self._wait(path)
        expect(found == status, f"{path} ended with {found}, not {status}")

    def _kill(self, path: tuple[str, ...], signal: int | None = None) -> None:
        fields: Message = {"container_id": container_id(*path)}
        if signal is not None:
            fields["signal"] = signal
        reply = self._call({"type": "KILL_CONTAINER", "kill_container": fields})
        expect(reply.status == 200 or self.crashing and reply.status == 404, f"{path}: {reply}")

    def _remove(self, path: tuple[str, ...]) -> None:
        self._answers.pop(path, None)
        reply = self._call({"type": "REMOVE_CONTAINER",
                            "remove_container": {"container_id": container_id(*path)}})
        expect(reply.status == 200 or self.crashing and reply.status == 404,
               f"REMOVE {path}: {reply}")
        sandbox = self.agent.sandbox(*path)
        expect(not sandbox.exists(), f"{sandbox} outlives the removal")
        runtime = self.agent.runtime_dir / "containers" / "/containers/".join(path)
        expect(not runtime.exists(), f"{runtime} outlives the removal")

    def _destroy(self, path: tuple[str, ...], status: int) -> None:
        self._kill(path)
        self._expect_end(path, status)
        self._remove(path)

    # -- what the clients do --

    def short(self, chance: random.Random) -> None:
        """A standalone container that writes and ends by itself."""
        path = (unique("short"),)
        self._short(path, chance)

    def nested(self, chance: random.Random) -> None:
        """The same, in the common root, some in a process id namespace of their parent's."""
        self._short((ROOT, unique("nested")), chance)

    def _short(self, path: tuple[str, ...], chance: random.Random) -> None:
        code, count = chance.randrange(256), chance.choice((0, 1, 1000))
        pause = chance.choice((0, 0, 0.05, 0.2))
        self._launch(path, shell(f"seq 1 {count}; sleep {pause}; exit {code}"))
        self._expect_end(path, code << 8)
        expect(self.agent.output(*path).encode() == lines(count), f"output of {path} is damaged")
        self._expect_end(path, code << 8)  # it stays
        self._remove(path)

    def killed(self, chance: random.Random) -> None:
        path = chance.choice(((unique("killed"),), (ROOT, unique("killed"))))
        self._launch(path, argv("sleep", "1000000"))
        time.sleep(chance.choice((0, 0, 0.1)))
        self._destroy(path, 9)

    def terminated(self, chance: random.Random) -> None:
        path = chance.choice(((unique("terminated"),), (ROOT, unique("terminated"))))
        self._launch(path, argv("sleep", "1000000"))
        self._kill(path, 15)
        self._expect_end(path, 15)
        self._remove(path)

    def tree(self, chance: random.Random) -> None:
        """Children and grandchildren go with their root, each with a status."""
        top = (unique("tree"),)
        paths = [top, (*top, "a"), (*top, "b"), (*top, "a", "c")]
        for path in paths:
            self._launch(path, argv("sleep", "1000000"))
        self._kill(top)
        for path in chance.sample(paths, len(paths)):
            self._expect_end(path, 9)
        self._remove(top)

    def session(self, chance: random.Random) -> None:
        """A stream that ends cleanly is whole, and then there is a status."""
        path = (ROOT, unique("session"))
        code, count = chance.randrange(256), chance.choice((0, 10, 20_000))
        encoding = chance.choice((JSON, wire.PROTOBUF))
        terminal = chance.random() < 0.3
        try:
            with attach.session(self.agent, *path, command=shell(f"seq 1 {count}; exit {code}"),
                                container=attach.tty() if terminal else None,
                                accept=encoding) as output:
                output.read_to_end()
        except (*BROKEN, AssertionError):
            if not self.crashing:
                raise
            self._forget(path)  # with the agent that had it
            return
        expected = lines(count).replace(b"\n", b"\r\n") if terminal else lines(count)
        expect(output.stdout == expected, f"stream of {path}: {differ(output.stdout, expected)}")
        self._expect_end(path, code << 8)
        self._remove(path)

    def attached(self, chance: random.Random) -> None:
        """One writer and several readers: each gets every byte once, for as long as it stays."""
        path = (unique("attached"),)
        self._launch(path, argv("cat", **ATTACHABLE))
        data = lines(chance.choice((10, 5000)))
        readers: list[attach.Output] = []
        try:
            with contextlib.ExitStack() as open_streams:
                for _ in range(3):
                    readers.append(open_streams.enter_context(
                        attach.attach_output(self.agent, *path)))
                reply = attach.write_input(self.agent, *path, data=data)
                expect(reply.status == 200, f"input of {path}: {reply.status} {reply.text}")
                for reader in readers:
                    reader.read_to_end()
                    expect(reader.stdout == data,
                           f"reader of {path}: {differ(reader.stdout, data)}")
            self._expect_end(path, 0)
            expect(self.agent.output(*path).encode() == data, f"output of {path} is damaged")
            self._remove(path)
        except (*BROKEN, AssertionError):
            if not self.crashing:
                raise
            for reader in readers:
                expect(data.startswith(reader.stdout),
                       f"reader of {path}: {differ(reader.stdout, data)}")
            # It had ended by itself before the kill, or not.
            self._kill(path)
            status = self._wait(path)
            expect(status in (0, 9), f"{path} ended with {status}")
            self._remove(path)

    def vanishing(self, chance: random.Random) -> None:
        """A session whose client goes, at any moment, goes too."""
        path = (ROOT, unique("vanishing"))
        call = attach.session_call(*path, command=shell("seq 1 100000; exec sleep 1000000"))
        with self._broken_is_fine():
            connection = self.agent.connect()
            connection.send(attach.output_request(call))
            connection.readable(chance.choice((0, 0.001, 0.01, 0.1)))
            chance.choice((connection.close, connection.reset))()
        self._forget(path)

    def _forget(self, path: tuple[str, ...]) -> None:
        """Wait until a session is gone, whatever its end, and remove it."""
        deadline = time.monotonic() + PATIENCE
        while path in self._containers():
            expect(time.monotonic() < deadline, f"{path} stays")
            time.sleep(0.02)
        # Not yet launched when we looked: a client's request may be served after its end.
        while True:
            reply = self._call({"type": "REMOVE_CONTAINER",
                                "remove_container": {"container_id": container_id(*path)}})
            if reply.status == 200:
                return
            expect("has not terminated yet" in reply.text, f"REMOVE {path}: {reply}")
            expect(time.monotonic() < deadline, f"{path} stays")
            time.sleep(0.02)

    def abandoned(self, chance: random.Random) -> None:
        """A launch whose client does not come back for its answer: all or nothing."""
        path = chance.choice(((unique("abandoned"),), (ROOT, unique("abandoned"))))
        try:
            status = self.agent.call(self._launch_call(path, argv("true"))).status
            expect(status == 200, f"launch of {path}: {status}")
            self._expect_end(path, 0)
            self._remove(path)
        except BROKEN:
            if not self.crashing:
                raise
            reply = self._call(self.agent.wait_call(*path))
            if reply.status == 200:
                self._remove(path)
            else:
                expect(reply.status == 404, f"WAIT {path}: {reply}")

    def poll(self, chance: random.Random) -> None:
        expect((ROOT,) in self._containers(), "the root is unknown")

    def _containers(self) -> set[tuple[str, ...]]:
        reply = self._call({"type": "GET_CONTAINERS", "get_containers": {
            "show_nested": True, "show_standalone": True}})
        expect(reply.status == 200 and reply.message is not None, f"GET_CONTAINERS: {reply}")
        assert reply.message is not None
        return {id_path(entry["container_id"])
                for entry in reply.message["get_containers"].get("containers", [])}

    @contextlib.contextmanager
    def _broken_is_fine(self) -> Iterator[None]:
        try:
            yield
        except BROKEN:
            if not self.crashing:
                raise


def unique(prefix: str) -> str:
    return f"{prefix}-{next(_serial)}"


def expect(condition: bool, what: str) -> None:
    if not condition:
        raise AssertionError(what)


def differ(found: bytes | bytearray, expected: bytes) -> str:
    """Where they differ, in a line."""
    at = next((i for i, (a, b) in enumerate(zip(found, expected)) if a != b),
              min(len(found), len(expected)))
    return (f"{len(found)} bytes for {len(expected)}, other from {at} on: "
            f"{bytes(found[at:at + 40])!r} for {expected[at:at + 40]!r}")
