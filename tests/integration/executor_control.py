"""Executors that do what a test says: the wire between a test and executor_http.py or
executor_driver.py, which agents launch as custom executors.

Each executor connects to the test that its environment names (CONTROL) and writes a line for all that
happens to it; the test writes lines with what it shall do. Lines are dicts in Python's notation,
which has bytes. An executor whose test has gone ends.
"""

from __future__ import annotations

import ast
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rawhttp import TIMEOUT
from wire import Message

CONTROL = "TEST_CONTROL"
HERE = Path(__file__).resolve().parent


def write_line(connection: socket.socket, line: Message) -> None:
    connection.sendall(repr(line).encode() + b"\n")


def read_lines(connection: socket.socket) -> Iterator[Message]:
    """Until the end of the stream, or its break."""
    with connection.makefile("rb") as stream:
        try:
            for line in stream:
                yield ast.literal_eval(line.decode())
        except OSError:
            return


class Reporter:
    """An executor's side."""

    def __init__(self) -> None:
        host, _, port = os.environ[CONTROL].partition(":")
        self._connection = socket.create_connection((host, int(port)), TIMEOUT)
        self._connection.settimeout(None)
        self._writing = threading.Lock()
        self.report("started", environment=dict(os.environ), cwd=os.getcwd(), argv=sys.argv,
                    uid=os.getuid())

    def report(self, what: str, **details: Any) -> None:
        with self._writing:
            try:
                write_line(self._connection, {"what": what, **details})
            except OSError:
                os._exit(3)

    def commands(self) -> Iterator[Message]:
        return read_lines(self._connection)


class RemoteExecutor:
    """The test's side of one executor process."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.reports: list[Message] = []
        self._taken: set[int] = set()
        self.environment: dict[str, str] = {}  # as it was started
        self.gone = False  # its process has ended
        self._arrived = threading.Condition()
        self._reader = threading.Thread(target=self._read, name="remote executor", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in read_lines(self._connection):
            with self._arrived:
                self.reports.append(line)
                self._arrived.notify_all()
        with self._arrived:
            self.gone = True
            self._arrived.notify_all()

    def do(self, what: str, **details: Any) -> None:
        write_line(self._connection, {"do": what, **details})

    def expect(self, what: str, timeout: float = TIMEOUT,
               where: Callable[[Message], Any] | None = None) -> Message:
        """The first such report that was not given before."""
        deadline = time.monotonic() + timeout
        with self._arrived:
            while True:
                for index, report in enumerate(self.reports):
                    if (report["what"] == what and index not in self._taken
                            and (where is None or where(report))):
                        self._taken.add(index)
                        return report
                left = deadline - time.monotonic()
                if left <= 0 or self.gone:
                    state = "it has ended" if self.gone else f"not within {timeout:g} s"
                    shown = "\n".join(f"  {str(r)[:300]}" for r in self.reports[1:])
                    raise AssertionError(f"{state}: the executor reports {what}\n{shown}")
                self._arrived.wait(left)

    def expect_none(self, what: str, seconds: float) -> None:
        try:
            report = self.expect(what, seconds)
        except AssertionError:
            return
        raise AssertionError(f"unexpected: {report}")

    def expect_gone(self, timeout: float = TIMEOUT) -> None:
        with self._arrived:
            if not self._arrived.wait_for(lambda: self.gone, timeout):
                raise AssertionError(f"the executor has not ended within {timeout:g} s")

    def close(self) -> None:
        try:
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._reader.join(TIMEOUT)
        self._connection.close()


class DirectedExecutor:
    """An executor that does what its test says, by methods of that name."""

    reporter: Reporter

    def exit(self, code: int = 0) -> None:
        os._exit(code)

    def run(self) -> None:
        for command in self.reporter.commands():
            arguments: dict[str, Any] = dict(command)
            try:
                getattr(self, arguments.pop("do"))(**arguments)
            except Exception as error:
                self.reporter.report("failed", error=repr(error))
        os._exit(4)  # the test has gone


class ExecutorControl:
    """Where executors of a test report; close() ends them all."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._executors: list[RemoteExecutor] = []

    def command(self, program: str, **environment: str) -> Message:
        """A CommandInfo of executor_http or executor_driver."""
        host, port = self._listener.getsockname()
        variables = {CONTROL: f"{host}:{port}", **environment}
        return {"shell": True, "value": f"exec {sys.executable} {HERE / program}.py",
                "environment": {"variables": [
                    {"name": name, "type": "VALUE", "value": value}
                    for name, value in variables.items()]}}

    def accept(self, timeout: float = TIMEOUT) -> RemoteExecutor:
        """The next executor that starts."""
        self._listener.settimeout(timeout)
        try:
            connection, _ = self._listener.accept()
        except TimeoutError:
            raise AssertionError(f"no executor has started within {timeout:g} s") from None
        connection.settimeout(None)
        executor = RemoteExecutor(connection)
        self._executors.append(executor)
        return executor

    def close(self) -> None:
        for executor in self._executors:
            executor.close()
        self._executors.clear()
        self._listener.close()
