"""Input that is made to break who parses it: too deep, too large, too long, at odds with itself."""

from __future__ import annotations

import contextlib
import gzip
import json
import struct
from collections.abc import Iterator

import wire
from attach import Input, attach_output, id_record
from harness import AgentTestCase, OwnAgentTestCase, argv, shell, unique
from rawhttp import Connection, ConnectionClosed, Response, request_head
from recordio import record
from sessions import ATTACHABLE, MB, rss
from wire import JSON, PROTOBUF, RECORDIO

DEPTHS = (199, 1000, 100_000, 2_000_000)


def deep_json(depth: int) -> Iterator[str]:
    """Every way of nesting, closed and not, bare and in a call, in known fields and unknown."""
    for opened, closed in (("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")):
        yield opened * depth
        yield opened * depth + "1" + closed * depth
        yield '{"type":"GET_HEALTH","unknown":' + opened * depth + "1" + closed * depth + "}"
    yield ('{"type":"WAIT_CONTAINER","wait_container":{"container_id":'
           + '{"value":"a","parent":' * depth + '{"value":"a"}' + "}" * depth + "}}")


class BadInput(AgentTestCase):
    """The agent answers, goes on, and has not grown. Each test begins with what is well-formed."""

    def setUp(self) -> None:
        super().setUp()
        self.agent.expect(200, {"type": "GET_HEALTH"})
        self.pid, self.size = self.agent.pid, rss(self.agent.pid)

    def tearDown(self) -> None:
        self.agent.expect(200, {"type": "GET_HEALTH"})
        self.assertEqual(self.pid, self.agent.pid)
        self.assertLess(rss(self.pid), self.size + 128 * MB)
        super().tearDown()

    def post(self, body: bytes, content_type: str = JSON, **headers: str) -> Response:
        with self.agent.connect() as connection:
            return connection.request("POST", "/api/v1", {
                "Content-Type": content_type, "Accept": JSON, **headers}, body)


class DeepInput(BadInput):
    """What recursion would need a stack for (CVE-2018-11793)."""

    def test_json_bodies(self) -> None:
        shallow = '{"type":"GET_HEALTH","unknown":' + "[" * 50 + "]" * 50 + "}"
        self.assertEqual(200, self.post(shallow.encode()).status)
        for depth in DEPTHS:
            for text in deep_json(depth):
                response = self.post(text.encode())
                # What is not too deep can be a good call with an unknown field.
                expected = (200, 400, 404) if depth < 200 else (400,)
                self.assertIn(response.status, expected, (depth, text[:60], response.text[:200]))
                self.assertLess(len(response.body), 4096)

    def test_compressed_json_bodies(self) -> None:
        body = gzip.compress(b"[" * (32 * MB))
        self.assertLess(len(body), 64 * 1024)
        self.assertEqual(400, self.post(body, **{"Content-Encoding": "gzip"}).status)
        bomb = gzip.compress(b" " * (65 * MB))
        self.assertEqual(413, self.post(bomb, **{"Content-Encoding": "gzip"}).status)

    def test_protobuf_bodies(self) -> None:
        def nested(depth: int) -> bytes:
            """WAIT_CONTAINER of an id with so many parents."""
            identifier = b"\x0a\x01a"
            for _ in range(depth):
                identifier = (b"\x0a\x01a\x12" + varint(len(identifier)) + identifier)
            field = b"\x0a" + varint(len(identifier)) + identifier
            number = wire.serialize(PROTOBUF, "Call", {"type": "WAIT_CONTAINER", "wait_container": {
                "container_id": {"value": "a"}}})
            tag = number[2:number.index(b"\x0a\x03\x0a\x01a") - 1]
            return number[:2] + tag + varint(len(field)) + field

        self.assertEqual(404, self.post(nested(0), PROTOBUF).status)
        self.assertEqual(404, self.post(nested(20), PROTOBUF).status)
        for depth in (200, 1000, 5000):
            self.assertEqual(400, self.post(nested(depth), PROTOBUF).status, depth)
        for junk in (b"\x0b" * 1_000_000, b"\xff" * 1000, b"\x0a\xff\xff\xff\xff\x0f" + b"x" * 10,
                     b"\x08" + b"\x80" * 100_000):
            self.assertEqual(400, self.post(junk, PROTOBUF).status, junk[:8])

    def test_records_of_an_input_stream(self) -> None:
        """Its first record the agent parses, the rest the switchboard."""
        name = unique()
        self.agent.launch(name, command=argv("cat", **ATTACHABLE))
        for depth in DEPTHS:
            for text in deep_json(depth):
                if len(text) > 64 * 1024:
                    continue  # that is more than a first record may have
                response = self.post(record(text.encode()), RECORDIO,
                                     **{"Message-Content-Type": JSON})
                self.assertIn(response.status, (400, 404, 415, 500), (depth, text[:60]))
        for text in deep_json(100_000):
            with Input(self.agent, name) as stream:
                stream.connection.send(b"%x\r\n%s\r\n0\r\n\r\n" % (
                    len(record(text.encode())), record(text.encode())))
                self.assertIn(stream.response().status, (400, 500), text[:60])
        with attach_output(self.agent, name) as output, Input(self.agent, name) as stream:
            stream.stdin(b"still there").eof()
            self.assertEqual(200, stream.finish().status)
            self.assertEqual(b"still there", output.read_to_end().stdout)


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7f:
        out += bytes([value & 0x7f | 0x80])
        value >>= 7
    return out + bytes([value])


