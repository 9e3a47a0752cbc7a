"""Every rule by which /api/v1 accepts or refuses a request, in JSON and protobuf.

The tables follow the order in which an Apache Mesos agent checks: media types, then the body, then
the message's own rules. Texts are compared exactly where a recording or Mesos's documents give
them; elsewhere a pattern holds the part that names what is wrong.
"""

from __future__ import annotations

import copy
import re
from typing import Any

import attach
import wire
from harness import ENCODINGS, INVALID, AgentTestCase, Text, container_id, resources, shell
from rawhttp import Response
from recordio import record
from wire import JSON, PROTOBUF, RECORDIO, Message

# Calls that name a container, and whether its id needs a parent.
NAMING_CALLS = {
    "LAUNCH_NESTED_CONTAINER": True, "WAIT_NESTED_CONTAINER": True, "KILL_NESTED_CONTAINER": True,
    "REMOVE_NESTED_CONTAINER": True, "LAUNCH_NESTED_CONTAINER_SESSION": True,
    "ATTACH_CONTAINER_OUTPUT": False, "LAUNCH_CONTAINER": False, "WAIT_CONTAINER": False,
    "KILL_CONTAINER": False, "REMOVE_CONTAINER": False,
}

# Calls whose sub-message must be there.
REQUIRED_MESSAGE = [*NAMING_CALLS, "GET_METRICS", "SET_LOGGING_LEVEL", "LIST_FILES", "READ_FILE"]

# (id value, what is wrong with it)
BAD_IDS: list[tuple[str, str]] = [
    ("", "ID must not be empty"),
    ("x" * 256, "ID must not be greater than 255 characters"),
    (".", "'.' is disallowed"),
    ("..", "'..' is disallowed"),
    ("a/b", "'a/b' contains invalid characters"),
    ("a\\b", "'a\\b' contains invalid characters"),
    ("a\nb", "'a\nb' contains invalid characters"),
    ("a\tb", "'a\tb' contains invalid characters"),
    ("a\0b", "'a\0b' contains invalid characters"),
    ("a\x7fb", "'a\x7fb' contains invalid characters"),
    ("x" * 243, f"'ContainerID.value' '{'x' * 243}' exceeds the maximum length (242)"),
    ("x" * 255, f"'ContainerID.value' '{'x' * 255}' exceeds the maximum length (242)"),
    ("é" * 122, f"'ContainerID.value' '{'é' * 122}' exceeds the maximum length (242)"),
    ("é" * 128, "ID must not be greater than 255 characters"),
    ("a b", "'ContainerID.value' 'a b' contains invalid characters"),
    ("a.b", "'ContainerID.value' 'a.b' contains invalid characters"),
]

GOOD_IDS = ["x" * 242, "é" * 121, "a_b-c:d@e", "~", "%41", "日本語"]


def naming_call(kind: str, identifier: Message, **fields: Any) -> Message:
    return {"type": kind, kind.lower(): {"container_id": identifier, **fields}}


def variable(**fields: Any) -> Message:
    return {"value": "true", "environment": {"variables": [{"name": "A", **fields}]}}


def mesos(**fields: Any) -> Message:
    return {"type": "MESOS", **fields}


def volume(**fields: Any) -> Message:
    return mesos(volumes=[{"mode": "RW", "container_path": "x", **fields}])


SECRET_VALUE = {"type": "VALUE", "value": {"data": b"s"}}
ONLY_ONE = ("Invalid volume: Only one of them should be set: "
            "'host_path', 'image' and 'source'")
SANDBOX_SOURCE = {"type": "SANDBOX_PATH", "sandbox_path": {"type": "SELF", "path": "y"}}
DOCKER_IMAGE = {"type": "DOCKER", "docker": {"name": "busybox"}}

