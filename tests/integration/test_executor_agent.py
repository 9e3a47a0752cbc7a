"""mesos-executor and an agent that goes away, comes back, is slow, refuses, or wants a token."""

from __future__ import annotations

import os
import signal
import time
import unittest

import wire
from harness import eventually
from scripted_agent import EXECUTOR, Call, Executor, ScriptedAgent, descendants, task, wait_gone
from wakeups import wakeups

# In full, longer than an executor waits for an acknowledgement while its agent is there.
AWAY = 65 if os.environ.get("MESOS_TEST_FULL") == "1" else 0.1


class AgentTestCase(unittest.TestCase):
    def start(self, command: str = "sleep 1000", *, unix_socket: bool = False,
              checkpoint: bool = True, acknowledges: bool = True,
              environment: dict[str, str] | None = None) -> tuple[ScriptedAgent, Executor]:
        agent = ScriptedAgent(unix_socket, checkpoint, acknowledges=acknowledges)
        self.addCleanup(agent.__exit__)
        agent.launch(task(command))
        executor = agent.start_executor(**(environment or {}))
        agent.wait_state("TASK_RUNNING")
        return agent, executor


def unacknowledged(call: Call) -> list[wire.Message]:
    """The statuses that a SUBSCRIBE repeats."""
    updates = call.message["subscribe"].get("unacknowledged_updates", [])
    return [update["status"] for update in updates]


def tasks(call: Call) -> list[wire.Message]:
    return call.message["subscribe"].get("unacknowledged_tasks", [])


