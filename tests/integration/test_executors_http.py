"""Custom executors over HTTP: every event, every call, and what re-subscribing means."""

from __future__ import annotations

import uuid

from executor_case import ExecutorTestCase
from scripted_tasks import Task
from wire import Message


class Events(ExecutorTestCase):
    def life(self, encoding: str) -> None:
        """Subscribe, two tasks, a kill, messages both ways, shutdown."""
        framework = self.framework()
        first = self.launch(framework, self.info(framework, encoding=encoding))
        executor = self.started()
        subscribed = self.subscribed(executor)
        self.assertEqual({"value": "custom"}, subscribed["executor_info"]["executor_id"])
        self.assertEqual({"value": framework.id}, subscribed["framework_info"]["id"])
        self.assertEqual(self.master.slave_id, subscribed["agent_info"]["id"])
        uuid.UUID(subscribed["container_id"]["value"])
        launch = self.event(executor, "LAUNCH")
        self.assertEqual({"type", "launch"}, set(launch))
        self.assertEqual({"value": first.task_id}, launch["launch"]["task"]["task_id"])
        identity = self.update(executor, first, "TASK_RUNNING")
        self.assertEqual({"task_id": {"value": first.task_id}, "uuid": identity},
                         self.event(executor, "ACKNOWLEDGED")["acknowledged"])
        update = self.master.await_state(first, "TASK_RUNNING")
        self.assertEqual((identity, "SOURCE_EXECUTOR", self.master.slave_id, {"value": "custom"}),
                         (update.uuid, update.status["source"], update.status["slave_id"],
                          update.status["executor_id"]))
        self.assertEqual(subscribed["container_id"],
                         update.status["container_status"]["container_id"])

        second = self.launch(framework, self.info(framework, encoding=encoding))
        self.assertEqual({"value": second.task_id},
                         self.event(executor, "LAUNCH")["launch"]["task"]["task_id"])
        self.master.kill_task(second, grace=2.5)
        self.assertEqual({"task_id": {"value": second.task_id},
                          "kill_policy": {"grace_period": {"nanoseconds": 2_500_000_000}}},
                         self.event(executor, "KILL")["kill"])
        self.update(executor, second, "TASK_KILLED", message="on request")
        self.event(executor, "ACKNOWLEDGED")
        self.assertEqual("on request", self.master.await_end(second).status["message"])

        self.master.message(framework, "custom", b"\0down\xff")
        self.assertEqual({"data": b"\0down\xff"}, self.event(executor, "MESSAGE")["message"])
        self.call(executor, {"type": "MESSAGE", "message": {"data": b"\0up\xff"}})
        message = self.master.expect("ExecutorToFrameworkMessage").message
        self.assertEqual({"slave_id": self.master.slave_id, "data": b"\0up\xff",
                          "framework_id": {"value": framework.id},
                          "executor_id": {"value": "custom"}}, message)
        self.call(executor, {"type": "HEARTBEAT"})

        self.master.shutdown_executor(framework, "custom")
        self.assertEqual({"type": "SHUTDOWN"}, self.event(executor, "SHUTDOWN"))
        self.update(executor, first, "TASK_FINISHED")  # it may still say how it ended
        self.event(executor, "ACKNOWLEDGED")
        self.assertEqual("TASK_FINISHED", self.master.await_end(first).state)
        executor.do("exit", code=7)
        exited = self.master.expect("ExitedExecutorMessage").message
        self.assertEqual(7 << 8, exited["status"])
        self.assert_no_containers()

    def test_in_json(self) -> None:
        self.life("json")

    def test_in_protobuf(self) -> None:
        self.life("protobuf")

    def test_group(self) -> None:
        """A group comes as a whole, also to executors that are not the default one."""
        framework = self.framework()
        info = self.info(framework)
        tasks = self.master.run_task_group(framework, info, [
            self.master.task(framework, None, name, executor=info) for name in ("a", "b")])
        executor = self.started()
        self.subscribed(executor)
        group = self.event(executor, "LAUNCH_GROUP")
        self.assertEqual({"type", "launch_group"}, set(group))
        self.assertEqual(["a", "b"], [task["task_id"]["value"]
                                      for task in group["launch_group"]["task_group"]["tasks"]])
        for task in tasks:
            self.update(executor, task, "TASK_RUNNING")
        # Another task for it comes by itself.
        single = self.launch(framework, info, "c")
        self.event(executor, "LAUNCH")
        for task in (*tasks, single):
            self.update(executor, task, "TASK_FINISHED")
            self.master.await_end(task)

    def test_queue(self) -> None:
        """What comes before the executor has subscribed waits for it: tasks first, then groups."""
        framework = self.framework()
        info = self.info(framework)
        self.launch(framework, info, "one")
        self.master.run_task_group(framework, info, [
            self.master.task(framework, None, "two", executor=info)])
        self.launch(framework, info, "three")
        executor = self.started()
        self.subscribed(executor)
        self.assertEqual(["one", "three"], [
            self.event(executor, "LAUNCH")["launch"]["task"]["task_id"]["value"] for _ in "12"])
        self.event(executor, "LAUNCH_GROUP")
        kinds = [r["event"]["type"] for r in executor.reports if r["what"] == "event"]
        self.assertEqual(["SUBSCRIBED", "LAUNCH", "LAUNCH", "LAUNCH_GROUP"], kinds)


