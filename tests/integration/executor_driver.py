"""A custom executor that speaks libprocess with its agent, as the driver library does, and as its test
says (executor_control.py).

    register    send RegisterExecutorMessage
    send        name, message={...}: any message to the agent; framework and executor id are filled in
    exit        code=0

Reports each `message` of the agent, with its sender's UPID. Does nothing of its own accord.
"""

from __future__ import annotations

import os

import v0
from executor_control import DirectedExecutor, Reporter
from libprocess import Link, Request, address_of, post
from libprocess_endpoint import Endpoint
from wire import Message


class Executor(DirectedExecutor):
    def __init__(self) -> None:
        self.reporter = Reporter()
        self.agent = os.environ["MESOS_SLAVE_PID"]
        self.ids = {"executor_id": {"value": os.environ["MESOS_EXECUTOR_ID"]},
                    "framework_id": {"value": os.environ["MESOS_FRAMEWORK_ID"]}}
        self.link: Link | None = None
        self.endpoint = Endpoint(self.take)
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
            self.link = Link(address_of(self.agent))  # the agent was started anew
            self.link.send(data)

    def update(self, status: Message, slave_id: Message) -> None:
        """A StatusUpdateMessage, complete but for what the test gives."""
        self.send("StatusUpdateMessage", {
            "update": {**self.ids, "slave_id": slave_id, "status": status,
                       "timestamp": status["timestamp"], "uuid": status["uuid"]},
            "pid": self.pid})


if __name__ == "__main__":
    Executor().run()
