"""Sessions: their output and status, what they inherit, how they end, and what breaks them."""

from __future__ import annotations

import os
import re
import time

import attach
import wire
from attach import session, tty, write_input
from harness import (ENCODINGS, PROTOBUF, AgentTestCase, OwnAgentTestCase, argv, container_id,
                     eventually, pid_gone, resources, shell, unique)
from rawhttp import ConnectionClosed
from recordio import record
from sessions import MB, SessionTestCase, helper_processes
from wire import RECORDIO, Message


class Sessions(SessionTestCase):
    def test_output_and_status(self) -> None:
        for accept in ENCODINGS:
            for recordio in (True, False):
                with self.subTest(accept=accept, recordio=recordio):
                    path = self.new()
                    output = self.start(*path, command=shell("echo out; echo err >&2; exit 3"),
                                        accept=accept, recordio=recordio)
                    headers = output.response.headers
                    self.assertEqual(RECORDIO if recordio else accept, headers.get("Content-Type"))
                    self.assertEqual(accept if recordio else None,
                                     headers.get("Message-Content-Type"))
                    self.assertEqual("chunked", headers.get("Transfer-Encoding"))
                    output.read_to_end()
                    self.assertEqual((b"out\n", b"err\n"), (output.stdout, output.stderr))
                    self.assertTrue(output.clean_end)
                    self.assertEqual({1}, set(output.records_per_chunk))
                    self.assertEqual(3 << 8, self.status(*path))

    def test_call_in_protobuf(self) -> None:
        path = self.new()
        call = attach.session_call(*path, command=shell("echo hi"))
        body = wire.encode("Call", call)
        with self.agent.connect() as connection:
            response = connection.request(
                "POST", "/api/v1", {"Content-Type": PROTOBUF, "Accept": PROTOBUF}, body)
        self.assertEqual((200, PROTOBUF), (response.status, response.content_type))
        expected = {"type": "DATA", "data": {"type": "STDOUT", "data": b"hi\n"}}
        self.assertEqual(record(wire.encode("ProcessIO", expected)), response.body)

    def test_the_connection_lives_on(self) -> None:
        """After a clean end, the same connection takes other calls."""
        path = self.new()
        output = self.start(*path, command=shell("echo hi"))
        output.read_to_end()
        reply = self.agent.call_on(output.connection, self.agent.wait_call(*path))
        self.assertEqual(200, reply.status)

    def test_no_output(self) -> None:
        for command in (argv("true"), argv("false")):
            path = self.new()
            output = self.start(*path, command=command).read_to_end()
            self.assertEqual((b"", b""), (output.stdout, output.stderr))
            self.assertEqual(1 << 8 if command["value"] == "false" else 0, self.status(*path))

    def test_output_is_in_the_sandbox_too(self) -> None:
        path = self.new()
        self.start(*path, command=shell("echo out; echo err >&2")).read_to_end()
        self.status(*path)
        self.assertEqual("out\n", self.agent.output(*path))
        self.assertEqual("err\n", self.agent.output(*path, file="stderr"))

    def test_inherits_from_its_parent(self) -> None:
        """Environment, working directory, user and namespaces are the parent's."""
        output = self.start(*self.new(), command=shell(
            "env; echo CWD=$(pwd); readlink /proc/self/ns/pid /proc/1/ns/mnt", OWN="x"))
        text = output.read_to_end().stdout.decode()
        sandbox = self.agent.sandbox(self.root_name)
        for line in ("INHERITED=from root", f"MESOS_SANDBOX={sandbox}", f"CWD={sandbox}",
                     "OWN=x"):
            self.assertIn(line, text.splitlines())
        self.assertNotIn("TMPDIR=", text, "the agent's own environment")
        pid = self.agent.await_process(self.root_name, containing="sleep 100000")
        for namespace in ("pid", "mnt"):
            self.assertIn(os.readlink(f"/proc/{pid}/ns/{namespace}"), text.splitlines())
        override = self.start(*self.new(), command=shell("echo $INHERITED", INHERITED="mine"))
        self.assertEqual(b"mine\n", override.read_to_end().stdout)

    def test_inherits_the_user(self) -> None:
        with self.root(shell("sleep 1000", user="nobody")) as root:
            output = self.start(root, unique(), command=argv("id", "-un"))
            self.assertEqual(b"nobody\n", output.read_to_end().stdout)
            output = self.start(root, unique(), command=argv("id", "-un", user="root"))
            self.assertEqual(b"root\n", output.read_to_end().stdout)

    def test_in_nested_containers_of_any_depth(self) -> None:
        path = [self.root_name]
        for _ in range(3):
            path.append(unique())
            self.agent.launch(*path, command=shell("sleep 1000", DEPTH=str(len(path))))
            output = self.start(*path, unique("session"), command=shell("echo $DEPTH"))
            self.assertEqual(f"{len(path)}\n".encode(), output.read_to_end().stdout)

    def test_refused(self) -> None:
        path = self.new()
        keep = self.start(*path, command=shell("sleep 1000"))
        cases: list[tuple[tuple[str, ...], Message, Message | None, int, str]] = [
            (path, shell("true"), None, 202, ""),
            (("nobody", "c"), shell("true"), None, 400, "Parent container nobody does not exist"),
            (self.new(), shell("true", user="nosuchuser"), None, 400, "nosuchuser"),
            (self.new(), shell("true"), {"type": "DOCKER", "docker": {"image": "x"}}, 400,
             "The provided ContainerInfo is not supported"),
            (self.new(), shell("true"), {"type": "MESOS", "volumes": [
                {"mode": "RW", "container_path": "/mnt", "host_path": "/tmp"}]}, 400,
             "Volumes not supported for DEBUG containers"),
        ]
        for target, command, container, status, text in cases:
            with self.subTest(target=target, status=status):
                output = attach.try_session(self.agent, *target, command=command,
                                            container=container)
                self.assertEqual(status, output.response.status, str(output))
                self.assertIn(text, output.response.text)
                if target != path:
                    self.assertNotIn(target, self.agent.containers())
        self.assertIn(path, self.agent.containers())
        keep.close()

    def test_destroyed_when_its_client_leaves(self) -> None:
        for leave in ("close", "reset"):
            with self.subTest(leave=leave):
                path = self.new()
                output = self.start(*path, command=shell(
                    "trap '' HUP TERM; echo ready; setsid sleep 98766 & sleep 98766; true"))
                output.read_until(b"ready\n")
                self.agent.await_process(*path, containing="sleep 98766")
                pids = self.agent.pids(*path)
                getattr(output.connection, leave)()
                self.assertEqual(9, self.status(*path))
                self.assertTrue(all(pid_gone(pid) for pid in pids))
                self.assertEqual(set(), self.agent.pids(*path))

    def test_destroyed_when_its_client_leaves_early(self) -> None:
        """The connection breaks at any moment of the launch (MESOS-8577): nothing stays."""
        before = self.agent.settled_fds()
        for i in range(60):
            connection = self.agent.connect()
            connection.send(attach.output_request(
                attach.session_call(*self.new(), command=shell("sleep 1000"))))
            time.sleep(i * 0.0005)
            (connection.reset if i % 2 else connection.close)()
        eventually(lambda: self.agent.containers() == {(self.root_name,)}, "no session is left")
        self.assertEqual(before, self.agent.settled_fds())

    def test_kill(self) -> None:
        for sent, status in ((15, 15), (None, 9), (2, 2)):
            path = self.new()
            output = self.start(*path, command=argv("sleep", "1000"))
            self.agent.await_process(*path, containing="sleep 1000")
            self.agent.kill(*path, signal=sent)
            self.assertTrue(output.read_to_end().clean_end)
            self.assertEqual(status, self.status(*path))

    def test_ends_with_its_parent(self) -> None:
        path = self.new()
        output = self.start(*path, command=shell("echo ready; sleep 1000"))
        output.read_until(b"ready\n")
        self.agent.kill(self.root_name)
        self.assertTrue(output.read_to_end().clean_end)
        self.assertEqual(9, self.agent.wait(self.root_name)["exit_status"])

    def test_goes_on_when_the_command_closes_its_output(self) -> None:
        """Mesos kills it then; ours ends when the process does."""
        path = self.new()
        start = time.monotonic()
        output = self.start(*path, command=shell("echo a; exec >&- 2>&-; sleep 2; exit 7"))
        output.read_to_end()
        self.assertEqual(b"a\n", output.stdout)
        self.assertGreater(time.monotonic() - start, 1.9, "the stream lasts until the exit")
        self.assertEqual(7 << 8, self.status(*path))

    def test_background_process_holding_the_output(self) -> None:
        """The command's exit ends the session; nothing waits for what it left behind."""
        path = self.new()
        output = self.start(*path, command=shell("sleep 98767 & echo a; exit 4"))
        output.read_to_end()
        self.assertEqual(b"a\n", output.stdout)
        self.assertEqual(4 << 8, self.status(*path))

    def test_short_sessions_lose_nothing(self) -> None:
        """The tail of the output arrives though the process is gone at once (MESOS-7742)."""
        for terminal in (None, tty()):
            end = "\r\n" if terminal else "\n"
            for i in range(40):
                output = self.start(*self.new(), command=shell(f"echo last words {i}"),
                                    container=terminal)
                output.read_to_end()
                self.assertEqual(f"last words {i}{end}".encode(), output.stdout)
                output.close()

    def test_the_status_stays_after_the_stream(self) -> None:
        path = self.new()
        self.start(*path, command=shell("exit 5")).read_to_end()
        time.sleep(2)
        for nested in (True, False):
            self.assertEqual(5 << 8, self.agent.wait(*path, nested=nested)["exit_status"])


