"""Requests of real clients, byte for byte as they were recorded, answered as each insists.

The recorded ids are valid, so containers are launched under them: roots as standalone containers,
what a recorded request expects to run as whatever lets its answer be checked. What the clients
insist on, for every reply: a 200 without data has no Content-Type, one with data exactly the
accepted type, a stream exactly `application/recordio` with the codec in Message-Content-Type and
one record in each chunk.
"""

from __future__ import annotations

import functools
from pathlib import Path

import attach
import wire
from attach import Output
from harness import DATA, AgentTestCase, argv, id_path, resources, shell, unique
from rawhttp import ChunkDecoder, Connection, Headers, Response
from recordio import RecordDecoder
from wire import JSON, PROTOBUF, RECORDIO, Message

RECORDINGS = DATA / "recordings" / "clients"

ATTACHABLE = {"MESOS_CONTAINER_ATTACHABLE": "true"}
TEXT = "text/plain; charset=utf-8"


class Recorded:
    """One recorded request: its bytes, and what they mean."""

    def __init__(self, file: Path) -> None:
        self.name = f"{file.parent.name}/{file.name}"
        self.raw = file.read_bytes()
        head, _, body = self.raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.headers = Headers([(n, v.strip()) for n, _, v in
                                (line.partition(":") for line in lines[1:])])
        self.finished = True
        if (self.headers.get("Transfer-Encoding") or "") == "chunked":
            decoder = ChunkDecoder()
            body = b"".join(decoder.feed(body))
            self.finished = decoder.done
        self.body = body

    @property
    def accept(self) -> str:
        """The type that the client means: its last Accept."""
        accept = self.headers.get("Accept") or JSON
        return PROTOBUF if accept == PROTOBUF else RECORDIO if accept == RECORDIO else JSON

    @property
    def message_accept(self) -> str:
        return self.headers.get("Message-Accept") or JSON

    @property
    def message_type(self) -> str:
        """Encoding of its own messages."""
        content_type = self.headers.get("Content-Type") or ""
        if content_type == RECORDIO:
            content_type = self.headers.get("Message-Content-Type") or JSON
        return PROTOBUF if content_type == PROTOBUF else JSON

    @functools.cached_property
    def records(self) -> list[Message]:
        if self.headers.get("Content-Type") != RECORDIO:
            return [wire.parse(self.message_type, "Call", self.body)]
        return [wire.parse(self.message_type, "Call", r) for r in RecordDecoder().feed(self.body)]

    @property
    def call(self) -> Message:
        return self.records[0]

    @property
    def path(self) -> tuple[str, ...]:
        """The container it is about, from the root."""
        return id_path(self.call[self.call["type"].lower()]["container_id"])


