"""Which updates a command task's scheduler gets, whatever becomes of the task."""

from __future__ import annotations

import time
from typing import Any

from harness import eventually
from master_case import MasterTestCase
from rawhttp import TIMEOUT
from scripted_scheduler import Framework
from scripted_tasks import Task
from wire import Message


class Sequences(MasterTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.join()
        self.framework = self.master.subscribe()
        self.modest = self.master.subscribe(capabilities=("RESERVATION_REFINEMENT",))

    def run_task(self, command: Message | str, framework: Framework | None = None,
                 **fields: Any) -> Task:
        framework = framework or self.framework
        return self.master.run_task(framework, self.master.task(framework, command, **fields))

    def ends(self, task: Task, *states: str, timeout: float = TIMEOUT) -> Message:
        """The terminal status, after exactly these states."""
        end = self.master.await_end(task, timeout)
        self.assert_states(task, *states)
        return end.status

    def test_exit_codes(self) -> None:
        for command, state, message in (
                ("true", "FINISHED", "Command exited with status 0"),
                ("exit 1", "FAILED", "Command exited with status 1"),
                ("no-such-command-anywhere", "FAILED", "Command exited with status 127"),
                ("kill -9 $$", "FAILED", "Command terminated with signal Killed"),
                ({"shell": False, "value": "/bin/true", "arguments": ["true"]},
                 "FINISHED", "Command exited with status 0")):
            with self.subTest(command=command):
                status = self.ends(self.run_task(command), "STARTING", "RUNNING", state)
                self.assertEqual(message, status["message"])
                self.assertEqual("SOURCE_EXECUTOR", status["source"])
                self.assertNotIn("reason", status)

    def test_kill(self) -> None:
        task = self.running(self.framework)
        self.master.kill_task(task)
        self.ends(task, "STARTING", "RUNNING", "KILLING", "KILLED")

    def test_kill_for_those_who_know_no_killing(self) -> None:
        task = self.running(self.modest)
        self.master.kill_task(task)
        self.ends(task, "STARTING", "RUNNING", "KILLED")

    def trapped(self, trap: str, **fields: Any) -> Task:
        """A task without end that has set its trap."""
        task = self.running(self.framework, f"{trap}; touch ready; while :; do sleep 0.1; done",
                            **fields)
        eventually((self.sandbox(task) / "ready").exists, "the trap is set")
        return task

    def test_killed_though_it_would_end_well(self) -> None:
        task = self.trapped("trap 'exit 0' TERM")
        self.master.kill_task(task)
        self.ends(task, "STARTING", "RUNNING", "KILLING", "KILLED")

    def test_grace(self) -> None:
        """One that ignores SIGTERM gets its grace, that of the kill before that of the task."""
        policy = {"grace_period": {"nanoseconds": 60_000_000_000}}
        task = self.trapped("trap '' TERM", kill_policy=policy)
        began = time.monotonic()
        self.master.kill_task(task, grace=1)
        status = self.ends(task, "STARTING", "RUNNING", "KILLING", "KILLED")
        self.assertGreater(time.monotonic() - began, 0.9)
        self.assertEqual("Command terminated with signal Killed", status["message"])

    def test_second_kill_can_only_shorten(self) -> None:
        task = self.trapped("trap '' TERM")
        self.master.kill_task(task, grace=600)
        self.master.await_state(task, "TASK_KILLING")
        self.master.kill_task(task, grace=0)
        self.ends(task, "STARTING", "RUNNING", "KILLING", "KILLED")

    def test_max_completion_time(self) -> None:
        task = self.run_task("sleep 1000", max_completion_time={"nanoseconds": 300_000_000})
        status = self.ends(task, "STARTING", "RUNNING", "FAILED")
        self.assertEqual("REASON_MAX_COMPLETION_TIME_REACHED", status["reason"])

    def test_unknown_user(self) -> None:
        for framework, state in ((self.framework, "DROPPED"), (self.modest, "LOST")):
            task = self.run_task({"value": "true", "shell": True, "user": "nosuchuser"}, framework)
            status = self.ends(task, state)
            self.assertEqual(("REASON_EXECUTOR_TERMINATED", "SOURCE_SLAVE"),
                             (status["reason"], status["source"]))

    def test_health_that_changes(self) -> None:
        """One update for each recovery, one for each failure."""
        command = "sleep 1000"
        task = self.run_task(command, health_check={
            "type": "COMMAND", "delay_seconds": 0, "interval_seconds": 0.1,
            "grace_period_seconds": 0, "consecutive_failures": 1000, "timeout_seconds": 10,
            "command": {"shell": True, "value": "test -e healthy"}})
        self.master.wait_for(lambda: len(task.updates) >= 4, "two failures")
        sandbox = self.sandbox(task)
        (sandbox / "healthy").touch()
        self.master.wait_for(lambda: task.updates[-1].status.get("healthy"), "it is healthy")
        count = len(task.updates)
        self.master.expect_none("StatusUpdateMessage", 0.5, lambda message: (
            message["update"]["uuid"] not in [update.uuid for update in task.updates[:count]]))
        (sandbox / "healthy").unlink()
        self.master.wait_for(lambda: not task.updates[-1].status["healthy"], "it is not")
        for update in task.updates[2:]:
            self.assertEqual(("TASK_RUNNING", "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED"),
                             (update.state, update.reason))

    def sandbox(self, task: Task) -> Any:
        (container,) = self.container_of(task)
        return (self.agent.work_dir / "slaves" / task.slave_id / "frameworks" / task.framework_id
                / "executors" / task.task_id / "runs" / container)

    def test_check(self) -> None:
        """Its result comes when it changes, and an empty one before there is any."""
        task = self.run_task("sleep 1000", check={
            "type": "COMMAND", "delay_seconds": 0, "interval_seconds": 0.1,
            "command": {"command": {"shell": True, "value": "test -e there"}}})
        self.master.wait_for(lambda: len(task.updates) >= 3, "a result")
        checks = [update.status["check_status"] for update in task.updates]
        self.assertEqual([{"type": "COMMAND", "command": {}}] * 2, checks[:2])
        self.assertEqual({"type": "COMMAND", "command": {"exit_code": 1}}, checks[2])
        self.assertEqual("REASON_TASK_CHECK_STATUS_UPDATED", task.updates[2].reason)
        (self.sandbox(task) / "there").touch()
        self.master.wait_for(lambda: len(task.updates) >= 4, "another result")
        self.assertEqual(0, task.updates[3].status["check_status"]["command"]["exit_code"])

    def test_output_and_environment(self) -> None:
        """What a task writes is in its sandbox, and its variables are those of its command."""
        task = self.run_task({
            "shell": True, "value": "echo $COLOUR; echo \"$MESOS_ALLOCATION_ROLE\"; echo err >&2; pwd",
            "environment": {"variables": [{"name": "COLOUR", "type": "VALUE", "value": "red"}]}})
        self.ends(task, "STARTING", "RUNNING", "FINISHED")
        sandbox = self.sandbox(task)
        self.assertEqual(["red", "*", str(sandbox)],
                         (sandbox / "stdout").read_text().splitlines()[-3:])
        self.assertIn("err\n", (sandbox / "stderr").read_text())


class Delivery(MasterTestCase):
    """Acknowledgements and repetition."""

    def setUp(self) -> None:
        super().setUp()
        self.join()
        self.master.acknowledging = False
        self.framework = self.master.subscribe()

    def test_updating_the_framework_repeats(self) -> None:
        """A scheduler that has come back waits for what it has missed."""
        task = self.running_unacknowledged()
        self.master.update_framework(self.framework)
        self.master.wait_for(lambda: task.updates[0].arrivals >= 2, "it comes again")
        self.finish(task)

    def running_unacknowledged(self) -> Task:
        task = self.master.run_task(self.framework, self.master.task(self.framework, "exit 3"))
        self.master.await_state(task, "TASK_STARTING")
        return task

    def finish(self, task: Task) -> None:
        self.master.acknowledging = True
        self.master.acknowledge_pending()
        self.master.await_end(task)
        self.assert_states(task, "STARTING", "RUNNING", "FAILED")

    def test_only_the_right_acknowledgement_counts(self) -> None:
        task = self.running_unacknowledged()
        update = task.updates[0]
        right = {"slave_id": self.master.slave_id, "framework_id": {"value": self.framework.id},
                 "task_id": {"value": task.task_id}, "uuid": update.uuid}
        for wrong in ({"uuid": b"0123456789abcdef"}, {"task_id": {"value": "other"}},
                      {"framework_id": {"value": "other"}}):
            self.master.send("StatusUpdateAcknowledgementMessage", {**right, **wrong})
        # Another who calls itself a master.
        self.master.send("StatusUpdateAcknowledgementMessage", right, sender="master-2")
        time.sleep(0.3)
        self.assert_states(task, "STARTING")
        self.finish(task)

    def test_new_capabilities_count(self) -> None:
        """Whether a lost task is TASK_LOST or TASK_DROPPED is the framework's to say, now."""
        modest = self.master.subscribe(capabilities=("RESERVATION_REFINEMENT",))
        self.master.acknowledging = True
        versions = [{"uuid": {"value": b"0123456789abcdef"}}]
        self.running(modest)
        task = self.master.run_task(modest, self.master.task(modest, "true"), versions=versions)
        self.assertEqual("TASK_LOST", self.master.await_end(task).state)
        self.master.update_framework(modest, capabilities=[
            {"type": "RESERVATION_REFINEMENT"}, {"type": "PARTITION_AWARE"}])
        task = self.master.run_task(modest, self.master.task(modest, "true"), versions=versions)
        self.assertEqual("TASK_DROPPED", self.master.await_end(task).state)


if __name__ == "__main__":
    import run
    run.main([__file__])
