"""Nothing waits for who adopts the processes of an agent that has died: pid 1, where it reaps.

This process takes pid 1's place, as in many a container, where pid 1 reaps nobody.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time

from attach import session
from harness import OwnAgentTestCase, argv, eventually, resources, shell, unique

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans(adopt: bool) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, int(adopt), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


class Reaping(OwnAgentTestCase):
    def setUp(self) -> None:
        super().setUp()
        adopt_orphans(True)
        self.addCleanup(self.reap)

    def reap(self) -> None:
        """After all agents of the test have been shut down."""
        adopt_orphans(False)
        try:
            while os.waitpid(-1, os.WNOHANG)[0] > 0:
                pass
        except ChildProcessError:
            pass

    def test_trees_end_after_a_restart(self) -> None:
        agent = self.new_agent()
        paths = [("root",), ("root", "child"), ("root", "child", "leaf"), ("other",)]
        for path in paths:
            agent.launch(*path, command=argv("sleep", "100000"))
        output = session(agent, "root", "session", command=argv("sleep", "100000"))
        agent.restart()
        output.close()
        self.assert_status(200, agent.kill("root", "child"))
        for path in paths[2], paths[1]:
            self.assertEqual(9, agent.wait(*path)["exit_status"])
        agent.launch("root", "late", command=argv("sleep", "100000"))
        self.assert_status(200, agent.kill("root"))
        self.assertEqual(9, agent.wait("root")["exit_status"])
        self.assertEqual({("other",)}, agent.containers())

    def test_crashes_amid_launches(self) -> None:
        """Nor for a process that the agent had only started to launch another one."""
        agent = self.new_agent()

        def launch() -> None:
            try:
                while True:
                    agent.launch("root", unique(), command=argv("true"))
            except (OSError, AssertionError):
                return

        for i in range(8):
            agent.launch("root", command=shell("sleep 100000"),
                         resources=resources(cpus=1, mem=512))
            threads = [threading.Thread(target=launch) for _ in range(4)]
            for thread in threads:
                thread.start()
            time.sleep(0.1 + 0.007 * i)
            agent.kill9()
            for thread in threads:
                thread.join()
            agent.start()
            self.assert_status(200, agent.kill("root"))
            self.assertEqual(9, agent.wait("root")["exit_status"])
            eventually(lambda: not agent.containers(), "the tree is gone")


if __name__ == "__main__":
    import run
    run.main([__file__])
