"""Names and links that are to lead the agent somewhere else: swapped directories, ids, users, names
of variables, mounts."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import ClassVar

from attach import session
from attackers import attacker, await_told
from harness import (ENCODINGS, AgentTestCase, argv, container_id, eventually, resources, shell,
                     unique)
from sessions import ATTACHABLE
from test_validation import NAMING_CALLS, naming_call
from wire import Message

# Exchanges `containers` in its sandbox and a link to the outside, all the time.
SWAP = """
os.symlink(os.environ['OUTSIDE'], 'trap')
while not os.path.exists('go'): time.sleep(0.001)
tell('swapping')
while True: LIBC.renameat2(-100, b'containers', -100, b'trap', 2)
"""


def tree(top: Path) -> set[str]:
    """Everything below that directory, links not followed; the growing files of tests left out."""
    return {os.path.join(where, name) for where, directories, files in os.walk(top)
            for name in (*directories, *files)}


class Links(AgentTestCase):
    """A container whose user owns its sandbox, and so what leads to those of its children
    (CVE-2021-30465, CVE-2019-19921, CVE-2025-31133)."""

    ROUNDS = 150

    def test_swapped_on_the_way_to_a_childs_sandbox(self) -> None:
        """Launches, sessions' directories and removals of another user's children go where they
        belong, or fail."""
        outside = self.agent.scratch / "outside"
        outside.mkdir()
        outside.chmod(0o777)
        root = unique("root")
        self.agent.launch(root, command=attacker(self.agent, SWAP, "nobody", OUTSIDE=str(outside)),
                          resources=resources(cpus=1, mem=128))
        names = [unique("child") for _ in range(8)]
        # What an agent that is led astray would enter, write to, or delete.
        for name in names:
            (outside / name).mkdir()
            (outside / name / "keep").touch()
        before = tree(outside)
        self.assertEqual({"exit_status": 0}, self.agent.run(root, unique(), command=shell(
            "true", user="root")))
        (self.agent.sandbox(root) / "go").touch()
        await_told(self.agent, root)
        way = self.agent.sandbox(root) / "containers"
        seen: Counter[object] = Counter()
        for number in range(self.ROUNDS):
            name = names[number % len(names)]
            seen["trap" if way.is_symlink() else "own"] += 1
            reply = self.agent.call({"type": "LAUNCH_CONTAINER", "launch_container": {
                "container_id": container_id(root, name),
                "command": shell("pwd -P > /proc/self/fd/1; touch mark", user="root",
                                 **(ATTACHABLE if number % 2 else {}))}})
            seen[reply.status] += 1
            if reply.status == 200:
                self.agent.wait(root, name)
            self.agent.remove(root, name)
            self.assertEqual(before, tree(outside))
        self.assertGreater(seen["trap"], 0, seen)
        self.assertGreater(seen["own"], 0, seen)
        self.assertGreater(seen[200], 0, seen)
        self.assertGreater(seen[400], 0, seen)

    def test_a_missing_sandbox_is_not_made_elsewhere(self) -> None:
        """A session starts in its parent's sandbox, which is made if it is gone: below no link."""
        outside = self.agent.scratch / "elsewhere"
        outside.mkdir()
        middle = (unique("root"), unique("middle"))
        self.agent.launch(middle[0], command=shell("sleep 1000", user="nobody"))
        self.agent.launch(*middle, command=shell("sleep 1000"))
        self.agent.await_process(*middle, containing="sleep 1000")
        sandbox = self.agent.sandbox(*middle)
        hidden = sandbox.parent.with_name("hidden")
        sandbox.parent.rename(hidden)
        name = unique("session")
        try:
            sandbox.parent.symlink_to(outside)
            launch = {"type": "LAUNCH_NESTED_CONTAINER_SESSION", "launch_nested_container_session": {
                "container_id": container_id(*middle, name), "command": shell("pwd; touch mark")}}
            with self.agent.connect() as connection:
                reply = self.agent.call_on(connection, launch, headers={
                    "Accept": "application/recordio", "Message-Accept": "application/json"})
            self.assertNotIn(str(outside), reply.text)
            self.assertEqual([], list(outside.iterdir()))
        finally:
            sandbox.parent.unlink()
            hidden.rename(sandbox.parent)
        # Where there is no link it is made.
        sandbox.rename(hidden)
        self.assertEqual({"exit_status": 0}, self.session(*middle, unique("session")))
        self.assertTrue((sandbox / "mark").exists())

    def session(self, *path: str) -> Message:
        with session(self.agent, *path, command=shell("pwd; touch mark")) as output:
            output.read_to_end()
        return self.agent.wait(*path)

    def test_links_for_output(self) -> None:
        """Planted where the next container of that id, root's, has its output."""
        victim = self.agent.scratch / "victim"
        victim.write_text("untouched")
        root, name = unique("root"), unique("child")
        self.agent.launch(root, command=shell("sleep 1000", user="nobody"))
        for plant in (lambda p: p.symlink_to(victim), lambda p: p.hardlink_to(victim), os.mkfifo):
            for env in ({}, ATTACHABLE):
                for file in ("stdout", "stderr"):
                    self.agent.run(root, name, command=shell("true", user="nobody"))
                    path = self.agent.sandbox(root, name) / file
                    path.unlink()
                    plant(path)
                    reply = self.agent.launch(root, name, status=400, command=shell(
                        "echo overwritten; echo overwritten >&2", user="root", **env))
                    self.assertIn(file, reply.text)
                    self.assertEqual("untouched", victim.read_text())
                    self.assertEqual(0, victim.stat().st_uid)
                    path.unlink()


