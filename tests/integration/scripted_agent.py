"""An agent that is all script: it serves the executor API at /slave(1)/api/v1/executor, records
every call, sends the events it is told to, and can go away and come back. And executors to try on it.

    with ScriptedAgent() as agent, agent.start_executor() as executor:
        agent.launch(task("true"))
        agent.wait_state("TASK_FINISHED")
        executor.wait()

Updates are acknowledged as soon as they come, unless `acknowledges` is False.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import termios
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import recordio
import wire
from harness import bin_dir, eventually
from rawhttp import TIMEOUT
from wire import PROTOBUF, Message

TARGET = "/slave(1)/api/v1/executor"
FRAMEWORK = "framework-1"
EXECUTOR = "task-1"
AGENT = "agent-1"


@dataclass
class Call:
    """A request as it came."""

    message: Message
    headers: dict[str, str]
    target: str
    connection: int  # a number for each connection
    body: bytes = b""

    @property
    def type(self) -> str:
        return self.message["type"]

    @property
    def status(self) -> Message:
        return self.message["update"]["status"]


@dataclass
class _Stream:
    """The response to a SUBSCRIBE."""

    socket: socket.socket
    lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, event: Message) -> None:
        record = recordio.record(wire.encode("ExecutorEvent", event))
        with self.lock:
            self.socket.sendall(b"%x\r\n%b\r\n" % (len(record), record))

    def end(self) -> None:
        with self.lock:
            self.socket.sendall(b"0\r\n\r\n")


class ScriptedAgent:
    def __init__(self, unix_socket: bool = False, checkpoint: bool = False,
                 capabilities: tuple[str, ...] = (), acknowledges: bool = True,
                 path_length: int = 0) -> None:
        """`path_length` is that of the unix socket's path at least."""
        self.directory = Path(tempfile.mkdtemp(prefix="mesos-executor-test-"))
        self.sandbox = self.directory / "sandbox"
        self.sandbox.mkdir()
        self.unix_path = None
        if unix_socket:
            parent = self.directory / ("d" * max(path_length - len(str(self.directory)), 1))
            parent.mkdir()
            self.unix_path = parent / "agent.sock"
        self.checkpoint = checkpoint
        self.capabilities = capabilities
        self.acknowledges = acknowledges
        self._acknowledged: set[bytes] = set()
        # Answers instead of the usual one: call type -> statuses, each used once.
        self.refusals: dict[str, list[int]] = {}
        self.calls: list[Call] = []
        self.executors: list[Executor] = []
        self.port = 0
        self._changed = threading.Condition()
        self._listener: socket.socket | None = None
        self._connections: dict[int, socket.socket] = {}
        self._count = 0
        self._stream: _Stream | None = None
        self._queued: list[Message] = []  # events for who subscribes next
        self.listen()

    def __enter__(self) -> ScriptedAgent:
        return self

    def __exit__(self, *_: object) -> None:
        for executor in self.executors:
            executor.kill()
        self.go_away()
        shutil.rmtree(self.directory)

    # ---- the server -------------------------------------------------------------------------------

    def listen(self) -> None:
        """Comes (back) at the same address."""
        if self.unix_path is not None:
            listener = socket.socket(socket.AF_UNIX)
            self.unix_path.unlink(missing_ok=True)
            directory = os.open(self.unix_path.parent, os.O_PATH)
            listener.bind(f"/proc/self/fd/{directory}/{self.unix_path.name}")
            os.close(directory)
        else:
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", self.port))
            self.port = listener.getsockname()[1]
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def go_away(self, gently: bool = False) -> None:
        """Stops listening and drops every connection. If it is done gently, the executor has read
        every event that was sent."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        if gently:
            self.drop_stream()
            self.wait_for(lambda: not self._connections, "the end of all connections")
        self.drop()

    def drop_stream(self) -> None:
        """Ends the connection of the events, behind all that were sent."""
        with self._changed:
            assert self._stream is not None
            self._stream.socket.shutdown(socket.SHUT_RDWR)
            self._stream = None

    def drop(self, which: Callable[[int], bool] = lambda _: True) -> None:
        """Drops connections, all or those whose number is chosen."""
        with self._changed:
            chosen = [(n, c) for n, c in self._connections.items() if which(n)]
        for _, connection in chosen:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has gone by itself

    def end_stream(self) -> None:
        """Ends the stream of events as HTTP has it."""
        assert self._stream is not None
        self._stream.end()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._changed:
                self._count += 1
                number = self._count
                self._connections[number] = connection
                self._changed.notify_all()
            threading.Thread(target=self._serve, args=(number, connection), daemon=True).start()

    def _serve(self, number: int, connection: socket.socket) -> None:
        with connection:
            try:
                reader = connection.makefile("rb")
                while (call := self._read_call(number, reader)) is not None:
                    self._answer(call, connection)
            except OSError:
                pass  # the executor has gone, or drop() was called
            finally:
                with self._changed:
                    del self._connections[number]
                    if self._stream is not None and self._stream.socket is connection:
                        self._stream = None
                    self._changed.notify_all()

    def _read_call(self, number: int, reader: Any) -> Call | None:
        line = reader.readline().decode()
        if not line:
            return None
        headers = {}
        while (header := reader.readline().decode().strip()):
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        body = reader.read(int(headers.get("content-length", 0)))
        assert headers["content-type"] == PROTOBUF, headers
        return Call(wire.decode("ExecutorCall", body), headers, line.split()[1], number, body)

    def _answer(self, call: Call, connection: socket.socket) -> None:
        refusals = self.refusals.get(call.type)
        status = refusals.pop(0) if refusals else 0
        with self._changed:
            self.calls.append(call)
            self._changed.notify_all()
        if status:
            text = b"refused by script"
            connection.sendall(b"HTTP/1.1 %d Refused\r\nContent-Length: %d\r\n\r\n%b"
                               % (status, len(text), text))
            return
        if call.type == "SUBSCRIBE":
            self._subscribe(call, connection)
            return
        connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        if call.type == "UPDATE" and self.acknowledges:
            self.acknowledge(call.status)

    def _subscribe(self, call: Call, connection: socket.socket) -> None:
        stream = _Stream(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n"
                           b"Transfer-Encoding: chunked\r\n\r\n")
        if self.acknowledges:
            for update in call.message["subscribe"].get("unacknowledged_updates", []):
                stream.send(_acknowledged(update["status"]))
        stream.send({"type": "SUBSCRIBED", "subscribed": {
            "executor_info": {"executor_id": {"value": EXECUTOR}},
            "framework_info": {"user": "root", "name": "test", "id": {"value": FRAMEWORK},
                               "checkpoint": self.checkpoint,
                               "capabilities": [{"type": c} for c in self.capabilities]},
            "agent_info": {"hostname": "localhost"},
            "container_id": {"value": "container-1"}}})
        with self._changed:
            self._stream = stream
            queued, self._queued = self._queued, []
            self._changed.notify_all()
        for event in queued:
            stream.send(event)

    # ---- events -----------------------------------------------------------------------------------

    def send(self, event: Message) -> None:
        """To the executor that is subscribed, or to the next one."""
        with self._changed:
            stream = self._stream
            if stream is None:
                self._queued.append(event)
                return
        try:
            stream.send(event)
        except OSError:  # the executor has left this stream
            with self._changed:
                if self._stream is stream:
                    self._stream = None
                self._queued.append(event)

    def launch(self, task_info: Message) -> None:
        self.send({"type": "LAUNCH", "launch": {"task": task_info}})

    def kill(self, grace: float | None = None, task_id: str = EXECUTOR) -> None:
        policy = None if grace is None else kill_policy(grace)
        self.send({"type": "KILL",
                   "kill": {"task_id": {"value": task_id}, "kill_policy": policy}})

    def shutdown(self) -> None:
        self.send({"type": "SHUTDOWN"})

    def acknowledge(self, status: Message) -> None:
        self.send(_acknowledged(status))
        with self._changed:
            self._acknowledged.add(status["uuid"])
            self._changed.notify_all()

    # ---- what has come ----------------------------------------------------------------------------

    def wait_for(self, condition: Callable[[], Any], what: str) -> Any:
        """The condition's first true value; looked at whenever something comes."""
        deadline = time.monotonic() + TIMEOUT
        with self._changed:
            while not (value := condition()):
                if not self._changed.wait(deadline - time.monotonic()):
                    raise AssertionError(f"not within {TIMEOUT:g} s: {what}; "
                                         f"states {self.states()}")
            return value

    def of_type(self, call_type: str) -> list[Call]:
        return [call for call in self.calls if call.type == call_type]

    def updates(self) -> list[Message]:
        """The statuses of all UPDATE calls, in their order."""
        return [call.status for call in self.of_type("UPDATE")]

    def states(self) -> list[str]:
        return [status["state"] for status in self.updates()]

    def wait_state(self, state: str, count: int = 1) -> Message:
        """The last of `count` updates with that state."""
        def found() -> list[Message] | None:
            statuses = [s for s in self.updates() if s["state"] == state]
            return statuses if len(statuses) >= count else None
        return self.wait_for(found, f"{count} x {state}")[count - 1]

    def last_status(self) -> Message:
        """The newest that has come, by UPDATE or in a SUBSCRIBE."""
        call = [c for c in self.calls if c.type in ("SUBSCRIBE", "UPDATE")][-1]
        if call.type == "UPDATE":
            return call.status
        return call.message["subscribe"]["unacknowledged_updates"][-1]["status"]

    def wait_subscribed(self) -> None:
        self.wait_for(lambda: self._stream is not None, "a subscription")

    def wait_acknowledged(self) -> None:
        """Until every update that has come has been acknowledged. That does not say that the
        executor has read it: it has before it sees the end of drop_stream()."""
        self.wait_for(lambda: self._acknowledged.issuperset(s["uuid"] for s in self.updates()),
                      "the acknowledgements")

    def wait_calls(self, call_type: str, count: int = 1) -> list[Call]:
        return self.wait_for(
            lambda: calls if len(calls := self.of_type(call_type)) >= count else None,
            f"{count} x {call_type}")

    # ---- executors --------------------------------------------------------------------------------

    def environment(self) -> dict[str, str]:
        """What an agent gives every executor."""
        env = {
            "LIBPROCESS_PORT": "0", "MESOS_FRAMEWORK_ID": FRAMEWORK, "MESOS_EXECUTOR_ID": EXECUTOR,
            "MESOS_SLAVE_ID": AGENT, "MESOS_DIRECTORY": str(self.sandbox),
            "MESOS_SANDBOX": str(self.sandbox), "MESOS_SLAVE_PID": f"slave(1)@127.0.0.1:{self.port}",
            "MESOS_AGENT_ENDPOINT": f"127.0.0.1:{self.port}",
            "MESOS_CHECKPOINT": "1" if self.checkpoint else "0",
            "MESOS_HTTP_COMMAND_EXECUTOR": "0", "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "5secs",
            "PATH": os.environ["PATH"],
        }
        if self.checkpoint:
            env |= {"MESOS_RECOVERY_TIMEOUT": "15mins", "MESOS_SUBSCRIPTION_BACKOFF_MAX": "20ms"}
        if self.unix_path is not None:
            env["MESOS_DOMAIN_SOCKET"] = str(self.unix_path)
        return env

    def start_executor(self, *flags: str, stdin: int = subprocess.DEVNULL,
                       **environment: str) -> Executor:
        executor = Executor(self.sandbox, self.environment() | environment, flags, stdin)
        self.executors.append(executor)
        return executor


