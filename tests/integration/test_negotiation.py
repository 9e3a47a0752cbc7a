"""Methods, paths, media types, broken bodies and connections: replayed as recorded, and beyond."""

from __future__ import annotations

import gzip
import re

import wire
from harness import ENCODINGS, INVALID, AgentTestCase, Reply, Text, container_id
from rawhttp import Response
from recordio import record
from replay import ReplayTestMixin
from wire import JSON, PROTOBUF, RECORDIO, Message


class NegotiationReplay(AgentTestCase, ReplayTestMixin):
    def test_replay(self) -> None:
        self.replay(self.agent, "negotiation", {})

HEALTH = b'{"type":"GET_HEALTH"}'
ACCEPT_TEXT = ("Expecting 'Accept' to allow "
               "application/json or application/x-protobuf or application/recordio")
TYPE_TEXT = ("Expecting 'Content-Type' of "
             "application/json or application/x-protobuf or application/recordio")
OUTPUT_CALL: Message = {"type": "ATTACH_CONTAINER_OUTPUT", "attach_container_output": {
    "container_id": container_id("no-such-root")}}

# Negotiation beyond the recordings: (name, method, headers, body, status, text). None: any text.
NEGOTIATION: list[tuple[str, str, dict[str, str | None], bytes, int, Text | None]] = [
    ("method before type", "PUT", {}, HEALTH, 405,
     "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'PUT'."),
    ("type before accept", "POST", {"Accept": "text/html"}, HEALTH, 400,
     "Expecting 'Content-Type' to be present"),
    ("bad type before accept", "POST", {"Content-Type": "text/xml", "Accept": "text/html"},
     HEALTH, 415, TYPE_TEXT),
    ("accept before body", "POST", {"Content-Type": JSON, "Accept": "text/html"}, b"{", 406,
     ACCEPT_TEXT),
    ("message type of recordio", "POST",
     {"Content-Type": RECORDIO, "Message-Content-Type": "text/plain"}, record(HEALTH), 415, None),
    ("message type recordio", "POST",
     {"Content-Type": RECORDIO, "Message-Content-Type": RECORDIO}, record(HEALTH), 415, None),
    ("message accept of recordio", "POST",
     {"Content-Type": JSON, "Accept": RECORDIO, "Message-Accept": "text/plain"},
     wire.to_json(OUTPUT_CALL), 406, re.compile("^Expecting 'Message-Accept' to allow ")),
    ("message accept without accept", "POST", {"Content-Type": JSON, "Message-Accept": JSON},
     HEALTH, 406, "Expecting 'Message-Accept' to be not set for non-streaming responses"),
    ("message accept with protobuf", "POST",
     {"Content-Type": JSON, "Accept": PROTOBUF, "Message-Accept": JSON},
     HEALTH, 406, "Expecting 'Message-Accept' to be not set for non-streaming responses"),
    ("validation before streaming of calls", "POST", {"Content-Type": JSON, "Accept": RECORDIO},
     b'{"type":"WAIT_CONTAINER"}', 400, f"{INVALID}Expecting 'wait_container' to be present"),
    ("streamed call", "POST", {"Content-Type": RECORDIO, "Message-Content-Type": JSON},
     record(HEALTH), 415,
     "Streaming 'Content-Type' application/recordio is not supported for GET_HEALTH call"),
    ("streamed protobuf call", "POST",
     {"Content-Type": RECORDIO, "Message-Content-Type": PROTOBUF}, record(b"\x08\x01"), 415,
     "Streaming 'Content-Type' application/recordio is not supported for GET_HEALTH call"),
    ("streamed reply", "POST", {"Content-Type": JSON, "Accept": RECORDIO}, HEALTH, 406,
     "Streaming response is not supported for GET_HEALTH call"),
    ("all of accept refused", "POST", {"Content-Type": JSON, "Accept": "*/*;q=0"}, HEALTH, 406,
     ACCEPT_TEXT),
    ("accept in upper case", "POST", {"Content-Type": JSON, "Accept": "APPLICATION/JSON"},
     HEALTH, 200, None),
    ("accept with spaces", "POST",
     {"Content-Type": JSON, "Accept": "text/html , application/json ; q=0.1"}, HEALTH, 200, None),
    ("type with parameter", "POST", {"Content-Type": "application/json;charset=UTF-8"},
     HEALTH, 200, None),
    ("type with two parameters", "POST",
     {"Content-Type": "Application/JSON ; a=b; charset=\"utf-8\""}, HEALTH, 200, None),
    ("null type", "POST", {"Content-Type": JSON}, b'{"type":null}', 400,
     f"{INVALID}Expecting 'type' to be present"),
    ("camel case is unknown", "POST", {"Content-Type": JSON},
     b'{"type":"WAIT_CONTAINER","waitContainer":{}}', 400,
     f"{INVALID}Expecting 'wait_container' to be present"),
    ("boolean for string", "POST", {"Content-Type": JSON},
     b'{"type":"LIST_FILES","list_files":{"path":true}}', 400,
     re.compile("^Not expecting a JSON boolean")),
    ("number for string", "POST", {"Content-Type": JSON},
     b'{"type":"LIST_FILES","list_files":{"path":1}}', 400,
     "Not expecting a JSON number for field 'path'"),
    ("array for message", "POST", {"Content-Type": JSON},
     b'{"type":"WAIT_CONTAINER","wait_container":[]}', 400,
     "Not expecting a JSON array for field 'wait_container'"),
    ("bad base64", "POST", {"Content-Type": JSON},
     b'{"type":"ATTACH_CONTAINER_INPUT","attach_container_input":{"type":"PROCESS_IO",'
     b'"process_io":{"type":"DATA","data":{"type":"STDIN","data":"*"}}}}', 400,
     re.compile("^Failed to base64 decode bytes field 'data'")),
    ("two missing fields", "POST", {"Content-Type": JSON},
     b'{"type":"READ_FILE","read_file":{}}', 400,
     "Missing required fields: read_file.path, read_file.offset"),
    ("deep nesting", "POST", {"Content-Type": JSON},
     b'{"type":"GET_HEALTH","x":' + b"[" * 1000 + b"]" * 1000 + b"}", 400, None),
    ("protobuf with trailing garbage", "POST", {"Content-Type": PROTOBUF}, b"\x08\x01\xff", 400,
     "Failed to parse body into a protobuf object"),
    ("empty protobuf", "POST", {"Content-Type": PROTOBUF}, b"", 400,
     f"{INVALID}Expecting 'type' to be present"),
    ("protobuf with unknown field", "POST", {"Content-Type": PROTOBUF},
     b"\x08\x01\xfa\x7f\x03abc", 200, None),
]


