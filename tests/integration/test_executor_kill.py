"""How mesos-executor ends its task: kills, their escalation, shutdowns, and what the task leaves."""

from __future__ import annotations

import os
import signal
import time
import unittest

from harness import eventually
from scripted_agent import (
    Executor, ScriptedAgent, descendants, kill_policy, parents, task, wait_gone)

# Ends only by SIGKILL; the file tells that it no longer dies of anything else.
STUBBORN = "trap '' TERM; touch ready; while :; do sleep 1000; done"


class KillTestCase(unittest.TestCase):
    def start(self, *arguments: str, killing_state: bool = False, environment: dict[str, str] | None
              = None, **fields: object) -> tuple[ScriptedAgent, Executor]:
        """A task that runs and has made the file `ready`."""
        agent = ScriptedAgent(capabilities=("TASK_KILLING_STATE",) if killing_state else ())
        self.addCleanup(agent.__exit__)
        agent.launch(task(*arguments, **fields))
        executor = agent.start_executor(**(environment or {}))
        agent.wait_state("TASK_RUNNING")
        eventually((agent.sandbox / "ready").exists, "the task is ready")
        return agent, executor


class Kills(KillTestCase):
    def test_a_kill_is_sigterm_to_everything(self) -> None:
        for killing_state in (False, True):
            with self.subTest(killing_state=killing_state):
                agent, executor = self.start("sleep 1000 & touch ready; sleep 1000",
                                             killing_state=killing_state)
                tree = eventually(
                    lambda: tree if len(tree := descendants(executor.pid)) == 3 else None,
                    "the shell and both of its children")
                agent.kill()
                self.assertEqual(executor.wait(), 0)
                wait_gone(tree)
                killing = ["TASK_KILLING"] if killing_state else []
                self.assertEqual(agent.states(),
                                 ["TASK_STARTING", "TASK_RUNNING", *killing, "TASK_KILLED"])
                last = agent.updates()[-1]
                self.assertEqual(last["message"], "Command terminated with signal Terminated")
                self.assertEqual(set(last), {"task_id", "state", "message", "timestamp",
                                             "executor_id", "source", "uuid"})
                if killing_state:
                    self.assertEqual(set(agent.updates()[2]), set(last) - {"message"})

    def test_a_task_that_handles_sigterm_is_killed_whatever_its_exit_status(self) -> None:
        agent, executor = self.start("trap 'echo bye; exit 0' TERM; touch ready; "
                                     "while :; do sleep 0.05; done")
        agent.kill()
        executor.wait()
        last = agent.updates()[-1]
        self.assertEqual((last["state"], last["message"]),
                         ("TASK_KILLED", "Command exited with status 0"))
        self.assertEqual(executor.stdout, "bye\n")

    def test_sigkill_after_the_grace_period(self) -> None:
        # Of the task's policy, and of the call, which comes first.
        for fields, grace in (({"kill_policy": kill_policy(0.2)}, None),
                              ({"kill_policy": kill_policy(1000)}, 0.2)):
            with self.subTest(grace=grace):
                agent, executor = self.start(STUBBORN, **fields)
                begin = time.monotonic()
                agent.kill(grace)
                executor.wait()
                self.assertGreaterEqual(time.monotonic() - begin, 0.2)
                self.assertEqual(agent.updates()[-1]["message"],
                                 "Command terminated with signal Killed")

    def test_a_second_kill_only_shortens(self) -> None:
        agent, executor = self.start(STUBBORN, killing_state=True)
        agent.kill(1000)
        agent.wait_state("TASK_KILLING")
        agent.kill(2000)  # would be later
        agent.kill(0.1)   # counted from the first
        executor.wait()
        self.assertEqual(agent.states(),
                         ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLING", "TASK_KILLED"])

    def test_a_later_second_kill_changes_nothing(self) -> None:
        agent, executor = self.start(STUBBORN)
        agent.kill(0.5)
        agent.kill(1000)
        executor.wait()
        self.assertEqual(agent.states()[-1], "TASK_KILLED")

    def test_a_kill_of_another_task_is_ignored(self) -> None:
        agent, executor = self.start("touch ready; sleep 1000", killing_state=True)
        agent.kill(task_id="other")
        agent.launch({**task("true"), "task_id": {"value": "second"}})
        agent.wait_state("TASK_FAILED")  # of the second: the kill was looked at before
        self.assertNotIn("TASK_KILLING", agent.states())
        agent.kill()
        executor.wait()
        self.assertEqual(agent.states()[-1], "TASK_KILLED")

    def test_a_kill_before_the_launch_ends_the_executor(self) -> None:
        with ScriptedAgent() as agent:
            agent.kill()
            self.assertEqual(agent.start_executor().wait(), 0)
            self.assertEqual(agent.updates(), [])

    def test_a_kill_right_behind_the_launch(self) -> None:
        with ScriptedAgent() as agent:
            agent.launch(task("sleep 1000"))
            agent.kill()
            self.assertEqual(agent.start_executor().wait(), 0)
            self.assertEqual(agent.states(), ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLED"])


class Trees(KillTestCase):
    # A session and an orphan of its own, one that has moved to another group, and all ignore SIGTERM
    # but the task itself.
    ESCAPES = ("trap '' TERM; setsid sh -c '(setsid sleep 1000 &) ; sleep 1000' & "
               "(sleep 1000 &); (setsid setsid sleep 1000 &); "
               "trap - TERM; sleep 0.2; touch ready; sleep 1000")

    def test_what_has_escaped_to_other_sessions_is_killed(self) -> None:
        agent, executor = self.start(self.ESCAPES)
        tree = eventually(lambda: tree if len(tree := descendants(executor.pid)) >= 6 else None,
                          "all of its processes")
        agent.kill(1000)
        self.assertEqual(executor.wait(), 0)
        self.assertEqual(agent.states()[-1], "TASK_KILLED")
        wait_gone(tree)

    def test_sigterm_reaches_every_session(self) -> None:
        agent, executor = self.start(
            "trap : TERM; setsid sh -c 'trap \"echo told > told; exit\" TERM; touch ready; "
            "while :; do sleep 0.05; done' & wait; wait; wait")
        agent.kill(1000)
        executor.wait()
        self.assertEqual((agent.sandbox / "told").read_text(), "told\n")

    def test_leftovers_of_a_task_that_has_finished(self) -> None:
        agent, executor = self.start("setsid sleep 1000 & (sleep 1000 &) ; touch ready; "
                                     "sleep 0.1")
        executor.wait()
        self.assertEqual(agent.states()[-1], "TASK_FINISHED")
        eventually(lambda: not any(in_sandbox(pid, agent) for pid in parents()),
                   "what the task has left behind is dead")

    def test_orphans_are_reaped(self) -> None:
        agent, executor = self.start("for i in 1 2 3 4 5; do (true &); done; sleep 0.1; "
                                     "touch ready; sleep 1000")
        def zombies() -> list[int]:
            return [pid for pid, (parent, state) in all_states().items()
                    if parent == executor.pid and state == "Z"]
        eventually(lambda: not zombies(), "no zombie is left")
        self.assertTrue(executor.running())
        agent.kill()
        executor.wait()

    def test_a_fork_bomb_that_ignores_sigterm(self) -> None:
        # It forks all the time, but never has more than a few processes.
        agent, executor = self.start(
            "trap '' TERM; touch ready; while :; do (sh -c 'sleep 0.01' &); sleep 0.005; done")
        agent.kill(0.1)
        self.assertEqual(executor.wait(), 0)
        eventually(lambda: not [pid for pid in parents() if in_sandbox(pid, agent)],
                   "the end of the fork bomb")


class Shutdown(KillTestCase):
    def test_before_a_launch(self) -> None:
        with ScriptedAgent() as agent:
            agent.shutdown()
            self.assertEqual(agent.start_executor().wait(), 0)
            self.assertEqual(agent.updates(), [])

    def test_a_shutdown_kills_the_task(self) -> None:
        agent, executor = self.start("touch ready; sleep 1000", killing_state=True)
        agent.shutdown()
        executor.wait()
        self.assertEqual(agent.states(),
                         ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLING", "TASK_KILLED"])

    def test_sigkill_comes_two_seconds_before_the_agent_does_it(self) -> None:
        agent, executor = self.start(
            STUBBORN, environment={"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "2500ms"})
        begin = time.monotonic()
        agent.shutdown()
        executor.wait()
        self.assertGreaterEqual(time.monotonic() - begin, 0.5)
        self.assertEqual(agent.updates()[-1]["message"], "Command terminated with signal Killed")

    def test_it_ends_within_the_grace_period_even_if_nothing_is_acknowledged(self) -> None:
        agent, executor = self.start(
            "touch ready; sleep 1000",
            environment={"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "2100ms"})
        agent.acknowledges = False
        agent.shutdown()
        agent.wait_state("TASK_KILLED")
        self.assertTrue(executor.running())
        self.assertEqual(executor.wait(), 0)


class MaxCompletionTime(KillTestCase):
    def test_it_fails_with_a_reason_and_is_not_killing(self) -> None:
        for command in ("touch ready; sleep 1000", STUBBORN):
            with self.subTest(command):
                agent, executor = self.start(command, killing_state=True, max_completion_time={
                    "nanoseconds": 1_500_000_000})
                executor.wait()
                self.assertEqual(agent.states(),
                                 ["TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"])
                last = agent.updates()[-1]
                self.assertEqual(last["reason"], "REASON_MAX_COMPLETION_TIME_REACHED")
                self.assertRegex(last["message"], "Command terminated with signal (Terminated|Killed)")

    def test_it_leaves_a_kill_its_grace_period(self) -> None:
        agent, executor = self.start("trap 'sleep 2.4; exit 0' TERM; touch ready; "
                                     "while :; do sleep 0.02; done", killing_state=True,
                                     max_completion_time={"nanoseconds": 2_000_000_000})
        agent.kill(1000)
        executor.wait()
        last = agent.updates()[-1]
        self.assertEqual((last["state"], last["message"], last.get("reason")),
                         ("TASK_KILLED", "Command exited with status 0", None))

    def test_zero_is_none(self) -> None:
        agent, executor = self.start("touch ready; sleep 0.2", max_completion_time={"nanoseconds": 0})
        executor.wait()
        self.assertEqual(agent.states()[-1], "TASK_FINISHED")


class SomebodyElse(KillTestCase):
    def test_kills_the_task(self) -> None:
        agent, executor = self.start("touch ready; exec sleep 1000")
        (child,) = descendants(executor.pid)
        os.kill(child, signal.SIGTERM)
        executor.wait()
        last = agent.updates()[-1]
        self.assertEqual((last["state"], last["message"]),
                         ("TASK_FAILED", "Command terminated with signal Terminated"))


def in_sandbox(pid: int, agent: ScriptedAgent) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/cwd") == str(agent.sandbox)
    except OSError:
        return False


def all_states() -> dict[int, tuple[int, str]]:
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        state, parent = text[text.rindex(")") + 2:].split()[:2]
        found[int(name)] = (int(parent), state)
    return found


if __name__ == "__main__":
    unittest.main()
