"""How custom executors are launched, what they are given, and how they are ended; and each reason
that the agent itself gives for the end of a task."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import time
import uuid
from pathlib import Path

from executor_case import ExecutorTestCase
from harness import eventually
from scripted_scheduler import Framework, scalar
from scripted_tasks import Task
from sessions import switchboard_of


class Environment(ExecutorTestCase):
    def test_contract(self) -> None:
        framework = self.framework(checkpoint=True)
        self.launch(framework, self.info(framework))
        executor = self.started()
        run = self.check(executor.environment, framework)
        self.assertEqual(
            {"MESOS_CHECKPOINT": "1", "MESOS_RECOVERY_TIMEOUT": "15mins",
             "MESOS_SUBSCRIPTION_BACKOFF_MAX": "2secs"},
            {name: executor.environment.get(name) for name in (
                "MESOS_CHECKPOINT", "MESOS_RECOVERY_TIMEOUT", "MESOS_SUBSCRIPTION_BACKOFF_MAX")})
        self.assertEqual(0o750, run.stat().st_mode & 0o777)
        self.assertEqual(run, (run.parent / "latest").resolve())
        uuid.UUID(run.name)

    def check(self, environment: dict[str, str], framework: Framework) -> Path:
        """What every executor has; its sandbox."""
        address = f"127.0.0.1:{self.agent.address[1]}"
        sandbox = environment["MESOS_SANDBOX"]
        expected = {
            "LIBPROCESS_PORT": "0", "MESOS_FRAMEWORK_ID": framework.id,
            "MESOS_EXECUTOR_ID": "custom", "MESOS_SLAVE_ID": self.master.slave_id["value"],
            "MESOS_SLAVE_PID": f"slave(1)@{address}", "MESOS_AGENT_ENDPOINT": address,
            "MESOS_DIRECTORY": sandbox, "MESOS_HTTP_COMMAND_EXECUTOR": "0",
            "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "5secs"}
        self.assertEqual(expected, {name: environment.get(name) for name in expected})
        parent = (self.agent.work_dir / "slaves" / self.master.slave_id["value"] / "frameworks"
                  / framework.id / "executors" / "custom" / "runs")
        self.assertEqual(str(parent), os.path.dirname(sandbox))
        self.assertNotIn("MESOS_AGENT_ID", environment)
        self.assertNotIn("MESOS_WORK_DIR", environment)
        self.assertNotIn("TMPDIR", environment)  # nothing of the agent's own
        return Path(sandbox)

    def test_without_checkpoints(self) -> None:
        framework = self.framework(checkpoint=False)
        self.launch(framework, self.info(framework))
        environment = self.started().environment
        self.check(environment, framework)
        self.assertEqual("0", environment["MESOS_CHECKPOINT"])
        for name in ("MESOS_RECOVERY_TIMEOUT", "MESOS_SUBSCRIPTION_BACKOFF_MAX",
                     "MESOS_EXECUTOR_AUTHENTICATION_TOKEN", "MESOS_DOMAIN_SOCKET"):
            self.assertNotIn(name, environment)

    def test_what_wins(self) -> None:
        """The agent's flag, then the contract, then the command's own variables."""
        framework = self.framework(flags={"executor_environment_variables": json.dumps({
            "FROM_FLAG": "1", "MESOS_EXECUTOR_ID": "flag", "BOTH": "flag"})})
        info = self.info(framework)
        info["command"]["environment"]["variables"] += [
            {"name": "BOTH", "type": "VALUE", "value": "command"},
            {"name": "MESOS_CHECKPOINT", "type": "VALUE", "value": "mine"}]
        self.launch(framework, info)
        environment = self.started().environment
        self.assertEqual(("1", "custom", "command", "mine"), tuple(environment[name] for name in (
            "FROM_FLAG", "MESOS_EXECUTOR_ID", "BOTH", "MESOS_CHECKPOINT")))

    def test_durations(self) -> None:
        framework = self.framework(flags={
            "executor_shutdown_grace_period": "1500ms", "recovery_timeout": "90secs",
            "executor_reregistration_timeout": "3secs"})
        self.launch(framework, self.info(framework))
        environment = self.started().environment
        self.assertEqual(("1500ms", "90secs", "3secs"), tuple(environment[name] for name in (
            "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "MESOS_RECOVERY_TIMEOUT",
            "MESOS_SUBSCRIPTION_BACKOFF_MAX")))

    def test_grace_of_the_executor(self) -> None:
        framework = self.framework()
        self.launch(framework, self.info(
            framework, shutdown_grace_period={"nanoseconds": 120_000_000_000}))
        self.assertEqual("2mins",
                         self.started().environment["MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD"])


def decoded(part: str) -> dict[str, str]:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


class Tokens(ExecutorTestCase):
    KEY = b"a key of thirty-two bytes, almost"

    def authenticated(self) -> Framework:
        self.join(start=False)
        key = self.agent.scratch / "key"
        key.write_bytes(self.KEY)
        key.chmod(0o600)
        self.agent.flags |= {"jwt_secret_key": str(key), "authenticate_http_executors": "true",
                             "http_authenticators": "jwt"}
        self.agent.start(wait=False)
        self.await_registered()
        return self.framework()

    def test_token(self) -> None:
        """Of this run of this executor; what it allows, and what others' tokens do not."""
        framework = self.authenticated()
        task = self.launch(framework, self.info(framework))
        executor = self.started()
        token = executor.environment["MESOS_EXECUTOR_AUTHENTICATION_TOKEN"]
        head, payload, signature = token.split(".")
        self.assertEqual({"alg": "HS256", "typ": "JWT"}, decoded(head))
        run = os.path.basename(executor.environment["MESOS_SANDBOX"])
        self.assertEqual({"cid": run, "eid": "custom", "fid": framework.id}, decoded(payload))
        self.assertEqual(
            base64.urlsafe_b64encode(hmac.new(self.KEY, f"{head}.{payload}".encode(),
                                              hashlib.sha256).digest()).rstrip(b"=").decode(),
            signature)
        executor.do("subscribe", headers={"Authorization": None})
        self.assertEqual(401, executor.expect("subscribed")["status"])
        executor.do("subscribe", headers={"Authorization": f"Bearer {self.forged(framework)}"})
        refused = executor.expect("subscribed")
        self.assertEqual(403, refused["status"])
        self.assertIn("does not contain a 'cid' claim with the correct active ContainerID",
                      refused["text"])
        self.subscribed(executor)
        self.event(executor, "LAUNCH")
        self.update(executor, task, "TASK_FINISHED")
        self.master.await_end(task)

    def forged(self, framework: Framework) -> str:
        """Rightly signed, for another run."""
        def encoded(value: dict[str, str]) -> str:
            text = json.dumps(value, separators=(",", ":")).encode()
            return base64.urlsafe_b64encode(text).rstrip(b"=").decode()

        body = encoded({"alg": "HS256", "typ": "JWT"}) + "." + encoded(
            {"cid": str(uuid.uuid4()), "eid": "custom", "fid": framework.id})
        signature = hmac.new(self.KEY, body.encode(), hashlib.sha256).digest()
        return body + "." + base64.urlsafe_b64encode(signature).rstrip(b"=").decode()


