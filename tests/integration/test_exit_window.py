"""Signals that arrive just as a container ends: each is answered, and the status stays true.

A container ends in steps: its command exits, its init writes the status down and exits, the agent
notices, kills what is left, cleans up, and answers who waits. The commands here exit when the test
says so, and the signals come at every moment from that to beyond the last step.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from attach import session
from harness import ENCODINGS, AgentTestCase, container_id, eventually, resources, shell, unique
from rawhttp import TIMEOUT
from sessions import ATTACHABLE
from wire import Message

ROUNDS = 40  # of each kind
STEP = 0.00005  # by which each round's signal comes later than that of the round before
CODE = 7
EXITED = CODE << 8
KILL, TERM = 9, 15

Answers = list[tuple[int, str]]


def open_fifo(fifo: Path) -> int:
    """Its writing end, once it has a reader."""

    def opened() -> int | None:
        with contextlib.suppress(OSError):
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        return None

    return eventually(opened, f"somebody reads from {fifo}")


def say_go(fifo: Path) -> None:
    fd = open_fifo(fifo)
    os.write(fd, b"go\n")
    os.close(fd)


class ExitWindow(AgentTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.root_name = unique("root")
        self.agent.launch(self.root_name, command=shell("sleep 100000"),
                          resources=resources(cpus=1, mem=512))

    @contextlib.contextmanager
    def container(self, kind: str, before: str = "",
                  at_end: str = "") -> Iterator[tuple[tuple[str, ...], int]]:
        """A container of that kind that waits for its go; its path, and the descriptor to write
        to for it. `before` has been run by then."""
        path = (self.root_name, unique("window"))
        go = self.agent.scratch / f"go-{path[1]}"
        os.mkfifo(go)
        command = f"{before} read line < {go}; {at_end} exit {CODE}"
        with contextlib.ExitStack() as stack:
            if kind == "session":
                output = stack.enter_context(session(self.agent, *path, command=shell(command)))
            else:
                env = ATTACHABLE if kind == "attachable" else {}
                self.agent.launch(*path, command=shell(command, **env))
            fd = open_fifo(go)
            stack.callback(os.close, fd)
            yield path, fd
            if kind == "session":
                self.assertTrue(output.read_to_end().clean_end)

    def kill_call(self, path: tuple[str, ...], signal: int, nested: bool) -> Message:
        kind = "KILL_NESTED_CONTAINER" if nested else "KILL_CONTAINER"
        return {"type": kind,
                kind.lower(): {"container_id": container_id(*path), "signal": signal}}

    def gone(self, path: tuple[str, ...]) -> tuple[int, str]:
        """The answer to a signal that comes too late."""
        return 404, f"Container '{'.'.join(path)}' cannot be found (or is already killed)"

    def storm(self, path: tuple[str, ...], nested: bool, encoding: str,
              ended: threading.Event) -> Answers:
        """SIGTERM without a pause until the container has ended, and once more after it."""
        answers: Answers = []
        with self.agent.connect() as connection:
            last = False
            while not last:
                last = ended.is_set()
                reply = self.agent.call_on(connection, self.kill_call(path, TERM, nested), encoding)
                answers.append((reply.status, reply.text))
        return answers

    def test_many_signals_that_the_command_ignores(self) -> None:
        """They change nothing, not even when the command has gone and only its init is there."""
        for kind in ("plain", "attachable", "session"):
            for number in range(ROUNDS):
                with self.subTest(kind=kind, number=number), \
                        self.container(kind, "trap '' TERM;") as (path, go), \
                        ThreadPoolExecutor(3) as pool:
                    ended = threading.Event()
                    waiting = pool.submit(self.agent.wait, *path)
                    storms = [pool.submit(self.storm, path, nested, ENCODINGS[number % 2], ended)
                              for nested in (True, False)]
                    time.sleep(number % 4 * STEP)
                    os.write(go, b"go\n")
                    try:
                        self.assertEqual({"exit_status": EXITED}, waiting.result(TIMEOUT))
                    finally:
                        ended.set()
                    for storm in storms:
                        answers = storm.result(TIMEOUT)
                        # 200 as long as it is there, and then never again.
                        taken = answers.count((200, ""))
                        late = len(answers) - taken
                        self.assertEqual([(200, "")] * taken + [self.gone(path)] * late, answers)
                        self.assertEqual(self.gone(path), answers[-1])
                    self.assertEqual({"exit_status": EXITED}, self.agent.wait(*path, nested=True))

    def test_one_signal_at_any_moment(self) -> None:
        """Who is told 404 has not killed it: the status is that of the exit, for good."""
        for kind in ("plain", "attachable", "session"):
            for number, signal in ((n, s) for n in range(ROUNDS) for s in (KILL, TERM)):
                mark = self.agent.scratch / f"mark-{kind}-{number}-{signal}"
                with self.subTest(kind=kind, number=number, signal=signal), \
                        self.container(kind, at_end=f": > {mark};") as (path, go), \
                        self.agent.connect() as connection:
                    call = self.kill_call(path, signal, number % 4 < 2)
                    os.write(go, b"go\n")
                    time.sleep(number * STEP)
                    reply = self.agent.call_on(connection, call, ENCODINGS[number % 2])
                    status = self.agent.wait(*path)["exit_status"]
                    if reply.status == 200:
                        self.assertEqual("", reply.text)
                        self.assertIn(status, (EXITED, signal) if mark.exists() else (signal,))
                    else:
                        self.assertEqual(self.gone(path), (reply.status, reply.text))
                        self.assertEqual(EXITED, status)
                    for nested in (True, False):
                        self.assertEqual({"exit_status": status},
                                         self.agent.wait(*path, nested=nested))
                    reply = self.agent.call_on(connection, call)
                    self.assertEqual(self.gone(path), (reply.status, reply.text))

    def test_the_parent_is_killed_at_that_moment(self) -> None:
        for number in range(ROUNDS):
            root, child, go = unique("root"), unique(), self.agent.scratch / f"go-{number}"
            os.mkfifo(go)
            with self.subTest(number=number), ThreadPoolExecutor(2) as pool:
                self.agent.launch(root, command=shell("sleep 100000"))
                self.agent.launch(root, child, command=shell(f"read line < {go}; exit {CODE}"))
                waits = [pool.submit(self.agent.wait, *p) for p in ((root,), (root, child))]
                say_go(go)
                time.sleep(number * STEP)
                self.assert_status(200, self.agent.kill(root))
                self.assertEqual({"exit_status": KILL}, waits[0].result(TIMEOUT))
                self.assertIn(waits[1].result(TIMEOUT)["exit_status"], (EXITED, KILL))

    def test_the_client_of_a_session_leaves_at_that_moment(self) -> None:
        for number in range(ROUNDS):
            path, go = (self.root_name, unique()), self.agent.scratch / f"leave-{number}"
            os.mkfifo(go)
            with self.subTest(number=number):
                output = session(self.agent, *path, command=shell(f"read x < {go}; exit {CODE}"))
                say_go(go)
                time.sleep(number * STEP)
                (output.connection.reset if number % 2 else output.close)()
                self.assertIn(self.agent.wait(*path)["exit_status"], (EXITED, KILL))


if __name__ == "__main__":
    import run
    run.main([__file__])