class Negotiation(AgentTestCase):
    def test_table(self) -> None:
        for name, method, headers, body, status, text in NEGOTIATION:
            with self.subTest(case=name), self.agent.connect() as connection:
                response = connection.request(method, "/api/v1", headers, body)
                self.assertEqual(status, response.status, response.text)
                if text is not None:
                    self.assert_text(text, response.text)

    def test_protobuf_reply(self) -> None:
        with self.agent.connect() as connection:
            response = connection.request(
                "POST", "/api/v1", {"Content-Type": JSON, "Accept": PROTOBUF}, HEALTH)
        self.assertEqual(PROTOBUF, response.content_type)
        self.assertEqual({"type": "GET_HEALTH", "get_health": {"healthy": True}},
                         wire.decode("Response", response.body))

    def test_last_accept_counts(self) -> None:
        """mesos-go sends Accept twice and means the second."""
        with self.agent.connect() as connection:
            connection.send(b"POST /api/v1 HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n"
                            b"Accept: application/x-protobuf\r\nContent-Type: application/json\r\n"
                            b"Content-Length: 21\r\n\r\n" + HEALTH)
            self.assertEqual(PROTOBUF, connection.read_response().content_type)

    def test_requests_in_pieces(self) -> None:
        request = (b"POST /api/v1 HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                   b"Transfer-Encoding: chunked\r\n\r\n5\r\n" + HEALTH[:5] + b"\r\n10\r\n" +
                   HEALTH[5:] + b"\r\n0\r\n\r\n")
        with self.agent.connect() as connection:
            for byte in request:
                connection.send(bytes([byte]))
            self.assertEqual(200, connection.read_response().status)

    def test_pipelining(self) -> None:
        head = b"POST /api/v1 HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        one = head + b"Content-Length: 21\r\n\r\n" + HEALTH
        bad = head + b"Content-Length: 2\r\n\r\n{}"
        with self.agent.connect() as connection:
            connection.send((one + bad) * 50)
            for _ in range(50):
                self.assertEqual(200, connection.read_response().status)
                self.assertEqual(400, connection.read_response().status)

    def test_expect_continue(self) -> None:
        """A client that waits for 100 gets it (curl does above 1 MB); Mesos never answers it."""
        with self.agent.connect() as connection:
            connection.send(b"POST /api/v1 HTTP/1.1\r\nHost: a\r\nContent-Type: application/json"
                            b"\r\nExpect: 100-continue\r\nContent-Length: 21\r\n\r\n")
            self.assertEqual(100, connection.read_head().status)
            connection.send(HEALTH)
            self.assertEqual(200, connection.read_response().status)

    def test_broken_requests(self) -> None:
        """400 with the reason and a close, where Mesos only closes."""
        for request in (b"NONSENSE\r\n\r\n", b"POST /api/v1\r\n\r\n",
                        b"POST /api/v1 HTTP/1.1\r\nBad Header\r\n\r\n",
                        b"POST /api/v1 HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                        b"POST /api/v1 HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n"):
            with self.subTest(request=request), self.agent.connect() as connection:
                connection.send(request)
                response = connection.read_response()
                self.assertIn(response.status, (400, 505))
                self.assertNotEqual("", response.text)
                self.assertTrue(connection.ended())
        self.agent.expect(200, {"type": "GET_HEALTH"})

    def test_connection_close(self) -> None:
        for version, header in ((b"1.1", b"Connection: close\r\n"), (b"1.0", b"")):
            with self.subTest(version=version), self.agent.connect() as connection:
                connection.send(b"POST /api/v1 HTTP/" + version + b"\r\nHost: a\r\n" + header +
                                b"Content-Type: application/json\r\nContent-Length: 21\r\n\r\n" +
                                HEALTH)
                self.assertEqual(200, connection.read_response().status)
                self.assertTrue(connection.ended())

    def test_gzipped_request(self) -> None:
        body = gzip.compress(HEALTH)
        with self.agent.connect() as connection:
            response = connection.request(
                "POST", "/api/v1", {"Content-Type": JSON, "Content-Encoding": "gzip"}, body)
        self.assertEqual(200, response.status, response.text)

    def test_calls_that_are_not_built_say_so(self) -> None:
        """Every call of the API is answered; one that is not built yet with 501 and words."""
        for kind in ("GET_HEALTH", "GET_FLAGS", "GET_VERSION", "GET_LOGGING_LEVEL", "GET_STATE",
                     "GET_CONTAINERS", "GET_FRAMEWORKS", "GET_EXECUTORS", "GET_TASKS", "GET_AGENT",
                     "GET_RESOURCE_PROVIDERS", "GET_OPERATIONS", "PRUNE_IMAGES"):
            for encoding in ENCODINGS:
                with self.subTest(call=kind, encoding=encoding):
                    reply: Reply = Reply(self.raw_call(kind, encoding))
                    self.assertIn(reply.status, (200, 501), str(reply))
                    if reply.status == 501:
                        self.assertEqual("text/plain; charset=utf-8", reply.response.content_type)
                        self.assertIn(kind, reply.text)
                    elif reply.response.body:
                        self.assertEqual(encoding, reply.response.content_type)

    def raw_call(self, kind: str, encoding: str) -> Response:
        with self.agent.connect() as connection:
            return connection.request("POST", "/api/v1",
                                      {"Content-Type": encoding, "Accept": encoding},
                                      wire.serialize(encoding, "Call", {"type": kind}))


if __name__ == "__main__":
    import run
    run.main([__file__])
