"""A master that does what a test says and writes down what the agent sends.

It registers agents, pings them, authenticates them by CRAM-MD5, and plays the schedulers of its
frameworks (scripted_scheduler.py). It keeps every message in order of arrival, and complains
(`problems`) about those that a real master could not read, would drop, or would die of.

All waits are bounded. Methods may be called from any thread.
"""

from __future__ import annotations

import hashlib
import hmac
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import v0
from libprocess import Link, Request, address_of, post
from libprocess_endpoint import Endpoint
from rawhttp import TIMEOUT, Headers
from scripted_scheduler import Scheduler
from wire import Message

PING_INTERVAL = 15.0
PING_TIMEOUT = 75.0  # what agents are told: how long they may hear nothing


@dataclass(frozen=True)
class Received:
    """A message as it came."""

    index: int  # over all connections
    at: float  # time.monotonic()
    connection: int
    sender: str
    target: str  # process id
    name: str  # without "mesos.internal."
    message: Message
    body: bytes
    headers: Headers
    chunk_sizes: list[int]

    def __str__(self) -> str:
        return f"{self.index}: {self.name} of {self.sender} to {self.target}: {self.message}"


@dataclass(frozen=True)
class Sent:
    at: float
    sender: str  # process id
    receiver: str
    name: str
    message: Message
    delivered: bool  # to the kernel; False: nobody listened


@dataclass
class RegisteredAgent:
    """What the master knows of an agent."""

    slave_id: str
    pid: str
    observer: str
    info: Message
    version_uuid: Message | None  # resource_version_uuid
    connected: bool = True
    next_ping: float = 0.0
    pings: int = 0
    pongs: int = 0
    executors: set[tuple[str, str]] = field(default_factory=set)  # framework id, executor id


@dataclass
class _Session:
    """One authentication under way."""

    authenticatee: str  # whom to answer
    pid: str  # whom it is for
    challenge: bytes = b""
    started: bool = False


