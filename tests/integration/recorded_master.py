"""Recorded conversations of an Apache Mesos agent with its master, as a script and as a measure.

drive() takes the agent under test through the steps of a recording: what the real master sent
because of schedulers and operators, the scripted master sends at the same point of the conversation.
compare() then holds what our agent has sent against what the recorded one has sent, field by field:
path, headers, chunks, and every field of every message. Ids, uuids, times, ports and pids become
placeholders, numbered in order, so that what was equal in the recording must be equal in ours.
"""

from __future__ import annotations

import base64
import json
import re
import unittest
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import v0
from harness import DATA
from rawhttp import TIMEOUT
from scripted_master import ScriptedMaster
from scripted_scheduler import Framework
from scripted_tasks import Task, Update
from wire import Message

RECORDINGS = DATA / "recordings" / "master"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

# Pongs follow pings, whenever those come, and so are not part of the order of a conversation.
UNORDERED = frozenset({"PongSlaveMessage"})


@dataclass(frozen=True)
class Line:
    """One recorded message."""

    time: float
    src: Any  # "master", or the port of the client
    dst: Any  # "master", "agent"
    path: str
    headers: dict[str, str]
    chunk_sizes: list[int]
    body: bytes

    @property
    def full_name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def name(self) -> str:
        return v0.short_name(self.full_name)

    @property
    def process(self) -> str:
        """Process id that it is for."""
        return self.path[1:].partition("/")[0]

    @property
    def sender(self) -> str:
        return self.headers["Libprocess-From"]

    @property
    def message(self) -> Message:
        return v0.decode(self.full_name, self.body)

    @property
    def from_agent(self) -> bool:
        return self.dst == "master"


def load(scenario: str) -> list[Line]:
    """The messages between agent and master; executors' are left out."""
    lines = []
    for text in (RECORDINGS / f"{scenario}.jsonl").read_text().splitlines():
        entry = json.loads(text)
        line = Line(entry["time"], entry["src"], entry["dst"], entry["start"].split()[1],
                    entry["headers"], entry.get("chunks", []),
                    base64.b64decode(entry.get("body_base64", "")))
        executor = line.headers.get("Libprocess-From", "executor").startswith("executor")
        if line.from_agent or not executor:
            lines.append(line)
    return lines


def master_id(lines: list[Line]) -> str:
    """That of the recording's first master."""
    for line in lines:
        if line.name == "SlaveRegisteredMessage":
            return line.message["slave_id"]["value"].removesuffix("-S0")
    raise AssertionError("nobody registers")


# ---- what schedulers and operators cause ------------------------------------------------------


class Cause:
    """Has the scripted master send what a real one sent because of a scheduler or an operator. Ids
    are those of the scripted master."""

    NAMES = frozenset({
        "RunTaskMessage", "RunTaskGroupMessage", "KillTaskMessage", "ShutdownFrameworkMessage",
        "DrainSlaveMessage", "ApplyOperationMessage"})

    def __init__(self, master: ScriptedMaster) -> None:
        self.master = master
        self.frameworks: dict[str, Framework] = {}  # by the recorded id
        self.tasks: dict[str, Task] = {}  # by their id, which is the recorded one

    def send(self, line: Line) -> None:
        getattr(self, f"_{line.name}")(line.message)

    def _framework(self, info: Message) -> Framework:
        identity = info["id"]["value"]
        if identity not in self.frameworks:
            self.frameworks[identity] = self.master.subscribe(
                checkpoint=info["checkpoint"], role=info["role"], name=info["name"],
                capabilities=tuple(entry["type"] for entry in info["capabilities"]))
        return self.frameworks[identity]

    def _ours(self, framework: Framework, task: Message) -> Message:
        """The recorded task for our agent and framework."""
        task = {**task, "slave_id": self.master.slave_id}
        if "executor" in task:
            task["executor"] = {**task["executor"], "framework_id": {"value": framework.id}}
        return task

    def _RunTaskMessage(self, message: Message) -> None:
        framework = self._framework(message["framework"])
        task = self.master.run_task(framework, self._ours(framework, message["task"]))
        self.tasks[task.task_id] = task

    def _RunTaskGroupMessage(self, message: Message) -> None:
        framework = self._framework(message["framework"])
        executor = {**message["executor"], "framework_id": {"value": framework.id}}
        for task in self.master.run_task_group(
                framework, executor,
                [self._ours(framework, task) for task in message["task_group"]["tasks"]]):
            self.tasks[task.task_id] = task

    def _KillTaskMessage(self, message: Message) -> None:
        self.master.kill_task(self.tasks[message["task_id"]["value"]])

    def _ShutdownFrameworkMessage(self, message: Message) -> None:
        self.master.shutdown_framework(self.frameworks[message["framework_id"]["value"]])

    def _DrainSlaveMessage(self, message: Message) -> None:
        config = message["config"]
        self.master.drain(config["max_grace_period"]["nanoseconds"] / 1e9, config["mark_gone"])

    def _ApplyOperationMessage(self, message: Message) -> None:
        self.master.apply_operation(message["operation_info"],
                                    operation_uuid=message["operation_uuid"]["value"])