class Mounts(AgentTestCase):
    """There are no images and no volumes yet, so there are no mount targets to exchange."""

    def test_refused(self) -> None:
        host = {"host_path": "/etc"}
        image = {"image": {"type": "DOCKER", "docker": {"name": "busybox"}}}
        source = {"source": {"type": "SANDBOX_PATH",
                             "sandbox_path": {"type": "PARENT", "path": "../../../etc"}}}
        with self.root() as root:
            before = Path("/proc/self/mountinfo").read_text()
            for volume in (host, image, source):
                for target in ("/etc", "../../etc", "inside", "/proc/self/fd/1", "/proc"):
                    for path in ((unique(),), (root, unique())):
                        container: Message = {"type": "MESOS", "volumes": [
                            {"mode": "RW", "container_path": target, **volume}]}
                        reply = self.agent.launch(*path, command=shell("true"), status=400,
                                                  container=container)
                        self.assertEqual("Volumes are not supported by this agent yet", reply.text)
            for path in ((unique(),), (root, unique())):
                rootfs: Message = {"type": "MESOS", "mesos": image}
                reply = self.agent.launch(*path, command=shell("true"), status=400, container=rootfs)
                self.assertEqual("Unsupported container image type: DOCKER", reply.text)
            self.assertEqual(before, Path("/proc/self/mountinfo").read_text())
            self.assertEqual({(root,)}, self.agent.containers())


class Names(AgentTestCase):
    """Ids, users and variables that are more than a name."""

    ESCAPES: ClassVar[list[str]] = [
        "..", ".", "", "/", "../x", "../../../../etc", "/etc/passwd", "a/b", "a/../../../b", "..\\x",
        "a\0b", "a\nb", "\t", " ", "a b", "x" * 300, "é" * 200, "a.b", "..a", "\x7f", "\x01"]

    def test_ids_do_not_escape(self) -> None:
        """In every call that takes one, as it is and as a parent; nothing is made anywhere."""
        root = unique("root")
        self.agent.launch(root, command=shell("sleep 1000"))
        before = tree(self.agent.scratch)
        for encoding in ENCODINGS:
            for kind in NAMING_CALLS:
                for escape in self.ESCAPES:
                    for path in ((escape,), (root, escape), (escape, "child"),
                                 (root, escape, "child")):
                        if "NESTED" in kind and len(path) == 1:
                            continue
                        fields = {"command": shell("true")} if "LAUNCH" in kind else {}
                        reply = self.agent.call(naming_call(kind, container_id(*path), **fields),
                                                encoding)
                        self.assertEqual(400, reply.status, (kind, path, reply.text))
                        self.assertRegex(reply.text, "(ID|id' is invalid|disallowed)")
        self.assertEqual(before, tree(self.agent.scratch))
        self.assertEqual({(root,)}, self.agent.containers())

    def test_paths_that_grow_too_long(self) -> None:
        """Containers nested with the longest names, until there is no room in a path."""
        path = [unique("root")]
        self.agent.launch(*path, command=shell("sleep 1000"), resources=resources(cpus=1, mem=256))
        for _ in range(40):
            name = unique("x").ljust(242, "x")
            reply = self.agent.call({"type": "LAUNCH_CONTAINER", "launch_container": {
                "container_id": container_id(*path, name), "command": shell("sleep 1000"),
                "container": {"type": "MESOS", "linux_info": {"share_pid_namespace": True}}}})
            if reply.status != 200:
                break
            path.append(name)
        self.assertEqual(400, reply.status, len(path))
        self.assertRegex(reply.text, "File name too long")
        self.assertGreater(len(path), 8)
        self.agent.kill(path[0])
        eventually(lambda: not self.agent.containers(), "all are gone")
        self.agent.remove(path[0])
        self.assertFalse(self.agent.sandbox(path[0]).exists())
        self.agent.assert_nothing_left()

    def test_users(self) -> None:
        """Who does not exist is nobody: not root, not a number, not a part of the name."""
        root = unique("root")
        self.agent.launch(root, command=shell("sleep 1000"))
        for user in ("nosuchuser", "", "0", "-1", "65534", "root ", " root", "root\n", "root:x",
                     "../root", "/etc/passwd", "nobody/../root", "*", "+", "ROOT", "x" * 300,
                     "root\0x"):
            for path in ((unique(),), (root, unique())):
                reply = self.agent.call({"type": "LAUNCH_CONTAINER", "launch_container": {
                    "container_id": container_id(*path), "resources": resources(cpus=0.1, mem=32)
                    if len(path) == 1 else [], "command": shell("id -u", user=user)}})
                self.assertIn(reply.status, (400, 500), (user, path))
                self.assertRegex(reply.text, "No such user|null bytes|getpwnam", user)
                self.assertFalse(self.agent.sandbox(*path).exists())
        self.assertEqual({(root,)}, self.agent.containers())

    def test_variables(self) -> None:
        """None becomes another one, and none is the helper's or the switchboard's."""
        root = unique("root")
        self.agent.launch(root, command=shell("sleep 1000"))
        for name in ("A=B", "=", "PATH=/evil", "A\0B", "\0"):
            for encoding in ENCODINGS:
                reply = self.agent.launch(root, unique(), status=400, encoding=encoding,
                                          command=shell("true", **{name: "x"}))
                self.assertRegex(reply.text, "must not contain ('='|null bytes)")
        name = unique()
        library = str(self.agent.scratch / "evil.so")
        evil = {"LD_PRELOAD": library, "LD_LIBRARY_PATH": str(self.agent.scratch),
                "GLIBC_TUNABLES": "glibc.malloc.check=3", "BASH_ENV": library, "": "empty",
                "MESOS_SANDBOX": "/etc", "TMPDIR": "/etc", **ATTACHABLE}
        self.agent.launch(root, name, command=argv("sleep", "1000", **evil))
        pid = self.agent.await_process(root, name, containing="sleep 1000")
        found = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        for key, value in evil.items():
            self.assertIn(f"{key}={value}".encode(), found)
        self.assertEqual(str(self.agent.sandbox(root, name)), os.readlink(f"/proc/{pid}/cwd"))
        init = int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])
        switchboard = self.agent.runtime_dir.joinpath(
            "containers", root, "containers", name, "io_switchboard", "pid").read_text().split()[0]
        for helper in (init, switchboard):
            environment = Path(f"/proc/{helper}/environ").read_bytes()
            self.assertNotRegex(environment, re.escape(library).encode())