class ClientTestCase(AgentTestCase):
    """Sends the requests of one client; the tests name its files without `.http`."""

    client = ""

    def recorded(self, name: str) -> Recorded:
        return Recorded(RECORDINGS / self.client / f"{name}.http")

    def ancestors(self, path: tuple[str, ...]) -> None:
        """Launch what is missing above a container."""
        known = self.agent.containers()
        for depth in range(1, len(path)):
            if path[:depth] not in known:
                self.agent.launch(*path[:depth], command=shell("sleep 100000"),
                                  resources=resources(cpus=0.1, mem=96) if depth == 1 else None)

    # -- replies --

    def send(self, name: str, status: int = 200) -> Response:
        """Send a request that has a plain reply, and check the reply's form."""
        request = self.recorded(name)
        with self.agent.connect() as connection:
            connection.send(request.raw)
            response = connection.read_response()
            self.check_form(request, response, status)
            self.check_connection(request, connection)
        return response

    def check_form(self, request: Recorded, response: Response, status: int) -> None:
        self.assertEqual(status, response.status, f"{request.name}: {response.text[:300]!r}")
        if status == 200:
            self.assertEqual(request.accept if response.body else None, response.content_type)
        elif status != 202:
            self.assertEqual(TEXT, response.content_type)
            self.assertNotEqual("", response.text)

    def check_connection(self, request: Recorded, connection: Connection) -> None:
        """Closed if the client asked for it, else good for another request."""
        if (request.headers.get("Connection") or "") == "close":
            self.assertTrue(connection.ended(), "the client asked for a close")
        elif b"HTTP/1.0" not in request.raw.partition(b"\r\n")[0]:
            self.assertEqual(
                200, self.agent.call_on(connection, {"type": "GET_HEALTH"}).status)

    def launch(self, name: str, status: int = 200) -> tuple[str, ...]:
        path = self.recorded(name).path
        if status != 400:
            self.ancestors(path)
        response = self.send(name, status)
        if status == 200:
            self.assertEqual(b"", response.body)
        return path

    def wait(self, name: str, exit_status: int) -> None:
        """The recorded WAIT gives exactly that status and nothing else."""
        request = self.recorded(name)
        response = self.send(name)
        field = request.call["type"].lower()
        self.assertEqual({"type": request.call["type"], field: {"exit_status": exit_status}},
                         wire.parse(request.accept, "Response", response.body), request.name)

    # -- streams --

    def open_stream(self, name: str) -> Output:
        """Send a session or an output attach and check the head of the reply."""
        request = self.recorded(name)
        self.ancestors(request.path)
        output = Output(self.agent, request.raw, request.message_accept)
        self.addCleanup(output.close)
        self.assertEqual(200, output.response.status, f"{request.name}: {output}")
        headers = output.response.headers
        self.assertEqual(RECORDIO, headers.get("Content-Type"))
        self.assertEqual(request.message_accept, headers.get("Message-Content-Type"))
        self.assertEqual("chunked", headers.get("Transfer-Encoding"))
        return output

    def finish_stream(self, output: Output, stdout: bytes, stderr: bytes = b"") -> None:
        output.read_to_end()
        self.assertEqual((stdout, stderr), (bytes(output.stdout), bytes(output.stderr)))
        self.assertEqual({1}, set(output.records_per_chunk) or {1}, "one record a chunk")

    def run_session(self, name: str, stdout: bytes, stderr: bytes = b"") -> None:
        self.finish_stream(self.open_stream(name), stdout, stderr)

    def send_input(self, name: str, status: int = 200) -> None:
        """An input request that the client ended: answered, no body, no type."""
        request = self.recorded(name)
        self.assertTrue(request.finished, request.name)
        response = self.send(name, status)
        if status == 200:
            self.assertEqual(b"", response.body)

    def open_input(self, name: str) -> tuple[Recorded, Connection]:
        """An input request whose client went on until the container ended."""
        request = self.recorded(name)
        self.assertFalse(request.finished, request.name)
        connection = self.agent.connect()
        self.addCleanup(connection.close)
        connection.send(request.raw)
        return request, connection

    def finish_input(self, opened: tuple[Recorded, Connection]) -> None:
        """The container has ended: 200, although the request has not."""
        request, connection = opened
        response = connection.read_response()
        self.assertEqual(200, response.status, f"{request.name}: {response.text!r}")
        self.assertIsNone(response.content_type)

    def own_session(self, path: tuple[str, ...], command: Message,
                    container: Message | None = None) -> Output:
        """A session under a recorded id whose own launch was not recorded."""
        self.ancestors(path)
        output = attach.session(self.agent, *path, command=command, container=container)
        self.addCleanup(output.close)
        return output

    # -- calls without a container --

    def check_gets(self) -> None:
        """All recorded GET_* and the like: 200 of the right type."""
        for file in sorted((RECORDINGS / self.client).glob("*.http")):
            kind = file.stem.partition("-")[0]
            if not kind.startswith(("GET_", "LIST_", "READ_", "SET_")):
                continue
            request = Recorded(file)
            with self.subTest(request=request.name), self.agent.connect() as connection:
                connection.send(request.raw)
                response = connection.read_response()
                if kind in ("LIST_FILES", "READ_FILE"):  # of /no/such/path
                    self.assertIn(response.status, (404, 501))
                else:
                    self.assertEqual(200, response.status, response.text)
                if response.status == 200:
                    self.check_form(request, response, 200)
                    if response.body:
                        body = wire.parse(request.accept, "Response", response.content)
                        self.assertEqual(kind, body["type"])
                self.check_connection(request, connection)