class HugeInput(BadInput):
    def test_numbers(self) -> None:
        call = '{"type":"READ_FILE","read_file":{"path":"/nowhere","offset":%s}}'
        self.assertEqual(404, self.post((call % "1").encode()).status)
        for number in ("1e999999999", "-1e999999999", "9" * 1_000_000, "0." + "0" * 1_000_000 + "1",
                       "1e" + "9" * 100_000, "-" * 1000 + "1", "1" + "0" * 400, "-1", "1.5",
                       "18446744073709551616", '"99999999999999999999999"', "1e-999999999"):
            self.assertIn(self.post((call % number).encode()).status, (400, 404), number[:30])

    def test_strings(self) -> None:
        call = '{"type":"READ_FILE","read_file":{"path":"%s","offset":0}}'
        for text in ("x" * (16 * MB), "\\u0041" * MB, "\\\\" * MB, "\\ud800" * 1000, "\\" * 1001,
                     "\\u00", "\\x41", '"' * 1000):
            response = self.post((call % text).encode())
            self.assertIn(response.status, (400, 404, 413), text[:20])
            self.assertLess(len(response.body), MB)
        many = "{" + ",".join(f'"k{i}":{i}' for i in range(200_000)) + "}"
        self.assertEqual(400, self.post(many.encode()).status)

    def test_bodies(self) -> None:
        """More than --max_request_size, whatever its length says."""
        for headers in ({"Content-Length": str(1 << 62)}, {"Content-Length": str(65 * MB)},
                        {"Transfer-Encoding": "chunked"}):
            with self.agent.connect() as connection:
                connection.send(request_head("POST", "/api/v1", {
                    "Host": "a", "Content-Type": JSON, **headers}))
                piece = b" " * MB
                if "Transfer-Encoding" in headers:
                    piece = b"%x\r\n%s\r\n" % (len(piece), piece)
                try:
                    for _ in range(80):
                        connection.send(piece)
                except OSError:
                    pass  # it has had enough
                try:
                    self.assertEqual(413, connection.read_response().status)
                except ConnectionResetError:
                    pass  # what was sent after the answer
        self.agent.expect(200, {"type": "GET_HEALTH"})

    def test_many_slow_large_requests(self) -> None:
        """Together they get no more memory than a few of the largest: 503 for those beyond."""
        for path in ("/api/v1", "/api/v1/executor"):
            with self.subTest(path=path):
                self.send_slow_large_requests(path)

    def send_slow_large_requests(self, path: str) -> None:
        part = b" " * (24 * MB)
        open_: list[Connection] = []
        try:
            for _ in range(40):
                connection = self.agent.connect()
                open_.append(connection)
                connection.send(request_head("POST", path, {
                    "Host": "a", "Content-Type": JSON, "Content-Length": str(60 * MB)}))
                try:
                    connection.send(part)
                except OSError:
                    pass  # it was refused meanwhile
            self.agent.expect(200, {"type": "GET_HEALTH"})
            refused = [c for c in open_ if c.readable(0) and c.read_response().status == 503]
            self.assertGreater(len(refused), 20)
            self.assertLess(len(refused), 40)
            self.assertLess(rss(self.pid), self.size + 600 * MB)
        finally:
            for connection in open_:
                connection.close()
        # What was given up is there again, and small ones were never refused.
        self.assertEqual(400, self.post(b" " * (60 * MB)).status)


