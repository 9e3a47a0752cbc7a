"""Agents under test: start, stop, kill, restart them, call their API, and see that they leave
nothing behind.

An Agent has a scratch directory with `work/` (work_dir), `run/` (runtime_dir), `tmp/` (its TMPDIR)
and `agent.log`, a cgroup root of its own, and keeps its port over restarts.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import cgroups
import leftovers
import wire
from rawhttp import TIMEOUT, Connection, Response
from wire import JSON, PROTOBUF, Message

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = REPOSITORY / "tests" / "data"
ENCODINGS = (JSON, PROTOBUF)
ISOLATION = "cgroups/cpu,cgroups/mem,cgroups/pids,namespaces/pid,filesystem/linux"

_serial = itertools.count(1)
_unfinished: dict[int, Agent] = {}  # not shut down yet; see clean_up_unfinished()

Flag = str | bool | None
Text = str | re.Pattern[str]  # of a reply: the whole of it, or the part that matters

INVALID = "Failed to validate agent::Call: "  # what replies about invalid calls begin with


def bin_dir() -> Path:
    """Where the binaries under test are: MESOS_AGENT_BIN_DIR, else the release build."""
    default = REPOSITORY / "build" / "release" / "bin"
    return Path(os.environ.get("MESOS_AGENT_BIN_DIR", default)).resolve()


def find_peer(program: str, package: str) -> str:
    """Where a program is that only single tests need. They are skipped if it is not there; ctest
    must know which files they are in (CMakeLists.txt)."""
    path = shutil.which(program)
    if path is None:
        raise unittest.SkipTest(f"there is no {program}: install the package {package}")
    return path


def unique(prefix: str = "c") -> str:
    """A container id value that no other test of this run uses."""
    return f"{prefix}-{next(_serial)}"


def container_id(*path: str) -> Message:
    """ContainerID of a container by its path from the root: container_id("root", "child")."""
    message: Message = {"value": path[0]}
    for value in path[1:]:
        message = {"value": value, "parent": message}
    return message


def id_path(message: Message) -> tuple[str, ...]:
    """The inverse of container_id()."""
    parent = message.get("parent")
    return (*(id_path(parent) if parent else ()), message["value"])


def shell(value: str, user: str | None = None, **env: str) -> Message:
    return command(value, None, user, env)


def argv(*arguments: str, user: str | None = None, **env: str) -> Message:
    return command(arguments[0], list(arguments), user, env)


def command(value: str, arguments: list[str] | None = None, user: str | None = None,
            env: dict[str, str] | None = None) -> Message:
    """A CommandInfo; with arguments it is executed, without them it goes to the shell."""
    message: Message = {"shell": arguments is None, "value": value}
    if arguments is not None:
        message["arguments"] = arguments
    if user is not None:
        message["user"] = user
    if env:
        message["environment"] = {"variables": [
            {"name": k, "type": "VALUE", "value": v} for k, v in env.items()]}
    return message


def resources(**scalars: float) -> list[Message]:
    return [{"name": n, "type": "SCALAR", "scalar": {"value": v}} for n, v in scalars.items()]


SMALL = resources(cpus=0.1, mem=64)


def eventually(condition: Callable[[], Any], what: str, timeout: float = TIMEOUT) -> Any:
    """The condition's first true value; AssertionError naming `what` when time runs out."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:g} s: {what}")
        time.sleep(0.01)
    return value


def descriptors(pid: int) -> dict[int, str]:
    """The process's open descriptors and what they lead to, without those closed meanwhile."""
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found[int(fd)] = os.readlink(f"/proc/{pid}/fd/{fd}")
    return found


@dataclass
class Reply:
    """An API response with its message decoded, when it is a 200 with one."""

    response: Response
    message: Message | None = None

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def text(self) -> str:
        return self.response.text

    def __str__(self) -> str:
        return f"{self.response.status_line}: {self.text[:500]!r}"


def call_name(message: Message) -> str:
    return message["type"].lower()


