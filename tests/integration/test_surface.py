"""The operator's surface besides containers: state, resource providers' configurations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from harness import ENCODINGS, AgentTestCase, Flag, OwnAgentTestCase, Reply
from wire import Message

STORAGE = "org.apache.mesos.rp.local.storage"


def provider(plugin: str, name: str = "lvm") -> Message:
    return {"type": STORAGE, "name": name,
            "storage": {"plugin": {"type": "org.example.lvm", "name": plugin, "containers": [
                {"services": ["NODE_SERVICE"], "command": {"shell": True, "value": "plugin"}}]}}}


class AgentState(AgentTestCase):
    agent_flags: ClassVar[dict[str, Flag]] = {
        "hostname": "node.example", "attributes": "rack:abc;zone:1",
        "resources": "cpus:2;mem:1024;disk:512;ports:[31000-31100]"}

    def test_agent_is_what_the_flags_say(self) -> None:
        for encoding in ENCODINGS:
            with self.subTest(encoding=encoding):
                reply = self.agent.expect(200, {"type": "GET_AGENT"}, encoding)
                assert reply.message is not None
                info = reply.message["get_agent"]["agent_info"]
                self.assertEqual("node.example", info["hostname"])
                self.assertEqual(self.agent.address[1], info["port"])
                self.assertNotIn("id", info)
                self.assertEqual(["cpus", "mem", "disk", "ports"],
                                 [r["name"] for r in info["resources"]])
                self.assertEqual({"rack": {"value": "abc"}, "zone": {"value": 1.0}},
                                 {a["name"]: a.get("text") or a["scalar"]
                                  for a in info["attributes"]})

    def test_standalone_has_no_frameworks(self) -> None:
        tasks = {f"{kind}_tasks": [] for kind in
                 ("pending", "queued", "launched", "terminated", "completed")}
        executors: Message = {"executors": [], "completed_executors": []}
        frameworks: Message = {"frameworks": [], "completed_frameworks": []}
        for kind, expected in (
                ("GET_TASKS", tasks), ("GET_EXECUTORS", executors), ("GET_FRAMEWORKS", frameworks),
                ("GET_STATE", {"get_tasks": tasks, "get_executors": executors,
                               "get_frameworks": frameworks}),
                ("GET_OPERATIONS", {}), ("GET_RESOURCE_PROVIDERS", {})):
            with self.subTest(call=kind):
                reply = self.agent.expect(200, {"type": kind})
                # As text: also the order, and what is written though it is empty.
                self.assertEqual({"type": kind, kind.lower(): expected},
                                 json.loads(reply.response.body))

    def test_a_container_is_no_task(self) -> None:
        with self.root() as root:
            self.assertIn((root,), self.agent.containers())
            reply = self.agent.expect(200, {"type": "GET_TASKS"})
            assert reply.message is not None
            self.assertEqual([], reply.message["get_tasks"].get("launched_tasks", []))


class ResourceProviderConfigs(OwnAgentTestCase):
    def start(self) -> None:
        agent = self.new_agent(start=False)
        self.directory = agent.scratch / "providers"
        self.directory.mkdir()
        agent.flags["resource_provider_config_dir"] = str(self.directory)
        self.agent = agent.start()

    def change(self, verb: str, info: Message, encoding: str) -> Reply:
        kind = f"{verb}_RESOURCE_PROVIDER_CONFIG"
        message = info if verb == "REMOVE" else {"info": info}
        return self.agent.call({"type": kind, kind.lower(): message}, encoding)

    def files(self) -> list[Path]:
        return sorted(self.directory.iterdir())

    def stored(self) -> list[Message]:
        return [json.loads(path.read_text()) for path in self.files()]

    def test_life_of_a_config(self) -> None:
        self.start()
        named = {"type": STORAGE, "name": "lvm"}
        what = f"Resource provider with type '{STORAGE}' and name 'lvm'"
        for encoding in ENCODINGS:
            with self.subTest(encoding=encoding):
                self.assert_status(409, self.change("UPDATE", provider("vg0"), encoding),
                                   f"{what} does not exist")
                self.assert_status(200, self.change("ADD", provider("vg0"), encoding), "")
                self.assert_status(200, self.change("ADD", provider("vg0"), encoding), "")
                self.assert_status(409, self.change("ADD", provider("vg1"), encoding),
                                   f"{what} already exists")
                self.assertEqual([provider("vg0")], self.stored())
                self.assertRegex(self.files()[0].name, rf"^{STORAGE}\.lvm\.[-0-9a-f]{{36}}\.json$")
                self.assert_status(200, self.change("UPDATE", provider("vg1"), encoding), "")
                self.assertEqual([provider("vg1")], self.stored())
                # It is there after a crash.
                self.agent.restart()
                self.assert_status(409, self.change("ADD", provider("vg0"), encoding))
                self.assert_status(200, self.change("REMOVE", named, encoding), "")
                self.assertEqual([], self.files())
                self.assert_status(200, self.change("REMOVE", named, encoding), "")

    def test_a_provider_that_cannot_be_started_says_so(self) -> None:
        self.start()
        self.assert_status(200, self.change("ADD", provider("vg0"), ENCODINGS[0]))
        sentence = (f"Resource provider with type '{STORAGE}' and name 'lvm' cannot be started: "
                    "this agent runs no resource providers yet")
        self.assertIn(sentence, self.agent.log_tail())
        self.agent.restart()
        self.assertIn("and name 'lvm' is not started", self.agent.log_tail())
        reply = self.agent.expect(200, {"type": "GET_RESOURCE_PROVIDERS"})
        self.assertEqual(b'{"type":"GET_RESOURCE_PROVIDERS","get_resource_providers":{}}',
                         reply.response.body)

    def test_start_is_refused(self) -> None:
        for content, reason in ((None, "No such file or directory"),
                                ("[]", "Expecting a JSON object")):
            with self.subTest(content=content):
                agent = self.new_agent(start=False)
                directory = agent.scratch / "providers"
                agent.flags["resource_provider_config_dir"] = str(directory)
                if content is not None:
                    directory.mkdir()
                    (directory / "bad.json").write_text(content)
                agent.start(wait=False)
                self.assertEqual(1, agent.join())
                self.assertIn("--resource_provider_config_dir: ", agent.log_tail())
                self.assertIn(reason, agent.log_tail())


if __name__ == "__main__":
    import run
    run.main([__file__])