class ScriptedMaster(Scheduler):
    """Runs from start() to stop(); also a context manager. Attributes that are switches may be set at
    any time."""

    def __init__(self, master_id: str | None = None, port: int = 0,
                 credentials: Mapping[str, str] | None = None,
                 tls: ssl.SSLContext | None = None, downgrade: bool = False,
                 agent_tls: ssl.SSLContext | None = None) -> None:
        """`tls` and `downgrade` are as Endpoint's; `agent_tls` is how it speaks to agents."""
        super().__init__()
        self.id = master_id or str(uuid.uuid4())
        self.credentials = dict(credentials) if credentials is not None else None
        # Switches.
        self.registration = "accept"  # or "ignore", "shutdown"
        self.authentication = "accept"  # or "ignore", "fail", "error"
        self.pinging = True
        self.ping_interval = PING_INTERVAL
        self.ping_timeout: float | None = PING_TIMEOUT
        self.ping_first = False  # the first ping comes before SlaveRegisteredMessage
        # Called in the master's thread with each message, before and after it is dealt with.
        self.before: Callable[[Received], None] = lambda received: None
        self.after: Callable[[Received], None] = lambda received: None

        self.received: list[Received] = []
        self.sent: list[Sent] = []
        self.problems: list[str] = []
        self.agent: RegisteredAgent | None = None  # the latest
        self._arrived = threading.Condition(self.lock)
        self._expected: set[int] = set()
        self._link: Link | None = None
        self._sessions: dict[str, _Session] = {}
        self._authenticated: set[str] = set()
        self._registering: tuple[int, int] = (-1, 0)  # connection, answers without an update so far
        self._repeats = 0  # updates to come that follow answers to repeated registrations
        self._agents_ever = 0
        self._observers_ever = 0
        self._gone_observer = ""  # of the agent that has unregistered
        self._sessions_ever = 0
        self.tls, self.downgrade, self.agent_tls = tls, downgrade, agent_tls
        self._endpoint: Endpoint | None = self._make_endpoint(port)
        self.address = self._endpoint.address

    # -- life --

    def _make_endpoint(self, port: int) -> Endpoint:
        return Endpoint(self._handle, self._tick, port, self.tls, self.downgrade)

    @property
    def endpoint(self) -> Endpoint:
        """While it runs."""
        assert self._endpoint is not None
        return self._endpoint

    @property
    def pid(self) -> str:
        return self.upid("master")

    def upid(self, process: str) -> str:
        return f"{process}@{self.address[0]}:{self.address[1]}"

    def start(self) -> ScriptedMaster:
        assert self._endpoint is not None
        self._endpoint.start()
        return self

    def stop(self) -> None:
        """As a crash: every connection is closed, and what it knew of agents is gone."""
        endpoint, self._endpoint = self._endpoint, None
        if endpoint is not None:
            endpoint.stop()
            self.problems += endpoint.problems
        with self.lock:
            self._unlink()
            self.agent = None
            self._registering, self._repeats = (-1, 0), 0
            self._sessions.clear()
            self._authenticated.clear()

    def restart(self, master_id: str | None = None, port: int | None = None) -> None:
        """Stop, and start as another master, at the same port if no other (0: any) is given. Its
        frameworks and tasks are those of before, as if their schedulers had come back. What the
        master of before has received, expect() gives no more."""
        if self._endpoint is not None:
            self.stop()
        with self.lock:
            self._expected.update(range(len(self.received)))
        self.id = master_id or str(uuid.uuid4())
        self._agents_ever = self._observers_ever = self._sessions_ever = 0
        self._endpoint = self._make_endpoint(self.address[1] if port is None else port)
        self.address = self._endpoint.address
        self._endpoint.start()

    def __enter__(self) -> ScriptedMaster:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def connections(self) -> int:
        """How many are open that agents have opened."""
        return self._endpoint.open_connections() if self._endpoint else 0

    def drop_link(self) -> None:
        """Close our own connection to the agent, as a break of the network does."""
        with self.lock:
            self._unlink()

    def answers(self) -> dict[str, int]:
        """Status lines by which the agent has answered on the present link."""
        with self.lock:
            return self._link.statuses() if self._link else {}

    # -- what has come --

    def expect(self, name: str, timeout: float = TIMEOUT,
               where: Callable[[Message], Any] | None = None) -> Received:
        """The first message of that name, for which `where` is true, that no expect() has given
        before; waits for it."""
        def find() -> Received | None:
            for received in self.received:
                if (received.name == name and received.index not in self._expected
                        and (where is None or where(received.message))):
                    self._expected.add(received.index)
                    return received
            return None

        return self.wait_for(find, f"a {name} comes", timeout)

    def expect_none(self, name: str, seconds: float,
                    where: Callable[[Message], Any] | None = None) -> None:
        """That no such message, other than those that expect() has given, comes in that time."""
        try:
            received = self.expect(name, seconds, where)
        except AssertionError:
            return
        raise AssertionError(f"unexpected: {received}")

    def all_of(self, name: str) -> list[Received]:
        with self.lock:
            return [received for received in self.received if received.name == name]

    def wait_for(self, condition: Callable[[], Any], what: str, timeout: float = TIMEOUT) -> Any:
        """The condition's first true value; it is looked at whenever something has come."""
        deadline = time.monotonic() + timeout
        with self.lock:
            while not (value := condition()):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"not within {timeout:g} s: {what}\n{self.summary()}")
                self._arrived.wait(min(left, 0.1))
            return value

    def summary(self, last: int = 30) -> str:
        """What has come, for a failure's text."""
        with self.lock:
            lines = [f"  {str(received)[:400]}" for received in self.received[-last:]]
            return "\n".join(["the master has received:", *lines, *self.problems,
                              *self.ledger.problems])

    def assert_no_problems(self) -> None:
        with self.lock:
            found = self.problems + self.ledger.problems
            if self._endpoint is not None:
                found = found + self._endpoint.problems
        if found:
            raise AssertionError("a real master would object:\n" + "\n".join(found))

    # -- sending --

    def send(self, name: str, message: Message, sender: str = "master",
             receiver: str | None = None) -> Sent:
        """Send a message to the agent, or to another UPID at the agent's address. It is lost, as real
        ones are, when nobody listens."""
        with self.lock:
            if receiver is None:
                assert self.agent is not None, f"no agent to send {name} to"
                receiver = self.agent.pid
            full = v0.full_name(name)
            data = post(self.upid(sender), receiver, full, v0.encode(full, message))
            link = self._linked(receiver)
            delivered = link is not None and link.send(data)
            sent = Sent(time.monotonic(), sender, receiver, v0.short_name(name), message, delivered)
            self.sent.append(sent)
            return sent

    def _linked(self, upid: str) -> Link | None:
        """The connection to that process's address, opened if there is none."""
        address = address_of(upid)
        if self._link is not None and (self._link.lost.is_set() or self._link.address != address):
            self._unlink()
        if self._link is None:
            try:
                self._link = Link(address, tls=self.agent_tls)
            except OSError:
                return None
        return self._link

    def _unlink(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def ping(self, connected: bool | None = None) -> None:
        """One ping now; by default with what the agent's connection is like."""
        with self.lock:
            agent = self.agent
            assert agent is not None, "no agent to ping"
            agent.pings += 1
            agent.next_ping = time.monotonic() + self.ping_interval
            self.send("PingSlaveMessage",
                      {"connected": agent.connected if connected is None else connected},
                      sender=agent.observer)

    def shutdown(self, message: str = "") -> None:
        self.send("ShutdownMessage", {"message": message})

    # -- the thread --

    def _tick(self) -> None:
        with self.lock:
            agent = self.agent
            if agent is None:
                return
            if self._link is not None and self._link.lost.is_set():
                self._unlink()
                # As a real master does when its connection to the agent breaks.
                agent.connected = False
                self._authenticated.discard(agent.pid)
                self._arrived.notify_all()
            if self.pinging and time.monotonic() >= agent.next_ping:
                self.ping()

    def _handle(self, request: Request, connection: int) -> None:
        with self.lock:
            sender = request.sender
            if sender is None or not request.name.startswith(v0.INTERNAL):
                self.problems.append(f"not a message: {request.method} {request.path}")
                return
            full = request.name
            if not v0.known(full):
                self.problems.append(f"no such message: {full}")
                return
            try:
                message = v0.decode(full, request.body)
            except (v0.WireError, ValueError) as error:
                self.problems.append(f"{full}: {error}: {request.body.hex()}")
                return
            received = Received(len(self.received), time.monotonic(), connection, sender,
                                request.target, v0.short_name(full), message, request.body,
                                request.headers, request.chunk_sizes)
            self.received.append(received)
            self.problems += [f"message {received.index}: {problem}"
                              for problem in v0.problems(full, message)]
            handler = getattr(self, f"_on_{received.name}", None)
            if handler is None:
                self.problems.append(f"a master has no handler for {received}")
            else:
                self.before(received)
                handler(received)
                self.after(received)
            self._arrived.notify_all()

    # -- authentication --

    def _on_AuthenticateMessage(self, received: Received) -> None:
        pid = received.message["pid"]
        self._authenticated.discard(pid)
        if self.authentication == "ignore":
            return
        if self.credentials is None or self.authentication == "error":
            self.send("AuthenticationErrorMessage", {"error": "No authenticator loaded"},
                      receiver=received.sender)
            return
        self._sessions_ever += 1
        session = f"crammd5-authenticator-session({self._sessions_ever})"
        self._sessions[session] = _Session(received.sender, pid)
        self.send("AuthenticationMechanismsMessage", {"mechanisms": ["CRAM-MD5"]},
                  sender=session, receiver=received.sender)

    def _on_AuthenticationStartMessage(self, received: Received) -> None:
        session = self._sessions.get(received.target)
        if session is None:
            self.problems.append(f"no such authentication: {received}")
            return
        if received.message["mechanism"] != "CRAM-MD5" or received.message.get("data"):
            self.problems.append(f"not how CRAM-MD5 starts: {received}")
        session.started = True
        session.challenge = f"<{uuid.uuid4().hex[:8]}@mesos>".encode()
        self.send("AuthenticationStepMessage", {"data": session.challenge},
                  sender=received.target, receiver=session.authenticatee)

    def _on_AuthenticationStepMessage(self, received: Received) -> None:
        session = self._sessions.pop(received.target, None)
        if session is None or not session.started:
            self.problems.append(f"no such authentication: {received}")
            return
        principal, _, digest = received.message.get("data", b"").rpartition(b" ")
        secret = (self.credentials or {}).get(principal.decode())
        expected = None if secret is None else cram_md5(secret.encode(), session.challenge)
        if self.authentication == "fail" or digest != expected:
            outcome = "AuthenticationFailedMessage"
        else:
            self._authenticated.add(session.pid)
            outcome = "AuthenticationCompletedMessage"
        self.send(outcome, {}, sender=received.target, receiver=session.authenticatee)

    # -- registration --

    def _admits(self, received: Received) -> bool:
        if self.credentials is not None and received.sender not in self._authenticated:
            return False
        if self.registration == "shutdown":
            self.send("ShutdownMessage", {"message": "Machine is `DOWN`"},
                      receiver=received.sender)
        return self.registration == "accept"

    def _answers(self, received: Received) -> None:
        """Of a registration. Agents repeat theirs after a time that chance decides, so on a slow
        machine also one that is being answered. A real master answers again, and the agent says
        again what it has; expect() gives neither, lest a test takes them for what comes next."""
        connection, answers = self._registering
        if received.connection == connection and answers > 0:
            self._expected.add(received.index)
            self._repeats += 1
        else:
            answers = self._repeats = 0
        self._registering = (received.connection, answers + 1)

    def _connection(self) -> Message:
        if self.ping_timeout is None:
            return {}
        return {"connection": {"total_ping_timeout_seconds": self.ping_timeout}}

    def _on_RegisterSlaveMessage(self, received: Received) -> None:
        if not self._admits(received):
            return
        self._answers(received)
        message = received.message
        if "id" in message["slave"]:
            self.problems.append(f"registers with an id: {received}")
        agent = self.agent
        if agent is None or agent.pid != received.sender or not agent.connected:
            self._agents_ever += 1
            agent = self._admit(f"{self.id}-S{self._agents_ever - 1}", received)
            if self.ping_first:
                self.ping()
        self.send("SlaveRegisteredMessage",
                  {"slave_id": {"value": agent.slave_id}, **self._connection()})

    def _admit(self, slave_id: str, received: Received) -> RegisteredAgent:
        self._observers_ever += 1
        self.agent = RegisteredAgent(
            slave_id, received.sender, f"slave-observer({self._observers_ever})",
            {**received.message["slave"], "id": {"value": slave_id}},
            received.message.get("resource_version_uuid"))
        self.problems += [f"message {received.index}: {problem}" for problem in (
            registration_problems(received.message))]
        return self.agent

    def _on_ReregisterSlaveMessage(self, received: Received) -> None:
        if not self._admits(received):
            return
        self._answers(received)
        message = received.message
        slave_id = message["slave"].get("id", {}).get("value")
        if slave_id is None:
            self.problems.append(f"re-registers without an id: {received}")
            return
        agent = self.agent
        known = agent is not None and agent.slave_id == slave_id
        if agent is None or not known:
            agent = self._admit(slave_id, received)
        else:
            agent.pid, agent.connected = received.sender, True
            agent.version_uuid = message.get("resource_version_uuid")
        agent.executors = {(executor["framework_id"]["value"], executor["executor_id"]["value"])
                           for executor in message.get("executor_infos", [])}
        self.send("SlaveReregisteredMessage", {
            "slave_id": {"value": slave_id}, **self._connection(),
            "reconciliations": self.reconciliations(message) if known else None})
        self.after_reregistration(message)

    def _on_UnregisterSlaveMessage(self, received: Received) -> None:
        agent = self.agent
        if (agent is None or received.sender != agent.pid
                or received.message["slave_id"]["value"] != agent.slave_id):
            self.problems.append(f"who unregisters? {received}")
            return
        self._gone_observer = agent.observer
        self.agent = None
        self._unlink()

    def _on_PongSlaveMessage(self, received: Received) -> None:
        agent = self.agent
        if agent is None and received.target == self._gone_observer:
            return  # to a ping that was under way when the agent left
        if agent is None or received.target != agent.observer:
            self.problems.append(f"a pong to nobody: {received}")
            return
        agent.pongs += 1

    def _on_UpdateSlaveMessage(self, received: Received) -> None:
        agent, message = self.agent, received.message
        connection, answers = self._registering
        if answers == 0 and self._repeats > 0:
            self._repeats -= 1
            self._expected.add(received.index)
        self._registering = (connection, 0)
        if agent is None or message["slave_id"]["value"] != agent.slave_id:
            self.problems.append(f"of no known agent: {received}")
            return
        for name in ("update_oversubscribed_resources", "operations", "resource_providers"):
            if name not in message:
                self.problems.append(f"without {name}, which means something else: {received}")
        if message.get("resource_version_uuid") != agent.version_uuid:
            self.problems.append(f"another resource version than it registered with: {received}")


def cram_md5(secret: bytes, challenge: bytes) -> bytes:
    """The proof of RFC 2195, without the user's name."""
    return hmac.new(secret, challenge, hashlib.md5).hexdigest().encode()


def registration_problems(message: Message) -> list[str]:
    """What a master would drop a registration for, or miss in it."""
    found = []
    slave = message["slave"]
    version = message.get("version", "")
    if not version[:1].isdigit() or version.count(".") < 2:
        found.append(f"version {version!r}")
    if not slave.get("checkpoint"):
        found.append("slave.checkpoint is not set")
    if len(message.get("resource_version_uuid", {}).get("value", b"")) != 16:
        found.append("no resource_version_uuid of 16 bytes")
    if len(message.get("agent_capabilities", [])) != 8:
        found.append(f"capabilities {message.get('agent_capabilities')}")
    for resource in slave.get("resources", []):
        if resource.get("disk", {}).get("persistence") or "reservation" in resource or any(
                reservation.get("type") == "DYNAMIC"
                for reservation in resource.get("reservations", [])):
            found.append(f"a dynamic resource among those of the agent: {resource}")
    return found