class Agent:
    """One mesos-agent process and everything it owns. Call shutdown() when done with it."""

    def __init__(self, name: str = "agent", flags: dict[str, Flag] | None = None,
                 environment: dict[str, str] | None = None,
                 cgroups_root: str | None = None, wrapper: list[str] | None = None,
                 tls: ssl.SSLContext | None = None) -> None:
        """`wrapper` is a command that executes the agent in other surroundings; `tls` is how its
        clients speak TLS, if its environment says that it does."""
        self.name = name
        self.wrapper = wrapper or []
        self.tls = tls
        self.scratch = Path(tempfile.mkdtemp(prefix="mesos-agent-test-")).resolve()
        self.scratch.chmod(0o755)  # containers of other users pass through it
        self.work_dir = self.scratch / "work"
        self.runtime_dir = self.scratch / "run"
        self.log = self.scratch / "agent.log"
        self.cgroups_root = cgroups_root or f"mesos_test_{os.getpid()}_{next(_serial)}"
        self.owner = leftovers.Owner(self.scratch, self.cgroups_root)
        _unfinished[id(self)] = self
        self.environment = environment or {}
        self.authorization: str | None = None  # the header of calls that bring none of their own
        self.process: subprocess.Popen[bytes] | None = None
        self.address = ("127.0.0.1", _free_port())
        for directory in (self.work_dir, self.runtime_dir, self.scratch / "tmp"):
            directory.mkdir()
        (self.scratch / "tmp").chmod(0o1777)
        self.flags: dict[str, Flag] = {
            "work_dir": str(self.work_dir),
            "runtime_dir": str(self.runtime_dir),
            "ip": self.address[0],
            "port": str(self.address[1]),
            "launcher_dir": str(bin_dir()),
            "isolation": ISOLATION,
            "cgroups_root": self.cgroups_root,
            "fetcher_cache_dir": str(self.scratch / "fetch"),
            **(flags or {}),
        }

    # -- life --

    def start(self, wait: bool = True) -> Agent:
        """Start the process; with `wait`, return once it answers GET_HEALTH with 200."""
        assert self.process is None, "already running"
        binary = bin_dir() / "mesos-agent"
        if not binary.exists():
            raise AssertionError(f"no {binary}: build it, or give --bin-dir")
        if os.geteuid() != 0:
            raise AssertionError("the integration tests need root")
        arguments = [*self.wrapper, str(binary)]
        for name, value in self.flags.items():
            if value is not None:
                arguments.append(f"--{name}" if value is True else f"--{name}={value}")
        inherited = {k: v for k, v in os.environ.items()
                     if not k.startswith(("MESOS_", "LIBPROCESS_", "SSL_"))}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**inherited, "TMPDIR": str(self.scratch / "tmp"), **self.environment},
                start_new_session=True)
        if wait:
            self.wait_until_ready()
        return self

    def wait_until_ready(self, timeout: float = TIMEOUT) -> None:
        def ready() -> bool:
            self.check_alive()
            try:
                return self.call({"type": "GET_HEALTH"}).status == 200
            except OSError:
                return False

        eventually(ready, "the agent answers GET_HEALTH with 200", timeout)

    def check_alive(self) -> None:
        assert self.process is not None, "not started"
        code = self.process.poll()
        if code is not None:
            self.process = None
            raise AssertionError(f"the agent ended by itself with {code}\n{self.log_tail()}")

    def let_users_run_executors(self) -> None:
        """Before its start: of users other than root, who may not get to where the binaries are."""
        directory = self.scratch / "bin"
        directory.mkdir()
        for program in bin_dir().iterdir():
            (directory / program.name).symlink_to(program)
        (directory / "mesos-executor").unlink()
        shutil.copy2(bin_dir() / "mesos-executor", directory)
        self.flags["launcher_dir"] = str(directory)

    @property
    def pid(self) -> int:
        assert self.process is not None, "not running"
        return self.process.pid

    def stop(self, timeout: float = TIMEOUT) -> None:
        """SIGTERM; its containers stay. Fails when it does not end, or ends with an error."""
        self.check_alive()
        process, self.process = self.process, None
        assert process is not None
        process.terminate()
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(TIMEOUT)
            raise AssertionError(f"the agent ignored SIGTERM for {timeout:g} s") from None
        if code != 0:
            raise AssertionError(f"the agent ended with {code} after SIGTERM\n{self.log_tail()}")

    def join(self, timeout: float = TIMEOUT) -> int:
        """Wait for it to end by itself, and give its exit code."""
        assert self.process is not None, "not running"
        code = self.process.wait(timeout)
        self.process = None
        return code

    def kill9(self) -> None:
        """SIGKILL, as a crash; its containers stay."""
        assert self.process is not None, "not running"
        self.process.kill()
        self.process.wait(TIMEOUT)
        self.process = None

    def restart(self) -> None:
        """Crash and start again."""
        self.kill9()
        self.start()

    def log_tail(self, lines: int = 60) -> str:
        try:
            text = self.log.read_text(errors="replace").splitlines()
        except OSError as error:
            return f"(no log: {error})"
        return f"--- last lines of {self.name}'s log ---\n" + "\n".join(text[-lines:])

    def shutdown(self) -> None:
        """End all containers and the agent; AssertionError when anything went wrong or stayed."""
        problems = []
        try:
            if self.process is not None:
                self.check_alive()
                self.destroy_all()
                self.stop()
        except (AssertionError, OSError) as error:
            problems.append(str(error))
        finally:
            if self.process is not None:
                self.kill9()
        problems += leftovers.wait_for_none(self.owner, TIMEOUT)
        log = self.log.read_text(errors="replace") if self.log.exists() else ""
        problems += [line for line in log.splitlines()
                     if "Sanitizer" in line or "runtime error:" in line]
        tail = self.log_tail()
        self.discard()
        if problems:
            listed = "\n".join(problems)
            raise AssertionError(f"{self.name} left or broke:\n{listed}\n{tail}")

    def discard(self) -> None:
        """Remove every trace of it, without asking it."""
        if self.process is not None:
            self.kill9()
        leftovers.scrub(self.owner)
        # rmtree() goes into mounts: one that could not be undone must not be emptied.
        if not leftovers.mounts(self.owner):
            shutil.rmtree(self.scratch, ignore_errors=True)
        _unfinished.pop(id(self), None)

    def destroy_all(self) -> None:
        """Kill every container and wait until none is left."""
        for path in self.containers():
            if len(path) == 1:
                self.kill(*path)
        eventually(lambda: not self.containers(), "all killed containers are gone")

    def assert_nothing_left(self) -> None:
        """With the agent running and all containers ended: no helper, mount, cgroup, socket."""
        found = leftovers.wait_for_none(self.owner, TIMEOUT, frozenset({self.pid}))
        if found:
            raise AssertionError("left behind:\n" + "\n".join(found))

    # -- calls --

    def connect(self, timeout: float = TIMEOUT, receive_buffer: int | None = None) -> Connection:
        return Connection(self.address, timeout, receive_buffer, self.tls)

    def call(self, message: Message, encoding: str = JSON, timeout: float = TIMEOUT,
             headers: dict[str, str | None] | None = None, path: str = "/api/v1") -> Reply:
        """One call on a connection of its own."""
        with self.connect(timeout) as connection:
            return self.call_on(connection, message, encoding, timeout, headers, path)

    def call_on(self, connection: Connection, message: Message, encoding: str = JSON,
                timeout: float = TIMEOUT, headers: dict[str, str | None] | None = None,
                path: str = "/api/v1") -> Reply:
        sent: dict[str, str | None] = {"Content-Type": encoding, "Accept": encoding}
        if self.authorization is not None:
            sent["Authorization"] = self.authorization
        response = connection.request("POST", path, {**sent, **(headers or {})},
                                      wire.serialize(encoding, "Call", message), timeout)
        reply = Reply(response)
        if response.status == 200 and response.body:
            content_type = response.content_type
            if content_type not in ENCODINGS:
                raise AssertionError(f"200 with Content-Type {content_type!r}")
            reply.message = wire.parse(content_type, "Response", response.body)
        return reply

    def expect(self, status: int, message: Message, encoding: str = JSON,
               timeout: float = TIMEOUT) -> Reply:
        """A call that must be answered with that status."""
        reply = self.call(message, encoding, timeout)
        if reply.status != status:
            raise AssertionError(f"{message} answered {reply}, not {status}")
        return reply

    # Paths below are those of container_id(). `nested` chooses the deprecated *_NESTED_* calls.

    def launch(self, *path: str, command: Message | None, nested: bool = False,
               container: Message | None = None, encoding: str = JSON, status: int = 200,
               resources: list[Message] | None = None, limits: Message | None = None) -> Reply:
        message: Message = {"container_id": container_id(*path)}
        if command is not None:
            message["command"] = command
        if container is not None:
            message["container"] = container
        if resources is None and len(path) == 1:
            resources = SMALL
        if resources:
            message["resources"] = resources
        if limits:
            message["limits"] = limits
        kind = "LAUNCH_NESTED_CONTAINER" if nested else "LAUNCH_CONTAINER"
        return self.expect(status, {"type": kind, kind.lower(): message}, encoding)

    def _named(self, verb: str, path: tuple[str, ...], nested: bool, **fields: Any) -> Message:
        kind = f"{verb}_NESTED_CONTAINER" if nested else f"{verb}_CONTAINER"
        return {"type": kind, kind.lower(): {"container_id": container_id(*path), **fields}}

    def wait(self, *path: str, nested: bool = False, encoding: str = JSON,
             timeout: float = TIMEOUT) -> Message:
        """The termination of a container: exit_status and the rest."""
        message = self._named("WAIT", path, nested)
        reply = self.expect(200, message, encoding, timeout)
        if reply.message is None or reply.message.get("type") != message["type"]:
            raise AssertionError(f"{message['type']} answered {reply}")
        # JSON shows an empty message as {}; protobuf may as well.
        return reply.message[call_name(message)]

    def wait_call(self, *path: str, nested: bool = False) -> Message:
        return self._named("WAIT", path, nested)

    def try_wait(self, *path: str, nested: bool = False, encoding: str = JSON) -> Reply:
        return self.call(self._named("WAIT", path, nested), encoding)

    def kill(self, *path: str, signal: int | None = None, nested: bool = False,
             encoding: str = JSON) -> Reply:
        fields = {} if signal is None else {"signal": signal}
        return self.call(self._named("KILL", path, nested, **fields), encoding)

    def remove(self, *path: str, nested: bool = False, encoding: str = JSON) -> Reply:
        return self.call(self._named("REMOVE", path, nested), encoding)

    def run(self, *path: str, command: Message, timeout: float = TIMEOUT, **kwargs: Any) -> Message:
        """Launch, wait, and give the termination."""
        self.launch(*path, command=command, **kwargs)
        return self.wait(*path, timeout=timeout)

    def container_entries(self, nested: bool = True, standalone: bool = True) -> list[Message]:
        message = {"type": "GET_CONTAINERS",
                   "get_containers": {"show_nested": nested, "show_standalone": standalone}}
        reply = self.expect(200, message)
        assert reply.message is not None
        return reply.message["get_containers"].get("containers", [])

    def containers(self) -> set[tuple[str, ...]]:
        """Paths of all containers the agent knows as active."""
        return {id_path(entry["container_id"]) for entry in self.container_entries()}

    # -- what is on disk and in /proc --

    def sandbox(self, *path: str) -> Path:
        """Sandbox of a container below a standalone root."""
        return self.work_dir / "containers" / "/containers/".join(path)

    def output(self, *path: str, file: str = "stdout") -> str:
        return (self.sandbox(*path) / file).read_text()

    def pids(self, *path: str) -> set[int]:
        """Host pids of a container's processes and of those nested in it, init included."""
        return cgroups.container_pids(self.cgroups_root, path)

    def cgroup_file(self, controller: str, *path: str, file: str) -> str:
        return cgroups.read(controller, self.cgroups_root, path, file)

    def fd_count(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def settled_fds(self) -> int:
        """Its open descriptors once their number has stopped changing."""
        last, since = -1, time.monotonic()
        while time.monotonic() - since < 0.5:
            count = self.fd_count()
            if count != last:
                last, since = count, time.monotonic()
            time.sleep(0.02)
        return last

    def find_process(self, *path: str, containing: str) -> int | None:
        """Pid of a process of the container whose command line contains that."""
        for pid in sorted(self.pids(*path)):
            with contextlib.suppress(OSError):
                cmdline = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
                if containing.encode() in cmdline:
                    return pid
        return None

    def await_process(self, *path: str, containing: str) -> int:
        return eventually(lambda: self.find_process(*path, containing=containing),
                          f"a process with {containing!r} in container {'.'.join(path)}")

    def await_trap(self, *path: str, containing: str, signal: int, ignored: bool = False) -> int:
        """Wait until such a process of the container catches (or ignores) the signal."""
        field = "SigIgn" if ignored else "SigCgt"

        def trapped() -> int | None:
            for pid in sorted(self.pids(*path)):
                with contextlib.suppress(OSError):
                    cmdline = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
                    if containing.encode() not in cmdline:
                        continue
                    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                        if line.startswith(field) and int(line.split()[1], 16) >> (signal - 1) & 1:
                            return pid
            return None

        return eventually(trapped, f"{containing!r} has its handler for signal {signal} set")


def clean_up_unfinished() -> None:
    """What a run that is broken off must still do, for every agent that it has started."""
    for agent in list(_unfinished.values()):
        agent.discard()


atexit.register(clean_up_unfinished)


def _free_port() -> int:
    """Below the ports that the kernel gives to clients: while an agent is down, one of them could
    get its port, even by connecting to itself."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(first // 2, first)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def pid_gone(pid: int) -> bool:
    """Whether a process does not exist any more, or only waits to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] in "ZX"
    except OSError:
        return True