# (name, CommandInfo, text after "'<call>.command' is invalid: ")
BAD_COMMANDS: list[tuple[str, Message, Text]] = [
    ("variable without value", variable(),
     "Environment variable 'A' of type 'VALUE' must have a value set"),
    ("explicit VALUE without value", variable(type="VALUE"),
     "Environment variable 'A' of type 'VALUE' must have a value set"),
    ("VALUE with secret", variable(type="VALUE", value="v", secret=SECRET_VALUE),
     re.compile("Environment variable 'A'.*secret")),
    ("SECRET without secret", variable(type="SECRET"),
     "Environment variable 'A' of type 'SECRET' must have a secret set"),
    ("SECRET with value", variable(type="SECRET", value="v", secret=SECRET_VALUE),
     re.compile("Environment variable 'A'.*value")),
    ("secret REFERENCE without reference", variable(type="SECRET", secret={"type": "REFERENCE"}),
     re.compile("Environment variable 'A'.*secret")),
    ("secret REFERENCE with value",
     variable(type="SECRET", secret={"type": "REFERENCE", "reference": {"name": "n"},
                                     "value": {"data": b"s"}}),
     re.compile("Environment variable 'A'.*secret")),
    ("secret VALUE without value", variable(type="SECRET", secret={"type": "VALUE"}),
     re.compile("Environment variable 'A'.*secret")),
    ("secret VALUE with reference",
     variable(type="SECRET", secret={"type": "VALUE", "value": {"data": b"s"},
                                     "reference": {"name": "n"}}),
     re.compile("Environment variable 'A'.*secret")),
    ("secret with NUL",
     variable(type="SECRET", secret={"type": "VALUE", "value": {"data": b"a\0b"}}),
     re.compile("Environment variable 'A'.*null")),
    ("variable of type UNKNOWN", variable(type="UNKNOWN", value="v"),
     re.compile("(?i)environment variable.*UNKNOWN")),
]

# (name, ContainerInfo, text after "'<call>.container' is invalid: ")
BAD_CONTAINERS: list[tuple[str, Message, Text]] = [
    ("volume of nothing", volume(), ONLY_ONE),
    ("volume of host path and source", volume(host_path="/tmp", source=SANDBOX_SOURCE), ONLY_ONE),
    ("volume of host path and image", volume(host_path="/tmp", image=DOCKER_IMAGE), ONLY_ONE),
    ("volume of image and source", volume(image=DOCKER_IMAGE, source=SANDBOX_SOURCE), ONLY_ONE),
    ("source DOCKER_VOLUME without it", volume(source={"type": "DOCKER_VOLUME"}),
     re.compile("docker_volume")),
    ("source HOST_PATH without it", volume(source={"type": "HOST_PATH"}), re.compile("host_path")),
    ("source SANDBOX_PATH without it", volume(source={"type": "SANDBOX_PATH"}),
     re.compile("sandbox_path")),
    ("source SECRET without it", volume(source={"type": "SECRET"}), re.compile("secret")),
    ("DOCKER without docker", {"type": "DOCKER"}, re.compile("docker")),
    ("DOCKER with parameter name",
     {"type": "DOCKER", "docker": {"image": "i", "parameters": [{"key": "name", "value": "x"}]}},
     re.compile("name")),
]

RESERVED = [{**resources(cpus=0.1)[0], "reservations": [{"type": "STATIC", "role": "x"}]}]
DYNAMIC = [{**resources(cpus=0.1)[0], "reservations": [
    {"type": "DYNAMIC", "role": "x", "principal": "p"}]}]
REVOCABLE = [{**resources(cpus=0.1)[0], "revocable": {}}]
PERSISTENT = [{**resources(disk=32)[0], "disk": {
    "persistence": {"id": "p"}, "volume": {"mode": "RW", "container_path": "v"}}}]
SMALL = resources(cpus=0.1, mem=32)

ROOT = container_id("validated")
CHILD = container_id("no-such-root", "child")
GRANDCHILD = container_id("no-such-root", "child", "grandchild")

