"""What a scheduler knows of its tasks: every status update that an agent has sent, by uuid and in
order of arrival, and whether the agent kept the rules of their delivery.

The rules: one update of a task at a time is under way, and the next comes only after the
acknowledgement of the one before; an unacknowledged one is sent again, under the same uuid, until it
is acknowledged; after a terminal one comes nothing. A task whose updates stop without a terminal one
is in unfinished().
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wire import Message

if TYPE_CHECKING:
    from scripted_master import Received

TERMINAL = frozenset({
    "TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_LOST", "TASK_ERROR", "TASK_DROPPED",
    "TASK_GONE", "TASK_GONE_BY_OPERATOR"})
Key = tuple[str, str]  # framework id, task id


@dataclass
class Update:
    """One status update, however often it came."""

    first: Received
    uuid: bytes
    message: Message  # the StatusUpdate
    arrivals: int = 1
    acknowledged: bool = False  # we have sent an acknowledgement, which may have got lost

    @property
    def status(self) -> Message:
        return self.message["status"]

    @property
    def state(self) -> str:
        return self.status["state"]

    @property
    def reason(self) -> str | None:
        return self.status.get("reason")

    @property
    def terminal(self) -> bool:
        return self.state in TERMINAL

    @property
    def key(self) -> Key:
        return (self.message["framework_id"]["value"], self.status["task_id"]["value"])


@dataclass
class Task:
    framework_id: str
    task_id: str
    slave_id: str
    launched_at: float
    updates: list[Update] = field(default_factory=list)  # distinct ones
    killed: bool = False  # a kill was asked for

    @property
    def states(self) -> list[str]:
        return [update.state for update in self.updates]

    @property
    def last(self) -> Update | None:
        return self.updates[-1] if self.updates else None

    @property
    def terminal(self) -> bool:
        return self.last is not None and self.last.terminal

    @property
    def done(self) -> bool:
        """Ended, and the end acknowledged."""
        return self.last is not None and self.last.terminal and self.last.acknowledged


class Ledger:
    """The tasks of all frameworks. Not locked: its owner does that."""

    def __init__(self) -> None:
        self.tasks: dict[Key, Task] = {}
        self.problems: list[str] = []

    def launched(self, framework_id: str, task_id: str, slave_id: str, at: float) -> Task:
        task = self.tasks[framework_id, task_id] = Task(framework_id, task_id, slave_id, at)
        return task

    def unfinished(self) -> list[Task]:
        return [task for task in self.tasks.values() if not task.terminal]

    def record(self, received: Received) -> Update:
        """Take in a StatusUpdateMessage: the new update, or the known one that it repeats."""
        message = received.message["update"]
        status = message["status"]
        uuid = message.get("uuid", b"")
        key = (message["framework_id"]["value"], status["task_id"]["value"])
        what = f"{key[1]} {status['state']} ({uuid.hex()[:8]})"
        if len(uuid) != 16 or status.get("uuid") != uuid:
            self._complain(received, what, "has no uuid, or two")
        task = self.tasks.get(key)
        if task is None:
            # Of a task that we have not launched: a framework of before, or the agent's invention.
            task = self.launched(*key, message.get("slave_id", {}).get("value", ""), received.at)
            self._complain(received, what, "is of a task that was not launched")
        for update in task.updates:
            if update.uuid == uuid:
                update.arrivals += 1
                if update is not task.updates[-1]:
                    self._complain(received, what, "comes again after a later update")
                if update.message["status"] != status:
                    self._complain(received, what, "comes again with other content")
                return update
        last = task.last
        if last is not None and last.terminal:
            self._complain(received, what, f"comes after the terminal {last.state}")
        elif last is not None and not last.acknowledged:
            self._complain(received, what, f"comes before {last.state} was acknowledged")
        update = Update(received, uuid, message)
        task.updates.append(update)
        return update

    def _complain(self, received: Received, what: str, complaint: str) -> None:
        self.problems.append(f"message {received.index}: update {what} {complaint}")