class Records(BadInput):
    """Lengths of RecordIO that are not true."""

    def test_first_record(self) -> None:
        name = unique()
        self.agent.launch(name, command=argv("cat", **ATTACHABLE))
        good = wire.to_json(id_record(name))
        first = record(good)
        self.assertEqual(200, self.post(first, RECORDIO, **{"Message-Content-Type": JSON}).status)
        for lie in (b"99999999999999999999\n", b"18446744073709551615\n", b"18446744073709551616\n",
                    b"-1\n", b"+5\n", b"0x10\n", b" 5\n", b"5 \n", b"\n", b"1e3\n", b"9" * 100_000,
                    b"9" * 100_000 + b"\n", b"0\n", b"0\n" * 10_000, b"%d\n" % (1 << 40),
                    b"%d\n" % (len(good) + 1), b"%d\n" % (len(good) - 1)):
            response = self.post(lie + good, RECORDIO, **{"Message-Content-Type": JSON})
            self.assertIn(response.status, (400, 413, 500), lie[:30])
            self.assertLess(len(response.body), 4096)

    def test_later_records(self) -> None:
        """The switchboard reads those. It stays, and as small as it was."""
        name = unique()
        self.agent.launch(name, command=argv("cat", **ATTACHABLE))
        path = self.agent.runtime_dir / "containers" / name / "io_switchboard" / "pid"
        pid = int(path.read_text().split()[0])
        before = rss(pid)
        for lie in (b"99999999999999999999\nx", b"-1\nx", b"\n\n\n", b"9" * 100_000, b"5\nabcde",
                    b"%d\n" % (1 << 40) + b"x" * MB):
            with Input(self.agent, name) as stream:
                stream.connection.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(lie), lie))
                self.assertIn(stream.response().status, (400, 413, 500), lie[:30])
        self.assertLess(rss(pid), before + 16 * MB)
        with attach_output(self.agent, name) as output, Input(self.agent, name) as stream:
            stream.stdin(b"still there").eof()
            self.assertEqual(200, stream.finish().status)
            self.assertEqual(b"still there", output.read_to_end().stdout)


HEALTH = b'{"type":"GET_HEALTH"}'
POST = b"POST /api/v1 HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
HIDDEN = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


