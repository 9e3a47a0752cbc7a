"""--http_executor_domain_sockets: the API for executors on a unix socket."""

from __future__ import annotations

import os
import socket
import stat
import sys
from pathlib import Path

from attach import Output, output_request, session_call
from harness import Agent, OwnAgentTestCase, resources, shell, unique
from rawhttp import Connection, Response
from wire import JSON, to_json

API = "/slave(1)/api/v1"
CALL = to_json({"type": "GET_HEALTH"})


# What systemd does: descriptors from 3 on, and variables that say how they are called.
HAND_OVER = """
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
os.dup2(listener.fileno(), 5)  # not one of those that it is to become
for fd, name in ((3, "other"), (4, "executors")):
    os.dup2(5, fd)
os.close(5)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="other:executors")
os.execv(sys.argv[2], sys.argv[2:])
"""


class DomainSocket(OwnAgentTestCase):
    def agent_with_socket(self, **flags: str) -> Agent:
        return self.new_agent({"http_executor_domain_sockets": "true", **flags})

    def path(self, agent: Agent) -> Path:
        return agent.runtime_dir / "agent.sock"

    def post(self, path: Path, target: str, body: bytes = CALL) -> Response:
        with Connection(str(path)) as connection:
            return connection.request("POST", target, {"Content-Type": JSON, "Accept": JSON}, body)

    def test_what_is_served(self) -> None:
        """Two paths, exactly; and those as on TCP."""
        agent = self.agent_with_socket()
        path = self.path(agent)
        response = self.post(path, API)
        self.assertEqual((200, True), (response.status, "healthy" in response.text))
        with agent.connect() as connection:
            expected = connection.request("POST", f"{API}/executor",
                                          {"Content-Type": JSON, "Accept": JSON}, CALL)
        response = self.post(path, f"{API}/executor")
        self.assertEqual((expected.status, expected.text), (response.status, response.text))
        for target in ("/api/v1", "/api/v1/executor", f"{API}/", f"{API}/x", "/slave(2)/api/v1",
                       "/slave(1)/state", "/state", "/health", "/metrics/snapshot", "/",
                       "/slave%281%29/state", f"/x/..{API}", "/files/browse?path=/"):
            with self.subTest(target=target):
                response = self.post(path, target)
                self.assertEqual(403, response.status)
                self.assertIn("is not served on the executors' socket", response.text)
        self.assertEqual(200, agent.call({"type": "GET_HEALTH"}).status, "nor is TCP changed")

    def test_streams(self) -> None:
        agent = self.agent_with_socket()
        root = unique("root")
        agent.launch(root, command=shell("sleep 1000"), resources=resources(cpus=1, mem=256))
        tcp = agent.address
        agent.address = str(self.path(agent))  # type: ignore[assignment]
        try:
            call = session_call(root, unique(), command=shell("head -c 3000000 /dev/zero"))
            with Output(agent, output_request(call, path=API)) as output:
                self.assertEqual(bytes(3_000_000), output.read_to_end().stdout)
        finally:
            agent.address = tcp

    def test_everybody_may_connect(self) -> None:
        """Executors run as any user."""
        agent = self.agent_with_socket()
        path = self.path(agent)
        info = path.stat()
        self.assertTrue(stat.S_ISSOCK(info.st_mode))
        self.assertEqual(0o666, stat.S_IMODE(info.st_mode))
        self.assertEqual(0, info.st_uid)
        before = os.getcwd()
        os.chdir(path.parent)  # on the way there may be directories that are not for everybody
        os.seteuid(65534)
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path.name)
        finally:
            os.seteuid(0)
            os.chdir(before)

    def test_only_with_the_flag(self) -> None:
        agent = self.new_agent({"domain_socket_location": "/no/such/directory/socket"})
        self.assertFalse(self.path(agent).exists())

    def test_removed_in_the_end(self) -> None:
        agent = self.agent_with_socket()
        agent.stop()
        self.assertFalse(self.path(agent).exists())
        agent.start()
        self.assertEqual(200, self.post(self.path(agent), API).status)

    def test_kill_9(self) -> None:
        """What a killed agent leaves is replaced."""
        agent = self.agent_with_socket()
        path = self.path(agent)
        for _ in range(3):
            agent.kill9()
            self.assertTrue(stat.S_ISSOCK(path.stat().st_mode))
            agent.start()
            self.assertEqual(200, self.post(path, API).status)

    def test_elsewhere(self) -> None:
        agent = self.new_agent(start=False)
        path = agent.scratch / "executors.sock"
        agent.flags |= {"http_executor_domain_sockets": "true",
                        "domain_socket_location": str(path)}
        agent.start()
        self.assertEqual(200, self.post(path, API).status)
        self.assertFalse(self.path(agent).exists())

    def test_from_systemd(self) -> None:
        """It belongs to systemd: the agent neither makes nor removes it."""
        agent = self.new_agent(start=False)
        path = agent.scratch / "of-systemd.sock"
        agent.flags |= {"http_executor_domain_sockets": "true",
                        "domain_socket_location": "systemd:executors"}
        agent.wrapper = [sys.executable, "-c", HAND_OVER, str(path)]
        agent.start()
        self.assertEqual(200, self.post(path, API).status)
        self.assertEqual(403, self.post(path, "/state").status)
        self.assertFalse(self.path(agent).exists())
        agent.stop()
        self.assertTrue(path.exists())
        path.unlink()

    def test_what_cannot_be(self) -> None:
        agent = self.new_agent(start=False)
        file = agent.scratch / "file"
        file.write_text("precious")
        taken = agent.scratch / "taken"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(taken))
            listener.listen()
            for place, sentence in (
                    (file, "is no socket"), (taken, "another process listens on"),
                    (agent.scratch / ("x" * 100), "expected a path of less than 108 bytes"),
                    (agent.scratch / "no" / "socket", "No such file or directory"),
                    ("systemd:agent", "systemd has handed over no socket 'agent'")):
                with self.subTest(place=place):
                    agent.flags |= {"http_executor_domain_sockets": "true",
                                    "domain_socket_location": str(place)}
                    agent.start(wait=False)
                    self.assertEqual(1, agent.join())
                    self.assertIn(sentence, agent.log.read_text())
        self.assertEqual("precious", file.read_text())
        self.assertTrue(taken.exists())
        taken.unlink()


if __name__ == "__main__":
    import run
    run.main([__file__])