def unacknowledged_arrivals(lines: list[Line]) -> dict[tuple[str, int], int]:
    """How often the recorded agent sent each update, (task, its number among the task's distinct
    ones), without an acknowledgement: because the agent was down, or its framework had ended."""
    order: dict[str, list[bytes]] = {}
    counts: dict[tuple[str, int], int] = {}
    for line in lines:
        if line.from_agent and line.name == "StatusUpdateMessage":
            update = line.message["update"]
            task, uuid = update["status"]["task_id"]["value"], update["uuid"]
            if uuid not in order.setdefault(task, []):
                order[task].append(uuid)
            change = 1
        elif line.name == "StatusUpdateAcknowledgementMessage":
            task, uuid = line.message["task_id"]["value"], line.message["uuid"]
            change = -1
        else:
            continue
        key = (task, order[task].index(uuid))
        counts[key] = counts.get(key, 0) + change
    return counts


# ---- taking the agent through it --------------------------------------------------------------


def drive(master: ScriptedMaster, scenario: str,
          hooks: dict[int, Callable[[], None]] | None = None) -> Cause:
    """Take an agent, which has just been started, through a recording. `hooks` are events that are
    no messages of the master's, by the number of the agent's messages (without pongs) that come
    before them."""
    lines, cause = load(scenario), Cause(master)
    pending = dict(hooks or {})
    unacknowledged = unacknowledged_arrivals(lines)

    def wanted(update: Update) -> bool:
        task = master.ledger.tasks[update.key]
        number = task.updates.index(update)
        return update.arrivals > unacknowledged.get((task.task_id, number), 0)

    master.acknowledging = wanted
    count = 0
    for line in lines:
        if count in pending and (line.from_agent or line.name in Cause.NAMES):
            _await_count(master, count, line)
            pending.pop(count)()
        if line.from_agent:
            count += line.name not in UNORDERED
        elif line.name in Cause.NAMES:
            _await_count(master, count, line)
            cause.send(line)
    _await_count(master, count, lines[-1])
    for hook in pending.values():
        hook()
    return cause


def _await_count(master: ScriptedMaster, count: int, line: Line) -> None:
    def arrived() -> bool:
        return sum(shown.stream != "pongs" for shown in received_messages(master)) >= count

    master.wait_for(arrived, f"the agent has sent {count} messages, as the recorded one had when "
                             f"{line.name} came", 2 * TIMEOUT)


# ---- comparing --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """One message of an agent, of either side."""

    full_name: str
    path: str
    headers: dict[str, str]
    chunk_sizes: list[int]
    message: Message

    @property
    def stream(self) -> str:
        """Messages of one stream have an order; those of different ones need not."""
        name = v0.short_name(self.full_name)
        if name == "StatusUpdateMessage":
            return "updates of " + self.message["update"]["status"]["task_id"]["value"]
        if name == "UpdateOperationStatusMessage":
            return "operations"
        return "pongs" if name in UNORDERED else "agent"


def recorded_messages(scenario: str) -> list[Shown]:
    return [Shown(line.full_name, line.path, line.headers, line.chunk_sizes, line.message)
            for line in load(scenario) if line.from_agent]


def received_messages(master: ScriptedMaster) -> list[Shown]:
    """Without registrations that were only repeated because the answer took too long, which chance
    decides, and what followed each of their answers."""
    shown: list[Shown] = []
    last: dict[str, Message] = {}  # of those that come more than once, by name
    for received in master.received:
        if received.name in ("RegisterSlaveMessage", "ReregisterSlaveMessage",
                             "UpdateSlaveMessage"):
            if last.get(received.name) == received.message:
                continue
            last[received.name] = received.message
        shown.append(Shown(
            v0.full_name(received.name), f"/{received.target}/{v0.full_name(received.name)}",
            dict(received.headers.items), received.chunk_sizes, received.message))
    return shown


