"""The schedulers' side of a scripted master: frameworks, their tasks and operations, and what becomes
of them."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rawhttp import TIMEOUT
from scripted_tasks import TERMINAL, Ledger, Task, Update
from wire import Message

if TYPE_CHECKING:
    from scripted_master import Received, RegisteredAgent, Sent

HTTP_SCHEDULER = "@0.0.0.0:0"  # the pid of frameworks that have none
_DEFAULT: Any = object()  # as a real master would choose


@dataclass
class Framework:
    id: str
    info: Message
    pid: str = HTTP_SCHEDULER
    torn_down: bool = False
    tasks_ever: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def role(self) -> str:
        return self.info.get("role") or (self.info.get("roles") or ["*"])[0]


def scalar(name: str, value: float, role: str = "*") -> Message:
    """A resource as masters send it: unreserved, allocated to the role."""
    return {"name": name, "type": "SCALAR", "scalar": {"value": value},
            "allocation_info": {"role": role}}


def ranges(name: str, *pairs: tuple[int, int], role: str = "*") -> Message:
    return {"name": name, "type": "RANGES", "ranges": {"range": [
        {"begin": begin, "end": end} for begin, end in pairs]}, "allocation_info": {"role": role}}


class Scheduler:
    """The part of ScriptedMaster that concerns frameworks."""

    # Of ScriptedMaster.
    id: str
    agent: RegisteredAgent | None
    problems: list[str]
    send: Callable[..., Sent]
    wait_for: Callable[..., Any]

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.ledger = Ledger()
        self.frameworks: dict[str, Framework] = {}
        # Whether updates are acknowledged when they come; a function decides for each.
        self.acknowledging: bool | Callable[[Update], bool] = True
        self.acknowledging_operations = True
        self.drain_config: Message | None = None

    @property
    def slave_id(self) -> Message:
        assert self.agent is not None, "no agent is registered"
        return {"value": self.agent.slave_id}

    # -- frameworks --

    def subscribe(self, *, checkpoint: bool = False, role: str = "*", pid: str = HTTP_SCHEDULER,
                  capabilities: tuple[str, ...] = (
                      "RESERVATION_REFINEMENT", "TASK_KILLING_STATE", "REVOCABLE_RESOURCES",
                      "PARTITION_AWARE"), **info: Any) -> Framework:
        """A new framework; `info` overrides members of its FrameworkInfo."""
        with self.lock:
            identity = f"{self.id}-{len(self.frameworks):04}"
            framework = self.frameworks[identity] = Framework(identity, {
                "user": "root", "name": "scripted", "id": {"value": identity},
                "checkpoint": checkpoint, "role": role,
                "capabilities": [{"type": capability} for capability in capabilities],
                **info}, pid)
            return framework

    def update_framework(self, framework: Framework, **info: Any) -> Sent:
        with self.lock:
            framework.info.update(info)
            return self.send("UpdateFrameworkMessage", {
                "framework_id": {"value": framework.id}, "pid": framework.pid,
                "framework_info": framework.info})

    def shutdown_framework(self, framework: Framework) -> Sent:
        with self.lock:
            framework.torn_down = True
            if self.agent is not None:
                self.agent.executors = {key for key in self.agent.executors
                                        if key[0] != framework.id}
            return self.send("ShutdownFrameworkMessage", {"framework_id": {"value": framework.id}})

    # -- tasks --

    def task(self, framework: Framework, command: Message | str | None = None,
             task_id: str | None = None, *, cpus: float = 0.1, mem: float = 32.0,
             executor: Message | None = None, **fields: Any) -> Message:
        """A TaskInfo for the present agent; a text is a shell command."""
        identity = task_id or f"task-{next(framework.tasks_ever)}"
        task: Message = {
            "name": identity, "task_id": {"value": identity}, "slave_id": self.slave_id,
            "resources": [scalar("cpus", cpus, framework.role), scalar("mem", mem, framework.role)]}
        if isinstance(command, str):
            command = {"value": command, "shell": True}
        if command is not None:
            task["command"] = command
        if executor is not None:
            task["executor"] = {**executor, "framework_id": {"value": framework.id}}
        return {**task, **fields}

    def executor(self, framework: Framework, executor_id: str, command: Message | str | None = None,
                 *, cpus: float = 0.1, mem: float = 32.0, **fields: Any) -> Message:
        """An ExecutorInfo; without a command, give type="DEFAULT"."""
        if isinstance(command, str):
            command = {"value": command, "shell": True}
        return {"type": "CUSTOM", "executor_id": {"value": executor_id},
                "framework_id": {"value": framework.id},
                **({"command": command} if command is not None else {}),
                "resources": [scalar("cpus", cpus, framework.role),
                              scalar("mem", mem, framework.role)], **fields}

    def run_task(self, framework: Framework, task: Message, *, launch_executor: Any = _DEFAULT,
                 versions: Any = _DEFAULT) -> Task:
        """LAUNCH of one task; None leaves a field out, as old masters do."""
        with self.lock:
            return self._launch(framework, [task], task.get("executor"), launch_executor, versions,
                                "RunTaskMessage", {"pid": framework.pid, "task": task})[0]

    def run_task_group(self, framework: Framework, executor: Message, tasks: list[Message], *,
                       launch_executor: Any = _DEFAULT, versions: Any = _DEFAULT) -> list[Task]:
        with self.lock:
            return self._launch(framework, tasks, executor, launch_executor, versions,
                                "RunTaskGroupMessage",
                                {"executor": executor, "task_group": {"tasks": tasks}})

    def _launch(self, framework: Framework, tasks: list[Message], executor: Message | None,
                launch_executor: Any, versions: Any, name: str, message: Message) -> list[Task]:
        agent = self.agent
        assert agent is not None, "no agent is registered"
        if launch_executor is _DEFAULT:
            launch_executor = True
            if executor is not None:
                key = (framework.id, executor["executor_id"]["value"])
                launch_executor = key not in agent.executors
                agent.executors.add(key)
        if versions is _DEFAULT:
            versions = [{"uuid": agent.version_uuid}]
        at = time.monotonic()
        launched = [self.ledger.launched(framework.id, task["task_id"]["value"],
                                         task["slave_id"]["value"], at) for task in tasks]
        self.send(name, {"framework": framework.info, **message,
                         "resource_version_uuids": versions, "launch_executor": launch_executor})
        return launched

    def kill_task(self, task: Task, grace: float | None = None) -> Sent:
        with self.lock:
            task.killed = True
            policy = None if grace is None else {
                "grace_period": {"nanoseconds": int(grace * 1e9)}}
            return self.send("KillTaskMessage", {
                "framework_id": {"value": task.framework_id}, "task_id": {"value": task.task_id},
                "kill_policy": policy})

    def shutdown_executor(self, framework: Framework, executor_id: str) -> Sent:
        return self.send("ShutdownExecutorMessage", {
            "executor_id": {"value": executor_id}, "framework_id": {"value": framework.id}})

    def message(self, framework: Framework, executor_id: str, data: bytes) -> Sent:
        return self.send("FrameworkToExecutorMessage", {
            "slave_id": self.slave_id, "framework_id": {"value": framework.id},
            "executor_id": {"value": executor_id}, "data": data})

    def acknowledge(self, update: Update) -> Sent:
        with self.lock:
            update.acknowledged = True
            return self.send("StatusUpdateAcknowledgementMessage", {
                "slave_id": update.message["slave_id"],
                "framework_id": update.message["framework_id"],
                "task_id": update.status["task_id"], "uuid": update.uuid})

    def acknowledge_pending(self) -> None:
        """Every update that has come without being acknowledged."""
        with self.lock:
            for task in self.ledger.tasks.values():
                if task.last is not None and not task.last.acknowledged:
                    self.acknowledge(task.last)

    def await_state(self, task: Task, *states: str, timeout: float = TIMEOUT) -> Update:
        """The task's update with one of these states."""
        def find() -> Update | None:
            return next((update for update in task.updates if update.state in states), None)

        what = f"{task.task_id} is {' or '.join(states)}"
        return self.wait_for(lambda: find() or (self._ended(task, what) and None), what, timeout)

    def _ended(self, task: Task, what: str) -> None:
        if task.terminal:
            assert task.last is not None
            raise AssertionError(f"not {what}: {task.states}, then {task.last.status}")

    def await_end(self, task: Task, timeout: float = TIMEOUT) -> Update:
        """The task's terminal update."""
        self.wait_for(lambda: task.terminal, f"{task.task_id} ends", timeout)
        assert task.last is not None
        return task.last

    # -- operations, and the agent as a whole --

    def apply_operation(self, info: Message, framework: Framework | None = None,
                        operation_uuid: bytes | None = None) -> bytes:
        """The operation's uuid. Operations of operators have no framework."""
        with self.lock:
            assert self.agent is not None, "no agent is registered"
            operation_uuid = operation_uuid or uuid.uuid4().bytes
            self.send("ApplyOperationMessage", {
                "framework_id": {"value": framework.id} if framework else None,
                "operation_info": info, "operation_uuid": {"value": operation_uuid},
                "resource_version_uuid": {"uuid": self.agent.version_uuid}})
            return operation_uuid

    def acknowledge_operation(self, message: Message) -> Sent:
        """Of the UpdateOperationStatusMessage."""
        return self.send("AcknowledgeOperationStatusMessage", {
            "status_uuid": message["status"]["uuid"], "operation_uuid": message["operation_uuid"]})

    def reconcile_operations(self, *operation_uuids: bytes) -> Sent:
        return self.send("ReconcileOperationsMessage", {"operations": [
            {"operation_uuid": {"value": operation}} for operation in operation_uuids]})

    def drain(self, max_grace_period: float | None = None, mark_gone: bool = False) -> Sent:
        with self.lock:
            self.drain_config = {"max_grace_period": None if max_grace_period is None else {
                "nanoseconds": int(max_grace_period * 1e9)}, "mark_gone": mark_gone}
            return self.send("DrainSlaveMessage", {"config": self.drain_config})

    # -- what comes --

    def _on_StatusUpdateMessage(self, received: Received) -> None:
        if "update" not in received.message:
            return
        update = self.ledger.record(received)
        agent = self.agent
        if agent is None or received.message.get("pid") != agent.pid:
            self.problems.append(f"of another process than the agent: {received}")
            return  # a real master would send the acknowledgement there
        if update.message["slave_id"]["value"] != agent.slave_id:
            self.problems.append(f"of another agent: {received}")
        if "latest_state" not in received.message["update"]:
            self.problems.append(f"without latest_state: {received}")
        if not update.status.get("source"):
            self.problems.append(f"without source: {received}")
        framework = self.frameworks.get(update.key[0])
        if framework is not None and framework.torn_down:
            return
        wanted = self.acknowledging
        if wanted(update) if callable(wanted) else wanted:
            self.acknowledge(update)

    def _on_UpdateOperationStatusMessage(self, received: Received) -> None:
        message = received.message
        if "slave_id" not in message:
            self.problems.append(f"kills a real master: {received}")
        if (self.acknowledging_operations and "operation_id" not in message["status"]
                and "uuid" in message["status"]):
            self.acknowledge_operation(message)

    def _on_ExitedExecutorMessage(self, received: Received) -> None:
        message = received.message
        key = (message["framework_id"]["value"], message["executor_id"]["value"])
        framework = self.frameworks.get(key[0])
        if framework is not None and framework.torn_down:
            return  # its executors went with it
        if self.agent is None or key not in self.agent.executors:
            self.problems.append(f"an executor that a master does not know: {received}")
            return
        self.agent.executors.discard(key)

    def _on_ExecutorToFrameworkMessage(self, received: Received) -> None:
        if received.message["framework_id"]["value"] not in self.frameworks:
            self.problems.append(f"to no framework: {received}")

    # -- re-registration --

    def reconciliations(self, message: Message) -> list[Message] | None:
        """What a master answers about tasks that it has of this agent and the agent does not list."""
        listed = {(task["framework_id"]["value"], task["task_id"]["value"])
                  for task in message.get("tasks", [])}
        missing: dict[str, list[Message]] = {}
        for key, task in self.ledger.tasks.items():
            framework = self.frameworks.get(key[0])
            if (key not in listed and not task.done and framework is not None
                    and not framework.torn_down and framework.info.get("checkpoint")):
                missing.setdefault(key[0], []).append({
                    "task_id": {"value": key[1]}, "slave_id": {"value": task.slave_id},
                    "state": task.states[-1] if task.states else "TASK_STAGING"})
        return [{"framework_id": {"value": framework}, "statuses": statuses,
                 "framework": self.frameworks[framework].info}
                for framework, statuses in missing.items()] or None

    def after_reregistration(self, message: Message) -> None:
        """What a master sends when it has taken an agent in again, and what it objects to."""
        self.problems += reregistration_problems(message)
        if self.drain_config is not None:
            self.send("DrainSlaveMessage", {"config": self.drain_config})
        for info in message.get("frameworks", []):
            framework = self.frameworks.get(info["id"]["value"])
            if framework is None:
                continue
            if framework.torn_down:
                self.shutdown_framework(framework)
            else:
                self.update_framework(framework)
        for listed in message.get("tasks", []):
            task = self.ledger.tasks.get((listed["framework_id"]["value"],
                                          listed["task_id"]["value"]))
            if task is not None and task.killed and listed.get("state") not in TERMINAL:
                self.kill_task(task)


