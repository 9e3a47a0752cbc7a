"""The calls on containers, each with all of its outcomes: launch, wait, kill, remove, list."""

from __future__ import annotations

import contextlib
import itertools
import re
import time
from concurrent.futures import ThreadPoolExecutor

from harness import (ENCODINGS, JSON, PROTOBUF, AgentTestCase, argv, container_id, eventually,
                     pid_gone, resources, shell, unique)
from wire import parse, to_json

MB = 1 << 20

UNTIL_GO = "while ! test -e go; do sleep 0.02; done"  # in the sandbox


class Calls(AgentTestCase):
    """The outcome tables of launch, wait, kill and remove."""

    def test_launch_of_an_id_in_use(self) -> None:
        for encoding in ENCODINGS:
            with self.root() as root:
                name = unique()
                self.agent.launch(root, name, command=shell("sleep 1000"))
                pids = self.agent.pids(root, name)
                for nested in (True, False):
                    reply = self.agent.launch(root, name, command=shell("exit 1"), nested=nested,
                                              encoding=encoding, status=202)
                    self.assertEqual(b"", reply.response.body)
                    self.assertIsNone(reply.response.content_type)
                self.agent.launch(root, command=shell("exit 1"), encoding=encoding, status=202)
                self.assertLessEqual(pids, self.agent.pids(root, name))

    def test_launch_at_once_from_many(self) -> None:
        """Of concurrent launches of one id, one is 200 and the others 202."""
        with self.root() as root, ThreadPoolExecutor(8) as pool:
            for _ in range(10):
                call = {"type": "LAUNCH_CONTAINER", "launch_container": {
                    "container_id": container_id(root, unique()),
                    "command": shell("sleep 1000")}}
                statuses = sorted(r.status for r in pool.map(
                    lambda _, c=call: self.agent.call(c), range(8)))
                self.assertEqual([200] + [202] * 7, statuses)

    def test_relaunch_after_the_end(self) -> None:
        with self.root() as root:
            for path in ((root, unique()), (unique(),)):
                for code in (1, 2, 3):
                    self.assertEqual(code << 8, self.agent.run(
                        *path, command=shell(f"exit {code}"))["exit_status"])

    def test_launch_under_unknown_parent(self) -> None:
        for encoding, nested in itertools.product(ENCODINGS, (True, False)):
            reply = self.agent.launch("nobody", unique(), command=shell("true"), nested=nested,
                                      encoding=encoding, status=400)
            self.assertEqual("Parent container nobody does not exist", reply.text)
        with self.root() as root:
            reply = self.agent.launch(root, "nobody", unique(), command=shell("true"), status=400)
            self.assertEqual(f"Parent container {root}.nobody does not exist", reply.text)
            name = unique()
            self.agent.run(root, name, command=shell("true"))
            reply = self.agent.launch(root, name, unique(), command=shell("true"), status=400)
            self.assertEqual(f"Parent container {root}.{name} does not exist", reply.text)

    def test_launch_while_the_parent_is_destroyed(self) -> None:
        """Answered one way or the other, never stuck, and nothing outlives the root."""
        with ThreadPoolExecutor(8) as pool:
            for _ in range(5):
                root = unique()
                self.agent.launch(root, command=shell("sleep 1000"))
                calls = [{"type": "LAUNCH_CONTAINER", "launch_container": {
                    "container_id": container_id(root, unique()),
                    "command": shell("sleep 1000")}} for _ in range(40)]
                launches = [pool.submit(self.agent.call, c) for c in calls]
                time.sleep(0.02)
                self.agent.kill(root)
                self.assertLessEqual({l.result().status for l in launches}, {200, 400})
                self.assertEqual(9, self.agent.wait(root)["exit_status"])
                self.assertFalse({p for p in self.agent.containers() if p[0] == root})
                self.assertEqual(set(), self.agent.pids(root))

    def test_wait_unknown(self) -> None:
        for encoding in ENCODINGS:
            self.assert_status(404, self.agent.try_wait("nobody", encoding=encoding),
                               "Container nobody cannot be found")
            for nested in (True, False):
                self.assert_status(
                    404, self.agent.try_wait("nobody", "c", nested=nested, encoding=encoding),
                    "Container nobody.c cannot be found")
                with self.root() as root:
                    self.assert_status(
                        404, self.agent.try_wait(root, "c", nested=nested, encoding=encoding),
                        f"Container {root}.c cannot be found")

    def test_wait_any_number_of_times(self) -> None:
        with self.root() as root:
            for path in ((root, unique()), (unique(),)):
                self.agent.launch(*path, command=shell("exit 3"))
                for encoding in (*ENCODINGS, *ENCODINGS):
                    self.assertEqual({"exit_status": 3 << 8},
                                     self.agent.wait(*path, encoding=encoding))

    def test_wait_concurrently(self) -> None:
        with self.root() as root, ThreadPoolExecutor(10) as pool:
            name = unique()
            self.agent.launch(root, name, command=shell("sleep 0.5; exit 6"))
            waits = [pool.submit(self.agent.wait, root, name, encoding=ENCODINGS[i % 2])
                     for i in range(10)]
            self.assertEqual([{"exit_status": 6 << 8}] * 10, [w.result() for w in waits])

    def test_a_waiter_that_leaves_affects_nobody(self) -> None:
        with self.root() as root:
            name = unique()
            self.agent.launch(root, name, command=shell("sleep 1; exit 7"))
            body = to_json(self.agent.wait_call(root, name))
            for leave in ("close", "reset", "shutdown_write"):
                connection = self.agent.connect()
                connection.send_request("POST", "/api/v1", {"Content-Type": JSON}, body)
                getattr(connection, leave)()
                self.addCleanup(connection.close)
            self.assertEqual(7 << 8, self.agent.wait(root, name)["exit_status"])

    def test_a_pending_wait_delays_later_replies(self) -> None:
        """Pipelined replies come in the order of their requests."""
        with self.root() as root, self.agent.connect() as connection:
            name = unique()
            self.agent.launch(root, name, command=shell(f"{UNTIL_GO}; exit 1"))
            connection.send_request("POST", "/api/v1", {"Content-Type": JSON},
                                    to_json(self.agent.wait_call(root, name)))
            connection.send_request("POST", "/api/v1", {"Content-Type": JSON},
                                    b'{"type":"GET_HEALTH"}')
            self.assertFalse(connection.readable(0.2))
            (self.agent.sandbox(root, name) / "go").touch()
            self.assertIn("exit_status", connection.read_response().text)
            self.assertIn("healthy", connection.read_response().text)

    def test_kill_by_default_is_sigkill(self) -> None:
        with self.root() as root:
            for encoding, nested in itertools.product(ENCODINGS, (True, False)):
                name = unique()
                self.agent.launch(root, name, command=shell("trap '' TERM INT; sleep 1000"))
                reply = self.agent.kill(root, name, nested=nested, encoding=encoding)
                self.assert_status(200, reply, "")
                self.assertEqual({"exit_status": 9}, self.agent.wait(root, name))

    def test_kill_with_sigterm(self) -> None:
        """The command itself gets the signal, also under a pid namespace."""
        commands = (shell("sleep 1000"), argv("sleep", "1000"),
                    argv("sh", "-c", "sleep 1000"), argv("sh", "-c", "sleep 1000; true"))
        with self.root() as root:
            for command, encoding in itertools.product(commands, ENCODINGS):
                with self.subTest(command=command, encoding=encoding):
                    name = unique()
                    self.agent.launch(root, name, command=command)
                    self.agent.await_process(root, name, containing="sleep 1000")
                    reply = self.agent.kill(root, name, signal=15, encoding=encoding)
                    self.assert_status(200, reply)
                    self.assertEqual(15, self.agent.wait(root, name)["exit_status"])

    def test_kill_of_a_standalone_container(self) -> None:
        for sent, status in ((None, 9), (9, 9), (15, 15), (2, 2), (1, 1)):
            with self.subTest(signal=sent):
                name = unique()
                self.agent.launch(name, command=argv("sleep", "1000"))
                self.agent.await_process(name, containing="sleep 1000")
                self.assert_status(200, self.agent.kill(name, signal=sent))
                self.assertEqual({"exit_status": status}, self.agent.wait(name))

    def test_caught_and_ignored_signals(self) -> None:
        with self.root() as root:
            name = unique()
            self.agent.launch(root, name, command=shell(
                "trap 'echo usr1' USR1; trap 'exit 42' TERM; while :; do sleep 0.05; done"))
            self.agent.await_trap(root, name, containing="exit 42", signal=15)
            self.assert_status(200, self.agent.kill(root, name, signal=10))
            eventually(lambda: self.agent.output(root, name) == "usr1\n", "the trap has run")
            self.assert_status(200, self.agent.kill(root, name, signal=15))
            self.assertEqual(42 << 8, self.agent.wait(root, name)["exit_status"])

            name = unique()
            self.agent.launch(root, name, command=shell(
                "trap '' TERM; while :; do sleep 0.05; done"))
            self.agent.await_trap(root, name, containing="trap ''", signal=15, ignored=True)
            self.assert_status(200, self.agent.kill(root, name, signal=15))
            time.sleep(0.5)
            self.assertIn((root, name), self.agent.containers())
            self.assert_status(200, self.agent.kill(root, name))
            self.assertEqual(9, self.agent.wait(root, name)["exit_status"])

    def test_kill_of_what_is_not_there(self) -> None:
        for encoding in ENCODINGS:
            self.assert_status(
                404, self.agent.kill("nobody", encoding=encoding),
                "Container 'nobody' cannot be found (or is already killed)")
            with self.root() as root:
                name = unique()
                text = f"Container '{root}.{name}' cannot be found (or is already killed)"
                self.assert_status(404, self.agent.kill(root, name, encoding=encoding), text)
                self.agent.run(root, name, command=shell("true"))
                self.assert_status(404, self.agent.kill(root, name, encoding=encoding), text)

    def test_kill_with_a_bad_signal(self) -> None:
        with self.root() as root:
            for sent in (9999, -1):
                reply = self.agent.kill(root, signal=sent)
                self.assert_status(500, reply, "Unable to send signal to container: "
                                               "Invalid argument")
            self.assertIn((root,), self.agent.containers())

    def test_kill_right_after_launch(self) -> None:
        """A signal never gets lost between the launch and the command's start."""
        with self.root() as root:
            for _ in range(30):
                name = unique()
                self.agent.launch(root, name, command=argv("sleep", "1000"))
                self.assertEqual(200, self.agent.kill(root, name, signal=15).status)
                self.assertEqual(15, self.agent.wait(root, name)["exit_status"])

    def test_destroying_a_parent_destroys_the_tree(self) -> None:
        with contextlib.ExitStack() as stack:
            root = unique()
            paths: list[tuple[str, ...]] = [(root,)]
            for parent in range(3):
                for _ in range(2):
                    paths.append((*paths[parent], unique()))
            for path in paths:
                self.agent.launch(*path, command=shell("trap '' TERM; sleep 1000"))
            pids = self.agent.pids(root)
            self.assertGreaterEqual(len(pids), len(paths))
            waits = [stack.enter_context(self.agent.connect()) for _ in paths]
            for path, wait in zip(paths, waits, strict=True):
                wait.send_request("POST", "/api/v1", {"Content-Type": JSON, "Accept": JSON},
                                  to_json(self.agent.wait_call(*path)))
            self.assert_status(200, self.agent.kill(root))
            for path, wait in zip(paths, waits, strict=True):
                message = parse(JSON, "Response", wait.read_response().body)
                self.assertEqual({"exit_status": 9}, message["wait_container"], path)
            self.assertTrue(all(pid_gone(pid) for pid in pids))
            self.assertFalse({p for p in self.agent.containers() if p[0] == root})

    def test_killing_a_branch_leaves_the_others(self) -> None:
        with self.root() as root:
            left, right, leaf = unique(), unique(), unique()
            for path in ((root, left), (root, right), (root, left, leaf)):
                self.agent.launch(*path, command=shell("sleep 1000"))
            self.agent.kill(root, left)
            self.assertEqual(9, self.agent.wait(root, left)["exit_status"])
            self.assertEqual(9, self.agent.wait(root, left, leaf)["exit_status"])
            self.assertEqual({(root,), (root, right)}, self.agent.containers())

    def test_a_root_that_ends_takes_its_tree_along(self) -> None:
        root, child = unique(), unique()
        self.agent.launch(root, command=shell(f"{UNTIL_GO}; exit 5"))
        self.agent.launch(root, child, command=shell("sleep 1000"))
        pids = self.agent.pids(root, child)
        (self.agent.sandbox(root) / "go").touch()
        self.assertEqual({"exit_status": 5 << 8}, self.agent.wait(root))
        self.assertTrue(all(pid_gone(pid) for pid in pids))

    def test_remove(self) -> None:
        for encoding, nested in itertools.product(ENCODINGS, (True, False)):
            with self.subTest(encoding=encoding, nested=nested), self.root() as root:
                name = unique()
                self.agent.launch(root, name, command=shell("sleep 1000"))
                self.assert_status(
                    500, self.agent.remove(root, name, nested=nested, encoding=encoding),
                    "Nested container has not terminated yet")
                self.agent.kill(root, name)
                self.agent.wait(root, name)
                for _ in range(2):  # again is no error
                    reply = self.agent.remove(root, name, nested=nested, encoding=encoding)
                    self.assert_status(200, reply, "")
                    self.assertIsNone(reply.response.content_type)
                self.assert_status(404, self.agent.try_wait(root, name),
                                   f"Container {root}.{name} cannot be found")
                self.assertFalse(self.agent.sandbox(root, name).exists())
                reply = self.agent.remove(root, "never", nested=nested, encoding=encoding)
                self.assert_status(200, reply, "")
                reply = self.agent.remove("nobody", "c", nested=nested, encoding=encoding)
                self.assert_status(500, reply, "Unknown root container")
                # After a removal the id is free.
                self.assertEqual(0, self.agent.run(root, name, command=shell("true"))
                                 ["exit_status"])

    def test_remove_takes_nested_ones_along(self) -> None:
        with self.root() as root:
            name, child = unique(), unique()
            self.agent.launch(root, name, command=shell("sleep 1000"))
            self.agent.run(root, name, child, command=shell("exit 2"))
            self.agent.kill(root, name)
            self.agent.wait(root, name)
            self.assertEqual(2 << 8, self.agent.wait(root, name, child)["exit_status"])
            self.assert_status(200, self.agent.remove(root, name))
            self.assert_status(404, self.agent.try_wait(root, name, child))

    def test_remove_of_a_standalone_container(self) -> None:
        """Mesos aborts here. Ours removes what has ended and refuses what runs."""
        name = unique()
        self.agent.run(name, command=shell("exit 1"))
        self.assert_status(200, self.agent.remove(name), "")
        self.assert_status(404, self.agent.try_wait(name), f"Container {name} cannot be found")
        self.assertFalse(self.agent.sandbox(name).exists())
        with self.root() as root:
            reply = self.agent.remove(root)
            self.assertEqual(500, reply.status)
            self.assertNotEqual("", reply.text)
            self.assertIn((root,), self.agent.containers())
        reply = self.agent.remove("nobody")
        self.assertIn(reply.status, (200, 404, 500))
        self.agent.check_alive()

    def test_listing(self) -> None:
        name, child = unique(), unique()
        self.agent.launch(name, command=shell("sleep 1000"), resources=resources(cpus=0.5, mem=80))
        self.agent.launch(name, child, command=shell("sleep 1000"))
        listed = {(n, s): [e["container_id"]["value"]
                           for e in self.agent.container_entries(nested=n, standalone=s)]
                  for n in (False, True) for s in (False, True)}
        self.assertEqual({(False, False): [], (False, True): [name], (True, False): [child]},
                         {k: v for k, v in listed.items() if k != (True, True)})
        self.assertEqual({name, child}, set(listed[True, True]))
        entries = {e["container_id"]["value"]: e for e in self.agent.container_entries()}
        self.assertEqual(container_id(name, child), entries[child]["container_id"])
        pid = entries[name]["container_status"]["executor_pid"]
        self.assertIn(pid, self.agent.pids(name))
        statistics = entries[name]["resource_statistics"]
        self.assertEqual(0.5, statistics["cpus_soft_limit"])
        self.assertEqual(80 * MB, statistics["mem_limit_bytes"])
        self.assertAlmostEqual(time.time(), statistics["timestamp"], delta=60)
        self.assertGreater(statistics["mem_total_bytes"], 0)
        call = {"type": "GET_CONTAINERS",
                "get_containers": {"show_nested": True, "show_standalone": True}}
        message = self.agent.expect(200, call, PROTOBUF).message
        assert message is not None
        self.assertEqual({name, child}, {c["container_id"]["value"]
                                         for c in message["get_containers"]["containers"]})
        self.agent.kill(name)
        self.agent.wait(name)


class WordsOfErrors(AgentTestCase):
    """Error replies are text/plain with one sentence, and do not close the connection."""

    def test_form(self) -> None:
        with self.agent.connect() as connection:
            for call in (self.agent.wait_call("nobody"),
                         {"type": "KILL_CONTAINER",
                          "kill_container": {"container_id": container_id("nobody")}},
                         {"type": "REMOVE_CONTAINER",
                          "remove_container": {"container_id": container_id("nobody", "c")}}):
                reply = self.agent.call_on(connection, call)
                self.assertGreaterEqual(reply.status, 400)
                self.assertEqual("text/plain; charset=utf-8", reply.response.content_type)
                self.assertTrue(re.fullmatch(r"[^\n]+", reply.text), reply.text)


if __name__ == "__main__":
    import run
    run.main([__file__])
