"""A custom executor that speaks the executor API over HTTP, as its test says (executor_control.py).

    subscribe   tasks=[...], updates=[...], headers={}: SUBSCRIBE on a connection of its own; reports
                `subscribed` with the status, then each `event`, then `stream ended`
    call        call={...}, headers={}: any other call on the second connection; reports `answer`
    unsubscribe close the stream
    exit        code=0

Messages are in JSON, or with TEST_ENCODING=protobuf in the other, with the names of package mesos.
"""

from __future__ import annotations

import json
import os
import socket
import threading

import v0
from executor_control import DirectedExecutor, Reporter
from libprocess import address_of
from rawhttp import Connection, ConnectionClosed, ProtocolError, request_head
from recordio import RecordDecoder
from wire import JSON, PROTOBUF, Message, to_json

PATH = "/slave(1)/api/v1/executor"


class Executor(DirectedExecutor):
    def __init__(self) -> None:
        self.reporter = Reporter()
        self.encoding = (PROTOBUF if os.environ.get("TEST_ENCODING") == "protobuf" else JSON)
        self.stream: Connection | None = None
        self.other: Connection | None = None

    def headers(self, extra: dict[str, str | None]) -> dict[str, str | None]:
        headers: dict[str, str | None] = {"Host": "agent", "Accept": self.encoding,
                                          "Content-Type": self.encoding}
        token = os.environ.get("MESOS_EXECUTOR_AUTHENTICATION_TOKEN")
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return {**headers, **extra}

    def connect(self) -> Connection:
        if "MESOS_DOMAIN_SOCKET" in os.environ:
            return Connection(os.environ["MESOS_DOMAIN_SOCKET"])
        return Connection(address_of(os.environ["MESOS_SLAVE_PID"]))

    def complete(self, call: Message) -> bytes:
        call = {"executor_id": {"value": os.environ["MESOS_EXECUTOR_ID"]},
                "framework_id": {"value": os.environ["MESOS_FRAMEWORK_ID"]}, **call}
        return to_json(call) if self.encoding == JSON else v0.encode("executor.Call", call)

    def decode(self, data: bytes) -> Message:
        if self.encoding == JSON:
            return json.loads(data)
        event = v0.decode("executor.Event", data)
        problems = v0.problems("executor.Event", event)
        return {**event, "problems": problems} if problems else event

    # -- commands --

    def subscribe(self, tasks: list[Message] | None = None, updates: list[Message] | None = None,
                  headers: dict[str, str | None] | None = None) -> None:
        body = self.complete({"type": "SUBSCRIBE", "subscribe": {
            "unacknowledged_tasks": tasks or [], "unacknowledged_updates": updates or []}})
        try:
            stream = self.connect()
            stream.send(request_head("POST", PATH, {
                **self.headers(headers or {}), "Content-Length": str(len(body))}) + body)
            head = stream.read_head()
        except (OSError, ProtocolError) as error:
            self.reporter.report("subscribed", status=0, text=str(error))
            return
        if head.status != 200:
            stream.read_body(head)
            self.reporter.report("subscribed", status=head.status, text=head.text)
            stream.close()
            return
        self.reporter.report("subscribed", status=200, content_type=head.content_type,
                             chunked=head.chunked)
        self.stream = stream
        threading.Thread(target=self.read_events, args=(stream,), daemon=True).start()

    def read_events(self, stream: Connection) -> None:
        """Every event as it comes; how the stream ended at last."""
        records, how = RecordDecoder(), "finished"
        try:
            for piece in stream.chunks(timeout=3600):
                for record in records.feed(piece):
                    self.reporter.report("event", event=self.decode(record))
        except ConnectionClosed:
            how = "cut"
        except OSError:
            how = "broken"
        except Exception as error:
            how = repr(error)
        self.reporter.report("stream ended", how=how)

    def unsubscribe(self) -> None:
        if self.stream is not None:
            self.stream.socket.shutdown(socket.SHUT_RDWR)
            self.stream = None

    def call(self, call: Message, headers: dict[str, str | None] | None = None) -> None:
        body = self.complete(call)
        for attempt in (1, 2):
            try:
                if self.other is None:
                    self.other = self.connect()
                response = self.other.request("POST", PATH, self.headers(headers or {}), body)
                self.reporter.report("answer", status=response.status, text=response.text)
                return
            except (OSError, ProtocolError) as error:
                # The agent may have been started anew since the last call.
                self.other = None
                if attempt == 2:
                    self.reporter.report("answer", status=0, text=str(error))


if __name__ == "__main__":
    Executor().run()
