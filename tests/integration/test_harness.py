"""The harness itself: its codecs against each other, against protoc and against recordings.

Needs neither root nor binaries. A codec with a fault would find faults that are not there.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

import attach
import leftovers
import replay
import wire
from differences import DIFFERENCES
from harness import (DATA, REPOSITORY, argv, container_id, eventually, id_path, resources, shell)
from rawhttp import (LAST_CHUNK, ChunkDecoder, Connection, ConnectionClosed, ProtocolError, chunk,
                     request_head)
from recordio import RecordDecoder, RecordError, record, split
from wire import JSON, Message

# One of everything that the tests encode, to be understood by protoc in the same way.
CALLS: list[Message] = [
    {"type": "GET_HEALTH"},
    {"type": "GET_CONTAINERS", "get_containers": {"show_nested": True, "show_standalone": False}},
    {"type": "WAIT_NESTED_CONTAINER", "wait_nested_container": {
        "container_id": container_id("root", "é", "leaf")}},
    {"type": "REMOVE_CONTAINER", "remove_container": {"container_id": container_id("a")}},
    {"type": "KILL_CONTAINER", "kill_container": {"container_id": container_id("a"), "signal": -1}},
    {"type": "KILL_NESTED_CONTAINER", "kill_nested_container": {
        "container_id": container_id("a", "b"), "signal": 15}},
    {"type": "LAUNCH_CONTAINER", "launch_container": {
        "container_id": container_id("a"), "command": shell("exit 1", user="nobody", A="b"),
        "resources": resources(cpus=0.25, mem=64), "container": {
            "type": "MESOS", "linux_info": {"share_cgroups": False, "share_pid_namespace": True}},
        "limits": {"cpus": {"value": float("inf")}, "mem": {"value": 1.5}}}},
    {"type": "LAUNCH_NESTED_CONTAINER", "launch_nested_container": {
        "container_id": container_id("a", "b"), "command": argv("ls", "-l", ""), "container": {
            "type": "DOCKER", "docker": {"image": "x", "parameters": [
                {"key": "k", "value": "v"}]}}}},
    {"type": "LAUNCH_NESTED_CONTAINER", "launch_nested_container": {
        "container_id": container_id("a", "b"), "container": {"type": "MESOS", "volumes": [
            {"mode": "RO", "container_path": "x", "source": {
                "type": "SANDBOX_PATH", "sandbox_path": {"type": "PARENT", "path": "y"}}},
            {"mode": "RW", "container_path": "x", "host_path": "/y"},
            {"mode": "RW", "container_path": "x", "source": {
                "type": "HOST_PATH", "host_path": {"path": "/z"}}},
            {"mode": "RW", "container_path": "x", "source": {
                "type": "SECRET", "secret": {"type": "VALUE", "value": {"data": b"\0\xff"}}}},
            {"mode": "RW", "container_path": "x", "source": {
                "type": "DOCKER_VOLUME", "docker_volume": {"driver": "d", "name": "n"}}},
            {"mode": "RW", "container_path": "x", "image": {
                "type": "DOCKER", "docker": {"name": "busybox"}}}]},
        "command": {"value": "true", "environment": {"variables": [
            {"name": "A", "type": "SECRET", "secret": {
                "type": "REFERENCE", "reference": {"name": "n", "key": "k"}}}]}}}},
    attach.session_call("a", "b", command=shell("x"), container=attach.tty(24, 80)),
    {"type": "ATTACH_CONTAINER_OUTPUT", "attach_container_output": {
        "container_id": container_id("a")}},
    attach.id_record("a", "b"),
    attach.io_record(attach.stdin_io(b"\0\xffdata")),
    attach.io_record(attach.stdin_io(b"")),
    attach.io_record(attach.resize_io(0, 211)),
    attach.io_record(attach.heartbeat_io(30)),
    {"type": "SET_LOGGING_LEVEL", "set_logging_level": {
        "level": 1, "duration": {"nanoseconds": 1 << 40}}},
    {"type": "READ_FILE", "read_file": {"path": "/p", "offset": (1 << 64) - 1, "length": 0}},
    {"type": "LAUNCH_CONTAINER", "launch_container": {
        "container_id": container_id("a"), "resources": [
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.0}, "revocable": {},
             "reservations": [{"type": "DYNAMIC", "role": "r", "principal": "p"}]},
            {"name": "disk", "type": "SCALAR", "scalar": {"value": 1.0}, "disk": {
                "persistence": {"id": "i"}, "volume": {"mode": "RW", "container_path": "v"}}}]}},
]


class Wire(unittest.TestCase):
    def test_round_trip(self) -> None:
        for call in CALLS:
            self.assertEqual(call, wire.decode("Call", wire.encode("Call", call)))

    def test_known_bytes(self) -> None:
        """As Apache Mesos and mesos-go wrote them."""
        self.assertEqual(b"\x08\x01", wire.encode("Call", {"type": "GET_HEALTH"}))
        self.assertEqual({"type": "WAIT_NESTED_CONTAINER",
                          "wait_nested_container": {"exit_status": 768}},
                         wire.decode("Response", b"\x08\x0dr\x03\x08\x80\x06"))
        self.assertEqual({"type": "DATA", "data": {"type": "STDOUT", "data": b"out\n"}},
                         wire.decode("ProcessIO", b"\x08\x01\x12\x08\x08\x02\x12\x04out\n"))

    def test_broken_bytes(self) -> None:
        for data in (b"\x08", b"\x0a\x05ab", b"\xff\xff\xff", b"\x00\x00", b"\x0f"):
            with self.assertRaises(wire.WireError):
                wire.decode("Call", data)

    def test_unknown_fields_are_skipped(self) -> None:
        self.assertEqual({"type": "GET_HEALTH"}, wire.decode("Call", b"\x08\x01\xfa\x7f\x03abc"))

    def test_json(self) -> None:
        call = attach.io_record(attach.stdin_io(b"x\n"))
        self.assertIn(b'"data": "eAo="', wire.to_json(call))
        self.assertEqual(b'{"value": "Infinity"}', wire.to_json({"value": float("inf")}))

    def protoc(self, direction: str, message: str, data: bytes) -> bytes:
        self.assertIsNotNone(shutil.which("protoc"), "needs protoc (protobuf-compiler)")
        return subprocess.run(
            ["protoc", f"-I{REPOSITORY}", f"--{direction}=mesos.v1.agent.{message}",
             "proto/mesos/v1/agent/agent.proto"],
            input=data, cwd=REPOSITORY, capture_output=True, check=True).stdout

    def test_against_protoc(self) -> None:
        """The project's .proto files agree with the numbers written down here: what protoc makes
        of our bytes it turns back into bytes that decode to the same message."""
        for call in CALLS:
            text = self.protoc("decode", "Call", wire.encode("Call", call))
            self.assertNotRegex(text.decode(), r"(?m)^\s*\d+[ :]", f"unknown field: {text!r}")
            encoded = self.protoc("encode", "Call", text)
            self.assertEqual(call, wire.decode("Call", encoded))

    def test_responses_against_protoc(self) -> None:
        text = b"""
            type: WAIT_CONTAINER
            wait_container { exit_status: -1 state: TASK_FAILED message: "m"
              reason: REASON_CONTAINER_LIMITATION_MEMORY
              limitation { resources { name: "mem" type: SCALAR scalar { value: 32 } } } }"""
        self.assertEqual(
            {"type": "WAIT_CONTAINER", "wait_container": {
                "exit_status": -1, "state": "TASK_FAILED", "message": "m",
                "reason": "REASON_CONTAINER_LIMITATION_MEMORY",
                "limitation": {"resources": resources(mem=32.0)}}},
            wire.decode("Response", self.protoc("encode", "Response", text)))
        text = b"""
            type: GET_CONTAINERS
            get_containers { containers { container_id { value: "c" parent { value: "p" } }
              container_status { container_id { value: "c" } executor_pid: 7 }
              resource_statistics { timestamp: 1.5 cpus_soft_limit: 0.5 mem_limit_bytes: 64 } } }"""
        self.assertEqual(
            {"type": "GET_CONTAINERS", "get_containers": {"containers": [{
                "container_id": container_id("p", "c"),
                "container_status": {"container_id": {"value": "c"}, "executor_pid": 7},
                "resource_statistics": {"timestamp": 1.5, "cpus_soft_limit": 0.5,
                                        "mem_limit_bytes": 64}}]}},
            wire.decode("Response", self.protoc("encode", "Response", text)))

    def test_process_io_against_protoc(self) -> None:
        for message in (attach.stdin_io(b"\0a"), attach.resize_io(1, 2), attach.heartbeat_io(1)):
            text = self.protoc("decode", "ProcessIO", wire.encode("ProcessIO", message))
            self.assertEqual(message, wire.decode("ProcessIO", self.protoc("encode", "ProcessIO",
                                                                           text)))

    def test_ids(self) -> None:
        for path in (("a",), ("a", "b"), ("a", "b", "c")):
            self.assertEqual(path, id_path(container_id(*path)))


def in_pieces(data: bytes, seed: int) -> list[bytes]:
    chance, out, at = random.Random(seed), [], 0
    while at < len(data):
        size = chance.choice((1, 1, 2, 3, 7, 50, 5000))
        out.append(data[at:at + size])
        at += size
    return out


class Framing(unittest.TestCase):
    def test_chunks_in_any_pieces(self) -> None:
        chunks = [b"a", b"bc\r\n", b"0\r\n\r\n", os.urandom(10_000), b"z"]
        data = b"".join(map(chunk, chunks)) + LAST_CHUNK + b"HTTP/1.1"
        for seed in range(50):
            decoder = ChunkDecoder()
            found = [c for piece in in_pieces(data, seed) for c in decoder.feed(piece)]
            self.assertEqual(chunks, found)
            self.assertTrue(decoder.done)
            self.assertEqual(b"HTTP/1.1", decoder.leftover())

    def test_bad_chunks(self) -> None:
        for data in (b"x\r\n", b"\r\n", b"-1\r\n", b"1\r\nabc", b"1;e=1\r\n", b"1" * 30):
            with self.assertRaises(ProtocolError):
                ChunkDecoder().feed(data)

    def test_records_in_any_pieces(self) -> None:
        records = [b"", b"a", b"1\n", os.urandom(100_000), b"\n\n"]
        data = b"".join(map(record, records))
        for seed in range(50):
            decoder = RecordDecoder()
            found = [r for piece in in_pieces(data, seed) for r in decoder.feed(piece)]
            self.assertEqual(records, found)
            self.assertFalse(decoder.partial())

    def test_bad_records(self) -> None:
        for data in (b"zz\n", b"\n", b" 1\na", b"1\r\na", b"-1\n", b"x" * 30):
            with self.assertRaises(RecordError):
                RecordDecoder().feed(data)
        with self.assertRaises(RecordError):
            split(b"5\nabc")


class Canned:
    """A server that answers each connection with the same bytes, in pieces, and closes it."""

    def __init__(self, reply: bytes) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.reply = reply
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self.socket.accept()
                with peer:
                    for piece in in_pieces(self.reply, len(self.reply)):
                        peer.sendall(piece)

    def __enter__(self) -> Connection:
        return Connection(self.socket.getsockname(), timeout=5)

    def __exit__(self, *_: object) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


class Http(unittest.TestCase):
    def test_responses_one_after_another(self) -> None:
        reply = (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a\r\nx: b\r\n\r\nhi"
                 b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"
                 b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        with Canned(reply) as connection, connection:
            first = connection.read_response()
            self.assertEqual((200, b"hi", "b"), (first.status, first.body, first.headers.get("X")))
            second = connection.read_response()
            self.assertEqual((b"abc", [1, 2]), (second.body, second.chunk_sizes))
            third = connection.read_response()
            self.assertEqual("HTTP/1.1 404 Not Found", third.status_line)
            self.assertTrue(connection.ended())

    def test_broken_off(self) -> None:
        for reply in (b"", b"HTTP/1.1 200 OK\r\n",
                      b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
                      b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"):
            with Canned(reply) as connection, connection:
                with self.assertRaises(ConnectionClosed):
                    connection.read_response()

    def test_malformed(self) -> None:
        for reply in (b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 20 OK\r\n\r\n",
                      b"HTTP/1.1 200 OK\r\nbad\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n",
                      b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"):
            with Canned(reply) as connection, connection:
                with self.assertRaises(ProtocolError):
                    connection.read_response()

    def test_ended(self) -> None:
        with Canned(b"x") as connection, connection:
            self.assertFalse(connection.ended())
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        with Connection(server.getsockname(), timeout=5) as connection:
            self.assertFalse(connection.ended(0.1))
            self.assertFalse(connection.readable(0.1))

    def test_request_head(self) -> None:
        self.assertEqual(b"POST /x HTTP/1.1\r\nA: b\r\n\r\n",
                         request_head("POST", "/x", {"A": "b", "C": None}))


class Recordings(unittest.TestCase):
    def test_requests_stay_as_recorded(self) -> None:
        """With ids of the recorded length, lengths come out as recorded."""
        class Same(dict[str, str]):
            def __missing__(self, key: str) -> str:
                return "01234567-89ab-cdef-0123-456789abcdef"

        for name in ("negotiation", "containers", "streams"):
            for case in replay.load(name):
                plain = replay.substitute(case.request, Same())
                self.assertEqual(plain, replay.prepare_request(case.request, Same()),
                                 f"{name}: {case.name}")

    def test_lengths_are_computed_again(self) -> None:
        request = (b"POST / HTTP/1.1\r\nContent-Type: application/recordio\r\n"
                   b'Content-Length: 99\r\n\r\n9\n{"a": "${X}"}9\n{}')
        self.assertEqual(
            b"POST / HTTP/1.1\r\nContent-Type: application/recordio\r\n"
            b'Content-Length: 18\r\n\r\n11\n{"a": "xy"}2\n{}',
            replay.prepare_request(request, {"X": "xy"}))

    def test_differences_name_recorded_cases(self) -> None:
        cases = {(c.recording, c.name) for file in (replay.DATA / "recordings").glob("*.jsonl")
                 for c in replay.load(file.stem)}
        self.assertLessEqual(set(DIFFERENCES), cases)

    def test_client_requests_can_be_read(self) -> None:
        import test_clients
        files = sorted((DATA / "recordings" / "clients").glob("*/*.http"))
        self.assertGreater(len(files), 200)
        for file in files:
            request = test_clients.Recorded(file)
            if request.body and file.stem != "JSON":
                self.assertIn("type", request.call or {"type": ""}, file)
        go = test_clients.Recorded(
            DATA / "recordings/clients/mesos-go-agent-protobuf/ATTACH_CONTAINER_INPUT.http")
        self.assertEqual(5, len(go.records))
        self.assertEqual(JSON, test_clients.Recorded(
            DATA / "recordings/clients/curl/GET_HEALTH.http").accept)


class Leftovers(unittest.TestCase):
    def test_processes_are_found(self) -> None:
        scratch = Path(tempfile.mkdtemp(prefix="mesos-agent-test-")).resolve()
        self.addCleanup(shutil.rmtree, scratch)
        owner = leftovers.Owner(scratch, "mesos_test_none")
        self.assertEqual([], leftovers.find(owner))
        for start in (lambda: subprocess.Popen(["sleep", "100"], cwd=scratch),
                      lambda: subprocess.Popen(["sleep", "100"], env={"X": str(scratch)}),
                      lambda: subprocess.Popen(["tail", "-f", "/dev/null", str(scratch)],
                                               stdout=subprocess.DEVNULL,
                                               stderr=subprocess.DEVNULL),
                      lambda: subprocess.Popen(["sleep", "100"],
                                               stdout=(scratch / "out").open("w"))):
            process = start()
            try:
                # A process that has just executed its program has no arguments yet.
                found = eventually(lambda: leftovers.find(owner), "the process is found")
                self.assertEqual(1, len(found), found)
                self.assertIn(f"process {process.pid}:", found[0])
                self.assertEqual([], leftovers.find(owner, frozenset({process.pid})))
                leftovers.scrub(owner)
                self.assertEqual(-9, process.wait(10))
            finally:
                process.kill()
                process.wait(10)
        self.assertEqual([], leftovers.find(owner))

    def test_sockets_are_found(self) -> None:
        with tempfile.TemporaryDirectory(prefix="mesos-agent-test-") as directory:
            server = socket.socket(socket.AF_UNIX)
            self.addCleanup(server.close)
            server.bind(f"{directory}/s")
            found = leftovers.find(leftovers.Owner(Path(directory), "mesos_test_none"))
            self.assertEqual([f"socket {directory}/s"], found)


if __name__ == "__main__":
    import run
    run.main([__file__])