class Framing(BadInput):
    """Requests whose end is not the same for everybody: what one server takes for the body, the next
    takes for a request. One answer, an error, and the connection is closed."""

    def answers(self, request: bytes) -> list[int]:
        """The statuses of all responses until the connection is closed, or idle."""
        found = []
        with self.agent.connect() as connection:
            with contextlib.suppress(OSError):  # it is answered, and closed, before it is all sent
                connection.send(request)
                connection.shutdown_write()
            while True:
                try:
                    found.append(connection.read_response().status)
                except (ConnectionClosed, ConnectionResetError):
                    return found

    def test_the_control(self) -> None:
        """Two requests that everybody understands are two."""
        body = POST + b"Content-Length: %d\r\n\r\n" % len(HEALTH) + HEALTH
        self.assertEqual([200, 404], self.answers(body + HIDDEN))
        chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (
            len(HEALTH), HEALTH)
        self.assertEqual([200, 404], self.answers(chunked + HIDDEN))

    def test_ambiguous_lengths(self) -> None:
        size = b"%d" % len(HEALTH)
        chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(HEALTH), HEALTH)
        length, chunked = b"Content-Length: " + size, b"Transfer-Encoding: chunked"
        for fields, body in (
                ((length, chunked), chunks), ((chunked, length), chunks),
                ((length, b"Content-Length: 5"), HEALTH), ((b"Content-Length: 5", length), HEALTH),
                ((length, b"Content-Length: " + size), HEALTH),
                ((b"Content-Length: " + size + b", " + size,), HEALTH),
                ((b"Content-Length: +" + size,), HEALTH), ((b"Content-Length: -1",), HEALTH),
                ((b"Content-Length: 0x15",), HEALTH), ((b"Content-Length: 2 1",), HEALTH),
                ((b"Content-Length: 99999999999999999999999",), HEALTH),
                ((b"Content-Length : " + size,), HEALTH), ((b" Content-Length: " + size,), HEALTH),
                ((b"Content-Length:",), HEALTH),
                ((b"Transfer-Encoding: xchunked",), chunks),
                ((b"Transfer-Encoding: chunked, identity",), chunks),
                ((b"Transfer-Encoding: identity, chunked", length), chunks),
                ((b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"), chunks),
                ((b"Transfer-Encoding : chunked",), chunks),
                ((b"Transfer-Encoding:\x0bchunked",), chunks),
                ((b"Transfer-Encoding: \"chunked\"",), chunks),
                ((b"X: a\r\n Transfer-Encoding: chunked", length, b"Content-Length: 3"), chunks),
                ((b"X: a\nTransfer-Encoding: chunked", length), chunks)):
            request = POST + b"\r\n".join(fields) + b"\r\n\r\n" + body + HIDDEN
            answers = self.answers(request)
            self.assertNotIn(404, answers[1:], (fields, answers))
            self.assertEqual(1, len(answers), (fields, answers))
            self.assertGreaterEqual(answers[0], 400, (fields, answers))

    def test_broken_chunks(self) -> None:
        size = b"%x" % len(HEALTH)
        for body in (size + b"\n" + HEALTH + b"\r\n0\r\n\r\n", b"-1\r\n" + HEALTH,
                     b"0x" + size + b"\r\n" + HEALTH + b"\r\n0\r\n\r\n", b" " + size + b"\r\n" + HEALTH,
                     b"fffffffffffffffff\r\n" + HEALTH, b"ffffffffffffffff\r\n" + HEALTH,
                     size + b"\r\n" + HEALTH + b"X\r\n0\r\n\r\n", size + b"\r\r\n" + HEALTH,
                     size + b"\r\n" + HEALTH + b"\r\n0\r\nA\n\r\n",
                     size + b";" + b"x" * 100_000 + b"\r\n" + HEALTH + b"\r\n0\r\n\r\n",
                     size + b"\r\n" + HEALTH + b"\r\n0\r\n" + b"T: x\r\n" * 100_000 + b"\r\n",
                     size + b";a=\"\n\"\r\n" + HEALTH + b"\r\n0\r\n\r\n",
                     b"0" * 200_000 + size + b"\r\n" + HEALTH + b"\r\n0\r\n\r\n"):
            answers = self.answers(POST + b"Transfer-Encoding: chunked\r\n\r\n" + body + HIDDEN)
            # 500: the request has ended before its chunk.
            self.assertIn(answers, ([400], [500]), body[:60])

    def test_extensions_of_many_chunks(self) -> None:
        """Each within its limit, all together far more than the body."""
        extension = b";" + b"x" * 8000
        body = b"".join(b"1%s\r\n%c\r\n" % (extension, byte) for byte in HEALTH + b" " * 50)
        answers = self.answers(POST + b"Transfer-Encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n")
        self.assertEqual([400], answers)

    def test_heads(self) -> None:
        """Too many fields, too long ones, and heads without an end."""
        line = b"GET /health HTTP/1.1\r\nHost: a\r\n"
        self.assertEqual([200], self.answers(line + b"A: b\r\n" * 100 + b"\r\n"))
        for head in (line + b"A: b\r\n" * 100_000 + b"\r\n", line + b"A: b\r\n" * 1000,
                     line + b"A: " + b"b" * MB, line + b"A" * MB, b"G" * MB,
                     b"GET /" + b"a" * MB, line + b"A: b\r\n c\r\n" * 100_000,
                     line + b"A:" + b" " * MB + b"\r\n\r\n", line + b"\xff: \xff\r\n\r\n",
                     b"\0" * 10_000, b"\r\n" * 100_000 + line + b"\r\n", b"GET /health HTTP/9.9\r\n\r\n",
                     line + b"A: b\0c\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
                     b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
            with self.agent.connect() as connection:
                try:
                    connection.send(head)
                    response = connection.read_response()
                except (ConnectionClosed, ConnectionResetError, BrokenPipeError):
                    continue  # closed with the rest unread: its kernel may drop the answer
                self.assertIn(response.status, (200, 400, 431, 505), head[:40])
                if response.status == 200:
                    self.assertTrue(head.startswith((b"\r\n", line)), head[:40])
        self.agent.expect(200, {"type": "GET_HEALTH"})


class HostFiles(OwnAgentTestCase):
    """What the agent reads at its start, from where others can write."""

    def test_deep_flags(self) -> None:
        """The agent ends with a sentence, or takes it for text; it does not crash."""
        for flag in ("resources", "attributes", "firewall_rules"):
            for text in ("[" * 100_000, '[{"a":' * 20_000, '{"a":' * 20_000 + "1" + "}" * 20_000):
                agent = self.new_agent(start=False)
                (agent.scratch / "value").write_text(text)
                agent.flags[flag] = f"file://{agent.scratch}/value"
                agent.start(wait=False)
                self.assertEqual(1, agent.join(), (flag, text[:10]))
                self.assertRegex(agent.log_tail(), "mesos-agent: ")

    def test_deep_configurations_of_resource_providers(self) -> None:
        agent = self.new_agent(start=False)
        directory = agent.scratch / "providers"
        directory.mkdir()
        agent.flags["resource_provider_config_dir"] = str(directory)
        agent.start()
        config = {"type": "org.apache.mesos.rp.local.storage", "name": "a"}
        deep = json.dumps(config)[:-1] + ',"x":' + "[" * 100_000 + "]" * 100_000 + "}"
        with agent.connect() as connection:
            response = connection.request("POST", "/api/v1", {"Content-Type": JSON}, (
                '{"type":"ADD_RESOURCE_PROVIDER_CONFIG","add_resource_provider_config":{"info":'
                + deep + "}}").encode())
        self.assertEqual(400, response.status)
        (directory / "deep.json").write_text(deep)
        agent.call({"type": "REMOVE_RESOURCE_PROVIDER_CONFIG", "remove_resource_provider_config": {
            "type": "org.apache.mesos.rp.local.storage", "name": "a"}})
        agent.expect(200, {"type": "GET_HEALTH"})

    def test_deep_and_lying_checkpoints(self) -> None:
        agent = self.new_agent()
        agent.launch("intact", command=shell("sleep 100000"))
        identifier = b""
        for _ in range(5000):
            identifier = b"\x0a\x01a\x12" + varint(len(identifier)) + identifier
        deep = b"\x0a" + varint(len(identifier)) + identifier
        damages = (struct.pack("<I", len(deep)) + deep, struct.pack("<I", 0xffffffff) + b"x",
                   b"\xff" * 100_000, struct.pack("<I", 6) + b"\x0a\xff\xff\xff\xff\x0f")
        for number, content in enumerate(damages):
            name = f"damaged-{number}"
            agent.launch(name, command=shell("sleep 100000"))
            agent.kill9()
            (agent.runtime_dir / "containers" / name / "config").write_bytes(content)
            agent.start()
            self.assertIn(("intact",), agent.containers())
            self.assertLess(rss(agent.pid), 128 * MB)


if __name__ == "__main__":
    import run
    run.main([__file__])