class Launches(ExecutorTestCase):
    """launch_executor: who decides whether there is to be an executor."""

    def dropped(self, task: Task, reason: str) -> None:
        end = self.master.await_end(task)
        self.assertEqual(("TASK_DROPPED", reason, "SOURCE_SLAVE"),
                         (end.state, end.reason, end.status["source"]))

    def test_absent(self) -> None:
        """From old masters: one is made if there is none, and used if there is."""
        framework = self.framework()
        info = self.info(framework)
        first = self.launch(framework, info, launch_executor=None)
        executor = self.started()
        self.subscribed(executor)
        self.event(executor, "LAUNCH")
        second = self.launch(framework, info, launch_executor=None)
        self.event(executor, "LAUNCH")
        for task in (first, second):
            self.update(executor, task, "TASK_FINISHED")
            self.master.await_end(task)

    def test_false_without_executor(self) -> None:
        framework = self.framework()
        task = self.launch(framework, self.info(framework), launch_executor=False)
        self.dropped(task, "REASON_EXECUTOR_TERMINATED")
        self.assert_no_containers()

    def test_true_with_executor(self) -> None:
        """The master believes that there is none: the one that is there has to go."""
        framework = self.framework()
        executor, task = self.running_executor(framework)
        other = self.launch(framework, self.info(framework), launch_executor=True)
        self.dropped(other, "REASON_EXECUTOR_TERMINATED")
        self.event(executor, "SHUTDOWN")
        executor.do("exit")
        self.master.expect("ExitedExecutorMessage")
        self.assertEqual("REASON_EXECUTOR_TERMINATED", self.master.await_end(task).reason)

    def test_executor_that_never_was_is_reported(self) -> None:
        """Or the master would count it for ever, and drop the next task for it."""
        framework = self.framework()
        task = self.launch(framework, self.info(framework),
                           versions=[{"uuid": {"value": b"0123456789abcdef"}}])
        self.dropped(task, "REASON_INVALID_OFFERS")
        exited = self.master.expect("ExitedExecutorMessage").message
        self.assertEqual({"value": "custom"}, exited["executor_id"])
        self.assertIn(exited["status"], (-1, (1 << 64) - 1))

    def test_order(self) -> None:
        """Tasks of one executor reach it in the order of their launches."""
        framework = self.framework()
        info = self.info(framework)
        tasks = [self.launch(framework, info) for _ in range(20)]
        executor = self.started()
        self.subscribed(executor)
        self.assertEqual([task.task_id for task in tasks], [
            self.event(executor, "LAUNCH")["launch"]["task"]["task_id"]["value"] for _ in tasks])