class Flows:
    """Tests that several classes inherit; nested so that they do not run by themselves."""

    class Go(ClientTestCase):
        """mesos-go's agent client; the same program in its two codecs."""

        def test_launch_wait_kill_remove(self) -> None:
            self.launch("LAUNCH_NESTED_CONTAINER")
            self.wait("WAIT_NESTED_CONTAINER", 7 << 8)
            self.wait("WAIT_NESTED_CONTAINER-2", 7 << 8)
            self.send("REMOVE_NESTED_CONTAINER")
            self.launch("LAUNCH_NESTED_CONTAINER-2")
            self.wait("WAIT_NESTED_CONTAINER-3", 4 << 8)
            self.launch("LAUNCH_NESTED_CONTAINER-3")
            self.launch("LAUNCH_NESTED_CONTAINER-3", 202)
            self.send("KILL_NESTED_CONTAINER")
            self.wait("WAIT_NESTED_CONTAINER-4", 9)
            self.launch("LAUNCH_NESTED_CONTAINER-4")
            self.send("REMOVE_NESTED_CONTAINER-2", 500)
            self.send("KILL_NESTED_CONTAINER-2")
            self.wait("WAIT_NESTED_CONTAINER-5", 9)
            self.send("REMOVE_NESTED_CONTAINER-2")

        def test_unknown(self) -> None:
            self.ancestors(self.recorded("WAIT_NESTED_CONTAINER-6").path)
            self.send("WAIT_NESTED_CONTAINER-6", 404)
            self.send("KILL_NESTED_CONTAINER-3", 404)
            self.send("KILL_NESTED_CONTAINER-4", 404)
            self.launch("LAUNCH_NESTED_CONTAINER-5", 400)  # its parent does not exist
            self.launch("LAUNCH_NESTED_CONTAINER-6", 400)  # "../evil"

        def test_launch_container(self) -> None:
            self.launch("LAUNCH_CONTAINER")
            self.wait("WAIT_CONTAINER", 3 << 8)
            self.send("REMOVE_CONTAINER")
            path = self.launch("LAUNCH_CONTAINER-2")
            self.agent.await_trap(*path, containing="exit 42", signal=15)
            self.send("KILL_CONTAINER")  # with SIGTERM
            self.wait("WAIT_CONTAINER-2", 42 << 8)

        def test_sessions(self) -> None:
            self.run_session("LAUNCH_NESTED_CONTAINER_SESSION", b"out\n", b"err\n")
            self.wait("WAIT_CONTAINER-3", 5 << 8)
            self.run_session("LAUNCH_NESTED_CONTAINER_SESSION-2", b"x\n")
            self.run_session("LAUNCH_NESTED_CONTAINER_SESSION-6", b"x" * 1_000_000)

        def test_session_with_input(self) -> None:
            output = self.open_stream("LAUNCH_NESTED_CONTAINER_SESSION-3")  # cat
            self.send_input("ATTACH_CONTAINER_INPUT")
            self.finish_stream(output, b"hello w\xc3\xb6rld\n\0\xff\n")
            self.wait("WAIT_CONTAINER-4", 0)

        def test_end_of_input_record(self) -> None:
            """Its JSON codec leaves the empty `data` out of the record that ends stdin."""
            output = self.own_session(self.recorded("ATTACH_CONTAINER_INPUT-6").path, argv("cat"))
            self.send_input("ATTACH_CONTAINER_INPUT-6")
            self.finish_stream(output, b"one\n")

        def test_terminal(self) -> None:
            output = self.open_stream("LAUNCH_NESTED_CONTAINER_SESSION-4")
            output.read_until(b"isatty\r\n")
            self.send_input("ATTACH_CONTAINER_INPUT-2")  # 0x0, then 33x101, then two lines
            self.finish_stream(output, b"isatty\r\n33 101\r\ngot:abc:def\r\n")
            self.wait("WAIT_CONTAINER-5", 6 << 8)

        def test_interrupt(self) -> None:
            output = self.open_stream("LAUNCH_NESTED_CONTAINER_SESSION-5")
            output.read_until(b"ready\r\n")
            self.send_input("ATTACH_CONTAINER_INPUT-3")  # Ctrl-C
            self.finish_stream(output, b"ready\r\n^CINT\r\n")
            self.wait("WAIT_CONTAINER-6", 9 << 8)

        def test_attach(self) -> None:
            path = self.recorded("ATTACH_CONTAINER_OUTPUT").path
            self.ancestors(path)
            self.agent.launch(*path, command=argv("head", "-n", "1", **ATTACHABLE))
            readers = [self.open_stream("ATTACH_CONTAINER_OUTPUT"),
                       self.open_stream("ATTACH_CONTAINER_OUTPUT-2")]
            self.send_input("ATTACH_CONTAINER_INPUT-5")
            for reader in readers:
                self.finish_stream(reader, b"zzz\n")
            self.assertEqual(0, self.agent.wait(*path)["exit_status"])

        def test_attach_refused(self) -> None:
            path = self.recorded("ATTACH_CONTAINER_OUTPUT-3").path
            self.ancestors(path)
            self.agent.launch(*path, command=shell("sleep 300"))
            self.send("ATTACH_CONTAINER_OUTPUT-3", 500)
            self.send("KILL_NESTED_CONTAINER-5")
            self.assertEqual(9, self.agent.wait(*path)["exit_status"])
            self.send("ATTACH_CONTAINER_OUTPUT-4", 500)  # nothing runs under that id

        def test_gets(self) -> None:
            self.check_gets()