def reregistration_problems(message: Message) -> list[str]:
    """What a master would drop a re-registration for, or die of."""
    found = []
    frameworks = [info["id"]["value"] for info in message.get("frameworks", [])]
    executors = []
    for executor in message.get("executor_infos", []):
        key = (executor.get("framework_id", {}).get("value"), executor["executor_id"]["value"])
        if key[0] not in frameworks:
            found.append(f"executor {key} of a framework that is not listed")
        executors.append(key)
    tasks = []
    for task in message.get("tasks", []):
        key = (task["framework_id"]["value"], task["task_id"]["value"])
        tasks.append(key)
        if key[0] not in frameworks:
            found.append(f"task {key} of a framework that is not listed")
        if task["slave_id"] != message["slave"]["id"]:
            found.append(f"task {key} of another agent")
        executor = task.get("executor_id", {}).get("value")
        if executor and task["state"] == "TASK_RUNNING" and (key[0], executor) not in executors:
            found.append(f"task {key} of an executor that is not listed")
        if any("role" not in resource.get("allocation_info", {})
               for resource in task.get("resources", [])):
            found.append(f"task {key} has resources that are not allocated")
        if task["state"] == "TASK_UNREACHABLE":
            found.append(f"task {key} is unreachable")
        unacknowledged = "status_update_state" in task
        if unacknowledged != ("status_update_uuid" in task):
            found.append(f"task {key} has one of status_update_state and status_update_uuid")
    for what, keys in (("framework", frameworks), ("executor", executors), ("task", tasks)):
        found += [f"{what} {key} twice" for key in set(keys) if keys.count(key) > 1]
    return [f"re-registration: {problem}" for problem in found]
