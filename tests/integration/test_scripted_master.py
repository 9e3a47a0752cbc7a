"""The scripted master against what a real master and a real agent have said to each other.

An agent made of a recording sends the recorded bytes; what the scripted master sends at the same step
must have every field that the real master's message had. Needs neither root nor binaries.
"""

from __future__ import annotations

import time
import unittest
from typing import Any

import v0
from libprocess import Link, Request, post
from libprocess_endpoint import Endpoint
from rawhttp import TIMEOUT
from recorded_master import Cause, Expected, Line, compare, load, master_id
from scripted_master import ScriptedMaster, cram_md5


class RecordedAgent:
    """Sends what a recorded agent sent, from an address of its own."""

    def __init__(self, master: ScriptedMaster) -> None:
        self.master = master
        self.requests: list[Request] = []
        self.challenge = b""
        self.endpoint = Endpoint(self.take)
        self.endpoint.start()
        self.link: Link | None = None

    def take(self, request: Request, _: int) -> None:
        if request.name.endswith("AuthenticationStepMessage"):
            self.challenge = v0.decode(request.name, request.body)["data"]
        self.requests.append(request)

    def stop(self) -> None:
        self.endpoint.stop()
        if self.link is not None:
            self.link.close()

    def break_link(self) -> None:
        """As the end of the process does, but for its port."""
        if self.link is not None:
            self.link.close()
        self.link = None

    def send(self, line: Line) -> None:
        """The recorded bytes with our port; as text both are of five digits, so lengths stay."""
        if self.link is None:
            self.link = Link(self.master.address)
        port = line.sender.rpartition(":")[2].encode()
        body = line.body.replace(b"@127.0.0.1:" + port, b"@127.0.0.1:%d" % self.port)
        if "slave" in line.message:
            body = v0.encode(line.full_name, {
                **line.message, "slave": {**line.message["slave"], "port": self.port}})
        if line.name == "AuthenticationStepMessage":
            principal = line.message["data"].partition(b" ")[0]
            proof = cram_md5(b"secret", self.challenge)
            body = v0.encode(line.full_name, {"data": principal + b" " + proof})
        sender = line.sender.rpartition(":")[0] + f":{self.port}"
        assert self.link.send(post(sender, self.master.upid(line.process), line.full_name, body))

    @property
    def port(self) -> int:
        return self.endpoint.address[1]