class GoJson(Flows.Go):
    client = "mesos-go-agent-json"


class GoProtobuf(Flows.Go):
    client = "mesos-go-agent-protobuf"


class Dcos(ClientTestCase):
    """dcos-core-cli, as the agent receives it."""

    client = "dcos-agentside"

    def test_sessions(self) -> None:
        self.run_session("LAUNCH_NESTED_CONTAINER_SESSION", b"hello\n")
        self.run_session("LAUNCH_NESTED_CONTAINER_SESSION-2", b"o1\n", b"e1\n")
        self.run_session("LAUNCH_NESTED_CONTAINER_SESSION-3", b"")
        self.run_session("LAUNCH_NESTED_CONTAINER_SESSION-4", b"")
        self.run_session("LAUNCH_NESTED_CONTAINER_SESSION-5", b"root\n")
        # The exit status is asked for after the stream has ended.
        self.wait("WAIT_CONTAINER", 0)
        self.wait("WAIT_CONTAINER-2", 0)
        self.wait("WAIT_CONTAINER-3", 7 << 8)
        self.wait("WAIT_CONTAINER-4", 15)
        self.wait("WAIT_CONTAINER-5", 0)

    def test_piped_input(self) -> None:
        output = self.open_stream("LAUNCH_NESTED_CONTAINER_SESSION-6")  # cat
        self.send_input("ATTACH_CONTAINER_INPUT")
        self.finish_stream(output, b"piped-stdin\n")
        self.wait("WAIT_CONTAINER-6", 0)

    def test_piped_input_three_levels_deep(self) -> None:
        path = self.recorded("ATTACH_CONTAINER_INPUT-5").path
        self.assertEqual(3, len(path))
        output = self.own_session(path, argv("cat"))
        self.send_input("ATTACH_CONTAINER_INPUT-5")
        self.finish_stream(output, b"piped-stdin\n")

    def test_terminal(self) -> None:
        for name, size in (("ATTACH_CONTAINER_INPUT-3", b"31 99"),
                           ("ATTACH_CONTAINER_INPUT-4", b"40 120")):
            with self.subTest(request=name):
                output = self.own_session(
                    self.recorded(name).path,
                    shell("stty -echo; echo ready; read line; stty size; echo got $line"),
                    attach.tty())
                output.read_until(b"ready\r\n")
                opened = self.open_input(name)  # 0x0, real sizes, "a"
                self.finish_stream(output, b"ready\r\n%b\r\ngot a\r\n" % size)
                self.finish_input(opened)

    def test_attach_output(self) -> None:
        path = self.recorded("ATTACH_CONTAINER_OUTPUT").path
        self.ancestors(path)
        self.agent.launch(*path, command=argv("head", "-n", "1", **ATTACHABLE))
        readers = [self.open_stream(f"ATTACH_CONTAINER_OUTPUT{n}") for n in ("", "-2", "-3", "-4")]
        self.assertEqual(200, attach.write_input(self.agent, *path, data=b"go\n").status)
        for reader in readers:
            self.finish_stream(reader, b"go\n")


