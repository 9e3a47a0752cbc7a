"""Cgroups: where containers are, with which values, and what happens at a limit."""

from __future__ import annotations

from pathlib import Path

import cgroups
from harness import ENCODINGS, JSON, AgentTestCase, eventually, resources, shell, unique
from wire import Message, parse, to_json

MB = 1 << 20


def linux_info(**fields: bool) -> Message:
    return {"type": "MESOS", "linux_info": fields}


class Limits(AgentTestCase):
    """Cgroups: where, with which values, and what happens at the memory limit."""

    HOG = "tail /dev/zero"  # looks for a line's end in endless zeros, keeping all of it

    def value(self, controller: str, *path: str, file: str) -> int:
        return int(self.agent.cgroup_file(controller, *path, file=file))

    def test_values(self) -> None:
        for cpus, mem, shares, bytes_ in ((0.5, 64, 512, 64 * MB), (2, 128, 2048, 128 * MB),
                                          (0.001, 33.7, 2, 33 * MB), (0.1, 1, 102, 32 * MB)):
            with self.subTest(cpus=cpus, mem=mem):
                with self.root(resources=resources(cpus=cpus, mem=mem)) as root:
                    self.assertEqual(shares, self.value("cpu", root, file="cpu.shares"))
                    self.assertEqual(-1, self.value("cpu", root, file="cpu.cfs_quota_us"))
                    for file in ("memory.soft_limit_in_bytes", "memory.limit_in_bytes"):
                        found = self.value("memory", root, file=file)
                        self.assertLess(abs(found - bytes_), MB, file)

    def test_limits(self) -> None:
        with self.root(resources=resources(cpus=0.5, mem=64),
                       limits={"cpus": {"value": 1.5}, "mem": {"value": 128}}) as root:
            self.assertEqual(512, self.value("cpu", root, file="cpu.shares"))
            self.assertEqual(100_000, self.value("cpu", root, file="cpu.cfs_period_us"))
            self.assertEqual(150_000, self.value("cpu", root, file="cpu.cfs_quota_us"))
            self.assertEqual(64 * MB, self.value("memory", root,
                                                 file="memory.soft_limit_in_bytes"))
            self.assertEqual(128 * MB, self.value("memory", root, file="memory.limit_in_bytes"))

    def test_infinite_limits(self) -> None:
        for encoding in ENCODINGS:
            infinite = {"cpus": {"value": float("inf")}, "mem": {"value": float("inf")}}
            with self.root(resources=resources(cpus=0.5, mem=64), limits=infinite,
                           encoding=encoding) as root:
                self.assertEqual(-1, self.value("cpu", root, file="cpu.cfs_quota_us"))
                self.assertGreater(self.value("memory", root, file="memory.limit_in_bytes"),
                                   1 << 50)
                self.assertEqual(64 * MB, self.value("memory", root,
                                                     file="memory.soft_limit_in_bytes"))

    def test_missing_resources(self) -> None:
        name = unique()
        for given, missing in ((resources(cpus=0.1), "memory"), (resources(mem=32), "cpus")):
            reply = self.agent.launch(name, command=shell("true"), resources=given, status=400)
            self.assertRegex(reply.text, f"No {missing} resource given")
            self.assertNotIn((name,), self.agent.containers())
            self.assertEqual({}, cgroups.own_directories(self.agent.cgroups_root, (name,)))

    def test_where_processes_are(self) -> None:
        """Nested containers share their ancestor's cgroups, but each is tracked by its own."""
        with self.root() as root:
            child, grandchild = unique(), unique()
            for path in ((root, child), (root, child, grandchild)):
                self.agent.launch(*path, command=shell("sleep 1000"))
            tracked = self.agent.pids(root)
            for path in ((root,), (root, child), (root, child, grandchild)):
                owned = set(cgroups.own_directories(self.agent.cgroups_root, path))
                if len(path) == 1:
                    self.assertLessEqual({"cpu", "cpuacct", "memory", "pids"}, owned)
                else:
                    self.assertFalse({"cpu", "cpuacct", "memory", "pids"} & owned)
                self.assertTrue(owned, "tracked by no cgroup of its own")
            for pid in tracked:
                places = dict(line.split(":")[1:] for line in
                              Path(f"/proc/{pid}/cgroup").read_text().splitlines())
                for controller in ("cpu", "cpuacct", "memory", "pids"):
                    self.assertEqual(f"/{self.agent.cgroups_root}/{root}", places[controller])

    def test_own_cgroups_of_a_nested_container(self) -> None:
        with self.root(resources=resources(cpus=1, mem=128)) as root:
            name = unique()
            self.agent.launch(root, name, command=shell("sleep 1000"),
                              container=linux_info(share_cgroups=False),
                              resources=resources(cpus=0.25, mem=48),
                              limits={"cpus": {"value": 0.5}})
            self.assertEqual(256, self.value("cpu", root, name, file="cpu.shares"))
            self.assertEqual(50_000, self.value("cpu", root, name, file="cpu.cfs_quota_us"))
            self.assertEqual(48 * MB, self.value("memory", root, name,
                                                 file="memory.limit_in_bytes"))
            pid = self.agent.await_process(root, name, containing="sleep 1000")
            self.assertIn(f"memory:/{self.agent.cgroups_root}/{root}/mesos/{name}",
                          Path(f"/proc/{pid}/cgroup").read_text())
            entries = {e["container_id"]["value"]: e for e in self.agent.container_entries()}
            self.assertEqual(48 * MB, entries[name]["resource_statistics"]["mem_limit_bytes"])
            self.agent.kill(root, name)
            self.agent.wait(root, name)
            self.assertEqual({}, cgroups.own_directories(self.agent.cgroups_root, (root, name)))

    def assert_memory_limitation(self, termination: Message) -> None:
        self.assertEqual("TASK_FAILED", termination.get("state"), termination)
        self.assertEqual("REASON_CONTAINER_LIMITATION_MEMORY", termination.get("reason"))
        self.assertRegex(termination.get("message", ""), "^Memory limit exceeded")
        limited = termination["limitation"]["resources"]
        self.assertEqual([("mem", "SCALAR")], [(r["name"], r["type"]) for r in limited])
        self.assertGreater(limited[0]["scalar"]["value"], 16)

    def test_out_of_memory(self) -> None:
        for encoding in ENCODINGS:
            name = unique()
            self.agent.launch(name, command=shell(self.HOG), resources=resources(cpus=1, mem=32),
                              encoding=encoding)
            self.assert_memory_limitation(self.agent.wait(name, encoding=encoding))

    def test_out_of_memory_of_a_nested_container_of_its_own(self) -> None:
        """Only that container ends."""
        with self.root(resources=resources(cpus=1, mem=256)) as root:
            name = unique()
            termination = self.agent.run(
                root, name, command=shell(self.HOG), container=linux_info(share_cgroups=False),
                resources=resources(cpus=0.1, mem=32))
            self.assert_memory_limitation(termination)
            self.assertEqual({(root,)}, self.agent.containers())

    def test_out_of_memory_of_shared_cgroups(self) -> None:
        """The limit is the root's: the whole tree ends, each with the same limitation."""
        with self.agent.connect() as of_other, self.agent.connect() as of_root:
            root, hog, other = unique(), unique(), unique()
            self.agent.launch(root, command=shell("sleep 1000"),
                              resources=resources(cpus=1, mem=32))
            self.agent.launch(root, other, command=shell("sleep 1000"))
            for connection, path in ((of_other, (root, other)), (of_root, (root,))):
                connection.send_request("POST", "/api/v1", {"Content-Type": JSON, "Accept": JSON},
                                        to_json(self.agent.wait_call(*path)))
            self.agent.launch(root, hog, command=shell(self.HOG))
            for connection in (of_other, of_root):
                message = parse(JSON, "Response", connection.read_response().body)
                self.assert_memory_limitation(message["wait_container"])
            self.assertEqual(set(), self.agent.containers())


class CfsQuota(AgentTestCase):
    agent_flags = {"cgroups_enable_cfs": True}

    def test_quota(self) -> None:
        for cpus, quota in ((0.5, 50_000), (2, 200_000), (0.001, 1_000)):
            with self.root(resources=resources(cpus=cpus, mem=32)) as root:
                self.assertEqual("100000", self.agent.cgroup_file(
                    "cpu", root, file="cpu.cfs_period_us"))
                self.assertEqual(str(quota), self.agent.cgroup_file(
                    "cpu", root, file="cpu.cfs_quota_us"))

    def test_it_throttles(self) -> None:
        with self.root(shell("while :; do :; done"), resources=resources(cpus=0.2, mem=32)) as root:
            def statistics_of() -> Message:
                return self.agent.container_entries()[0]["resource_statistics"]

            eventually(lambda: statistics_of().get("cpus_nr_throttled", 0) > 0
                       and statistics_of().get("cpus_throttled_time_secs", 0) > 0, "it is throttled")
            statistics = statistics_of()
            self.assertEqual(0.2, statistics["cpus_limit"])
            self.assertEqual(0.2, statistics["cpus_soft_limit"])
            self.agent.kill(root)


if __name__ == "__main__":
    import run
    run.main([__file__])