class Calls(ExecutorTestCase):
    def test_refused(self) -> None:
        framework = self.framework()
        task = self.launch(framework, self.info(framework))
        executor = self.started()
        message: Message = {"type": "MESSAGE", "message": {"data": b""}}
        self.assertEqual("Executor is not subscribed",
                         self.call(executor, message, 403)["text"])
        self.call(executor, {"type": "HEARTBEAT"})
        self.call(executor, {"type": "HEARTBEAT", "executor_id": {"value": "unused"},
                             "framework_id": {"value": "unused"}})
        self.assertEqual("Framework cannot be found", self.call(
            executor, {**message, "framework_id": {"value": "other"}}, 400)["text"])
        self.assertEqual("Executor cannot be found", self.call(
            executor, {**message, "executor_id": {"value": "other"}}, 400)["text"])
        executor.do("subscribe", headers={"Accept": "text/html"})
        self.assertEqual(406, executor.expect("subscribed")["status"])
        self.subscribed(executor)
        self.event(executor, "LAUNCH")

        for text, fields in (
                ("Expecting 'uuid' to be present", {"uuid": None}),
                ("", {"uuid": b"0123"}),
                ("ExecutorID in Call: custom does not match ExecutorID in TaskStatus: other",
                 {"executor_id": {"value": "other"}}),
                ("", {"source": "SOURCE_MASTER"}), ("", {"state": "TASK_STAGING"})):
            status = {name: value for name, value in
                      {**self.status(task, "TASK_RUNNING"), **fields}.items() if value is not None}
            with self.subTest(fields=fields):
                answer = self.call(executor, {"type": "UPDATE", "update": {"status": status}}, 400)
                self.assertIn(f"Failed to validate Executor::Call: {text}", answer["text"])
        self.assertEqual([], task.states)
        self.update(executor, task, "TASK_FINISHED")
        self.master.await_end(task)

    def test_update_of_another_agent_is_swallowed(self) -> None:
        framework = self.framework()
        executor, task = self.running_executor(framework)
        self.update(executor, task, "TASK_FAILED", agent_id={"value": "other"})
        executor.expect_none("event", 0.3)
        self.assert_states(task, "RUNNING")
        self.update(executor, task, "TASK_FINISHED")
        self.master.await_end(task)

    def test_updates_of_invented_tasks(self) -> None:
        """They go to the master, as with Mesos; but only so many tasks can be invented."""
        self.expected_problems = ["is of a task that was not launched"]
        framework = self.framework()
        executor, task = self.running_executor(framework)

        def invent(name: str, status: int) -> str:
            invented = Task(framework.id, name, "", 0)
            return self.call(executor, {"type": "UPDATE", "update": {
                "status": self.status(invented, "TASK_RUNNING")}}, status)["text"]

        for number in range(100):
            invent(f"invented-{number}", 202)
        self.assertEqual("Too many updates of tasks that the agent does not know, as 'one-more', "
                         "wait to be acknowledged", invent("one-more", 503))
        self.update(executor, task, "TASK_FINISHED")
        self.master.await_end(task)
        self.assertNotIn((framework.id, "one-more"), self.master.ledger.tasks)
        self.assertIn((framework.id, "invented-99"), self.master.ledger.tasks)

    def test_repeated_update_is_acknowledged_again(self) -> None:
        framework = self.framework()
        executor, task = self.running_executor(framework)
        identity = self.update(executor, task, "TASK_FINISHED")
        self.event(executor, "ACKNOWLEDGED")
        self.master.await_end(task)
        self.update(executor, task, "TASK_FINISHED", identity)
        self.assertEqual(identity, self.event(executor, "ACKNOWLEDGED")["acknowledged"]["uuid"])
        # And so is one that comes after the end, which goes nowhere.
        late = self.update(executor, task, "TASK_KILLED")
        self.assertEqual(late, self.event(executor, "ACKNOWLEDGED")["acknowledged"]["uuid"])
        self.assert_states(task, "RUNNING", "FINISHED")

    def test_one_update_at_a_time(self) -> None:
        """The executor is acknowledged at once; the scheduler gets them one by one, and is told of
        the latest state."""
        self.framework()
        self.master.acknowledging = False
        framework = self.master.subscribe(checkpoint=True)
        task = self.launch(framework, self.info(framework))
        executor = self.started()
        self.subscribed(executor)
        self.event(executor, "LAUNCH")
        for state in ("TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"):
            self.update(executor, task, state)
            self.event(executor, "ACKNOWLEDGED")
        self.master.await_state(task, "TASK_STARTING")
        self.master.expect_none("StatusUpdateMessage", 0.3, lambda message: (
            message["update"]["status"]["state"] != "TASK_STARTING"))
        self.assert_states(task, "STARTING")
        self.master.acknowledge_pending()
        running = self.master.await_state(task, "TASK_RUNNING")
        self.assertEqual("TASK_FINISHED", running.message["latest_state"])
        self.master.acknowledge_pending()
        self.master.await_end(task)
        self.master.acknowledge_pending()