class Replayed(unittest.TestCase):
    """Each recording, step by step."""

    maxDiff = 8000

    def replay(self, scenario: str, restarts: bool = False, **kwargs: Any) -> ScriptedMaster:
        lines = load(scenario)
        master = ScriptedMaster(master_id(lines), **kwargs).start()
        self.addCleanup(master.stop)
        acknowledged = [line.message["uuid"] for line in lines
                        if line.name == "StatusUpdateAcknowledgementMessage"]
        master.acknowledging = lambda update: (
            update.arrivals <= acknowledged.count(update.uuid))
        master.pinging = False
        agent = RecordedAgent(master)
        self.addCleanup(agent.stop)
        cause = Cause(master)
        self.tasks = cause.tasks
        expected: list[Line] = []
        source: Any = None
        for line in lines:
            if line.from_agent:
                self.settle(agent, expected)
                if source not in (None, line.src):
                    agent.break_link()  # another connection, for a reason
                    if restarts:
                        master.restart()
                source = line.src
                count = len(master.received) + 1
                agent.send(line)
                master.wait_for(lambda count=count: len(master.received) >= count, line.name)
            else:
                if line.name in Cause.NAMES:
                    cause.send(line)
                elif line.name == "PingSlaveMessage":
                    master.ping()
                expected.append(line)
        self.settle(agent, expected)
        self.assertEqual([], agent.requests, "more than a real master has sent")
        compare(self, scenario, master, [master_id(lines)], agent.port, [Expected(
            r"AuthenticationStep|agent\[2\].message.data", "another challenge",
            lambda recorded, ours: recorded[:7] == ours[:7] == b"agentp ")]
                if "authenticated" in scenario else [])
        return master

    def settle(self, agent: RecordedAgent, expected: list[Line]) -> None:
        """Wait until the agent has got these messages of the recording, in any order; real
        schedulers are slower, so what they cause may have come already."""
        def shown(process: str, name: str, sender: str, body: bytes) -> tuple[Any, ...]:
            message = v0.decode(name, body)
            if message.get("data", b"").startswith(b"<"):
                message["data"] = b"challenge"
            return (name, process, sender.partition("@")[0], message)

        for line in expected:
            wanted = shown(line.process, line.full_name, line.sender, line.body)
            deadline = time.monotonic() + TIMEOUT
            while True:
                found = [shown(r.target, r.name, r.sender or "", r.body) for r in agent.requests]
                if wanted in found:
                    del agent.requests[found.index(wanted)]
                    break
                if time.monotonic() > deadline:
                    self.assertEqual(wanted, found)
                time.sleep(0.005)
        expected.clear()

    def states(self, scenario: str, *expected: list[str], **kwargs: Any) -> ScriptedMaster:
        """The states of each task, in the order of their launches."""
        master = self.replay(scenario, **kwargs)
        master.assert_no_problems()
        self.assertEqual([[f"TASK_{state}" for state in states] for states in expected],
                         [task.states for task in self.tasks.values()])
        return master

    def test_register_and_run_command_tasks(self) -> None:
        master = self.states("register-and-run-command-tasks",
                             ["STARTING", "RUNNING", "FINISHED"], ["STARTING", "RUNNING", "FAILED"])
        self.assertEqual([], master.ledger.unfinished())

    def test_kill_task(self) -> None:
        self.states("kill-task", ["STARTING", "RUNNING", "KILLING", "KILLED"])

    def test_executor_dies(self) -> None:
        self.states("executor-dies", ["STARTING", "RUNNING", "FAILED"])

    def test_framework_teardown(self) -> None:
        master = self.states("framework-teardown", ["STARTING", "RUNNING"])
        self.assertEqual(1, len(master.ledger.unfinished()))

    def test_agent_unregisters(self) -> None:
        self.assertIsNone(self.states("agent-unregisters").agent)

    def test_master_restart(self) -> None:
        master = self.replay("master-restart", restarts=True)
        # Repeated to a master that does not know the agent yet.
        self.assertEqual(1, len(master.problems), master.problems)
        self.assertIn("of another process than the agent", master.problems[0])
        (task,) = self.tasks.values()
        self.assertEqual([1, 2], [update.arrivals for update in task.updates])

    def test_authenticated_registration(self) -> None:
        """The recorded proof is of another challenge, so the agent has to compute one."""
        self.states("authenticated-registration", credentials={"agentp": "secret"})

    def test_agent_restart_with_running_task(self) -> None:
        self.states("agent-restart-with-running-task", ["STARTING", "RUNNING"])

    def test_task_ends_while_agent_is_down(self) -> None:
        self.states("task-ends-while-agent-is-down", ["STARTING", "RUNNING", "FAILED"])

    def test_failing_health_check(self) -> None:
        self.states("failing-health-check",
                    ["STARTING", "RUNNING", "RUNNING", "RUNNING", "KILLING", "KILLED"])

    def test_http_command_executor(self) -> None:
        self.states("http-command-executor",
                    ["STARTING", "RUNNING", "FINISHED"], ["STARTING", "RUNNING", "FAILED"])

    def test_drain(self) -> None:
        self.states("drain", ["STARTING", "RUNNING", "KILLING", "KILLED"])

    def test_nested_session_under_executor(self) -> None:
        self.states("nested-session-under-executor", ["STARTING", "RUNNING"])

    def test_reserve_create_destroy_unreserve(self) -> None:
        master = self.states("reserve-create-destroy-unreserve")
        self.assertEqual(4, len(master.all_of("UpdateOperationStatusMessage")))

    def test_task_group(self) -> None:
        self.states("task-group", ["STARTING", "RUNNING", "FINISHED"],
                    ["STARTING", "RUNNING", "RUNNING"])  # the last with a healthy flag

    def test_a_difference_is_found(self) -> None:
        """In any field, in the order of updates, in their number."""
        master = self.states("kill-task", ["STARTING", "RUNNING", "KILLING", "KILLED"])
        updates = master.all_of("StatusUpdateMessage")
        port = int(updates[0].sender.rpartition(":")[2])

        def fails_for(text: str) -> None:
            with self.assertRaisesRegex(AssertionError, text):
                compare(self, "kill-task", master, [master.id], port, [])

        status = updates[3].message["update"]["status"]
        message = status.pop("message")
        fails_for(r"updates of long\[3\]:TASK_KILLED.message.update.status.message\n"
                  r" *recorded 'Command terminated.*\n *ours *None")
        status["message"] = message
        status["container_status"]["container_id"]["value"] = master.id
        fails_for("container_id")
        status["container_status"]["container_id"]["value"] = (
            updates[2].message["update"]["status"]["container_status"]["container_id"]["value"])
        compare(self, "kill-task", master, [master.id], port, [])
        updates[2].headers.items.append(("X", "y"))
        fails_for(r"TASK_KILLING.headers.X")
        updates[2].headers.items.pop()
        master.received.remove(updates[1])
        fails_for("other messages than recorded")
        with self.assertRaisesRegex(AssertionError, "not there"):
            master.received.insert(updates[1].index, updates[1])
            compare(self, "kill-task", master, [master.id], port, [
                Expected("latest_state", "none", lambda recorded, ours: True)])


if __name__ == "__main__":
    import run
    run.main([__file__])
