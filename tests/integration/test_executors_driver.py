"""Custom executors over libprocess messages, as the driver library speaks them."""

from __future__ import annotations

from executor_case import DriverTestCase
from scripted_master import ScriptedMaster


class Driver(DriverTestCase):
    def test_life(self) -> None:
        """Register, two tasks, a kill, messages both ways, shutdown."""
        framework = self.framework()
        first = self.launch(framework, self.info(framework, program="executor_driver"))
        executor = self.started()
        registered = self.registered(executor)
        self.assertEqual({"value": "custom"}, registered["executor_info"]["executor_id"])
        self.assertEqual({"value": framework.id}, registered["framework_id"])
        self.assertEqual(framework.info["name"], registered["framework_info"]["name"])
        self.assertEqual(self.master.slave_id, registered["slave_id"])
        self.assertEqual(self.master.slave_id, registered["slave_info"]["id"])
        run = self.message(executor, "RunTaskMessage")
        self.assertEqual({"value": first.task_id}, run["task"]["task_id"])
        self.assertEqual({"value": framework.id}, run["framework"]["id"])
        identity = self.driver_update(executor, first, "TASK_RUNNING")
        acknowledgement = self.message(executor, "StatusUpdateAcknowledgementMessage")
        self.assertEqual({"slave_id": self.master.slave_id, "uuid": identity,
                          "framework_id": {"value": framework.id},
                          "task_id": {"value": first.task_id}}, acknowledgement)
        update = self.master.await_state(first, "TASK_RUNNING")
        self.assertEqual((identity, "SOURCE_EXECUTOR"), (update.uuid, update.status["source"]))

        second = self.launch(framework, self.info(framework, program="executor_driver"))
        self.message(executor, "RunTaskMessage")
        self.master.kill_task(second, grace=2.5)
        kill = self.message(executor, "KillTaskMessage")
        self.assertEqual({"value": second.task_id}, kill["task_id"])
        self.assertEqual({"grace_period": {"nanoseconds": 2_500_000_000}}, kill["kill_policy"])
        self.driver_update(executor, second, "TASK_KILLED", message="on request")
        self.acknowledged(executor)
        self.assertEqual("on request", self.master.await_end(second).status["message"])

        self.master.message(framework, "custom", b"\0down\xff")
        self.assertEqual(b"\0down\xff", self.message(executor, "FrameworkToExecutorMessage")["data"])
        executor.do("send", name="ExecutorToFrameworkMessage", message={
            "slave_id": self.master.slave_id, "framework_id": {"value": framework.id},
            "executor_id": {"value": "custom"}, "data": b"\0up\xff"})
        self.assertEqual(b"\0up\xff",
                         self.master.expect("ExecutorToFrameworkMessage").message["data"])

        self.master.shutdown_executor(framework, "custom")
        self.message(executor, "ShutdownExecutorMessage")
        self.driver_update(executor, first, "TASK_FINISHED")
        self.acknowledged(executor)
        self.master.await_end(first)
        executor.do("exit", code=3)
        self.assertEqual(3 << 8, self.master.expect("ExitedExecutorMessage").message["status"])
        self.assert_no_containers()

    def test_to_a_scheduler_with_a_pid(self) -> None:
        """What an executor says to a driver's framework goes to it, and not by the master."""
        framework = self.framework(pid=self.new_scheduler())
        task = self.launch(framework, self.info(framework, program="executor_driver"))
        executor = self.started()
        self.registered(executor)
        self.message(executor, "RunTaskMessage")
        executor.do("send", name="ExecutorToFrameworkMessage", message={
            "slave_id": self.master.slave_id, "framework_id": {"value": framework.id},
            "executor_id": {"value": "custom"}, "data": b"hello"})
        received = self.scheduler.expect("ExecutorToFrameworkMessage")
        self.assertEqual(b"hello", received.message["data"])
        self.assertEqual("scheduler-1", received.target)
        self.assertEqual([], self.master.all_of("ExecutorToFrameworkMessage"))
        self.driver_update(executor, task, "TASK_FINISHED")
        self.master.await_end(task)

    def new_scheduler(self) -> str:
        """The UPID of a driver scheduler, which listens."""
        self.scheduler = ScriptedMaster().start()
        self.addCleanup(self.scheduler.stop)
        return self.scheduler.upid("scheduler-1")

    def test_staging_costs_its_life(self) -> None:
        executor, task = self.running_driver()
        self.driver_update(executor, task, "TASK_STAGING")
        self.message(executor, "ShutdownExecutorMessage")
        executor.do("exit")
        self.assertEqual("REASON_EXECUTOR_TERMINATED", self.master.await_end(task).reason)

    def test_strangers_are_shut_down(self) -> None:
        """Of an unknown framework or executor, or registering twice."""
        executor, task = self.running_driver()
        for ids in ({"framework_id": {"value": "other"}, "executor_id": {"value": "custom"}},
                    {"framework_id": {"value": task.framework_id},
                     "executor_id": {"value": "other"}}):
            executor.do("send", name="RegisterExecutorMessage", message=ids)
            self.message(executor, "ShutdownExecutorMessage")
        self.driver_update(executor, task, "TASK_FINISHED")
        self.master.await_end(task)

    def test_reconnects(self) -> None:
        """A killed agent asks its executors to come back, and they bring what it has not got."""
        executor, task = self.running_driver()
        self.agent.kill9()
        self.agent.start(wait=False)
        reconnect = self.message(executor, "ReconnectExecutorMessage")
        self.assertEqual(task.slave_id, reconnect["slave_id"]["value"])
        ids = {"framework_id": {"value": task.framework_id}, "executor_id": {"value": "custom"}}
        status = {**self.status(task, "TASK_FINISHED"), "slave_id": reconnect["slave_id"]}
        executor.do("send", name="ReregisterExecutorMessage", message={
            **ids, "tasks": [], "updates": [{
                **ids, "slave_id": reconnect["slave_id"], "status": status,
                "timestamp": status["timestamp"], "uuid": status["uuid"]}]})
        self.message(executor, "ExecutorReregisteredMessage")
        self.assertEqual(status["uuid"], self.acknowledged(executor))
        end = self.master.await_end(task)
        self.assertEqual((status["uuid"], "TASK_FINISHED"), (end.uuid, end.state))

    def test_dies(self) -> None:
        executor, task = self.running_driver()
        executor.do("exit", code=9)
        end = self.master.await_end(task)
        self.assertEqual(("TASK_FAILED", "REASON_EXECUTOR_TERMINATED", "SOURCE_SLAVE"),
                         (end.state, end.reason, end.status["source"]))
        self.assertEqual(9 << 8, self.master.expect("ExitedExecutorMessage").message["status"])


if __name__ == "__main__":
    import run
    run.main([__file__])
