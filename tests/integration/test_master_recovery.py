"""An agent that is started again, and its master."""

from __future__ import annotations

import os
import signal
import time

from harness import eventually, pid_gone
from master_case import MasterTestCase


class Identity(MasterTestCase):
    def test_the_id_is_kept(self) -> None:
        self.join()
        slave_id = self.master.slave_id
        first = self.master.all_of("RegisterSlaveMessage")[-1].message
        self.agent.restart()
        again = self.master.expect("ReregisterSlaveMessage").message
        self.await_registered()
        self.assertEqual(slave_id, again["slave"]["id"])
        self.assertEqual({**first["slave"], "id": slave_id}, again["slave"])
        self.assertEqual(first["agent_capabilities"], again["agent_capabilities"])
        # Of the process, not of the agent.
        self.assertNotEqual(first["resource_version_uuid"], again["resource_version_uuid"])
        self.assertEqual(1, len({r.message["slave"].get("id", {}).get("value")
                                 for r in self.master.all_of("ReregisterSlaveMessage")}))


class Tasks(MasterTestCase):
    """What a restart of the agent changes for tasks: nothing, as far as it can."""

    def setUp(self) -> None:
        super().setUp()
        self.join({"executor_reregistration_timeout": "5secs"})
        self.framework = self.master.subscribe(checkpoint=True)

    def restart(self) -> None:
        self.agent.restart()
        self.again = self.master.expect("ReregisterSlaveMessage").message
        self.await_registered()

    def test_run_on(self) -> None:
        """Nothing is said of a task that runs on, and it can still be killed."""
        task = self.running(self.framework)
        executor = self.executor_pid(task)
        for _ in range(3):
            self.restart()
            (listed,) = self.again["tasks"]
            self.assertEqual((task.task_id, "TASK_RUNNING"),
                             (listed["task_id"]["value"], listed["state"]))
            self.assertNotIn("executor_id", listed)
            self.assertEqual([], self.again.get("executor_infos", []))
            self.assertEqual([self.framework.info], self.again["frameworks"])
        self.assertFalse(pid_gone(executor))
        self.assert_states(task, "STARTING", "RUNNING")
        self.master.kill_task(task)
        self.master.await_end(task)
        self.assert_states(task, "STARTING", "RUNNING", "KILLING", "KILLED")
        self.assert_no_containers()

    def test_ends_meanwhile(self) -> None:
        """The executor keeps how its task has ended until there is an agent to tell."""
        task = self.running(self.framework, "while [ ! -e end ]; do sleep 0.02; done; exit 7")
        (container,) = self.container_of(task)
        sandbox = next(self.agent.work_dir.glob(
            f"slaves/*/frameworks/*/executors/*/runs/{container}"))
        self.agent.kill9()
        (sandbox / "end").touch()
        time.sleep(0.3)
        self.agent.start(wait=False)
        end = self.master.await_end(task)
        self.assertEqual(("TASK_FAILED", "Command exited with status 7"),
                         (end.state, end.status["message"]))

    def test_executor_dies_meanwhile(self) -> None:
        task = self.running(self.framework)
        self.agent.kill9()
        os.kill(self.executor_pid(task), signal.SIGKILL)
        eventually(lambda: pid_gone(self.executor_pid(task)), "the executor is gone")
        self.agent.start(wait=False)
        end = self.master.await_end(task)
        self.assertEqual(("TASK_FAILED", "REASON_EXECUTOR_TERMINATED"), (end.state, end.reason))

    def test_unacknowledged(self) -> None:
        """An update comes again under its uuid, and the next one waits as before."""
        self.master.acknowledging = False
        task = self.master.run_task(self.framework, self.master.task(self.framework, "exit 3"))
        self.master.await_state(task, "TASK_STARTING")
        first = task.updates[0].uuid
        self.restart()
        self.master.wait_for(lambda: task.updates[0].arrivals > 1, "it comes again")
        (listed,) = self.again["tasks"]
        self.assertEqual(("TASK_STARTING", first),
                         (listed["status_update_state"], listed["status_update_uuid"]))
        self.assert_states(task, "STARTING")
        self.master.acknowledging = True
        self.master.acknowledge_pending()
        self.master.await_end(task)
        self.assert_states(task, "STARTING", "RUNNING", "FAILED")

    def test_kill_that_got_lost(self) -> None:
        """The master asks again when the agent is back."""
        task = self.running(self.framework)
        self.agent.kill9()
        self.assertFalse(self.master.kill_task(task).delivered)
        self.agent.start(wait=False)
        self.assertEqual("TASK_KILLED", self.master.await_end(task).state)

    def test_framework_that_ended_meanwhile(self) -> None:
        task = self.running(self.framework)
        self.agent.kill9()
        self.master.shutdown_framework(self.framework)
        self.agent.start(wait=False)
        self.await_registered()
        self.assert_no_containers()
        self.assert_states(task, "STARTING", "RUNNING")

    def test_lost_launch(self) -> None:
        """A task that was sent to an agent that was down ends, because the master asks for it."""
        self.agent.kill9()
        task = self.master.run_task(self.framework, self.master.task(self.framework, "true"))
        self.agent.start(wait=False)
        end = self.master.await_end(task)
        self.assertEqual(("TASK_DROPPED", "REASON_RECONCILIATION"), (end.state, end.reason))

    def test_of_a_framework_that_does_not_checkpoint(self) -> None:
        task = self.running(self.master.subscribe())
        executor = self.executor_pid(task)
        self.restart()
        self.assertEqual([], self.again.get("tasks", []))
        eventually(lambda: pid_gone(executor), "its executor is gone")

    def test_drain_goes_on(self) -> None:
        task = self.running(self.framework, "trap '' TERM; while :; do sleep 0.1; done")
        self.master.drain(max_grace_period=2)
        self.master.await_state(task, "TASK_KILLING")
        self.restart()
        late = self.master.run_task(self.framework, self.master.task(self.framework, "true"))
        self.assertEqual("REASON_SLAVE_DRAINING", self.master.await_end(late).reason)
        end = self.master.await_end(task)
        self.assertEqual(("TASK_KILLED", "REASON_SLAVE_DRAINING"), (end.state, end.reason))

    def test_another_master(self) -> None:
        """After a failover to another address the agent comes with all that it has."""
        task = self.running(self.framework)
        self.agent.kill9()
        self.master.restart(port=0)
        self.agent.flags["master"] = f"127.0.0.1:{self.master.address[1]}"
        self.agent.start(wait=False)
        again = self.master.expect("ReregisterSlaveMessage").message
        self.await_registered()
        self.assertEqual([task.task_id], [t["task_id"]["value"] for t in again["tasks"]])
        self.assertEqual(task.slave_id, self.master.slave_id["value"])
        self.master.kill_task(task)
        self.master.await_end(task)


if __name__ == "__main__":
    import run
    run.main([__file__])