class Encodings(SessionTestCase):
    def test_bytes_survive_json(self) -> None:
        """Every byte value, in records of every length modulo three (base64 padding)."""
        data = bytes(range(256))
        for accept in ENCODINGS:
            for size in (1, 2, 3, 4, 255, 256):
                path = self.new()
                output = self.start(*path, command=argv("cat"), accept=accept)
                write_input(self.agent, *path, data=data[:size], encoding=accept)
                self.assertEqual(data[:size], bytes(output.read_to_end().stdout))

    def test_records_are_as_mesos_writes_them(self) -> None:
        """Field order, no whitespace: clients compare and split by these bytes."""
        call = attach.session_call(*self.new(), command=shell("echo out"))
        with self.agent.connect() as connection:
            connection.send(attach.output_request(call))
            response = connection.read_response()
        expected = b'58\n{"type":"DATA","data":{"type":"STDOUT","data":"b3V0Cg=="}}'
        self.assertEqual(expected, response.body)
        self.assertTrue(re.fullmatch(rb"\d+\n\{.*\}", response.body))

    def test_ids_are_echoed_in_errors(self) -> None:
        name = "é" * 10
        response = attach.try_attach_output(self.agent, self.root_name, name).response
        self.assertEqual(f"Unknown container {self.root_name}.{name}", response.text)
        self.assertEqual(container_id(self.root_name, name)["parent"]["value"], self.root_name)