class RequestPaths(AgentTestCase):
    """Targets of requests that no client sends (CVE-2018-1330), and paths that lead out of a
    sandbox by their spelling."""

    def status(self, target: bytes, method: bytes = b"GET") -> int:
        with self.agent.connect() as connection:
            connection.send(method + b" " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
            return connection.read_response().status

    def test_malformed_targets(self) -> None:
        pieces = [b"%", b"%2", b"%zz", b"%00", b"%2e%2e", b"%2f", b"..", b".", b"//", b"\\", b"%c0%ae",
                  b"%ff%fe", b"\xff\xfe", b"\x01", b"\x7f", b"*", b"?", b"#", b"a" * 5000, b";a=b",
                  b"%252e", b"[::1", b"{", b"%u002e"]
        shapes = [b"/%s", b"/files/%s", b"/files/read?path=%s", b"/api/v1/%s", b"/slave(1)/%s",
                  b"/%s/files/read", b"%s", b"http://%s/", b"/files/read?%s=1", b"/state?jsonp=%s",
                  b"/files/download?path=/%s/../..", b"/containers?container_id=%s"]
        pid = self.agent.pid
        found = Counter(self.status(shape % piece) for shape in shapes for piece in pieces)
        # What is well spelt and means something is answered, and nothing breaks.
        self.assertLessEqual(set(found), {200, 400, 404, 405, 403, 431}, found)
        self.assertGreater(found[400], 20)
        self.assertGreater(found[404], 20)
        self.assertEqual(pid, self.agent.pid)
        self.agent.expect(200, {"type": "GET_HEALTH"})

    def test_spelt_ways_out_of_a_sandbox(self) -> None:
        secret = self.agent.scratch / "secret"
        secret.write_text("the secret")
        root = unique("root")
        self.agent.launch(root, command=shell("sleep 1000"))
        sandbox = self.agent.sandbox(root)
        self.assertEqual(200, self.status(f"/files/download?path={sandbox}/stdout".encode()))
        for step in ("..", "%2e%2e", ".%2e", "%2E.", "..%00", "../.", "%2e%2e%2f.."):
            for up in (3, 4, 8):
                with self.agent.connect() as connection:
                    way = "/".join([str(sandbox), *[step] * up, "secret"])
                    response = connection.request("GET", f"/files/download?path={way}", {})
                    self.assertIn(response.status, (400, 404), way)
                    self.assertNotIn(b"the secret", response.body)


if __name__ == "__main__":
    import run
    run.main([__file__])
