"""The operator's surface besides containers: state, resource providers' configurations."""

from __future__ import annotations

import contextlib
import json
import os
import select
import uuid
from pathlib import Path
from typing import ClassVar

import exposition
from attach import attach_output
from harness import (DATA, ENCODINGS, AgentTestCase, Flag, OwnAgentTestCase, Reply, eventually,
                     resources, shell, unique)
from rawhttp import Response
from replay import ReplayTestMixin
from sessions import ATTACHABLE
from wire import Message

STORAGE = "org.apache.mesos.rp.local.storage"


def provider(plugin: str, name: str = "lvm") -> Message:
    return {"type": STORAGE, "name": name,
            "storage": {"plugin": {"type": "org.example.lvm", "name": plugin, "containers": [
                {"services": ["NODE_SERVICE"], "command": {"shell": True, "value": "plugin"}}]}}}


class SurfaceReplay(AgentTestCase, ReplayTestMixin):
    # As recorded.
    agent_flags: ClassVar[dict[str, Flag]] = {
        "isolation": "cgroups/cpu,cgroups/mem,namespaces/pid,filesystem/linux",
        "resources": "cpus:2;mem:1024;disk:1024;ports:[31000-31100]",
        "attributes": "rack:abc;zone:1", "hostname_lookup": "false"}

    def test_replay(self) -> None:
        names = {"PARENT": str(uuid.uuid4()), "WORK": str(self.agent.scratch),
                 "AGENT_PORT": str(self.agent.address[1])}
        self.agent.launch(names["PARENT"], command=shell("sleep 100000"),
                          resources=resources(cpus=0.2, mem=96))
        self.replay(self.agent, "get-calls", names)


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


class Metrics(AgentTestCase):
    agent_flags: ClassVar[dict[str, Flag]] = {
        "resources": "cpus:2;mem:1024;disk:1024;ports:[31000-31100]",
        "cgroups_cpu_enable_pids_and_tids_count": True}

    def get(self, path: str) -> Response:
        with self.agent.connect() as connection:
            return connection.request("GET", path, {})

    def scrape(self) -> dict[str, exposition.Family]:
        response = self.get("/metrics")
        self.assertEqual("text/plain; version=0.0.4; charset=utf-8", response.content_type)
        return exposition.parse(response.body)

    def test_three_ways_to_the_same(self) -> None:
        """GET_METRICS, /metrics/snapshot and /metrics tell the same."""
        reply = self.agent.expect(200, {"type": "GET_METRICS", "get_metrics": {}}, ENCODINGS[1])
        assert reply.message is not None
        called = {m["name"]: m["value"] for m in reply.message["get_metrics"]["metrics"]}
        snapshot = json.loads(self.get("/metrics/snapshot").text)
        self.assertEqual(list(snapshot), list(called))
        self.assertEqual(list(snapshot), sorted(snapshot))
        families = self.scrape()
        for name in ("slave/cpus_total", "slave/mem_total", "system/cpus_total"):
            self.assertEqual(snapshot[name], called[name], name)
        scraped = {name: family.samples.get((), None) for name, family in families.items()
                   if not name.startswith("mesos_container_")}
        self.assertEqual(len(snapshot), len(scraped))
        self.assertEqual(2.0, scraped["mesos_slave_cpus_capacity"])
        self.assertEqual(snapshot["system/mem_total_bytes"],
                         scraped["mesos_system_mem_total_bytes"])
        self.assertGreaterEqual(scraped["mesos_slave_uptime_seconds"] or 0,
                                snapshot["slave/uptime_secs"])

    def test_true_values(self) -> None:
        def value(name: str) -> float:
            return json.loads(self.get("/metrics/snapshot").text)[name]

        self.assertEqual(float(os.cpu_count() or 0), value("system/cpus_total"))
        total = next(int(line.split()[1]) * 1024
                     for line in Path("/proc/meminfo").read_text().splitlines()
                     if line.startswith("MemTotal:"))
        self.assertEqual(total, value("system/mem_total_bytes"))
        self.assertLess(0, value("system/mem_free_bytes"))
        before = value("slave/container_launch_errors")
        self.agent.launch(unique(), command=shell("true"), status=400,
                          container={"type": "DOCKER", "docker": {"image": "x"}})
        self.assertEqual(before + 1, value("slave/container_launch_errors"))
        self.assertLess(value("slave/uptime_secs"), value("slave/uptime_secs"))
        # Of a week, as much as the disk is empty beyond the headroom.
        self.assertLess(value("slave/executor_directory_max_allowed_age_secs"), 0.9 * 604800 + 1)

    def test_statistics_of_each_container(self) -> None:
        with self.root(shell("while :; do :; done"),
                       resources=resources(cpus=0.5, mem=64)) as root:
            own = unique()
            self.agent.launch(root, own, command=shell("sleep 1000"),
                              resources=resources(cpus=0.1, mem=32),
                              container={"type": "MESOS", "linux_info": {"share_cgroups": False}})
            labels = (("container_id", root),)
            nested = (("container_id", f"{root}.{own}"),)
            families = self.scrape()
            limit = families["mesos_container_mem_limit_bytes"]
            self.assertEqual(("gauge", 64 << 20, 32 << 20),
                             (limit.kind, limit.samples[labels], limit.samples[nested]))
            self.assertEqual(0.5, families["mesos_container_cpus_soft_limit"].samples[labels])
            self.assertLessEqual(1, families["mesos_container_processes"].samples[labels])
            name = "mesos_container_cpus_user_time_seconds_total"
            self.assertEqual("counter", families[name].kind)
            first = families[name].samples[labels]
            eventually(lambda: self.scrape()[name].samples[labels] > first, "it uses the cpu")
        self.assertNotIn(labels, self.scrape().get(name, exposition.Family("", "")).samples)

    def test_ids_that_need_escaping(self) -> None:
        name = unique() + "-é\"x\""
        self.agent.launch(name, command=shell("sleep 1000"))
        self.assertIn((("container_id", name),),
                      self.scrape()["mesos_container_mem_limit_bytes"].samples)

    def test_the_reader_is_strict(self) -> None:
        good = b"# HELP a Text.\n# TYPE a gauge\na 1\na{b=\"c\"} 2.5e3\n"
        self.assertEqual({(): 1.0, (("b", "c"),): 2500.0}, exposition.parse(good)["a"].samples)
        for bad in (b"", good[:-1], good + b"\n", good + b"a 1\n", good + b"b 1\n",
                    good + b"# HELP a Text.\n", good + b"# HELP b Text.\n",
                    good.replace(b"gauge", b"gage"), good.replace(b"gauge", b"counter"),
                    good.replace(b"a 1", b"a  1"), good.replace(b"a 1", b"a x"),
                    good.replace(b"b=", b"b-"), good.replace(b'"c"', b'"c'),
                    good.replace(b'"c"', b'"\\x"'), good.replace(b'"c"', b'"\xff"'),
                    good.replace(b'b="c"', b'b="c",b="d"'), b"# TYPE a gauge\na 1\n"):
            with self.subTest(bad=bad), self.assertRaises(
                    (exposition.ExpositionError, UnicodeDecodeError)):
                exposition.parse(bad)