class Small(AgentTestCase):
    def test_fifty_sessions_in_a_small_container(self) -> None:
        """The helpers charge next to nothing to the container (Mesos: out of memory)."""
        with self.root(resources=resources(cpus=1, mem=64)) as root:
            paths = [(root, unique()) for _ in range(50)]
            outputs = [session(self.agent, *path, command=argv("cat")) for path in paths]
            for path, output in zip(paths, outputs, strict=True):
                self.assertEqual(200, write_input(self.agent, *path, data=b"hi\n",
                                                  eof=False).status)
                output.read_until(b"hi\n")
            usage = int(self.agent.cgroup_file("memory", root, file="memory.usage_in_bytes"))
            self.assertLess(usage, 60 * MB)
            for path, output in zip(paths, outputs, strict=True):
                write_input(self.agent, *path, data=b"")
                self.assertEqual(b"hi\n", output.read_to_end().stdout)
                self.assertEqual(0, self.agent.wait(*path)["exit_status"])
            self.assertEqual({(root,)}, self.agent.containers())


class BrokenStreams(OwnAgentTestCase):
    def test_a_stream_that_breaks_ends_without_the_last_chunk(self) -> None:
        """When the switchboard dies, the client can tell; nothing is written into the body."""
        agent = self.new_agent()
        agent.launch("root", command=shell("sleep 100000"))
        output = session(agent, "root", "c", command=shell("echo ready; sleep 1000"))
        output.read_until(b"ready\n")
        switchboards = [pid for pid, what in helper_processes(agent).items()
                        if "switchboard" in what]
        self.assertEqual(1, len(switchboards), "one switchboard process")
        os.kill(switchboards[0], 9)
        self.assertTrue(output.ends_uncleanly())
        termination = agent.wait("root", "c")
        self.assertEqual("REASON_IO_SWITCHBOARD_EXITED", termination.get("reason"), termination)
        self.assertEqual("TASK_FAILED", termination.get("state"))
        self.assertRegex(termination.get("message", ""), "IOSwitchboard")
        self.assertEqual({("root",)}, agent.containers())

    def test_agent_killed_amid_a_stream(self) -> None:
        agent = self.new_agent()
        agent.launch("root", command=shell("sleep 100000"))
        output = session(agent, "root", "c", command=shell("echo ready; sleep 1000"))
        output.read_until(b"ready\n")
        agent.kill9()
        with self.assertRaises((ConnectionClosed, ConnectionResetError)):
            output.read_to_end()
        agent.start()


if __name__ == "__main__":
    import run
    run.main([__file__])
