"""mesos-executor against a scripted agent: what it sends when all goes well, field by field."""

from __future__ import annotations

import time
import unittest

import wire
from scripted_agent import (
    EXECUTOR, FRAMEWORK, TARGET, ScriptedAgent, descendants, task, wait_gone)


class CommandTasks(unittest.TestCase):
    def run_task(self, task_info: wire.Message, *flags: str, **environment: str) -> ScriptedAgent:
        """Runs it to its end."""
        agent = ScriptedAgent()
        self.addCleanup(agent.__exit__)
        agent.launch(task_info)
        executor = agent.start_executor(*flags, **environment)
        self.assertEqual(executor.wait(), 0)
        self.stdout, self.stderr = executor.stdout, executor.stderr
        return agent

    def test_every_field_of_a_task_that_succeeds(self) -> None:
        before = time.time()
        agent = self.run_task(task("echo hello"))
        self.assertEqual([call.type for call in agent.calls],
                         ["SUBSCRIBE", "UPDATE", "UPDATE", "UPDATE"])
        subscribe, *updates = agent.calls
        ids = {"executor_id": {"value": EXECUTOR}, "framework_id": {"value": FRAMEWORK}}
        self.assertEqual(subscribe.message, {**ids, "type": "SUBSCRIBE", "subscribe": {}})
        for call in agent.calls:
            self.assertEqual(call.target, TARGET)
            self.assertEqual(call.headers["accept"], wire.PROTOBUF)
            self.assertEqual(call.headers["host"], f"127.0.0.1:{agent.port}")
            self.assertNotIn("authorization", call.headers)
        self.assertEqual(len({call.connection for call in updates}), 1)
        self.assertNotEqual(subscribe.connection, updates[0].connection)
        uuids = set()
        for call in updates:
            status = call.status
            uuids.add(status.pop("uuid"))
            self.assertTrue(before <= status.pop("timestamp") <= time.time())
            self.assertEqual(call.message, {**ids, "type": "UPDATE", "update": {"status": status}})
        self.assertEqual({len(uuid) for uuid in uuids}, {16})
        self.assertEqual(len(uuids), 3)
        common = {"task_id": {"value": EXECUTOR}, "executor_id": {"value": EXECUTOR},
                  "source": "SOURCE_EXECUTOR"}
        self.assertEqual([call.status for call in updates], [
            {**common, "state": "TASK_STARTING"},
            {**common, "state": "TASK_RUNNING"},
            {**common, "state": "TASK_FINISHED", "message": "Command exited with status 0"}])
        self.assertEqual(self.stdout, "hello\n")
        self.assertEqual(self.stderr, "")

    def test_ends(self) -> None:
        for command, state, message in (
                ("exit 3", "TASK_FAILED", "Command exited with status 3"),
                ("no-such-command", "TASK_FAILED", "Command exited with status 127"),
                ("kill -USR1 $$", "TASK_FAILED",
                 "Command terminated with signal User defined signal 1"),
                ("kill -KILL $$", "TASK_FAILED", "Command terminated with signal Killed")):
            with self.subTest(command):
                agent = self.run_task(task(command))
                self.assertEqual(agent.states(), ["TASK_STARTING", "TASK_RUNNING", state])
                self.assertEqual(agent.updates()[-1]["message"], message)

    def test_kill(self) -> None:
        for capabilities, killing in (((), []), (("TASK_KILLING_STATE",), ["TASK_KILLING"])):
            with self.subTest(capabilities), \
                    ScriptedAgent(capabilities=capabilities) as agent, \
                    agent.start_executor() as executor:
                agent.launch(task("sleep 1000"))
                agent.wait_state("TASK_RUNNING")
                tree = descendants(executor.pid)
                agent.kill()
                self.assertEqual(executor.wait(), 0)
                wait_gone(tree)
                self.assertEqual(agent.states(),
                                 ["TASK_STARTING", "TASK_RUNNING", *killing, "TASK_KILLED"])
                self.assertEqual(agent.updates()[-1]["message"],
                                 "Command terminated with signal Terminated")


if __name__ == "__main__":
    unittest.main()
