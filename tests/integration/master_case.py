"""What the tests of agents with a master share: an agent that has joined a scripted master."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from harness import Agent, Flag, OwnAgentTestCase, eventually, id_path
from rawhttp import TIMEOUT
from scripted_master import ScriptedMaster
from scripted_scheduler import Framework
from scripted_tasks import Task
from wire import Message

# What the recorded agents had.
RECORDED_RESOURCES = "cpus:2;mem:23081;disk:252899;ports:[31000-32000]"


class MasterTestCase(OwnAgentTestCase):
    """Each test has a master, and agents that join it. At its end the frameworks are torn down,
    nothing may be left of them, and the master must have had nothing to object to."""

    master: ScriptedMaster
    agent: Agent

    def setUp(self) -> None:
        super().setUp()
        self.expected_problems: list[str] = []  # parts of what the master may object to

    def new_master(self, **kwargs: Any) -> ScriptedMaster:
        self.master = ScriptedMaster(**kwargs).start()
        self.addCleanup(self.close_master)
        return self.master

    def close_master(self) -> None:
        master = self.master
        master.stop()
        found = [problem for problem in master.problems + master.ledger.problems
                 if not any(part in problem for part in self.expected_problems)]
        if found:
            raise AssertionError("a real master would object:\n" + "\n".join(found))

    def join(self, flags: Mapping[str, Flag] | None = None, start: bool = True, wait: bool = True,
             credentials: Mapping[str, str] | None = None,
             master: Mapping[str, Any] | None = None, **kwargs: Any) -> Agent:
        """An agent of a new master, by default registered when this returns. `master` is for
        ScriptedMaster, what is left over for Agent."""
        new = self.new_master(credentials=credentials, **(master or {}))
        self.agent = self.new_agent({
            "master": f"127.0.0.1:{new.address[1]}", "hostname": "127.0.0.1",
            "resources": RECORDED_RESOURCES, "registration_backoff_factor": "100ms",
            **(flags or {})}, start=False, **kwargs)
        # Cleanups run last first: this one before the agent's own, which must find no container.
        self.addCleanup(self.end_tasks)
        if start:
            self.agent.start(wait=False)
            if wait:
                self.await_registered()
        return self.agent

    def await_registered(self, timeout: float = TIMEOUT) -> None:
        """The agent has registered, or registered again, and said what it has."""
        self.master.expect("UpdateSlaveMessage", timeout)
        self.agent.wait_until_ready()

    def end_tasks(self) -> None:
        """Tear down what still runs, so that the agent can end with nothing left."""
        if self.agent.process is None or self.agent.process.poll() is not None:
            return
        if self.master.agent is None:
            return  # Agent.shutdown() kills them
        with contextlib.suppress(AssertionError, OSError):
            for framework in list(self.master.frameworks.values()):
                self.master.shutdown_framework(framework)
            deadline = time.monotonic() + TIMEOUT
            while self.agent.containers() and time.monotonic() < deadline:
                time.sleep(0.02)

    # -- what tests often do --

    def run_to_end(self, framework: Framework, command: str, **fields: Any) -> Task:
        task = self.master.run_task(framework, self.master.task(framework, command, **fields))
        self.master.await_end(task)
        return task

    def running(self, framework: Framework, command: Message | str = "sleep 1000",
                **fields: Any) -> Task:
        task = self.master.run_task(framework, self.master.task(framework, command, **fields))
        self.master.await_state(task, "TASK_RUNNING")
        return task

    def apply(self, info: Message, **kwargs: object) -> Message:
        """The status that the agent answers with."""
        operation = self.master.apply_operation(info, **kwargs)  # type: ignore[arg-type]
        return self.master.expect("UpdateOperationStatusMessage", where=lambda message: (
            message.get("operation_uuid", {}).get("value") == operation)).message

    def finish(self, *infos: Message) -> None:
        for info in infos:
            self.assertEqual("OPERATION_FINISHED", self.apply(info)["status"]["state"])

    def container_of(self, task: Task) -> tuple[str, ...]:
        """Path of the container that the task's last update names."""
        assert task.last is not None
        return id_path(task.last.status["container_status"]["container_id"])

    def executor_pid(self, task: Task) -> int:
        """Pid of the process that the agent has launched for the task's executor."""
        assert task.last is not None
        return task.last.status["container_status"]["executor_pid"]

    def assert_no_containers(self) -> None:
        eventually(lambda: not self.agent.containers(), "no container is left")

    def assert_states(self, task: Task, *states: str) -> None:
        self.assertEqual([f"TASK_{state}" for state in states], task.states,
                         task.last and task.last.status)
