"""Recorded conversations about tasks and operations, field by field."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import attach
import recorded_master
from harness import Flag, shell
from master_case import MasterTestCase
from recorded_master import Cause, Expected

NAMED = Expected(
    r"^agent\[2\].message.tasks\[0\].status_update_(state|uuid)$",
    "the update that is to be acknowledged first is named also after a restart",
    lambda recorded, ours: recorded is None)


class Recorded(MasterTestCase):
    """Every message as the Apache Mesos agent sent it at the same step."""

    def conversation(self, scenario: str, hooks: dict[int, Callable[[], None]] | None = None,
                     expected: list[Expected] | None = None,
                     flags: dict[str, Flag] | None = None) -> Cause:
        self.join({"registration_backoff_factor": "1secs", **(flags or {})})
        cause = recorded_master.drive(self.master, scenario, hooks)
        recorded_master.compare(self, scenario, self.master, [self.master.id],
                                self.agent.address[1], expected or [])
        return cause

    def only_task(self) -> Any:
        (task,) = self.master.ledger.tasks.values()
        return task

    def kill_executor(self) -> None:
        os.kill(self.executor_pid(self.only_task()), signal.SIGKILL)

    def test_register_and_run_command_tasks(self) -> None:
        cause = self.conversation("register-and-run-command-tasks")
        self.assert_states(cause.tasks["ok"], "STARTING", "RUNNING", "FINISHED")
        self.assert_no_containers()

    def test_kill_task(self) -> None:
        self.conversation("kill-task")
        self.assert_no_containers()

    def test_executor_dies(self) -> None:
        self.conversation("executor-dies", {4: self.kill_executor})
        self.assert_no_containers()

    def test_framework_teardown(self) -> None:
        self.conversation("framework-teardown")
        self.master.expect_none("StatusUpdateMessage", 0.5,
                                lambda message: message["update"]["status"]["state"] not in (
                                    "TASK_STARTING", "TASK_RUNNING"))
        self.assert_no_containers()

    def test_http_command_executor(self) -> None:
        self.conversation("http-command-executor", flags={"http_command_executor": "true"})
        self.assert_no_containers()

    def test_failing_health_check(self) -> None:
        self.conversation("failing-health-check")

    def test_drain(self) -> None:
        self.conversation("drain", expected=[Expected(
            r"TASK_KILLED.message.update.status.message$", "no grace: either signal may be first",
            lambda recorded, ours: recorded.startswith("Command terminated with signal ")
            and ours.startswith("Command terminated with signal "), always=False)])
        self.assert_no_containers()

    def test_agent_restart_with_running_task(self) -> None:
        self.conversation("agent-restart-with-running-task", {4: lambda: self.agent.restart()},
                          [NAMED])
        self.assert_no_containers()

    def test_task_ends_while_agent_is_down(self) -> None:
        def restart() -> None:
            self.agent.kill9()
            os.kill(self.executor_pid(self.only_task()), signal.SIGKILL)
            self.agent.start(wait=False)

        self.conversation("task-ends-while-agent-is-down", {4: restart}, [NAMED])

    def test_nested_session_under_executor(self) -> None:
        def session() -> None:
            path = (*self.container_of(self.only_task()), "session")
            with attach.session(self.agent, *path, command=shell("echo hello; exit 3")) as output:
                output.read_to_end()
            self.assertEqual(b"hello\n", output.stdout)

        self.conversation("nested-session-under-executor", {4: session})
        self.assert_no_containers()


class MasterRestart(MasterTestCase):
    def test_as_recorded(self) -> None:
        """The agent sends to the address where the new master is, and goes on retrying: the
        recording ends before the agent misses the pings."""
        self.join({"registration_backoff_factor": "1secs"})
        self.expected_problems.append("of another process than the agent")
        first = self.master.id
        recorded_master.drive(self.master, "master-restart", {4: self.master.restart})
        recorded_master.compare(self, "master-restart", self.master, [first],
                                self.agent.address[1], [])


if __name__ == "__main__":
    import run
    run.main([__file__])
