"""The parts of the scripted master by themselves: its codec, its parser, its book-keeping.

Needs neither root nor binaries. A rig with a fault would find faults that are not there, or none.
"""

from __future__ import annotations

import base64
import itertools
import json
import time
import unittest
import uuid

import v0
from libprocess import Link, RequestParser, post
from libprocess_endpoint import Endpoint
from rawhttp import Headers, ProtocolError
from recorded_master import RECORDINGS
from scripted_master import Received, ScriptedMaster, cram_md5
from scripted_tasks import Ledger
from wire import Message

AGENT = "slave(1)@127.0.0.1:5051"


class Codec(unittest.TestCase):
    def recorded(self) -> list[tuple[str, bytes]]:
        found = []
        for file in sorted(RECORDINGS.glob("*.jsonl")):
            for text in file.read_text().splitlines():
                entry = json.loads(text)
                name = entry["start"].split()[1].rpartition("/")[2]
                if name == "executor":
                    name = "mesos.executor.Call"
                found.append((name, base64.b64decode(entry.get("body_base64", ""))))
        return found

    def test_recorded_messages_are_understood_whole(self) -> None:
        """Each comes back byte for byte, so nothing was misread and no number is wrong."""
        recorded = self.recorded()
        self.assertGreater(len(recorded), 200)
        for name, data in recorded:
            message = v0.decode(name, data)
            self.assertEqual([], v0.problems(name, message))
            self.assertEqual(data, v0.encode(name, message), name)

    def test_every_type_of_the_schema_is_there(self) -> None:
        messages, enums = v0.schema()
        for name, fields in messages.items():
            numbers = [field.number for field in fields.values()]
            self.assertEqual(len(set(numbers)), len(numbers), name)
            for field in fields.values():
                self.assertTrue(field.kind in messages or field.kind in enums or field.kind in (
                    "bool", "bytes", "double", "int32", "int64", "string", "uint32", "uint64"),
                    f"{name}.{field.name}: {field.kind}")

    def test_maps_and_numbers(self) -> None:
        task: Message = {"name": "n", "task_id": {"value": "t"}, "slave_id": {"value": "s"},
                         "limits": {"cpus": {"value": float("inf")}, "mem": {"value": 0.5}}}
        self.assertEqual(task, v0.decode("TaskInfo", v0.encode("TaskInfo", task)))
        for value in (0, 1, -1, (1 << 63) - 1, -(1 << 63)):
            message = {"nanoseconds": value}
            self.assertEqual(message, v0.decode("DurationInfo", v0.encode("DurationInfo", message)))

    def test_what_is_not_understood_is_reported(self) -> None:
        name = "mesos.internal.PingSlaveMessage"
        self.assertEqual(["PingSlaveMessage.connected is required and missing"],
                         v0.problems(name, v0.decode(name, b"")))
        message = v0.decode(name, b"\x08\x01\x10\x05")
        self.assertEqual({"connected": True, "?2": [5]}, message)
        self.assertEqual(["PingSlaveMessage has an unknown field 2"], v0.problems(name, message))
        state = v0.decode("TaskStatus", b"\x0a\x03\x0a\x01t\x10\x63")
        self.assertEqual(["TaskStatus.state is 99, which TaskState does not name"],
                         v0.problems("TaskStatus", state))
        for data in (b"\x0a\x01", b"\x08", b"\x0d\x01\x02\x03\x04", b"\x00\x01"):
            with self.assertRaises(v0.WireError):
                v0.decode(name, data)
        with self.assertRaises(v0.WireError):
            v0.encode(name, {"conected": True})