class Executor:
    """A mesos-executor, in a sandbox whose stdout and stderr are files."""

    def __init__(self, sandbox: Path, environment: dict[str, str], flags: tuple[str, ...],
                 stdin: int, controlling: bool = False) -> None:
        """With `controlling`, stdin is a terminal and becomes that of its session."""
        def take_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.sandbox = sandbox
        with (sandbox / "stdout").open("ab") as out, (sandbox / "stderr").open("ab") as err:
            self.process = subprocess.Popen(
                [bin_dir() / "mesos-executor", "--launcher_dir=/nowhere", *flags],
                cwd=sandbox, env=environment, stdin=stdin, stdout=out, stderr=err,
                start_new_session=True, preexec_fn=take_terminal if controlling else None)

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def stdout(self) -> str:
        return (self.sandbox / "stdout").read_text()

    @property
    def stderr(self) -> str:
        return (self.sandbox / "stderr").read_text()

    def wait(self) -> int:
        """Its exit code. A test's failure if it does not end."""
        return self.process.wait(TIMEOUT)

    def running(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        """Ends it with all that it has started, so that a failed test leaves nothing."""
        for pid in reversed([self.pid, *descendants(self.pid)]):
            if pid != self.pid or self.running():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self.process.wait()


def _acknowledged(status: Message) -> Message:
    return {"type": "ACKNOWLEDGED",
            "acknowledged": {"task_id": status["task_id"], "uuid": status["uuid"]}}


def task(value: str | None, *arguments: str, **fields: Any) -> Message:
    """A TaskInfo: a line for the shell, or with arguments a file and its argv."""
    command: Message = {"shell": not arguments, "value": value}
    if arguments:
        command["arguments"] = list(arguments)
    if "environment" in fields:
        command["environment"] = {"variables": [
            {"name": k, "type": "VALUE", "value": v} for k, v in fields.pop("environment").items()]}
    return {"name": "test", "task_id": {"value": EXECUTOR}, "agent_id": {"value": AGENT},
            "resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1},
                           "allocation_info": {"role": "some-role"}}],
            "command": command, **fields}


def kill_policy(grace: float) -> Message:
    return {"grace_period": {"nanoseconds": int(grace * 1e9)}}


def parents() -> dict[int, int]:
    """Every process and its parent; not those that have ended."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue
        state, parent = text[text.rindex(")") + 2:].split()[:2]
        if state not in "ZX":
            found[int(path.parent.name)] = int(parent)
    return found


def descendants(pid: int) -> list[int]:
    """Parents before their children."""
    by_parent: dict[int, list[int]] = {}
    for child, parent in parents().items():
        by_parent.setdefault(parent, []).append(child)
    found = [pid]
    for each in found:
        found += by_parent.get(each, [])
    return found[1:]


def wait_gone(pids: list[int]) -> None:
    eventually(lambda: not [pid for pid in pids if pid in parents()], f"the end of {pids}")
