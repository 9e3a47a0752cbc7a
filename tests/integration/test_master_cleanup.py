"""--recover=cleanup on an agent that had a master: everything ends, executors in their own way."""

from __future__ import annotations

import time

import leftovers
from executor_case import ExecutorTestCase
from executor_control import RemoteExecutor
from harness import pid_gone, shell
from rawhttp import TIMEOUT
from scripted_tasks import Task


class Cleanup(ExecutorTestCase):
    def clean_up(self) -> None:
        self.agent.kill9()
        self.before = len(self.master.received)
        self.agent.flags["recover"] = "cleanup"
        self.agent.start(wait=False)

    def assert_cleaned_up(self) -> None:
        """The agent has ended without a word to the master, and the next run finds nothing."""
        self.assertEqual(0, self.agent.join())
        # A pong of before may still have been on its way.
        self.assertEqual([], [r.name for r in self.master.received[self.before:]
                              if r.name != "PongSlaveMessage"])
        self.assertEqual([], leftovers.wait_for_none(self.agent.owner, TIMEOUT))
        self.agent.flags["recover"] = "reconnect"
        self.agent.start(wait=False)
        again = self.master.expect("ReregisterSlaveMessage").message
        self.assertEqual(([], []), (again.get("tasks", []), again.get("frameworks", [])))
        self.await_registered()
        self.assertEqual(set(), self.agent.containers())

    def subscribe_again(self, executor: RemoteExecutor, task: Task) -> None:
        while True:
            executor.do("subscribe", tasks=[{
                "task_id": {"value": task.task_id}, "name": task.task_id,
                "agent_id": {"value": task.slave_id}}])
            answer = executor.expect("subscribed")
            if answer["status"] == 200:
                return
            self.assertIn(answer["status"], (0, 404, 503), answer)
            time.sleep(0.02)

    def test_nothing_to_do(self) -> None:
        self.join()
        self.clean_up()
        self.assert_cleaned_up()

    def test_executor_ends_in_its_own_way(self) -> None:
        """It is told when it comes back, and what it then says of its task is acknowledged."""
        framework = self.framework(flags={"executor_reregistration_timeout": "15secs"})
        executor, task = self.running_executor(
            framework, shutdown_grace_period={"nanoseconds": 3_600_000_000_000})
        self.clean_up()
        self.subscribe_again(executor, task)
        self.event(executor, "SHUTDOWN")
        self.update(executor, task, "TASK_KILLED")
        self.event(executor, "ACKNOWLEDGED")
        executor.do("exit")
        self.assert_cleaned_up()

    def test_executor_outstays_its_grace(self) -> None:
        framework = self.framework(flags={"executor_reregistration_timeout": "15secs"})
        executor, task = self.running_executor(
            framework, shutdown_grace_period={"nanoseconds": 100_000_000})
        self.clean_up()
        self.subscribe_again(executor, task)
        self.event(executor, "SHUTDOWN")
        executor.expect_gone()
        self.assert_cleaned_up()

    def test_driver_is_told(self) -> None:
        framework = self.framework()
        self.launch(framework, self.info(framework, program="executor_driver",
                                         shutdown_grace_period={"nanoseconds": 10**14}))
        executor = self.started()
        executor.do("register")
        executor.expect("message", where=lambda r: r["name"] == "RunTaskMessage")
        self.clean_up()
        executor.expect("message", where=lambda r: r["name"] == "ShutdownExecutorMessage")
        executor.do("exit")
        self.assert_cleaned_up()

    def test_all_else(self) -> None:
        """A command gets SIGTERM from its executor; who never connected, who was launched through
        the API, and who belongs to a framework without checkpoints, is destroyed."""
        framework = self.framework(flags={"executor_reregistration_timeout": "15secs"})
        command = self.running(framework, "trap 'echo told > told; exit' TERM; "
                                          "while :; do sleep 0.02; done")
        (container,) = self.container_of(command)
        sandbox = next(self.agent.work_dir.glob(
            f"slaves/*/frameworks/*/executors/*/runs/{container}"))
        self.launch(framework, self.info(framework, "silent"))
        silent = self.started()
        forgotten = self.running(self.master.subscribe())
        self.agent.launch("own", command=shell("trap '' TERM; sleep 1000"))
        pids = self.agent.pids("own") | {self.executor_pid(forgotten)}
        self.clean_up()
        silent.expect_gone()
        self.assert_cleaned_up()
        self.assertTrue((sandbox / "told").exists())
        self.assertTrue(all(map(pid_gone, pids)))


if __name__ == "__main__":
    import run
    run.main([__file__])
