"""Nothing is left behind by launches and sessions: no descriptor, thread, process or cgroup."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor

from attach import Input, attach_output, session, tty
from harness import (JSON, OwnAgentTestCase, argv, container_id, eventually, resources, shell,
                     unique)
from leftovers import processes_running
from rawhttp import TIMEOUT
from wire import to_json

# Started many times over, each copy lives for a moment and passes on to a new one in a session of
# its own: no snapshot of the process list is ever complete.
RESPAWN = """#!/bin/sh
sleep 0.5
setsid "$0" > /dev/null 2>&1 < /dev/null &
exit 0
"""


class ForkBomb(OwnAgentTestCase):
    def bomb(self, **flags: str) -> None:
        agent = self.new_agent(dict(flags))
        script = agent.scratch / "respawn.sh"
        script.write_text(RESPAWN)
        script.chmod(0o755)
        root, name = unique(), unique()
        agent.launch(root, command=shell("sleep 1000"), resources=resources(cpus=1, mem=512))
        agent.launch(root, name, command=shell(
            f"i=0; while [ $i -lt 200 ]; do {script} & i=$((i+1)); done; sleep 1000"))
        eventually(lambda: len(agent.pids(root, name)) > 200, "200 processes", 2 * TIMEOUT)
        self.assert_status(200, agent.kill(root, name))
        self.assertEqual(9, agent.wait(root, name)["exit_status"])
        self.assertEqual(set(), agent.pids(root, name))
        time.sleep(1)
        self.assertEqual([], processes_running(str(script)))
        self.assertEqual({(root,)}, agent.containers())

    def test_with_pid_namespace(self) -> None:
        self.bomb()

    def test_without_pid_namespace(self) -> None:
        self.bomb(isolation="cgroups/cpu,cgroups/mem,filesystem/linux")


class NothingLeaks(OwnAgentTestCase):
    def test_quick_launches(self) -> None:
        agent = self.new_agent()
        agent.launch("root", command=shell("sleep 100000"))
        for i in range(10):  # what is opened once and for all is open after that
            agent.run("root", f"warm-{i}", command=argv("true"))
            agent.remove("root", f"warm-{i}")
        before = agent.settled_fds()
        threads = len(os.listdir(f"/proc/{agent.pid}/task"))

        def one(_: int) -> int:
            name = unique("quick")
            agent.launch("root", name, command=argv("true"))
            status = agent.wait("root", name)["exit_status"]
            agent.remove("root", name)
            return status

        with ThreadPoolExecutor(8) as pool:
            self.assertEqual({0}, set(pool.map(one, range(500))))
        self.assertEqual(before, agent.settled_fds())
        self.assertLessEqual(len(os.listdir(f"/proc/{agent.pid}/task")), threads + 4)
        agent.kill("root")
        agent.wait("root")
        agent.assert_nothing_left()

    def test_failed_launches(self) -> None:
        agent = self.new_agent()
        agent.launch("root", command=shell("sleep 100000"))

        def fail() -> None:
            agent.launch("root", unique(), command=shell("true", user="nosuchuser"), status=400)
            agent.launch("nobody", unique(), command=shell("true"), status=400)
            agent.launch(unique(), command=shell("true"), resources=resources(cpus=1), status=400)
            agent.launch("root", unique(), command=shell("true"), status=400,
                         container={"type": "MESOS", "mesos": {"image": {
                             "type": "DOCKER", "docker": {"name": "busybox"}}}})

        fail()
        before = agent.settled_fds()
        for _ in range(50):
            fail()
        self.assertEqual(before, agent.settled_fds())
        self.assertEqual({("root",)}, agent.containers())
        agent.kill("root")
        agent.wait("root")
        agent.assert_nothing_left()

    def test_launches_whose_client_leaves(self) -> None:
        agent = self.new_agent()
        agent.launch("root", command=shell("sleep 100000"))
        before = agent.settled_fds()
        for i in range(50):
            call = {"type": "LAUNCH_CONTAINER", "launch_container": {
                "container_id": container_id("root", unique()), "command": shell("sleep 100")}}
            connection = agent.connect()
            connection.send_request("POST", "/api/v1", {"Content-Type": JSON}, to_json(call))
            time.sleep(i * 0.0002)
            connection.reset()
        agent.settled_fds()

        # Launched or discarded; either way each can be ended, and then nothing is left.
        def alone() -> bool:
            others = agent.containers() - {("root",)}
            for path in sorted(others):
                agent.kill(*path)
            return not others

        eventually(alone, "the others are gone")
        self.assertEqual(before, agent.settled_fds())
        agent.kill("root")
        agent.wait("root")
        agent.assert_nothing_left()

    def test_sessions(self) -> None:
        agent = self.new_agent()
        agent.launch("root", command=shell("sleep 100000"), resources=resources(cpus=1, mem=512))

        def rounds(count: int) -> None:
            for i in range(count):
                path = ("root", unique())
                output = session(agent, *path, command=argv("cat"),
                                 container=tty() if i % 2 else None)
                other = attach_output(agent, *path)
                if i % 3 == 0:
                    stream = Input(agent, *path)
                    stream.reset()
                output.close()
                other.close()
                agent.wait(*path)
                agent.remove(*path)

        rounds(5)
        before = agent.settled_fds()
        rounds(60)
        self.assertEqual(before, agent.settled_fds())
        agent.kill("root")
        agent.wait("root")
        agent.assert_nothing_left()


if __name__ == "__main__":
    import run
    run.main([__file__])