class Reasons(ExecutorTestCase):
    """Each that the agent gives of its own."""

    def assert_end(self, task: Task, state: str, reason: str) -> None:
        end = self.master.await_end(task)
        self.assertEqual((state, reason, "SOURCE_SLAVE"),
                         (end.state, end.reason, end.status.get("source")), end.status)
        self.assertTrue(end.status.get("message"))

    def test_registration_timeout(self) -> None:
        framework = self.framework(flags={"executor_registration_timeout": "5secs"})
        task = self.launch(framework, self.info(framework))
        executor = self.started()
        self.assert_end(task, "TASK_FAILED", "REASON_EXECUTOR_REGISTRATION_TIMEOUT")
        assert task.last is not None
        self.assertIn("Executor did not register within 5secs", task.last.status["message"])
        executor.expect_gone()
        self.master.expect("ExitedExecutorMessage")
        self.assert_no_containers()

    def test_shutdown_grace(self) -> None:
        """An executor that stays after SHUTDOWN is destroyed when its grace is over."""
        framework = self.framework(flags={"executor_shutdown_grace_period": "3secs"})
        executor, task = self.running_executor(framework)
        began = time.monotonic()
        self.master.shutdown_executor(framework, "custom")
        self.event(executor, "SHUTDOWN")
        executor.expect_gone()
        self.assertGreater(time.monotonic() - began, 2.9)
        self.assert_end(task, "TASK_FAILED", "REASON_EXECUTOR_TERMINATED")

    def test_teardown_is_silent(self) -> None:
        framework = self.framework(flags={"executor_shutdown_grace_period": "3secs"})
        executor, task = self.running_executor(framework)
        self.master.shutdown_framework(framework)
        self.event(executor, "SHUTDOWN")
        self.update(executor, task, "TASK_FINISHED")
        executor.expect_gone()
        self.assert_states(task, "RUNNING")
        self.assert_no_containers()

    def test_launch_failed(self) -> None:
        framework = self.framework()
        task = self.master.task(framework, {
            "value": "true", "shell": True, "uris": [{"value": "/no/such/file"}]})
        self.assert_end(self.master.run_task(framework, task),
                        "TASK_FAILED", "REASON_CONTAINER_LAUNCH_FAILED")

    def test_invalid_offers(self) -> None:
        framework = self.framework()
        task = self.master.run_task(framework, self.master.task(framework, "true"),
                                    versions=[{"uuid": {"value": b"0123456789abcdef"}}])
        self.assert_end(task, "TASK_DROPPED", "REASON_INVALID_OFFERS")

    def test_lost_for_those_who_know_no_dropped(self) -> None:
        framework = self.framework(capabilities=("RESERVATION_REFINEMENT",))
        task = self.master.run_task(framework, self.master.task(framework, "true"),
                                    versions=[{"uuid": {"value": b"0123456789abcdef"}}])
        self.assert_end(task, "TASK_LOST", "REASON_INVALID_OFFERS")

    def test_resources_unknown(self) -> None:
        framework = self.framework()
        task = self.master.task(framework, "true")
        task["resources"].append({
            **scalar("disk", 64, "r"), "reservations": [{"type": "DYNAMIC", "role": "r"}],
            "disk": {"persistence": {"id": "none"}, "volume": {
                "container_path": "data", "mode": "RW"}}})
        self.assert_end(self.master.run_task(framework, task),
                        "TASK_DROPPED", "REASON_RESOURCES_UNKNOWN")

    def test_command_executor_twice(self) -> None:
        framework = self.framework()
        task = self.running(framework)
        self.master.run_task(framework, self.master.task(framework, "true", task.task_id))
        again = self.master.ledger.tasks[framework.id, task.task_id]
        self.assert_end(again, "TASK_DROPPED", "REASON_TASK_INVALID")

    def test_killed_while_queued(self) -> None:
        framework = self.framework()
        info = self.info(framework)
        task = self.launch(framework, info)
        executor = self.started()  # and has not subscribed
        self.master.kill_task(task)
        self.assert_end(task, "TASK_KILLED", "REASON_TASK_KILLED_DURING_LAUNCH")
        executor.do("subscribe")  # all that it was for has gone
        self.assertEqual(200, executor.expect("subscribed")["status"])
        self.event(executor, "SHUTDOWN")
        self.assertNotIn("SUBSCRIBED", [r["event"]["type"] for r in executor.reports
                                        if r["what"] == "event"])
        executor.do("exit")
        self.master.expect("ExitedExecutorMessage")

    def test_group_killed_while_queued(self) -> None:
        framework = self.framework()
        info = self.info(framework)
        tasks = self.master.run_task_group(framework, info, [
            self.master.task(framework, None, name, executor=info) for name in "abc"])
        self.started()
        self.master.kill_task(tasks[1])
        for task in tasks:
            self.assert_end(task, "TASK_KILLED", "REASON_TASK_KILLED_DURING_LAUNCH")

    def test_kill_of_a_task_without_executor(self) -> None:
        framework = self.framework()
        self.running(framework)
        ghost = self.master.ledger.launched(framework.id, "ghost", self.master.slave_id["value"], 0)
        self.master.kill_task(ghost)
        self.assert_end(ghost, "TASK_DROPPED", "REASON_EXECUTOR_TERMINATED")

    def test_draining(self) -> None:
        framework = self.framework()
        executor, task = self.running_executor(framework)
        self.master.drain()
        self.event(executor, "KILL")
        late = self.master.run_task(framework, self.master.task(framework, "true"))
        self.assert_end(late, "TASK_DROPPED", "REASON_SLAVE_DRAINING")
        self.update(executor, task, "TASK_KILLED")
        end = self.master.await_end(task)
        self.assertEqual(("TASK_KILLED", "REASON_SLAVE_DRAINING"), (end.state, end.reason))
        executor.do("exit")

    def test_drained_for_good(self) -> None:
        framework = self.framework()
        executor, task = self.running_executor(framework)
        self.master.drain(mark_gone=True)
        self.event(executor, "KILL")
        self.update(executor, task, "TASK_KILLED")
        end = self.master.await_end(task)
        self.assertEqual(("TASK_GONE_BY_OPERATOR", "REASON_SLAVE_DRAINING"),
                         (end.state, end.reason))
        executor.do("exit")

    def test_memory(self) -> None:
        framework = self.framework()
        task = self.master.run_task(framework, self.master.task(
            framework, "head -c 200000000 /dev/zero | tail -c 190000000 | wc -c", mem=32))
        end = self.master.await_end(task)
        self.assertEqual(("TASK_FAILED", "REASON_CONTAINER_LIMITATION_MEMORY"),
                         (end.state, end.reason), end.status)
        self.assertIn("limitation", end.status)

    def test_switchboard(self) -> None:
        framework = self.framework()
        task = self.running(framework, {
            "shell": True, "value": "exec sleep 1000", "environment": {"variables": [
                {"name": "MESOS_CONTAINER_ATTACHABLE", "type": "VALUE", "value": "true"}]}})
        (container,) = self.container_of(task)
        os.kill(switchboard_of(self.agent, container), signal.SIGKILL)
        end = self.master.await_end(task)
        self.assertEqual(("TASK_FAILED", "REASON_IO_SWITCHBOARD_EXITED", "SOURCE_SLAVE"),
                         (end.state, end.reason, end.status["source"]), end.status)

    def test_reconciliation(self) -> None:
        """The master asks about a task that the agent has never seen."""
        framework = self.framework()
        self.running(framework)
        ghost = self.master.ledger.launched(framework.id, "ghost", self.master.slave_id["value"], 0)
        self.master.ping(connected=False)
        self.assert_end(ghost, "TASK_DROPPED", "REASON_RECONCILIATION")
        assert ghost.last is not None
        self.assertNotIn("executor_id", ghost.last.message)

    def test_reconciliation_again(self) -> None:
        """One end for each task, however often the master asks before it has acknowledged that."""
        framework = self.framework()  # which the agent does not know
        self.master.acknowledging = False
        ghost = self.master.ledger.launched(framework.id, "ghost", self.master.slave_id["value"], 0)
        for arrivals in (1, 2, 3):
            self.master.ping(connected=False)
            self.master.wait_for(lambda count=arrivals: ghost.updates
                                 and ghost.updates[0].arrivals >= count, "the answer")
        self.assert_states(ghost, "DROPPED")
        self.master.acknowledge_pending()

    def test_unauthorized(self) -> None:
        self.join(start=False)
        acls = {"permissive": True, "run_tasks": [
            {"principals": {"values": ["low"]}, "users": {"type": "NONE"}}]}
        self.agent.flags["acls"] = json.dumps(acls)
        self.agent.start(wait=False)
        self.await_registered()
        framework = self.framework(principal="low")
        task = self.master.run_task(framework, self.master.task(framework, "true"))
        self.assert_end(task, "TASK_ERROR", "REASON_TASK_UNAUTHORIZED")
        info = self.info(framework, "grouped")
        for member in self.master.run_task_group(framework, info, [
                self.master.task(framework, None, name, executor=info) for name in "ab"]):
            self.assert_end(member, "TASK_ERROR", "REASON_TASK_GROUP_UNAUTHORIZED")
        self.master.expect("ExitedExecutorMessage")


class Messages(ExecutorTestCase):
    def test_to_nobody(self) -> None:
        """Dropped and counted, like those to executors that have not subscribed."""
        framework = self.framework()
        self.launch(framework, self.info(framework))
        executor = self.started()
        self.master.message(framework, "custom", b"early")
        self.master.message(framework, "other", b"nobody")
        eventually(lambda: self.metric("slave/invalid_framework_messages") >= 2, "both are counted")
        self.subscribed(executor)
        self.master.message(framework, "custom", b"now")
        self.assertEqual(b"now", self.event(executor, "MESSAGE")["message"]["data"])

    def metric(self, name: str) -> float:
        reply = self.agent.expect(200, {"type": "GET_METRICS", "get_metrics": {}})
        assert reply.message is not None
        return {m["name"]: m.get("value", 0.0)
                for m in reply.message["get_metrics"]["metrics"]}[name]


if __name__ == "__main__":
    import run
    run.main([__file__])
