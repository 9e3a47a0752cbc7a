"""What the tests of custom executors share: executors that they direct, and agents that launch them."""

from __future__ import annotations

import base64
import time
import uuid
from typing import Any

from executor_control import ExecutorControl, RemoteExecutor
from harness import Flag
from master_case import MasterTestCase
from scripted_scheduler import Framework
from scripted_tasks import Task
from wire import Message

MEMORY = 128.0  # what an executor in Python needs


def plain(value: Any) -> Any:
    """A JSON event with bytes in the place of base64, for the fields that are bytes."""
    if isinstance(value, dict):
        return {name: base64.b64decode(item) if name in ("uuid", "data") and isinstance(item, str)
                else plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


class ExecutorTestCase(MasterTestCase):
    """Each test has a control to which its executors report."""

    def setUp(self) -> None:
        super().setUp()
        self.control = ExecutorControl()
        self.addCleanup(self.control.close)

    def end_tasks(self) -> None:
        """Executors end with their control; they need not use up their grace."""
        if self.master.agent is not None:
            for framework in list(self.master.frameworks.values()):
                self.master.shutdown_framework(framework)
        self.control.close()
        super().end_tasks()

    def framework(self, checkpoint: bool = True, flags: dict[str, Flag] | None = None,
                  **info: Any) -> Framework:
        """A framework at an agent that has joined."""
        if not hasattr(self, "agent"):
            self.join(flags)
        return self.master.subscribe(checkpoint=checkpoint, **info)

    def info(self, framework: Framework, executor_id: str = "custom",
             program: str = "executor_http", encoding: str = "json", **fields: Any) -> Message:
        command = self.control.command(program, TEST_ENCODING=encoding)
        return self.master.executor(framework, executor_id, command, mem=MEMORY, **fields)

    def launch(self, framework: Framework, executor: Message, task_id: str | None = None,
               **options: Any) -> Task:
        """Send a task for that executor."""
        task = self.master.task(framework, None, task_id, executor=executor)
        return self.master.run_task(framework, task, **options)

    def started(self) -> RemoteExecutor:
        """The next executor process, still without a subscription."""
        executor = self.control.accept()
        executor.environment = executor.expect("started")["environment"]
        return executor

    def subscribed(self, executor: RemoteExecutor, **options: Any) -> Message:
        """SUBSCRIBE over HTTP; the SUBSCRIBED event."""
        executor.do("subscribe", **options)
        answer = executor.expect("subscribed")
        self.assertEqual(200, answer["status"], answer)
        self.assertTrue(answer["chunked"])
        return self.event(executor, "SUBSCRIBED")["subscribed"]

    def event(self, executor: RemoteExecutor, kind: str, **kwargs: Any) -> Message:
        """The next event of that type."""
        report = executor.expect("event", where=lambda r: r["event"].get("type") == kind, **kwargs)
        self.assertNotIn("problems", report["event"])
        return plain(report["event"])

    def running_executor(self, framework: Framework, executor_id: str = "custom",
                         encoding: str = "json", **fields: Any) -> tuple[RemoteExecutor, Task]:
        """An HTTP executor with a task that it has said is running, and whose ends both know it."""
        task = self.launch(framework, self.info(framework, executor_id, encoding=encoding, **fields))
        executor = self.started()
        self.subscribed(executor)
        self.event(executor, "LAUNCH")
        self.update(executor, task, "TASK_RUNNING")
        self.event(executor, "ACKNOWLEDGED")
        self.master.await_state(task, "TASK_RUNNING")
        return executor, task

    def status(self, task: Task, state: str, identity: bytes | None = None,
               **fields: Any) -> Message:
        return {"task_id": {"value": task.task_id}, "state": state, "source": "SOURCE_EXECUTOR",
                "timestamp": time.time(), "uuid": identity or uuid.uuid4().bytes, **fields}

    def call(self, executor: RemoteExecutor, call: Message, status: int = 202,
             **options: Any) -> Message:
        executor.do("call", call=call, **options)
        answer = executor.expect("answer")
        self.assertEqual(status, answer["status"], answer)
        return answer

    def update(self, executor: RemoteExecutor, task: Task, state: str,
               identity: bytes | None = None, **fields: Any) -> bytes:
        """UPDATE over HTTP; its uuid."""
        status = self.status(task, state, identity, **fields)
        self.call(executor, {"type": "UPDATE", "update": {"status": status}})
        return status["uuid"]


class DriverTestCase(ExecutorTestCase):
    """Executors that speak libprocess messages."""

    def message(self, executor: RemoteExecutor, name: str, **kwargs: float) -> Message:
        """The next message of that name; it must come from the agent's own process."""
        report = executor.expect("message", where=lambda r: r["name"] == name, **kwargs)
        self.assertEqual([], report["problems"])
        self.assertEqual((f"slave(1)@127.0.0.1:{self.agent.address[1]}", "executor(1)"),
                         (report["sender"], report["target"]))
        return report["message"]

    def registered(self, executor: RemoteExecutor) -> Message:
        executor.do("register")
        return self.message(executor, "ExecutorRegisteredMessage")

    def driver_update(self, executor: RemoteExecutor, task: Task, state: str,
                      identity: bytes | None = None, **fields: object) -> bytes:
        status = {**self.status(task, state, identity, **fields), "slave_id": self.master.slave_id}
        executor.do("update", status=status, slave_id=self.master.slave_id)
        return status["uuid"]

    def acknowledged(self, executor: RemoteExecutor) -> bytes:
        return self.message(executor, "StatusUpdateAcknowledgementMessage")["uuid"]

    def running_driver(self, checkpoint: bool = True) -> tuple[RemoteExecutor, Task]:
        framework = self.framework(checkpoint, {"executor_reregistration_timeout": "15secs"})
        task = self.launch(framework, self.info(framework, program="executor_driver"))
        executor = self.started()
        self.registered(executor)
        self.message(executor, "RunTaskMessage")
        identity = self.driver_update(executor, task, "TASK_RUNNING")
        self.assertEqual(identity, self.acknowledged(executor))
        self.master.await_state(task, "TASK_RUNNING")
        return executor, task
