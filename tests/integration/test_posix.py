"""--launcher=posix: containers without namespaces and cgroups, before and after a restart."""

from __future__ import annotations

import os
import time

from endings import ENDINGS
from harness import AgentTestCase, OwnAgentTestCase, eventually, shell, unique
from leftovers import processes_running


class PosixLauncher(AgentTestCase):
    """--launcher=posix with posix/cpu and posix/mem: no namespaces, no cgroups."""

    agent_flags = {"launcher": "posix", "isolation": "posix/cpu,posix/mem", "cgroups_root": None}

    def test_endings(self) -> None:
        with self.root() as root:
            for command, status in ENDINGS:
                with self.subTest(command=command):
                    self.assertEqual({"exit_status": status},
                                     self.agent.run(root, unique(), command=command))

    def test_no_resources_needed(self) -> None:
        name = unique()
        self.agent.launch(name, command=shell("exit 2"), resources=[])
        self.assertEqual({"exit_status": 2 << 8}, self.agent.wait(name))

    def test_kill_takes_the_process_tree(self) -> None:
        name = unique()
        sleep = f"sleep 1000.{os.getpid()}1"  # no other process on the host has this argument
        self.agent.launch(name, command=shell(
            f"{sleep} & ({sleep} &) ; sh -c '{sleep}; true'; true"))
        eventually(lambda: len(processes_running(sleep)) == 3, "three sleeps")
        self.assert_status(200, self.agent.kill(name))
        self.assertEqual(9, self.agent.wait(name)["exit_status"])
        self.assertEqual([], processes_running(sleep))

    def test_destroying_a_parent_destroys_the_tree(self) -> None:
        root, child = unique(), unique()
        self.agent.launch(root, command=shell("sleep 1000"))
        sleep = f"sleep 1000.{os.getpid()}2"
        self.agent.launch(root, child, command=shell(sleep))
        eventually(lambda: len(processes_running(sleep)) == 1, "the child runs")
        self.agent.kill(root)
        self.assertEqual(9, self.agent.wait(root)["exit_status"])
        self.assertEqual([], processes_running(sleep))

    def test_sigterm(self) -> None:
        with self.root() as root:
            name = unique()
            self.agent.launch(root, name, command=shell("sleep 1000"))
            self.assert_status(200, self.agent.kill(root, name, signal=15))
            self.assertEqual(15, self.agent.wait(root, name)["exit_status"])


class PosixRecovery(OwnAgentTestCase):
    FLAGS = {"launcher": "posix", "isolation": "posix/cpu,posix/mem", "cgroups_root": None}

    def test_running_and_ended(self) -> None:
        agent = self.new_agent(dict(self.FLAGS))
        agent.launch("root", command=shell("sleep 100000"))
        agent.launch("root", "child", command=shell("sleep 0.5; exit 6"))
        agent.kill9()
        time.sleep(1)
        agent.start()
        self.assertEqual(6 << 8, agent.wait("root", "child")["exit_status"])
        self.assertEqual({("root",)}, agent.containers())
        self.assert_status(200, agent.kill("root"))
        self.assertEqual(9, agent.wait("root")["exit_status"])
        agent.assert_nothing_left()


if __name__ == "__main__":
    import run
    run.main([__file__])