# (name, LAUNCH_CONTAINER fields, whole text after the prefix)
BAD_LAUNCHES: list[tuple[str, Message, Text]] = [
    ("reserved", {"container_id": ROOT, "resources": RESERVED},
     "'launch_container.resources' must be unreserved"),
    ("dynamically reserved", {"container_id": ROOT, "resources": DYNAMIC},
     "'launch_container.resources' must be unreserved"),
    ("revocable", {"container_id": ROOT, "resources": REVOCABLE},
     re.compile("^'launch_container.resources'.*revocable")),
    ("persistent volume", {"container_id": ROOT, "resources": PERSISTENT},
     re.compile("^'launch_container.resources'.*(unreserved|persistent|volume)")),
    ("gpus fraction", {"container_id": ROOT, "resources": resources(gpus=0.5)},
     "Invalid GPU resources: The 'gpus' resource must be an unsigned integer"),
    ("negative resource", {"container_id": ROOT, "resources": resources(cpus=-1)},
     re.compile("(?i)resource")),
    ("scalar without value", {"container_id": ROOT, "resources": [
        {"name": "cpus", "type": "SCALAR"}]}, re.compile("(?i)resource")),
    ("share_cgroups true at the root",
     {"container_id": ROOT, "resources": SMALL, "container": mesos(
         linux_info={"share_cgroups": True})},
     "'launch_container' is invalid: containers without a parent cannot set 'share_cgroups' to "
     "'true'"),
    ("grandchild with resources", {"container_id": GRANDCHILD, "resources": SMALL},
     re.compile("^'launch_container'.*resources")),
    ("grandchild with limits", {"container_id": GRANDCHILD, "limits": {"cpus": {"value": 1}}},
     re.compile("^'launch_container'.*limits")),
    ("grandchild with own cgroups",
     {"container_id": GRANDCHILD, "container": mesos(linux_info={"share_cgroups": False})},
     re.compile("^'launch_container' is invalid: .*second level.*'share_cgroups'")),
]