class MesosCli(ClientTestCase):
    """The `mesos` command in Python."""

    client = "mesos-cli"

    def test_sessions(self) -> None:
        self.run_session("LAUNCH_NESTED_CONTAINER_SESSION", b"hello\n")
        self.run_session("LAUNCH_NESTED_CONTAINER_SESSION-2", b"o1\n", b"e1\n")
        self.run_session("LAUNCH_NESTED_CONTAINER_SESSION-3", b"")
        self.run_session("LAUNCH_NESTED_CONTAINER_SESSION-4", b"")
        self.run_session("LAUNCH_NESTED_CONTAINER_SESSION-5", b"",
                         b"Failed to execute '/no/such/binary': No such file or directory\n")
        self.wait("WAIT_CONTAINER", 0)
        self.wait("WAIT_CONTAINER-2", 0)
        self.wait("WAIT_CONTAINER-3", 7 << 8)
        self.wait("WAIT_CONTAINER-4", 15)

    def test_piped_input(self) -> None:
        """Input is attached twice: with nothing but the id first, then with the real data."""
        output = self.open_stream("LAUNCH_NESTED_CONTAINER_SESSION-6")  # cat
        self.send_input("ATTACH_CONTAINER_INPUT")
        self.send_input("ATTACH_CONTAINER_INPUT-2")
        self.finish_stream(output, b"piped-stdin\n")
        self.wait("WAIT_CONTAINER-5", 0)

    def test_input_of_nothing_leaves_stdin_open(self) -> None:
        path = self.recorded("ATTACH_CONTAINER_INPUT-3").path
        output = self.own_session(path, argv("cat"))
        self.send_input("ATTACH_CONTAINER_INPUT-3")
        self.assertEqual(200, attach.write_input(self.agent, *path, data=b"later\n").status)
        self.finish_stream(output, b"later\n")
        self.wait("WAIT_CONTAINER-6", 0)

    def test_terminal(self) -> None:
        path = self.recorded("ATTACH_CONTAINER_INPUT-5").path
        output = self.own_session(
            path, shell("stty -echo; echo ready; read line; stty size; echo got $line"),
            attach.tty())
        output.read_until(b"ready\r\n")
        self.send_input("ATTACH_CONTAINER_INPUT-5")
        opened = self.open_input("ATTACH_CONTAINER_INPUT-6")
        self.finish_stream(output, b"ready\r\n31 99\r\ngot a\r\n")
        self.finish_input(opened)

    def test_attach_output(self) -> None:
        path = self.recorded("ATTACH_CONTAINER_OUTPUT").path
        self.ancestors(path)
        self.agent.launch(*path, command=argv("head", "-n", "1", **ATTACHABLE))
        readers = [self.open_stream(f"ATTACH_CONTAINER_OUTPUT{n}") for n in ("", "-2")]
        self.assertEqual(200, attach.write_input(self.agent, *path, data=b"go\n").status)
        for reader in readers:
            self.finish_stream(reader, b"go\n")

    def test_attach_output_of_a_root(self) -> None:
        path = self.recorded("ATTACH_CONTAINER_OUTPUT-3").path
        self.agent.launch(*path, command=argv("head", "-n", "1", **ATTACHABLE))
        reader = self.open_stream("ATTACH_CONTAINER_OUTPUT-3")
        self.assertEqual(200, attach.write_input(self.agent, *path, data=b"go\n").status)
        self.finish_stream(reader, b"go\n")

    def test_attach_output_refused(self) -> None:
        path = self.recorded("ATTACH_CONTAINER_OUTPUT-4").path
        self.ancestors(path)
        self.agent.launch(*path, command=shell("sleep 300"))
        response = self.send("ATTACH_CONTAINER_OUTPUT-4", 500)
        self.assertEqual("I/O switchboard server was disabled for this container", response.text)


class MesosTerm(ClientTestCase):
    """The web terminal: shells with a tty, input attached twice."""

    client = "mesos-term"

    def shell_session(self, number: str, probe: str, stream: str) -> Output:
        output = self.open_stream(f"LAUNCH_NESTED_CONTAINER_SESSION{number}")
        self.send_input(f"ATTACH_CONTAINER_INPUT{probe}")
        opened = self.open_input(f"ATTACH_CONTAINER_INPUT{stream}")  # ends with "exit"
        output.read_to_end()
        self.finish_input(opened)
        return output

    def test_environment_and_user(self) -> None:
        output = self.shell_session("", "", "-2")
        for line in (b"E=bar\r\n", b"U=root\r\n", b"30 90\r\n"):
            self.assertIn(line, output.stdout)

    def test_resize(self) -> None:
        output = self.shell_session("-2", "-3", "-4")
        self.assertIn(b"44 132\r\n", output.stdout)

    def test_nested_task(self) -> None:
        output = self.shell_session("-3", "-5", "-6")
        self.assertIn(b"R42\r\n", output.stdout)