class AgentTestCase(unittest.TestCase):
    """Tests that share one agent for the class. tearDownClass checks that nothing is left."""

    agent_flags: ClassVar[dict[str, Flag]] = {}
    agent_environment: ClassVar[dict[str, str]] = {}
    agent_tls: ClassVar[ssl.SSLContext | None] = None
    agent: ClassVar[Agent]
    maxDiff = 4000

    @classmethod
    def setUpClass(cls) -> None:
        cls.agent = Agent(cls.__name__, cls.agent_flags, cls.agent_environment, tls=cls.agent_tls)
        cls.addClassCleanup(cls.agent.shutdown)
        cls.agent.start()

    def setUp(self) -> None:
        self.own_agents: list[Agent] = []
        type(self).agent.check_alive()

    def tearDown(self) -> None:
        # A test that failed half-way must not spoil the next one's view of the containers.
        with contextlib.suppress(AssertionError, OSError):
            self.agent.destroy_all()

    def new_agent(self, flags: dict[str, Flag] | None = None, start: bool = True,
                  **kwargs: Any) -> Agent:
        """A second agent, for this test only."""
        agent = Agent(self.id().rpartition(".")[2], flags, **kwargs)
        self.own_agents.append(agent)
        self.addCleanup(agent.shutdown)
        return agent.start() if start else agent

    def agent_logs(self) -> str:
        """For the failure report; run.py asks for it."""
        own = getattr(self, "own_agents", [])
        return "\n".join(a.log_tail() for a in own or [type(self).agent])

    @contextlib.contextmanager
    def root(self, command: Message | None = None, **kwargs: Any) -> Iterator[str]:
        """A standalone container to nest others in, destroyed and gone at the end."""
        name = unique("root")
        self.agent.launch(name, command=command or shell("sleep 1000"), **kwargs)
        try:
            yield name
        finally:
            self.agent.kill(name)
            eventually(lambda: (name,) not in self.agent.containers(), f"{name} is gone")

    def assert_status(self, expected: int, reply: Reply, text: str | None = None) -> None:
        self.assertEqual(expected, reply.status, str(reply))
        if text is not None:
            self.assertEqual(text, reply.text)

    def assert_text(self, expected: Text, text: str) -> None:
        if isinstance(expected, re.Pattern):
            self.assertRegex(text, expected)
        else:
            self.assertEqual(expected, text)


class OwnAgentTestCase(unittest.TestCase):
    """Tests that each start agents of their own, because they kill them."""

    maxDiff = 4000

    def setUp(self) -> None:
        self.own_agents: list[Agent] = []

    new_agent = AgentTestCase.new_agent
    assert_status = AgentTestCase.assert_status

    def agent_logs(self) -> str:
        return "\n".join(a.log_tail() for a in self.own_agents)
