"""Clients that close their sending side after the request (`nc -N`, some proxies) and wait.

Apache Mesos takes them for clients that have gone. Ours answers, however long it takes, and still
notices when they have gone indeed.
"""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import attach
from attach import Input, Output, attach_output, session, session_call, tty, write_input
from harness import (ENCODINGS, AgentTestCase, argv, container_id, eventually, pid_gone, shell,
                     unique)
from rawhttp import LAST_CHUNK, Connection, Response
from sessions import ATTACHABLE
from wire import JSON, Message, parse, serialize


def final_response(connection: Connection) -> Response:
    return connection.read_body(connection.read_final_head())


class HalfClose(AgentTestCase):
    def half_closed(self, *calls: Message, encoding: str = JSON) -> Connection:
        """A connection with the calls sent, and no more to come."""
        connection = self.agent.connect()
        self.addCleanup(connection.close)
        for call in calls:
            connection.send_request("POST", "/api/v1", {"Content-Type": encoding,
                                                        "Accept": encoding},
                                    serialize(encoding, "Call", call))
        connection.shutdown_write()
        return connection

    def answer(self, call: Message, encoding: str = JSON) -> Response:
        connection = self.half_closed(call, encoding=encoding)
        response = final_response(connection)
        self.assertTrue(connection.ended(), "the agent closes as well")
        return response

    def launch_call(self, *path: str, command: Message) -> Message:
        resources = [{"name": n, "type": "SCALAR", "scalar": {"value": v}}
                     for n, v in (("cpus", 0.1), ("mem", 32))] if len(path) == 1 else []
        return {"type": "LAUNCH_CONTAINER", "launch_container": {
            "container_id": container_id(*path), "command": command, "resources": resources}}

    def named(self, verb: str, *path: str) -> Message:
        kind = f"{verb}_CONTAINER"
        return {"type": kind, kind.lower(): {"container_id": container_id(*path)}}

    def test_calls(self) -> None:
        for encoding in ENCODINGS:
            with self.subTest(encoding=encoding):
                root, child = unique("root"), unique()
                steps: list[tuple[Message, int]] = [
                    ({"type": "GET_HEALTH"}, 200),
                    ({"type": "LIST_FILES", "list_files": {"path": "/no/such"}}, 0),
                    (self.launch_call(root, command=shell("sleep 1000")), 200),
                    (self.launch_call(root, child, command=shell("sleep 1000")), 200),
                    (self.launch_call(root, child, command=shell("true")), 202),
                    (self.launch_call("nobody", child, command=shell("true")), 400),
                    ({"type": "GET_CONTAINERS", "get_containers": {"show_nested": True}}, 200),
                    (self.named("KILL", root, child), 200),
                    (self.named("WAIT", root, child), 200),
                    (self.named("REMOVE", root, child), 200),
                    (self.named("WAIT", root, child), 404),
                    (self.named("KILL", root), 200),
                    (self.named("WAIT", root), 200),
                    ({"type": "WAIT_CONTAINER"}, 400),
                ]
                for call, status in steps:
                    response = self.answer(call, encoding)
                    if status:
                        self.assertEqual(status, response.status, f"{call}: {response.text}")

    def test_a_wait(self) -> None:
        with self.root() as root:
            for encoding in ENCODINGS:
                path = (root, unique())
                self.agent.launch(*path, command=shell("sleep 0.7; exit 5"))
                connection = self.half_closed(self.agent.wait_call(*path), encoding=encoding)
                response = final_response(connection)
                self.assertEqual((200, encoding), (response.status, response.content_type))
                self.assertEqual(
                    {"exit_status": 5 << 8},
                    parse(encoding, "Response", response.body)["wait_container"])

    def test_several_calls(self) -> None:
        with self.root() as root:
            names = [unique() for _ in range(5)]
            calls = [c for name in names for c in (
                self.launch_call(root, name, command=shell("sleep 0.1; exit 4")),
                self.agent.wait_call(root, name), {"type": "GET_HEALTH"})]
            connection = self.half_closed(*calls)
            for _ in names:
                self.assertEqual(200, final_response(connection).status)
                self.assertIn("1024", final_response(connection).text)
                self.assertIn("healthy", final_response(connection).text)
            self.assertTrue(connection.ended())

    def half_closed_stream(self, call: Message, accept: str) -> Output:
        """A stream whose client has closed its sending side before the first byte of it."""
        output = Output(self.agent, attach.output_request(call, accept), accept, half_close=True)
        self.addCleanup(output.close)
        return output

    def test_sessions(self) -> None:
        with self.root() as root:
            for accept, terminal in itertools.product(ENCODINGS, (None, tty())):
                path = (root, unique())
                output = self.half_closed_stream(session_call(
                    *path, container=terminal,
                    command=shell("sleep 0.3; echo one; sleep 0.7; echo two; exit 3")), accept)
                output.read_to_end()
                end = b"\r\n" if terminal else b"\n"
                self.assertEqual(b"one" + end + b"two" + end, bytes(output.stdout))
                self.assertTrue(output.clean_end)
                self.assertEqual({"exit_status": 3 << 8}, self.agent.wait(*path))

    def test_sessions_with_input(self) -> None:
        """Half-closed in the middle of the stream."""
        with self.root() as root:
            path = (root, unique())
            with session(self.agent, *path, command=argv("cat")) as output:
                write_input(self.agent, *path, data=b"before\n", eof=False)
                output.read_until(b"before\n")
                output.connection.shutdown_write()
                time.sleep(0.5)
                write_input(self.agent, *path, data=b"after\n")
                self.assertEqual(b"before\nafter\n", output.read_to_end().stdout)
            self.assertEqual({"exit_status": 0}, self.agent.wait(*path))

    def test_readers(self) -> None:
        name = unique()
        self.agent.launch(name, command=argv("cat", **ATTACHABLE))
        with attach_output(self.agent, name) as other:
            readers = [attach_output(self.agent, name, accept=accept) for accept in ENCODINGS]
            for reader in readers:
                reader.connection.shutdown_write()
            write_input(self.agent, name, data=b"x" * 100_000)
            for reader in (*readers, other):
                self.assertEqual(b"x" * 100_000, reader.read_to_end().stdout)
                reader.close()
        self.assertEqual({"exit_status": 0}, self.agent.wait(name))

    def test_writers(self) -> None:
        with self.root() as root:
            for encoding in ENCODINGS:
                path = (root, unique())
                output = session(self.agent, *path, command=shell("read x; sleep 0.5; cat"))
                with Input(self.agent, *path, encoding=encoding) as stream:
                    stream.stdin(b"go\n").stdin(b"x" * 300_000).eof()
                    stream.connection.send(LAST_CHUNK)
                    stream.connection.shutdown_write()
                    response = final_response(stream.connection)
                self.assertEqual((200, b""), (response.status, response.body))
                self.assertEqual(b"x" * 300_000, output.read_to_end().stdout)
                output.close()

    def test_who_goes_later_is_noticed(self) -> None:
        """Of sessions, the container is destroyed then, as ever."""
        with self.root() as root:
            before = self.agent.settled_fds()
            for _ in range(5):
                path = (root, unique())
                output = session(self.agent, *path, command=shell("echo ready; exec yes"))
                output.read_until(b"ready\n")
                output.connection.shutdown_write()
                output.read_until(b"y\n" * 1000)
                pids = self.agent.pids(*path)
                output.close()
                self.assertEqual(9, self.agent.wait(*path)["exit_status"])
                eventually(lambda p=pids: all(map(pid_gone, p)), "its processes are gone")
            self.assertEqual(before, self.agent.settled_fds())

    def test_who_has_gone_is_noticed_at_once(self) -> None:
        """Whatever they have waited for: it is given up, and nothing is left of it."""
        with self.root() as root, ThreadPoolExecutor(8) as pool:
            before = self.agent.settled_fds()
            name = unique()
            self.agent.launch(root, name, command=argv("cat", **ATTACHABLE))
            with_reader = self.agent.settled_fds()

            def leave(number: int) -> None:
                if number % 3 == 0:
                    connection = self.half_closed(self.agent.wait_call(root, name))
                    connection.close()
                elif number % 3 == 1:
                    attach_output(self.agent, root, name).close()
                else:
                    session(self.agent, root, unique(), command=shell("sleep 1000")).close()

            list(pool.map(leave, range(60)))
            eventually(lambda: self.agent.containers() == {(root,), (root, name)},
                       "no session is left")
            self.assertEqual(with_reader, self.agent.settled_fds())
            write_input(self.agent, root, name, data=b"")
            self.assertEqual({"exit_status": 0}, self.agent.wait(root, name))
            self.assertEqual(before, self.agent.settled_fds())


class Heartbeats(AgentTestCase):
    agent_flags = {"http_heartbeat_interval": "1secs"}

    def test_they_find_out_who_has_gone_later(self) -> None:
        """Of who has closed one side before, nothing tells that the other is closed as well."""
        with self.root() as root:
            path = (root, unique())
            output = session(self.agent, *path, command=shell("echo ready; sleep 1000"))
            output.read_until(b"ready\n")
            output.connection.shutdown_write()
            while not output.heartbeats:  # nothing is unread then, so closing sends nothing
                self.assertIsNotNone(next(output.records(), None))
            output.close()
            self.assertEqual(9, self.agent.wait(*path)["exit_status"])


if __name__ == "__main__":
    import run
    run.main([__file__])