class Reconnecting(AgentTestCase):
    def test_nothing_is_repeated_that_was_acknowledged(self) -> None:
        for unix_socket in (False, True):
            with self.subTest(unix_socket=unix_socket):
                agent, executor = self.start(unix_socket=unix_socket)
                agent.wait_acknowledged()
                agent.drop_stream()
                again = agent.wait_calls("SUBSCRIBE", 2)[1]
                self.assertEqual(again.message["subscribe"], {})
                agent.kill()
                executor.wait()
                self.assertEqual(agent.states(), ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLED"])

    def test_unacknowledged_updates_and_the_task_are_repeated(self) -> None:
        agent, executor = self.start(acknowledges=False)
        for attempt in (2, 3):
            agent.drop()
            call = agent.wait_calls("SUBSCRIBE", attempt)[attempt - 1]
            self.assertEqual(unacknowledged(call), agent.updates()[:2])
            self.assertEqual(tasks(call), [task("sleep 1000")])
        # One of two: the task is known then, and the other update is not.
        agent.wait_subscribed()
        agent.acknowledge(agent.updates()[0])
        agent.acknowledge({"task_id": {"value": EXECUTOR}, "uuid": b"0123456789abcdef"})
        agent.drop_stream()
        call = agent.wait_calls("SUBSCRIBE", 4)[3]
        self.assertEqual(unacknowledged(call), [agent.updates()[1]])
        self.assertEqual(tasks(call), [])
        agent.acknowledges = True
        agent.wait_subscribed()
        agent.kill()
        agent.wait_state("TASK_KILLED")
        agent.acknowledge(agent.updates()[1])
        self.assertEqual(executor.wait(), 0)
        # None was lost, and none came twice by UPDATE.
        self.assertEqual(agent.states(), ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLED"])

    def test_the_loss_of_either_connection_is_a_disconnection(self) -> None:
        agent, executor = self.start()
        for attempt in range(2, 8):
            agent.wait_subscribed()
            stream = agent.of_type("SUBSCRIBE")[-1].connection
            # The second connection is made for the first call: here for an update, of a task that
            # cannot be run as well.
            agent.launch({**task("true"), "task_id": {"value": f"task-{attempt}"}})
            agent.wait_state("TASK_FAILED", attempt - 1)
            if attempt % 2:
                agent.drop(lambda number, stream=stream: number == stream)
            else:
                agent.drop(lambda number, stream=stream: number != stream)
            agent.wait_calls("SUBSCRIBE", attempt)
        agent.wait_subscribed()
        agent.end_stream()
        agent.wait_calls("SUBSCRIBE", 8)
        agent.kill()
        self.assertEqual(executor.wait(), 0)

    def test_a_task_that_ends_while_the_agent_is_away(self) -> None:
        agent, executor = self.start("touch ready; while test -e ready; do sleep 0.01; done; exit 5")
        agent.wait_acknowledged()
        eventually((agent.sandbox / "ready").exists, "the task is ready")
        (task_pid, *_) = descendants(executor.pid)
        agent.go_away(gently=True)
        (agent.sandbox / "ready").unlink()
        wait_gone([task_pid])
        time.sleep(AWAY)
        self.assertTrue(executor.running())
        agent.listen()
        (status,) = unacknowledged(agent.wait_calls("SUBSCRIBE", 2)[1])
        self.assertEqual((status["state"], status["message"]),
                         ("TASK_FAILED", "Command exited with status 5"))
        self.assertEqual(executor.wait(), 0)
        self.assertEqual(agent.states(), ["TASK_STARTING", "TASK_RUNNING"])

    def test_many_restarts_lose_and_duplicate_nothing(self) -> None:
        # A check whose result changes all the time makes updates; the agent goes whenever it likes.
        agent = ScriptedAgent(checkpoint=True)
        self.addCleanup(agent.__exit__)
        agent.launch(task("sleep 1000", check={
            "type": "COMMAND", "delay_seconds": 0, "interval_seconds": 0.001,
            "command": {"command": {"value": "exit $(($(date +%N | cut -c 4-6 | sed 's/^0*//;s/^$/0/')"
                                             " % 100))"}}}))
        executor = agent.start_executor()
        for _ in range(12):
            agent.wait_calls("UPDATE", len(agent.of_type("UPDATE")) + 3)
            agent.go_away()
            agent.listen()
            agent.wait_subscribed()
        # Again, because the stream may be one that the executor has just left for another.
        eventually(lambda: agent.kill() or time.sleep(0.2) or not executor.running(),
                   "the executor has ended")
        self.assertEqual(executor.wait(), 0)
        sent: list[bytes] = []  # in the order of their first coming
        for call in agent.calls:
            statuses = [call.status] if call.type == "UPDATE" else unacknowledged(call)
            sent += [s["uuid"] for s in statuses if s["uuid"] not in sent]
        by_update = [status["uuid"] for status in agent.updates()]
        self.assertEqual(len(by_update), len(set(by_update)))
        times = {s["uuid"]: s["timestamp"] for c in agent.calls
                 for s in ([c.status] if c.type == "UPDATE" else unacknowledged(c))}
        self.assertEqual([times[uuid] for uuid in sent], sorted(times.values()))
        self.assertEqual(agent.last_status()["state"], "TASK_KILLED")


    def test_a_socket_whose_path_is_longer_than_an_address(self) -> None:
        agent = ScriptedAgent(unix_socket=True, path_length=200)
        self.addCleanup(agent.__exit__)
        agent.launch(task("true"))
        self.assertEqual(agent.start_executor().wait(), 0)
        self.assertEqual(agent.states()[-1], "TASK_FINISHED")
        self.assertEqual({call.headers["host"] for call in agent.calls}, {"localhost"})


class Away(AgentTestCase):
    def test_without_checkpointing_the_loss_is_the_end(self) -> None:
        agent, executor = self.start(checkpoint=False)
        tree = descendants(executor.pid)
        agent.drop()
        self.assertEqual(executor.wait(), 0)
        wait_gone(tree)
        self.assertEqual(len(agent.of_type("SUBSCRIBE")), 1)
        self.assertIn("shutting down", executor.stderr)

    def test_without_checkpointing_an_agent_that_is_not_there_is_the_end(self) -> None:
        with ScriptedAgent() as agent:
            agent.go_away()
            executor = agent.start_executor()
            self.assertEqual(executor.wait(), 0)
            self.assertIn("Connection refused", executor.stderr)

    def test_with_checkpointing_the_recovery_timeout_is_the_end(self) -> None:
        agent, executor = self.start(environment={"MESOS_RECOVERY_TIMEOUT": "700ms"})
        tree = descendants(executor.pid)
        begin = time.monotonic()
        agent.go_away()
        self.assertEqual(executor.wait(), 0)
        self.assertGreaterEqual(time.monotonic() - begin, 0.7)
        wait_gone(tree)
        self.assertIn("The agent has not come back in time", executor.stderr)

    def test_the_timeout_counts_from_the_last_disconnection(self) -> None:
        agent, executor = self.start(environment={"MESOS_RECOVERY_TIMEOUT": "3secs"})
        for attempt in range(2, 6):
            agent.go_away()
            time.sleep(1)
            agent.listen()
            agent.wait_calls("SUBSCRIBE", attempt)
            agent.wait_subscribed()
        self.assertTrue(executor.running())
        agent.kill()
        self.assertEqual(executor.wait(), 0)

    def test_an_agent_that_is_there_and_never_ready_is_away(self) -> None:
        agent, executor = self.start(environment={"MESOS_RECOVERY_TIMEOUT": "3secs"})
        agent.refusals["SUBSCRIBE"] = [503] * 10_000
        agent.drop()
        self.assertEqual(executor.wait(), 0)
        self.assertGreater(len(agent.of_type("SUBSCRIBE")), 3)

    def test_a_stopped_executor_finds_the_agent_again(self) -> None:
        agent, executor = self.start()
        executor.process.send_signal(signal.SIGSTOP)
        agent.go_away()
        agent.listen()
        executor.process.send_signal(signal.SIGCONT)
        agent.wait_calls("SUBSCRIBE", 2)
        agent.wait_subscribed()
        agent.kill()
        self.assertEqual(executor.wait(), 0)


class NotReady(unittest.TestCase):
    def test_404_and_503_mean_later(self) -> None:
        for checkpoint in (False, True):
            with self.subTest(checkpoint=checkpoint), ScriptedAgent(checkpoint=checkpoint) as agent:
                agent.refusals["SUBSCRIBE"] = [404, 503, 503]
                agent.refusals["UPDATE"] = [503, 503, 404]
                agent.launch(task("true"))
                executor = agent.start_executor(MESOS_SUBSCRIPTION_BACKOFF_MAX="20ms")
                self.assertEqual(executor.wait(), 0)
                self.assertEqual(len(agent.of_type("SUBSCRIBE")), 4)
                self.assertEqual(agent.states(), ["TASK_STARTING"] * 4 + ["TASK_RUNNING",
                                                                         "TASK_FINISHED"])
                self.assertEqual(len({s["uuid"] for s in agent.updates()}), 3)

    def test_what_else_is_refused_ends_it(self) -> None:
        for call_type in ("SUBSCRIBE", "UPDATE"):
            for status in (400, 401, 403, 500):
                with self.subTest(call_type, status=status), \
                        ScriptedAgent(checkpoint=True) as agent:
                    agent.refusals[call_type] = [status]
                    agent.launch(task("sleep 1000"))
                    executor = agent.start_executor()
                    self.assertEqual(executor.wait(), 0)
                    self.assertEqual(len(agent.of_type("SUBSCRIBE")), 1)
                    self.assertIn(f"Received unexpected '{status} Refused' (refused by script) for "
                                  f"{call_type}: shutting down", executor.stderr)


class Acknowledgements(AgentTestCase):
    def test_it_ends_when_the_last_one_comes(self) -> None:
        agent, executor = self.start("true", acknowledges=False)
        for status in (agent.updates()[0], agent.wait_state("TASK_FINISHED"),
                       agent.wait_state("TASK_RUNNING")):
            self.assertTrue(executor.running())
            agent.acknowledge(status)
        self.assertEqual(executor.wait(), 0)

    def test_without_one_it_waits_for_a_minute_at_most(self) -> None:
        # The minute itself is not waited for: a shutdown must end it, too.
        agent, executor = self.start(
            "true", acknowledges=False,
            environment={"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "10ms"})
        agent.wait_state("TASK_FINISHED")
        self.assertTrue(executor.running())
        agent.shutdown()
        self.assertEqual(executor.wait(), 0)


class Tokens(AgentTestCase):
    def test_every_call_has_it_and_nobody_sees_it(self) -> None:
        agent, executor = self.start(
            environment={"MESOS_EXECUTOR_AUTHENTICATION_TOKEN": "a.secret.token"})
        for pid in descendants(executor.pid):
            with open(f"/proc/{pid}/environ", "rb") as file:
                self.assertNotIn(b"a.secret.token", file.read())
        with open(f"/proc/{executor.pid}/environ", "rb") as file:
            self.assertNotIn(b"a.secret.token", file.read())
        agent.drop()
        agent.wait_calls("SUBSCRIBE", 2)
        agent.wait_subscribed()
        agent.kill()
        executor.wait()
        self.assertEqual({call.headers["authorization"] for call in agent.calls},
                         {"Bearer a.secret.token"})


class Idle(AgentTestCase):
    def test_nothing_wakes_it(self) -> None:
        agent, executor = self.start()
        agent.wait_acknowledged()
        self.assertEqual(wakeups(executor.pid), 0)


if __name__ == "__main__":
    unittest.main()
