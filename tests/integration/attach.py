"""Clients of the streaming calls: output of a session or an attached container, and its input."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import Any

import wire
from harness import Agent, container_id
from rawhttp import LAST_CHUNK, TIMEOUT, ConnectionClosed, Response, chunk, request_head
from recordio import RecordDecoder, record
from wire import JSON, RECORDIO, Message


def tty(rows: int | None = None, columns: int | None = None) -> Message:
    """A ContainerInfo that asks for a terminal, of that size if given."""
    info: Message = {}
    if rows is not None:
        info["window_size"] = {"rows": rows, "columns": columns}
    return {"type": "MESOS", "tty_info": info}


def output_request(call: Message, accept: str = JSON, recordio: bool = True,
                   path: str = "/api/v1") -> bytes:
    """Bytes of a streaming call. With `recordio` false the message encoding is asked for by
    Accept alone, which the API answers with RecordIO all the same."""
    body = wire.to_json(call)
    return request_head("POST", path, {
        "Host": "agent", "Content-Type": JSON, "Accept": RECORDIO if recordio else accept,
        "Message-Accept": accept if recordio else None, "Content-Length": str(len(body)),
    }) + body


class Output:
    """The receiving end of LAUNCH_NESTED_CONTAINER_SESSION or ATTACH_CONTAINER_OUTPUT.

    Sends the request and reads the head of the response; `accept` is the encoding of the messages.
    With `half_close`, the sending side is closed in between.
    """

    def __init__(self, agent: Agent, request: bytes, accept: str = JSON,
                 receive_buffer: int | None = None, timeout: float = TIMEOUT,
                 half_close: bool = False) -> None:
        self.accept = accept
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.heartbeats: list[tuple[float, int]] = []  # (when, announced interval in ns)
        self.records_per_chunk: list[int] = []
        self.clean_end = False
        self.connection = agent.connect(timeout, receive_buffer)
        self.connection.send(request)
        if half_close:
            self.connection.shutdown_write()
            self.response = self.connection.read_final_head(timeout)
        else:
            self.response = self.connection.read_head(timeout)
        self._records = self._decode(timeout)
        if self.response.status != 200:
            self.connection.read_body(self.response)
            self.connection.close()

    def __enter__(self) -> Output:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _decode(self, timeout: float) -> Iterator[Message]:
        decoder = RecordDecoder()
        for piece in self.connection.chunks(timeout):
            records = decoder.feed(piece)
            self.records_per_chunk.append(len(records))
            for payload in records:
                yield wire.parse(self.accept, "ProcessIO", payload)
        if decoder.partial():
            raise AssertionError("the stream ended inside a record")
        self.clean_end = True

    def records(self) -> Iterator[Message]:
        """ProcessIO messages as they come, sorted into stdout, stderr and heartbeats as well."""
        for message in self._records:
            if message["type"] == "DATA":
                data = message["data"]["data"]
                data = base64.b64decode(data) if isinstance(data, str) else data
                (self.stdout if message["data"]["type"] == "STDOUT" else self.stderr).extend(data)
            else:
                interval = message["control"]["heartbeat"]["interval"]["nanoseconds"]
                self.heartbeats.append((time.monotonic(), interval))
            yield message

    def read_until(self, token: bytes) -> Output:
        """Read until stdout contains the token; AssertionError if the stream ends before."""
        while token not in self.stdout:
            if next(self.records(), None) is None:
                raise AssertionError(f"ended without {token!r}: {self}")
        return self

    def read_to_end(self) -> Output:
        """Read until the stream ends; ConnectionClosed when it does not end cleanly."""
        for _ in self.records():
            pass
        return self

    def ends_uncleanly(self) -> bool:
        """Read on; whether the connection breaks off without the final chunk."""
        try:
            self.read_to_end()
        except (ConnectionClosed, ConnectionResetError):
            return True
        return False

    def close(self) -> None:
        self.connection.close()

    def __str__(self) -> str:
        return (f"{self.response.status_line} {self.response.text!r} "
                f"stdout={bytes(self.stdout[-300:])!r} stderr={bytes(self.stderr[-300:])!r}")


def session_call(*path: str, command: Message, container: Message | None = None) -> Message:
    message: Message = {"container_id": container_id(*path), "command": command}
    if container is not None:
        message["container"] = container
    return {"type": "LAUNCH_NESTED_CONTAINER_SESSION", "launch_nested_container_session": message}


def try_session(agent: Agent, *path: str, command: Message, container: Message | None = None,
                accept: str = JSON, recordio: bool = True, **kwargs: Any) -> Output:
    """A session that need not be accepted: look at response.status."""
    call = session_call(*path, command=command, container=container)
    return Output(agent, output_request(call, accept, recordio), accept, **kwargs)


def session(agent: Agent, *path: str, command: Message, container: Message | None = None,
            **kwargs: Any) -> Output:
    output = try_session(agent, *path, command=command, container=container, **kwargs)
    if output.response.status != 200:
        raise AssertionError(f"session answered {output}")
    return output


def try_attach_output(agent: Agent, *path: str, accept: str = JSON, recordio: bool = True,
                      replay: bool = False, **kwargs: Any) -> Output:
    call = {"type": "ATTACH_CONTAINER_OUTPUT",
            "attach_container_output": {"container_id": container_id(*path)}}
    url = "/api/v1?replay=true" if replay else "/api/v1"
    return Output(agent, output_request(call, accept, recordio, url), accept, **kwargs)


def attach_output(agent: Agent, *path: str, **kwargs: Any) -> Output:
    output = try_attach_output(agent, *path, **kwargs)
    if output.response.status != 200:
        raise AssertionError(f"ATTACH_CONTAINER_OUTPUT answered {output}")
    return output


# ---- input ------------------------------------------------------------------------------------


def id_record(*path: str) -> Message:
    return {"type": "ATTACH_CONTAINER_INPUT",
            "attach_container_input": {"type": "CONTAINER_ID",
                                       "container_id": container_id(*path)}}


def io_record(process_io: Message) -> Message:
    return {"type": "ATTACH_CONTAINER_INPUT",
            "attach_container_input": {"type": "PROCESS_IO", "process_io": process_io}}


def stdin_io(data: bytes) -> Message:
    return {"type": "DATA", "data": {"type": "STDIN", "data": data}}


def resize_io(rows: int, columns: int) -> Message:
    size = {"rows": rows, "columns": columns}
    return {"type": "CONTROL", "control": {"type": "TTY_INFO", "tty_info": {"window_size": size}}}


def heartbeat_io(seconds: int = 30) -> Message:
    interval = {"nanoseconds": seconds * 1_000_000_000}
    return {"type": "CONTROL",
            "control": {"type": "HEARTBEAT", "heartbeat": {"interval": interval}}}


class Input:
    """The sending end of ATTACH_CONTAINER_INPUT: a chunked request, one record a chunk.

    Opened with the record that names the container. Nothing is read until response() is called.
    """

    def __init__(self, agent: Agent, *path: str, encoding: str = JSON,
                 first: Message | None = None, headers: dict[str, str | None] | None = None,
                 timeout: float = TIMEOUT) -> None:
        self.encoding = encoding
        self.connection = agent.connect(timeout)
        self.connection.send(request_head("POST", "/api/v1", {
            "Host": "agent", "Content-Type": RECORDIO, "Message-Content-Type": encoding,
            "Accept": JSON, "Transfer-Encoding": "chunked", **(headers or {})}))
        self.send(first or id_record(*path))

    def __enter__(self) -> Input:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, call: Message) -> Input:
        payload = wire.serialize(self.encoding, "Call", call)
        self.connection.send(chunk(record(payload)))
        return self

    def io(self, process_io: Message) -> Input:
        return self.send(io_record(process_io))

    def stdin(self, data: bytes) -> Input:
        return self.io(stdin_io(data))

    def eof(self) -> Input:
        return self.stdin(b"")

    def resize(self, rows: int, columns: int) -> Input:
        return self.io(resize_io(rows, columns))

    def answered(self, seconds: float) -> bool:
        """Whether a reply (or a close) comes within that time, the request still unfinished."""
        return self.connection.readable(seconds)

    def response(self, timeout: float | None = None) -> Response:
        """The reply, without ending the request."""
        return self.connection.read_response(timeout)

    def finish(self, timeout: float | None = None) -> Response:
        """End the request and give the reply."""
        self.connection.send(LAST_CHUNK)
        return self.response(timeout)

    def close(self) -> None:
        self.connection.close()

    def reset(self) -> None:
        self.connection.reset()


def write_input(agent: Agent, *path: str, data: bytes, eof: bool = True,
                encoding: str = JSON) -> Response:
    """Send some input in one request and give the reply."""
    with Input(agent, *path, encoding=encoding) as stream:
        if data:
            stream.stdin(data)
        if eof:
            stream.eof()
        return stream.finish()