class Validation(AgentTestCase):
    def check(self, call: Message, text: Text, encoding: str, status: int = 400) -> None:
        reply = self.agent.call(call, encoding)
        self.check_reply(reply.response, text, status)

    def check_reply(self, response: Response, text: Text, status: int = 400) -> None:
        self.assertEqual(status, response.status, response.text[:500])
        self.assertEqual("text/plain; charset=utf-8", response.content_type)
        self.assert_text(text, response.text)

    def check_rule(self, call: Message, subject: str, rule: Text, encoding: str) -> None:
        """400 with the prefix, what is invalid, and the rule."""
        reply = self.agent.call(call, encoding)
        start = f"{INVALID}{subject}"
        self.assertEqual(400, reply.status, str(reply))
        self.assertTrue(reply.text.startswith(start), f"{reply.text!r} but not {start!r}")
        rest = reply.text.removeprefix(start)
        self.assert_text(rule, rest)

    def test_type(self) -> None:
        for encoding in ENCODINGS:
            with self.subTest(encoding=encoding):
                self.check({}, f"{INVALID}Expecting 'type' to be present", encoding)
                self.check({"type": "UNKNOWN"}, "501 Not Implemented.", encoding, 501)
        # A type that this agent does not know reads as no type at all.
        self.check({"type": "NOPE"}, f"{INVALID}Expecting 'type' to be present", JSON)
        self.check({"type": 9999}, f"{INVALID}Expecting 'type' to be present", PROTOBUF)

    def test_missing_message(self) -> None:
        for kind in REQUIRED_MESSAGE:
            for encoding in ENCODINGS:
                with self.subTest(call=kind, encoding=encoding):
                    self.check({"type": kind},
                               f"{INVALID}Expecting '{kind.lower()}' to be present", encoding)

    def test_null_message_is_missing(self) -> None:
        self.check({"type": "WAIT_CONTAINER", "wait_container": None},
                   f"{INVALID}Expecting 'wait_container' to be present", JSON)

    def test_missing_container_id(self) -> None:
        for kind in NAMING_CALLS:
            name = kind.lower()
            with self.subTest(call=kind):
                self.check({"type": kind, name: {}},
                           f"Missing required fields: {name}.container_id", JSON)
                self.check({"type": kind, name: {"container_id": {}}},
                           f"Missing required fields: {name}.container_id.value", JSON)
                for message in ({}, {"container_id": {}}):
                    self.check({"type": kind, name: message},
                               "Failed to parse body into a protobuf object", PROTOBUF)

    def test_missing_parent_value(self) -> None:
        identifier = {"value": "c", "parent": {}}
        self.check(naming_call("WAIT_CONTAINER", identifier),
                   "Missing required fields: wait_container.container_id.parent.value", JSON)
        self.check(naming_call("WAIT_CONTAINER", identifier),
                   "Failed to parse body into a protobuf object", PROTOBUF)

    def test_parent_required(self) -> None:
        for kind, nested in NAMING_CALLS.items():
            if not nested:
                continue
            for encoding in ENCODINGS:
                with self.subTest(call=kind, encoding=encoding):
                    self.check(
                        naming_call(kind, container_id("plain")),
                        f"{INVALID}Expecting '{kind.lower()}.container_id.parent' to be present",
                        encoding)

    def test_container_id(self) -> None:
        for kind in NAMING_CALLS:
            for value, rule in BAD_IDS:
                for encoding in ENCODINGS:
                    with self.subTest(call=kind, id=value[:20], encoding=encoding):
                        identifier = container_id("no-such-root", value)
                        self.check_rule(naming_call(kind, identifier),
                                        f"'{kind.lower()}.container_id' is invalid: ",
                                        rule, encoding)

    def test_ancestor_ids(self) -> None:
        for kind in NAMING_CALLS:
            for value, rule in BAD_IDS:
                with self.subTest(call=kind, id=value[:20]):
                    subject = f"'{kind.lower()}.container_id' is invalid: "
                    self.check_rule(
                        naming_call(kind, container_id(value, "child")),
                        f"{subject}'ContainerID.parent' is invalid: ", rule, PROTOBUF)
                    self.check_rule(
                        naming_call(kind, container_id(value, "child", "grandchild")), subject,
                        re.compile("^('ContainerID.parent' is invalid: ){2}" + re.escape(rule)),
                        JSON)

    def test_good_ids(self) -> None:
        """Valid ids get past validation: the container is what is not found."""
        for value in GOOD_IDS:
            for encoding in ENCODINGS:
                with self.subTest(id=value[:20], encoding=encoding):
                    reply = self.agent.try_wait("no-such-root", value, encoding=encoding)
                    self.assert_status(
                        404, reply, f"Container no-such-root.{value} cannot be found")

    def test_deep_ids_are_valid(self) -> None:
        path = [f"level{i}" for i in range(40)]
        reply = self.agent.try_wait(*path)
        self.assert_status(404, reply, f"Container {'.'.join(path)} cannot be found")

    def test_command(self) -> None:
        for kind in ("LAUNCH_NESTED_CONTAINER", "LAUNCH_NESTED_CONTAINER_SESSION",
                     "LAUNCH_CONTAINER"):
            for name, command, rule in BAD_COMMANDS:
                for encoding in ENCODINGS:
                    with self.subTest(call=kind, rule=name, encoding=encoding):
                        self.check_rule(naming_call(kind, CHILD, command=command),
                                        f"'{kind.lower()}.command' is invalid: ", rule, encoding)

    def test_container(self) -> None:
        for kind in ("LAUNCH_NESTED_CONTAINER", "LAUNCH_NESTED_CONTAINER_SESSION",
                     "LAUNCH_CONTAINER"):
            for name, container, rule in BAD_CONTAINERS:
                for encoding in ENCODINGS:
                    with self.subTest(call=kind, rule=name, encoding=encoding):
                        call = naming_call(kind, CHILD, command=shell("true"),
                                           container=container)
                        self.check_rule(call, f"'{kind.lower()}.container' is invalid: ",
                                        rule, encoding)

    def test_launch_container(self) -> None:
        for name, fields, rule in BAD_LAUNCHES:
            for encoding in ENCODINGS:
                with self.subTest(rule=name, encoding=encoding):
                    call = {"type": "LAUNCH_CONTAINER",
                            "launch_container": {"command": shell("true"), **copy.deepcopy(fields)}}
                    self.check_rule(call, "", rule, encoding)
        self.assertEqual(set(), self.agent.containers())

    def test_own_cgroups(self) -> None:
        own = mesos(linux_info={"share_cgroups": False})
        for encoding in ENCODINGS:
            with self.subTest(encoding=encoding):
                self.check_rule(
                    naming_call("LAUNCH_NESTED_CONTAINER", GRANDCHILD, command=shell("true"),
                                container=own), "",
                    "'launch_nested_container' is invalid: containers nested at the second level "
                    "or greater cannot set 'share_cgroups' to 'false'", encoding)
                for identifier in (CHILD, GRANDCHILD):
                    self.check_rule(
                        naming_call("LAUNCH_NESTED_CONTAINER_SESSION", identifier,
                                    command=shell("true"), container=own), "",
                        "'launch_nested_container_session.container.linux_info' is invalid: "
                        "'share_cgroups' cannot be set to 'false' for nested container sessions",
                        encoding)

    def test_optional_messages(self) -> None:
        """GET_CONTAINERS needs no sub-message; a null or an unknown field is no error."""
        for call in ({"type": "GET_CONTAINERS"}, {"type": "GET_CONTAINERS", "get_containers": None},
                     {"type": "GET_CONTAINERS", "get_containers": {}, "someThing": [1, {}]}):
            self.agent.expect(200, call)
        for encoding in ENCODINGS:
            self.agent.expect(200, {"type": "GET_CONTAINERS"}, encoding)