class Limits(OwnAgentTestCase):
    def test_disabled_endpoints(self) -> None:
        agent = self.new_agent(start=False)
        agent.flags["firewall_rules"] = json.dumps({"disabled_endpoints": {"paths": [
            "/slave(1)/state", "/files/browse", "/slave(1)/sate"]}})
        agent.start()
        self.assertIn("--firewall_rules: there is no endpoint '/slave(1)/sate'", agent.log_tail())
        for path, status, text in (
                ("/state", 403, "Endpoint '/slave(1)/state' is disabled"),
                ("/slave%281%29/state/x", 403, "Endpoint '/slave(1)/state' is disabled"),
                ("/files/browse?path=/", 403, "Endpoint '/files/browse' is disabled"),
                ("/files/read", 400, "Expecting 'path=value' in query.\n"), ("/health", 200, "")):
            with self.subTest(path=path), agent.connect() as connection:
                response = connection.request("GET", path, {})
                self.assertEqual((status, text), (response.status, response.text))

    def test_request_size(self) -> None:
        agent = self.new_agent(start=False)
        agent.flags["max_request_size"] = "1KB"
        agent.start()
        for padding, status in ((900, 200), (1100, 413)):
            body = b'{"type":"GET_HEALTH"}' + b" " * padding
            with agent.connect() as connection:
                response = connection.request("POST", "/api/v1", {
                    "Content-Type": "application/json"}, body)
                self.assertEqual(status, response.status, response.text)

    def test_connections(self) -> None:
        """One too many takes the place of who is idle; or waits, if all are being served."""
        agent = self.new_agent(start=False)
        agent.flags["max_connections"] = "3"
        agent.start()
        agent.launch("c", command=shell("sleep 1000", **ATTACHABLE))
        with agent.connect() as idle, contextlib.ExitStack() as streams:
            self.assertEqual(200, idle.request("GET", "/health", {}).status)
            served = [streams.enter_context(attach_output(agent, "c")) for _ in range(3)]
            self.assertTrue(idle.ended())
            with agent.connect() as another:
                another.send(b"GET /health HTTP/1.1\r\n\r\n")
                readable, _, _ = select.select([another.socket], [], [], 0.2)
                self.assertEqual([], readable)
                served[0].close()
                self.assertEqual(200, another.read_response().status)


class OlderClients(AgentTestCase):
    """What curl, mesos-exporter and others send to the endpoints besides /api/v1."""

    agent_flags: ClassVar[dict[str, Flag]] = {}

    def test_recorded_requests(self) -> None:
        recorded = sorted((DATA / "recordings" / "clients").glob("*/GET_[a-z]*.http"))
        self.assertLessEqual(10, len(recorded))
        for file in recorded:
            with self.subTest(client=file.parent.name, request=file.stem), \
                    self.agent.connect() as connection:
                connection.send(file.read_bytes())
                response = connection.read_response()
                expected = {"GET_nope": 404, "GET_api_v1": 405}.get(file.stem, 200)
                self.assertEqual(expected, response.status, response.text)
                if b"jsonp=" in file.read_bytes():
                    self.assertEqual("text/javascript", response.content_type)
                elif response.body and response.status == 200:
                    self.assertEqual("application/json", response.content_type)
                    json.loads(response.content)


class Logging(AgentTestCase):
    agent_flags: ClassVar[dict[str, Flag]] = {}

    def test_toggle(self) -> None:
        def toggle(query: str = "") -> tuple[int, str]:
            with self.agent.connect() as connection:
                response = connection.request("GET", f"/logging/toggle{query}", {})
            return response.status, response.text

        self.assertEqual((200, "0\n"), toggle())
        self.assertEqual((200, ""), toggle("?level=2&duration=1hrs"))
        self.assertEqual((200, "2\n"), toggle())
        self.assertEqual({"level": 2}, json.loads(self.agent.expect(
            200, {"type": "GET_LOGGING_LEVEL"}).response.body)["get_logging_level"])
        # A later change takes the place of the earlier one, and goes back by itself.
        self.assertEqual((200, ""), toggle("?level=3&duration=10ms"))
        eventually(lambda: toggle() == (200, "0\n"), "the level goes back by itself")
        self.assertEqual(400, toggle("?level=-1&duration=1secs")[0])


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