class Again(ExecutorTestCase):
    """Subscribing once more, with the agent alive or after it was killed."""

    def test_the_newer_stream_wins(self) -> None:
        framework = self.framework()
        executor, task = self.running_executor(framework)
        tasks = [{"task_id": {"value": task.task_id}, "name": task.task_id,
                  "agent_id": self.master.slave_id}]
        self.subscribed(executor, tasks=tasks)
        self.assertEqual("finished", executor.expect("stream ended")["how"])
        self.master.kill_task(task)
        self.event(executor, "KILL")
        self.update(executor, task, "TASK_KILLED")
        self.master.await_end(task)

    def test_a_cut_stream_harms_nobody(self) -> None:
        """What is sent meanwhile is lost, but the executor and its tasks are not."""
        framework = self.framework()
        executor, task = self.running_executor(framework)
        executor.do("unsubscribe")
        executor.expect("stream ended")
        self.master.expect_none("StatusUpdateMessage", 0.3, lambda message: (
            message["update"]["status"]["state"] != "TASK_RUNNING"))
        self.update(executor, task, "TASK_FINISHED")
        self.master.await_end(task)

    def test_staging_task_that_the_executor_does_not_know(self) -> None:
        framework = self.framework()
        task = self.launch(framework, self.info(framework))
        executor = self.started()
        self.subscribed(executor)
        self.event(executor, "LAUNCH")
        executor.do("subscribe")  # without naming the task
        end = self.master.await_end(task)
        self.assertEqual(("TASK_DROPPED", "REASON_SLAVE_RESTARTED", "SOURCE_SLAVE"),
                         (end.state, end.reason, end.status["source"]))
        self.event(executor, "SHUTDOWN")  # it was all that the executor was for
        executor.do("exit")
        self.master.expect("ExitedExecutorMessage")

    def test_updates_that_only_the_executor_has(self) -> None:
        framework = self.framework()
        executor, task = self.running_executor(framework)
        status = self.status(task, "TASK_FINISHED")
        self.subscribed(executor, updates=[{"status": status}])
        self.assertEqual(status["uuid"],
                         self.event(executor, "ACKNOWLEDGED")["acknowledged"]["uuid"])
        self.assertEqual(status["uuid"], self.master.await_end(task).uuid)

    def test_after_the_agent_was_killed(self) -> None:
        framework = self.framework(flags={"executor_reregistration_timeout": "5secs"})
        executor, task = self.running_executor(framework)
        self.agent.kill9()
        executor.expect("stream ended")
        self.agent.start(wait=False)

        def subscribe() -> bool:
            executor.do("subscribe", tasks=[{
                "task_id": {"value": task.task_id}, "name": task.task_id,
                "agent_id": {"value": task.slave_id}}])
            answer = executor.expect("subscribed")
            self.assertIn(answer["status"], (0, 200, 404, 503), answer)
            return answer["status"] == 200

        while not subscribe():
            pass
        self.event(executor, "SUBSCRIBED")
        again = self.master.expect("ReregisterSlaveMessage").message
        self.assertEqual([{"value": task.task_id}], [t["task_id"] for t in again["tasks"]])
        self.assertEqual([{"value": "custom"}], [e["executor_id"] for e in again["executor_infos"]])
        self.assertEqual({"value": "custom"}, again["tasks"][0]["executor_id"])
        self.await_registered()
        self.update(executor, task, "TASK_FINISHED")
        self.event(executor, "ACKNOWLEDGED")
        self.assertEqual("TASK_FINISHED", self.master.await_end(task).state)

    def test_not_back_in_time(self) -> None:
        framework = self.framework(flags={"executor_reregistration_timeout": "1secs"})
        executor, task = self.running_executor(framework)
        self.agent.restart()
        end = self.master.await_end(task)
        self.assertEqual(("TASK_GONE", "REASON_EXECUTOR_REREGISTRATION_TIMEOUT", "SOURCE_SLAVE"),
                         (end.state, end.reason, end.status["source"]))
        executor.expect_gone()
        self.assert_no_containers()

    def test_of_a_framework_that_does_not_checkpoint(self) -> None:
        """It does not survive the agent."""
        framework = self.framework(checkpoint=False)
        executor, task = self.running_executor(framework)
        self.agent.restart()
        again = self.master.expect("ReregisterSlaveMessage").message
        self.assertEqual([], again.get("tasks", []))
        self.assertEqual([], again.get("frameworks", []))
        executor.expect_gone()
        self.assert_no_containers()


if __name__ == "__main__":
    import run
    run.main([__file__])