class AttachInputValidation(AgentTestCase):
    """Rules for the records of ATTACH_CONTAINER_INPUT."""

    def first_record(self, payload: bytes, encoding: str = JSON) -> Response:
        with self.agent.connect() as connection:
            return connection.request(
                "POST", "/api/v1",
                {"Content-Type": RECORDIO, "Message-Content-Type": encoding, "Accept": JSON},
                record(payload))

    def check(self, message: Message, status: int, text: Text) -> None:
        for encoding in ENCODINGS:
            with self.subTest(message=message, encoding=encoding):
                payload = wire.serialize(encoding, "Call", message)
                response = self.first_record(payload, encoding)
                self.assertEqual(status, response.status, response.text)
                self.assert_text(text, response.text)

    def test_message(self) -> None:
        kind = "ATTACH_CONTAINER_INPUT"
        self.check({"type": kind}, 400,
                   f"{INVALID}Expecting 'attach_container_input' to be present")
        self.check({"type": kind, "attach_container_input": {}}, 400,
                   f"{INVALID}Expecting 'attach_container_input.type' to be present")
        self.check({"type": kind, "attach_container_input": {"type": "UNKNOWN"}}, 400,
                   re.compile("^Failed to validate agent::Call: 'attach_container_input.type'"))
        self.check({"type": kind, "attach_container_input": {"type": "CONTAINER_ID"}}, 400,
                   f"{INVALID}Expecting 'attach_container_input.container_id' to be present")
        self.check(attach.io_record(attach.stdin_io(b"x")), 400,
                   "Expecting 'attach_container_input.type' to be CONTAINER_ID")

    def test_container_id(self) -> None:
        for value, rule in BAD_IDS:
            self.check(attach.id_record("no-such-root", value), 400,
                       f"{INVALID}'attach_container_input.container_id' is invalid: {rule}")

    def test_unknown_root(self) -> None:
        self.check(attach.id_record("no-such-root"), 404,
                   "Container no-such-root cannot be found")
        self.check(attach.id_record("no-such-root", "child"), 404,
                   "Container no-such-root.child cannot be found")

    def test_bodies(self) -> None:
        cases = {
            b"[]": "Expecting a JSON object",
            b"{}": f"{INVALID}Expecting 'type' to be present",
            b'"x"': "Expecting a JSON object",
        }
        for payload, text in cases.items():
            with self.subTest(payload=payload):
                response = self.first_record(payload)
                self.assertEqual((400, text), (response.status, response.text))
        response = self.first_record(b"\xff\xff\xff", PROTOBUF)
        self.assertEqual((400, "Failed to parse body into a protobuf object"),
                         (response.status, response.text))

    def test_broken_frames(self) -> None:
        """RecordIO that is none is 500 with the reason, as Mesos answers it."""
        for frame in (b"zz\n{}", b"\n{}", b" 5\n{}", b"5\r\n{}", b"-1\n{}", b"1x\n{}"):
            with self.subTest(frame=frame), self.agent.connect() as connection:
                response = connection.request(
                    "POST", "/api/v1", {"Content-Type": RECORDIO, "Message-Content-Type": JSON},
                    frame)
                self.assertEqual(500, response.status, response.text)
                self.assertRegex(response.text, "Failed to decode length")

    def test_no_record(self) -> None:
        for body in (b"", b"12", b"12\n", b"12\n{\"type\":"):
            with self.subTest(body=body), self.agent.connect() as connection:
                response = connection.request(
                    "POST", "/api/v1", {"Content-Type": RECORDIO, "Message-Content-Type": JSON},
                    body)
                self.assertEqual((400, "Received EOF while reading request body"),
                                 (response.status, response.text))


if __name__ == "__main__":
    import run
    run.main([__file__])