class Placeholders:
    """Replaces what is different in every run. One for each side."""

    def __init__(self, masters: list[str], agent_port: int, master_ports: list[int]) -> None:
        self._texts = {identity: f"${{MASTER{n or ''}}}" for n, identity in enumerate(masters)}
        self._texts |= {f"127.0.0.1:{agent_port}": "${AGENT}"}
        self._texts |= {f"127.0.0.1:{port}": f"${{MASTER_ADDRESS{n or ''}}}"
                        for n, port in enumerate(master_ports)}
        self._agent_port = agent_port
        self._numbers: dict[tuple[str, Any], str] = {}

    def _number(self, kind: str, value: Any) -> str:
        count = sum(known == kind for known, _ in self._numbers)
        return self._numbers.setdefault((kind, value), f"${{{kind}{count}}}")

    def text(self, value: str) -> str:
        for text, name in self._texts.items():
            value = value.replace(text, name)
        return _UUID.sub(lambda match: self._number("ID", match[0]), value)

    def of(self, value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: self.of(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [self.of(item, key) for item in value]
        if isinstance(value, bytes) and len(value) == 16:
            return self._number("UUID", value)
        if key == "timestamp":
            return self._number("TIME", value)
        if key == "executor_pid":
            return self._number("PID", value)
        if key == "port" and value == self._agent_port:
            return "${AGENT_PORT}"
        return self.text(value) if isinstance(value, str) else value


Differ = Callable[[Any, Any], bool]  # of (recorded, ours): whether that difference is as expected


@dataclass(frozen=True)
class Expected:
    """A difference that is wanted: where, by a pattern of the path, and why."""

    path: str
    reason: str
    check: Differ
    always: bool = True  # False: chance decides


def differences(recorded: Any, ours: Any, path: str) -> list[tuple[str, Any, Any]]:
    """(path, recorded, ours) of every leaf that differs; None for what one side has not."""
    if isinstance(recorded, dict) and isinstance(ours, dict):
        found = []
        for name in dict.fromkeys([*recorded, *ours]):
            found += differences(recorded.get(name), ours.get(name), f"{path}.{name}")
        return found
    if isinstance(recorded, list) and isinstance(ours, list) and len(recorded) == len(ours):
        found = []
        for index, (left, right) in enumerate(zip(recorded, ours)):
            found += differences(left, right, f"{path}[{index}]")
        return found
    return [] if recorded == ours else [(path, recorded, ours)]


def compare(test: unittest.TestCase, scenario: str, master: ScriptedMaster,
            masters: list[str], agent_port: int, expected: list[Expected]) -> None:
    """Hold what the master has received against the recording. `masters` are the ids that it has
    had. An expected difference that is not there is out of date."""
    lines = load(scenario)
    master.wait_for(lambda: master.all_of("PongSlaveMessage"), "a pong")
    recorded, ours = recorded_messages(scenario), received_messages(master)
    recorded_ports = list(dict.fromkeys(
        int(line.headers["Host"].rpartition(":")[2]) for line in lines if line.from_agent))
    port = next(int(line.sender.rpartition(":")[2]) for line in lines if line.from_agent)
    left = Placeholders([master_id(lines)], port, recorded_ports)
    right = Placeholders(masters, agent_port, [master.address[1]])
    unused = {difference for difference in expected if difference.always}
    found = []
    streams = list(dict.fromkeys([shown.stream for shown in [*recorded, *ours]]))
    for stream in streams:
        theirs = [shown for shown in recorded if shown.stream == stream]
        own = [shown for shown in ours if shown.stream == stream]
        if stream == "pongs":  # there are as many as there were pings
            test.assertTrue(own, "no pong")
            theirs, own = theirs[:1], own[:1]
        names = [[v0.short_name(shown.full_name) for shown in side] for side in (theirs, own)]
        test.assertEqual(*names, f"{stream}: other messages than recorded\n{master.summary()}")
        for index, (one, other) in enumerate(zip(theirs, own)):
            path = f"{stream}[{index}]"
            if stream.startswith("updates"):
                path += f":{one.message['update']['status']['state']}"
            for difference in differences(_leaves(one, left), _leaves(other, right), path):
                if _is_ahead(difference, own[index:]):
                    continue
                wanted = [e for e in expected if re.search(e.path, difference[0])]
                if wanted and any(e.check(*difference[1:]) for e in wanted):
                    unused -= set(wanted)
                else:
                    found.append(difference)
    test.assertFalse(found, "\n".join(
        f"{path}\n    recorded {was!r}\n    ours     {now!r}" for path, was, now in found))
    test.assertFalse(unused, "differences that are not there")


def _is_ahead(difference: tuple[str, Any, Any], rest: list[Shown]) -> bool:
    """Whether it is only that a later state was known already when an update went out: how fast
    executors are is not recorded."""
    return difference[0].endswith("message.update.latest_state") and difference[2] in [
        shown.message["update"]["status"]["state"] for shown in rest]


def _leaves(shown: Shown, placeholders: Placeholders) -> Any:
    return {"path": shown.path, "headers": placeholders.of(shown.headers),
            "chunks": len(shown.chunk_sizes), "message": placeholders.of(shown.message)}
