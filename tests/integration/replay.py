"""Replay of exchanges recorded with an Apache Mesos agent against the agent under test.

A recording names ids and directories as ${NAMES}. They are replaced by this run's values, lengths
(Content-Length, RecordIO) are recomputed, the bytes are sent as recorded otherwise, and the reply
is compared: status line, the headers that mean something, and the body including its chunks. Where
ours differs on purpose, differences.py says so.
"""

from __future__ import annotations

import base64
import json
import re
import unittest
from collections.abc import Callable
from dataclasses import dataclass, replace

from differences import DIFFERENCES, Difference
from harness import DATA, Agent
from rawhttp import Connection, Response, chunk
from recordio import record

# Headers whose presence and value must be as recorded. Date and Content-Length are checked apart.
COMPARED_HEADERS = ("Content-Type", "Message-Content-Type", "Allow", "Transfer-Encoding",
                    "WWW-Authenticate", "Content-Encoding")

_DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT")


@dataclass(frozen=True)
class Case:
    """One recorded exchange."""

    recording: str
    name: str
    request: bytes
    status_line: str
    headers: dict[str, str]
    body: bytes


def _bytes(part: dict[str, str]) -> bytes:
    if "base64" in part:
        return base64.b64decode(part["base64"])
    return part["text"].encode("utf-8", "surrogateescape")


def load(recording: str) -> list[Case]:
    cases = []
    for line in (DATA / "recordings" / f"{recording}.jsonl").read_text().splitlines():
        entry = json.loads(line)
        response = entry["response"]
        cases.append(Case(recording, entry["case"], _bytes(entry["request"]),
                          response["status"], response["headers"], _bytes(response["body"])))
    return cases


def moved(case: Case, elsewhere: dict[str, str]) -> Case:
    """The case with other paths in what is sent and answered; its name stays."""
    request, body = case.request, case.body
    for old, new in elsewhere.items():
        request = request.replace(old.encode(), new.encode())
        body = body.replace(old.encode(), new.encode())
    return replace(case, request=request, body=body)


def substitute(text: bytes, names: dict[str, str]) -> bytes:
    def value(match: re.Match[bytes]) -> bytes:
        return names[match[1].decode()].encode()

    return re.sub(rb"\$\{(\w+)\}", value, text)


def _frame_again(body: bytes) -> bytes:
    """RecordIO of JSON whose lengths no longer fit their payloads, with lengths that do."""
    text, out, at = body.decode(), b"", 0
    while at < len(text):
        length, newline, _ = text[at:].partition("\n")
        if not newline or not length.isdigit():
            return out + text[at:].encode()  # recorded as broken: stays broken
        start = at + len(length) + 1
        _, at = json.JSONDecoder().raw_decode(text, start)
        out += record(text[start:at].encode())
    return out


def prepare_request(request: bytes, names: dict[str, str]) -> bytes:
    head, separator, body = substitute(request, names).partition(b"\r\n\r\n")
    if body and b"\r\nContent-Type: application/recordio" in head and b"\n" in body:
        body = _frame_again(body)
    head = re.sub(rb"\r\nContent-Length: \d+", b"\r\nContent-Length: %d" % len(body), head)
    return head + separator + body


def receive(connection: Connection, method: bytes) -> tuple[Response, bytes]:
    """The next reply, and its body framed as recordings show it (chunk sizes included)."""
    response = connection.read_head()
    if method == b"HEAD":
        return response, b""
    if not response.chunked:
        connection.read_body(response)
        return response, response.body
    framed = b""
    for piece in connection.chunks():
        framed += chunk(piece)
        response.body += piece
    return response, framed + b"0\r\n\r\n"


class ReplayTestMixin(unittest.TestCase):
    """Sends all cases of one recording in order, each a subtest."""

    def replay(self, agent: Agent, recording: str, names: dict[str, str],
               before: dict[str, Callable[[], None]] | None = None,
               elsewhere: dict[str, str] | None = None) -> None:
        """`before` holds what has to happen before a case that the recording does not show, and
        `elsewhere` paths that are others here, both with their ${NAMES}."""
        cases = [moved(case, elsewhere or {}) for case in load(recording)]
        unused = {case for rec, case in DIFFERENCES if rec == recording} - {c.name for c in cases}
        self.assertFalse(unused, "differences for cases that do not exist")
        for case in cases:
            with self.subTest(recording=recording, case=case.name):
                if before and case.name in before:
                    before[case.name]()
                self._replay_case(agent, case, names)

    def _replay_case(self, agent: Agent, case: Case, names: dict[str, str]) -> None:
        with agent.connect() as connection:
            request = prepare_request(case.request, names)
            connection.send(request)
            response, body = receive(connection, request.partition(b" ")[0])
            difference = DIFFERENCES.get((case.recording, case.name))
            if difference is None:
                self._compare(case, response, body, names)
            else:
                self._compare_difference(difference, response, body, names)
                self.assertEqual(case.headers.get("Content-Encoding"),
                                 response.headers.get("Content-Encoding"))
            if not request.startswith(b"HEAD "):
                self._check_framing(response)
            # None of the recorded connections was closed by the server: it takes another request.
            follow_up = agent.call_on(connection, {"type": "GET_HEALTH"})
            self.assertEqual(200, follow_up.status, "on the same connection")

    def _compare(self, case: Case, response: Response, body: bytes,
                 names: dict[str, str]) -> None:
        expected = substitute(case.body, names)
        self.assertEqual((case.status_line, expected), (response.status_line, body))
        recorded = {name.lower(): value for name, value in case.headers.items()}
        for name in COMPARED_HEADERS:
            self.assertEqual(recorded.get(name.lower()), response.headers.get(name), name)

    def _compare_difference(self, difference: Difference, response: Response, body: bytes,
                            names: dict[str, str]) -> None:
        self.assertEqual(difference.status, response.status,
                         f"{response.status_line} {response.text!r} ({difference.reason})")
        expected = difference.body
        if callable(expected):
            expected(self, json.loads(body), names)
        elif isinstance(expected, re.Pattern):
            self.assertRegex(response.content.decode(), expected)
        else:
            text = substitute(expected.encode(), names).decode()
            self.assertEqual(text, body.decode(), difference.reason)
        if response.status >= 400:
            self.assertEqual("text/plain; charset=utf-8", response.content_type)
        elif response.chunked:
            self.assertEqual("application/recordio", response.content_type)
        else:
            self.assertEqual(difference.content_type if body else None, response.content_type)

    def _check_framing(self, response: Response) -> None:
        """What holds for every reply: a date, one length, no type of a 200 without a body."""
        self.assertRegex(response.headers.get("Date") or "", _DATE)
        lengths = response.headers.all("Content-Length")
        if response.chunked:
            self.assertEqual([], lengths)
        else:
            self.assertEqual([str(len(response.body))], lengths)
            if not response.body and response.status < 400:
                self.assertIsNone(response.content_type)
