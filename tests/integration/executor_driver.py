"""A custom executor that speaks libprocess with its agent, as the driver library does, and as its test
says (executor_control.py).

    register    send RegisterExecutorMessage
    send        name, message={...}: any message to the agent; framework and executor id are filled in
    exit        code=0

Reports each `message` of the agent, with its sender's UPID. Does nothing of its own accord.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import v0
from executor_control import DirectedExecutor, Reporter
from libprocess import Link, Request, address_of, post
from libprocess_endpoint import Endpoint
from tls import Identity, client_context, server_context
from wire import Message


def contexts() -> tuple[ssl.SSLContext | None, ssl.SSLContext | None]:
    """For those who connect, and to connect to the agent: as the environment says, like libmesos."""
    if os.environ.get("LIBPROCESS_SSL_ENABLED") not in ("1", "true"):
        return None, None
    cert, key, authority = (Path(os.environ[f"LIBPROCESS_SSL_{name}_FILE"])
                            for name in ("CERT", "KEY", "CA"))
    own = Identity("executor", cert, key)
    return server_context(own), client_context(Identity("authority", authority, key), own)


class Executor(DirectedExecutor):
    def __init__(self) -> None:
        self.reporter = Reporter()
        self.agent = os.environ["MESOS_SLAVE_PID"]
        self.ids = {"executor_id": {"value": os.environ["MESOS_EXECUTOR_ID"]},
                    "framework_id": {"value": os.environ["MESOS_FRAMEWORK_ID"]}}
        self.link: Link | None = None
        own_tls, self.agent_tls = contexts()
        self.endpoint = Endpoint(self.take, tls=own_tls)
        host, port = self.endpoint.address
        self.pid = f"executor(1)@{host}:{port}"
        self.endpoint.start()

    def take(self, request: Request, connection: int) -> None:
        message = v0.decode(request.name, request.body)
        self.reporter.report(
            "message", name=v0.short_name(request.name), message=message, sender=request.sender,
            target=request.target, connection=connection,
            problems=v0.problems(request.name, message))

    # -- commands --

    def register(self) -> None:
        self.send("RegisterExecutorMessage", self.ids)

    def send(self, name: str, message: Message) -> None:
        full = v0.full_name(name)
        data = post(self.pid, self.agent, full, v0.encode(full, message))
        if self.link is None or not self.link.send(data):
            # The agent was started anew.
            self.link = Link(address_of(self.agent), tls=self.agent_tls)
            self.link.send(data)

    def update(self, status: Message, slave_id: Message) -> None:
        """A StatusUpdateMessage, complete but for what the test gives."""
        self.send("StatusUpdateMessage", {
            "update": {**self.ids, "slave_id": slave_id, "status": status,
                       "timestamp": status["timestamp"], "uuid": status["uuid"]},
            "pid": self.pid})


if __name__ == "__main__":
    Executor().run()
