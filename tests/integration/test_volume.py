"""Much data and many streams: bit-exact, in pieces of any size, both ways, in both encodings."""

from __future__ import annotations

import hashlib
import os
import random
from concurrent.futures import ThreadPoolExecutor

import attach
import wire
from attach import Input, session, write_input
from harness import ENCODINGS, JSON, argv, shell, unique
from rawhttp import LAST_CHUNK, TIMEOUT, chunk, request_head
from recordio import record
from sessions import MB, SessionTestCase, random_file
from wire import RECORDIO

FULL = os.environ.get("MESOS_TEST_FULL") == "1"
OUTPUT_SIZE = 1024 * MB if FULL else 64 * MB
INPUT_SIZE = 256 * MB if FULL else 32 * MB


class Volume(SessionTestCase):
    """Much data, bit-exact, in both encodings."""

    def test_output(self) -> None:
        path, expected = random_file(self.agent, OUTPUT_SIZE)
        for accept in ENCODINGS:
            with self.subTest(accept=accept):
                output = self.start(*self.new(), command=argv("cat", str(path)), accept=accept)
                digest, size = hashlib.sha256(), 0
                for _ in output.records():
                    digest.update(output.stdout)
                    size += len(output.stdout)
                    output.stdout.clear()
                self.assertEqual((OUTPUT_SIZE, expected), (size, digest.hexdigest()))
                self.assertTrue(output.clean_end)

    def test_input(self) -> None:
        path, expected = random_file(self.agent, INPUT_SIZE)
        for encoding in ENCODINGS:
            with self.subTest(encoding=encoding):
                target = self.new()
                output = self.start(*target, command=argv("sha256sum"))
                with Input(self.agent, *target, encoding=encoding) as stream, \
                        path.open("rb") as file:
                    sizes = random.Random(1)
                    while block := file.read(sizes.choice((1, 4096, 65536, 300_000))):
                        stream.stdin(block)
                    stream.eof()
                    response = stream.finish(6 * TIMEOUT)
                self.assertEqual((200, b""), (response.status, response.body))
                self.assertEqual(f"{expected}  -\n", output.read_to_end().stdout.decode())

    def test_both_ways_at_once(self) -> None:
        target = self.new()
        output = self.start(*target, command=argv("cat"))
        data = os.urandom(8 * MB)

        def write() -> int:
            with Input(self.agent, *target) as stream:
                for at in range(0, len(data), 50_000):
                    stream.stdin(data[at:at + 50_000])
                return stream.eof().finish(2 * TIMEOUT).status

        with ThreadPoolExecutor(1) as pool:
            written = pool.submit(write)
            output.read_to_end()
            self.assertEqual(200, written.result())
        self.assertEqual(data, bytes(output.stdout))

    def test_one_byte_records(self) -> None:
        target = self.new()
        output = self.start(*target, command=argv("cat"))
        data = os.urandom(5000)
        with Input(self.agent, *target) as stream:
            for byte in data:
                stream.stdin(bytes([byte]))
            self.assertEqual(200, stream.eof().finish().status)
        self.assertEqual(data, bytes(output.read_to_end().stdout))

    def test_one_large_record(self) -> None:
        for encoding in ENCODINGS:
            target = self.new()
            output = self.start(*target, command=argv("wc", "-c"))
            response = write_input(self.agent, *target, data=b"x" * (16 * MB), encoding=encoding)
            self.assertEqual(200, response.status)
            self.assertEqual(b"%d\n" % (16 * MB), output.read_to_end().stdout)

    def test_records_and_chunks_in_any_pieces(self) -> None:
        """Record length, newline and payload in chunks of their own, and many in one."""
        target = self.new()
        output = self.start(*target, command=argv("cat"))
        data = bytes(range(256)) * 4
        body = b"".join(
            record(wire.to_json(r)) for r in (
                attach.id_record(*target), attach.io_record(attach.stdin_io(data)),
                attach.io_record(attach.stdin_io(data)), attach.io_record(attach.stdin_io(b""))))
        with self.agent.connect() as connection:
            connection.send(request_head("POST", "/api/v1", {
                "Host": "a", "Content-Type": RECORDIO, "Message-Content-Type": JSON,
                "Transfer-Encoding": "chunked"}))
            sizes, at = random.Random(2), 0
            while at < len(body):
                size = sizes.choice((1, 2, 3, 50, 700))
                connection.send(chunk(body[at:at + size]))
                at += size
            connection.send(LAST_CHUNK)
            self.assertEqual(200, connection.read_response().status)
        self.assertEqual(data * 2, bytes(output.read_to_end().stdout))

    def test_many_sessions_at_once(self) -> None:
        """200 sessions, each with output, input and exit status of its own."""

        def one(number: int) -> tuple[bytes, int]:
            path = (self.root_name, unique("many"))
            with session(self.agent, *path, timeout=6 * TIMEOUT, command=shell(
                    f"read line; echo {number} $line; exit {number % 100}")) as output:
                write_input(self.agent, *path, data=b"in-%d\n" % number, eof=False)
                output.read_to_end()
            return bytes(output.stdout), self.agent.wait(*path, timeout=6 * TIMEOUT)["exit_status"]

        with ThreadPoolExecutor(200) as pool:
            results = list(pool.map(one, range(200)))
        for number, result in enumerate(results):
            self.assertEqual((b"%d in-%d\n" % (number, number), number % 100 << 8), result)


if __name__ == "__main__":
    import run
    run.main([__file__])