class Parser(unittest.TestCase):
    MESSAGES = (
        post(AGENT, "master@127.0.0.1:5050", "mesos.internal.A", b"body\r\n\r\n0\r\n"),
        post(AGENT, "slave-observer(1)@127.0.0.1:5050", "mesos.internal.PongSlaveMessage", b""),
        b"POST /master/mesos.internal.B HTTP/1.1\r\nUser-Agent: libprocess/x@1.2.3.4:5\r\n"
        b"Content-Length: 3\r\n\r\nabc",
        b"POST /slave%281%29/mesos.internal.C HTTP/1.1\r\nLibprocess-From: y@1.2.3.4:5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")

    def test_every_split(self) -> None:
        data = b"".join(self.MESSAGES)
        for at in range(len(data) + 1):
            parser = RequestParser()
            self.check(parser.feed(data[:at]) + parser.feed(data[at:]))
        parser = RequestParser()
        self.check(list(itertools.chain(*(parser.feed(bytes([byte])) for byte in data))))

    def check(self, requests: list) -> None:
        self.assertEqual(
            [("master", "mesos.internal.A", AGENT, b"body\r\n\r\n0\r\n", [11]),
             ("slave-observer(1)", "mesos.internal.PongSlaveMessage", AGENT, b"", []),
             ("master", "mesos.internal.B", "x@1.2.3.4:5", b"abc", []),
             ("slave(1)", "mesos.internal.C", "y@1.2.3.4:5", b"abc", [2, 1])],
            [(r.target, r.name, r.sender, r.body, r.chunk_sizes) for r in requests])

    def test_no_http(self) -> None:
        for data in (b"GET /\r\n\r\n", b"POST / HTTP/1.1\r\n: x\r\n\r\n",
                     b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                     b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"):
            with self.assertRaises(ProtocolError):
                RequestParser().feed(data)

    def test_answers_are_counted_and_a_closed_link_is_seen(self) -> None:
        requests: list = []
        endpoint = Endpoint(lambda request, connection: requests.append((request, connection)))
        endpoint.start()
        link = Link(endpoint.address)
        try:
            self.assertTrue(link.send(b"".join(self.MESSAGES)))
            deadline = time.monotonic() + 10
            while ((sum(link.statuses().values()) < 4 or len(requests) < 4)
                   and time.monotonic() < deadline):
                time.sleep(0.005)
            self.assertEqual({"HTTP/1.1 202 Accepted": 4}, link.statuses())
            self.check([request for request, _ in requests])
            self.assertEqual({0}, {connection for _, connection in requests})
        finally:
            endpoint.stop()
        self.assertTrue(link.lost.wait(10))
        self.assertFalse(link.send(b"x"))
        link.close()
        self.assertEqual([], endpoint.problems)


class Updates(unittest.TestCase):
    """What breaks a rule is named, and what keeps it is not."""

    def setUp(self) -> None:
        self.ledger = Ledger()
        self.ledger.launched("f", "t", "s", 0)
        self.index = itertools.count()

    def send(self, state: str, identity: bytes | None = None, task: str = "t",
             acknowledge: bool = True) -> bytes:
        identity = identity or uuid.uuid4().bytes
        message = {"update": {
            "framework_id": {"value": "f"}, "slave_id": {"value": "s"}, "uuid": identity,
            "status": {"task_id": {"value": task}, "state": f"TASK_{state}", "uuid": identity}}}
        update = self.ledger.record(Received(
            next(self.index), 0, 0, AGENT, "master", "StatusUpdateMessage", message, b"",
            Headers([]), []))
        update.acknowledged |= acknowledge
        return identity

    def complaint(self) -> str:
        self.assertEqual(1, len(self.ledger.problems), self.ledger.problems)
        return self.ledger.problems[0]

    def test_in_order(self) -> None:
        first = self.send("STARTING", acknowledge=False)
        self.send("STARTING", first)  # sent again
        self.send("RUNNING")
        self.assertEqual(1, len(self.ledger.unfinished()))
        self.send("FINISHED")
        self.assertEqual([], self.ledger.unfinished())
        self.assertEqual([], self.ledger.problems)
        (task,) = self.ledger.tasks.values()
        self.assertEqual([2, 1, 1], [update.arrivals for update in task.updates])
        self.assertTrue(task.done)

    def test_one_overtakes(self) -> None:
        self.send("STARTING", acknowledge=False)
        self.send("RUNNING")
        self.assertIn("before TASK_STARTING was acknowledged", self.complaint())

    def test_one_comes_back(self) -> None:
        first = self.send("STARTING")
        self.send("RUNNING")
        self.send("STARTING", first)
        self.assertIn("comes again after a later update", self.complaint())

    def test_other_content(self) -> None:
        first = self.send("STARTING")
        self.send("RUNNING", first)
        self.assertIn("comes again with other content", self.complaint())

    def test_two_ends(self) -> None:
        self.send("FINISHED")
        self.send("FAILED")
        self.assertIn("comes after the terminal TASK_FINISHED", self.complaint())

    def test_unknown_task(self) -> None:
        self.send("FINISHED", task="u")
        self.assertIn("was not launched", self.complaint())

    def test_no_uuid(self) -> None:
        self.send("RUNNING", b"short")
        self.assertIn("has no uuid", self.complaint())


class Proof(unittest.TestCase):
    def test_of_rfc_2195(self) -> None:
        self.assertEqual(b"b913a602c7eda7a495b4e6e7334d3890", cram_md5(
            b"tanstaaftanstaaf", b"<1896.697170952@postoffice.reston.mci.net>"))


class Waiting(unittest.TestCase):
    def test_expect(self) -> None:
        """Messages are given once, in order; a wait that is in vain ends, and says so."""
        with ScriptedMaster() as master:
            master.authentication = "ignore"
            link = Link(master.address)
            for data in (b"\x0a\x01a", b"\x0a\x01b"):
                link.send(post(AGENT, master.pid, "mesos.internal.AuthenticateMessage", data))
            self.assertEqual("b", master.expect("AuthenticateMessage", where=lambda message:
                                                message["pid"] == "b").message["pid"])
            self.assertEqual("a", master.expect("AuthenticateMessage").message["pid"])
            with self.assertRaisesRegex(AssertionError, "not within 0.1 s: a AuthenticateMessage"):
                master.expect("AuthenticateMessage", 0.1)
            master.expect_none("AuthenticateMessage", 0.1)
            link.send(post(AGENT, master.pid, "mesos.internal.AuthenticateMessage", b"\x0a\x01c"))
            with self.assertRaisesRegex(AssertionError, "unexpected"):
                master.expect_none("AuthenticateMessage", 10)
            link.close()

    def test_what_no_master_understands(self) -> None:
        with ScriptedMaster() as master:
            link = Link(master.address)
            link.send(post(AGENT, master.pid, "mesos.internal.NoSuchMessage", b""))
            link.send(post(AGENT, master.pid, "mesos.internal.ShutdownMessage", b""))
            link.send(post(AGENT, master.pid, "mesos.internal.PongSlaveMessage", b""))
            link.send(post(AGENT, master.pid, "mesos.internal.StatusUpdateMessage", b"\x0a\x7f"))
            link.send(b"GET /master/state HTTP/1.1\r\n\r\n")
            master.wait_for(lambda: len(master.problems) >= 5, "all five are noted")
            link.close()
        for expected, problem in zip(("no such message", "no handler", "a pong to nobody",
                                      "runs past the end", "not a message"), master.problems):
            self.assertIn(expected, problem)
        with self.assertRaisesRegex(AssertionError, "a real master would object"):
            master.assert_no_problems()


if __name__ == "__main__":
    import run
    run.main([__file__])