class PyMesos(ClientTestCase):
    """pymesos, which posts to /api/v1/operator."""

    client = "pymesos"

    def test_launch_wait_kill_remove(self) -> None:
        self.launch("LAUNCH_NESTED_CONTAINER")
        self.wait("WAIT_NESTED_CONTAINER", 9 << 8)
        self.launch("LAUNCH_NESTED_CONTAINER-2")
        self.send("KILL_NESTED_CONTAINER")
        self.wait("WAIT_NESTED_CONTAINER-2", 9)
        self.send("REMOVE_NESTED_CONTAINER")

    def test_session(self) -> None:
        """Accept: application/recordio without Message-Accept means JSON."""
        self.run_session("LAUNCH_NESTED_CONTAINER_SESSION", b"hi\n")

    def test_attach_unknown(self) -> None:
        self.send("ATTACH_CONTAINER_OUTPUT", 404)

    def test_broken_input(self) -> None:
        """It sends its input as one JSON string: a clean 4xx."""
        request = self.recorded("JSON")
        with self.agent.connect() as connection:
            connection.send(request.raw)
            response = connection.read_response()
            self.check_form(request, response, 400)
            self.check_connection(request, connection)

    def test_gets(self) -> None:
        self.check_gets()


class Curl(ClientTestCase):
    client = "curl"

    # Status by file; every other GET_HEALTH is 200.
    STATUS = {
        "GET_HEALTH-16": 400, "GET_HEALTH-17": 415, "GET_HEALTH-19": 406, "GET_HEALTH-20": 400,
        "GET_HEALTH-21": 406, "GET_HEALTH-22": 415, "GET_api_v1": 405, "GET_nope": 404,
        "JSON": 400, "NOPE": 400, "NOTYPE": 400,
    }

    def test_all(self) -> None:
        for file in sorted((RECORDINGS / self.client).glob("*.http")):
            request = Recorded(file)
            with self.subTest(request=request.name), self.agent.connect() as connection:
                connection.send(request.raw)
                response = connection.read_response()
                if response.status == 100:  # the body was sent along with Expect
                    response = connection.read_response()
                if b"jsonp=" in request.raw:
                    self.assertEqual((200, "text/javascript"),
                                     (response.status, response.content_type))
                else:
                    self.check_form(request, response, self.STATUS.get(file.stem, 200))
                self.check_connection(request, connection)
                if b"HTTP/1.0" in request.raw.partition(b"\r\n")[0]:
                    self.assertTrue(connection.ended(), "HTTP/1.0 without keep-alive")

    def test_large_body_with_expect(self) -> None:
        """curl announces bodies above 1 MB with Expect and waits a second for the 100."""
        with self.root() as root:
            name = unique("big")
            body = wire.to_json({
                "type": "LAUNCH_NESTED_CONTAINER_SESSION", "launch_nested_container_session": {
                    "container_id": {"value": name, "parent": {"value": root}},
                    "command": argv("true"), "padding": "x" * 2_000_000}})
            with self.agent.connect() as connection:
                connection.send(b"POST /api/v1 HTTP/1.1\r\nHost: a\r\nUser-Agent: curl/7.88.1\r\n"
                                b"Accept: */*\r\nContent-Type: application/json\r\n"
                                b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
                self.assertEqual(100, connection.read_head().status)
                connection.send(body)
                response = connection.read_response()
            self.assertEqual((200, JSON), (response.status, response.content_type))
            self.assertEqual(200, self.agent.try_wait(root, name).status)


class MesosFramework(ClientTestCase):
    """mesos-framework for Node.js, its health request."""

    client = "mesos-framework-js"

    def test_gets(self) -> None:
        self.check_gets()


if __name__ == "__main__":
    import run
    run.main([__file__])
