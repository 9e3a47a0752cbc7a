"""The files API: replay of what was recorded, and containers that try to lead it out of their
sandboxes."""

from __future__ import annotations

import base64
import json
import os
import sys
import time
import uuid
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from harness import (ENCODINGS, AgentTestCase, Flag, Reply, argv, eventually, resources,
                     shell)
from rawhttp import Response
from replay import ReplayTestMixin

MAKE_FILES = "printf 0123456789 > f; mkdir dd; ln -s f in; ln -s /etc/passwd out"


def content(reply: Reply) -> tuple[int, bytes]:
    """Size and data of what READ_FILE answered."""
    assert reply.message is not None, str(reply)
    part = reply.message["read_file"]
    data = part["data"]
    return part["size"], base64.b64decode(data) if isinstance(data, str) else data


class FilesReplay(AgentTestCase, ReplayTestMixin):
    def test_replay(self) -> None:
        names = {name: str(uuid.uuid4()) for name in ("PARENT", "FILES", "AGENT", "FRAMEWORK")}
        names["WORK"] = str(self.agent.scratch)
        self.agent.launch(names["PARENT"], command=shell("sleep 100000"),
                          resources=resources(cpus=0.2, mem=96))
        self.assertEqual({"exit_status": 0}, self.agent.run(names["PARENT"], names["FILES"],
                                                            command=shell(MAKE_FILES)))
        # Recorded with an executor's sandbox; here the parent is a standalone container.
        self.replay(self.agent, "files", names, elsewhere={
            "${WORK}/work/slaves/${AGENT}/frameworks/${FRAMEWORK}/executors/parent/runs/${PARENT}":
                "${WORK}/work/containers/${PARENT}"})


class Files(AgentTestCase):
    agent_flags: ClassVar[dict[str, Flag]] = {}

    def get(self, target: str, **headers: str) -> Response:
        with self.agent.connect() as connection:
            return connection.request(
                "GET", target, {k.replace("_", "-"): v for k, v in headers.items()})

    def sandbox_of(self, command: str) -> str:
        with self.root() as root:
            self.agent.run(root, "files", command=shell(command))
        return str(self.agent.sandbox(root, "files"))

    def list_files(self, path: str, encoding: str = ENCODINGS[0]) -> Reply:
        return self.agent.call({"type": "LIST_FILES", "list_files": {"path": path}}, encoding)

    def read_file(self, path: str, encoding: str = ENCODINGS[0], **rest: int) -> Reply:
        return self.agent.call(
            {"type": "READ_FILE", "read_file": {"path": path, "offset": 0, **rest}}, encoding)

    def test_both_encodings(self) -> None:
        sandbox = self.sandbox_of(MAKE_FILES)
        info = os.stat(f"{sandbox}/f")
        for encoding in ENCODINGS:
            with self.subTest(encoding=encoding):
                reply = self.list_files(sandbox, encoding)
                self.assertEqual(200, reply.status)
                assert reply.message is not None
                entries = {entry["path"]: entry
                           for entry in reply.message["list_files"]["file_infos"]}
                self.assertEqual(
                    {"path": f"{sandbox}/f", "nlink": 1, "size": 10, "mode": info.st_mode,
                     "mtime": {"nanoseconds": int(info.st_mtime) * 10**9},
                     "uid": "root", "gid": "root"}, entries[f"{sandbox}/f"])
                reply = self.read_file(f"{sandbox}/f", encoding, offset=2, length=3)
                self.assertEqual((10, b"234"), content(reply))
                self.assert_status(404, self.list_files(f"{sandbox}/none", encoding), "")

    def test_output_of_a_running_container(self) -> None:
        with self.root(shell("echo hello; sleep 1000")) as root:
            path = f"{self.agent.sandbox(root)}/stdout"
            eventually(lambda: self.get(f"/files/read?path={path}&offset=0").text
                       == '{"data":"hello\\n","offset":0}', "the output is there")
            self.assertEqual(b"hello\n", self.get(f"/files/download?path={path}").body)
            self.assertIn(str(self.agent.sandbox(root)), json.loads(self.get("/files/debug").text))
        self.agent.remove(root)
        self.assertEqual(404, self.get(f"/files/read?path={path}&offset=0").status)
        self.assertEqual({}, {k: v for k, v in json.loads(self.get("/files/debug").text).items()
                              if root in k})

    def test_nothing_outside_is_shown(self) -> None:
        secret = self.agent.scratch / "secret"
        secret.write_text("secret")
        work = self.agent.work_dir
        sandbox = self.sandbox_of(
            f"ln -s / all; ln -s {secret} absolute; ln -s ../../../../../secret relative; "
            "ln -s /proc/self/root magic; ln -s /dev/zero zero; mkfifo fifo")
        for path in (f"{sandbox}/all", f"{sandbox}/all/etc", f"{sandbox}/absolute",
                     f"{sandbox}/relative", f"{sandbox}/magic/etc/passwd", f"{sandbox}/zero",
                     f"{sandbox}/fifo", f"{sandbox}/../../../../../secret",
                     f"{sandbox}/dir/../../../../../../secret", f"{work}/containers/../../secret",
                     f"{work}", f"{work}/..", "/etc/passwd", str(secret), f"{sandbox}/../../.."):
            with self.subTest(path=path):
                replies = [self.read_file(path).response, self.get(f"/files/read?path={path}"),
                           self.get(f"/files/download?path={path}")]
                if not path.endswith("/fifo"):  # which is listed as what is no directory
                    replies += [self.list_files(path).response,
                                self.get(f"/files/browse?path={path}")]
                for reply in replies:
                    self.assertIn(reply.status, (400, 404), reply.text)
                    self.assertNotIn(b"secret\n", reply.body.replace(path.encode(), b""))

    def test_a_container_that_swaps_links(self) -> None:
        """The container replaces a directory by a link to the outside and back, all the time."""
        secret = self.agent.scratch / "outside"
        secret.mkdir()
        (secret / "f").write_text("secret")
        (secret / "only-outside").write_text("")
        swap = self.agent.scratch / "swap.py"
        swap.write_text("import ctypes, os\n"
                        "os.mkdir('way'); open('way/f', 'w').write('inside')\n"
                        f"os.symlink('{secret}', 'trap')\n"
                        "libc = ctypes.CDLL(None)\n"
                        "while True: libc.renameat2(-100, b'way', -100, b'trap', 2)\n")
        with self.root(argv(sys.executable, str(swap))) as root:
            sandbox = str(self.agent.sandbox(root))
            eventually(lambda: self.get(f"/files/read?path={sandbox}/way/f&offset=0").status != 404,
                       "the container has begun")
            seen: set[tuple[int, bytes]] = set()
            deadline = time.monotonic() + 20
            with self.agent.connect() as connection:
                rounds = 0
                while rounds < 500 or (len({status for status, _ in seen} - {404}) < 2
                                       and time.monotonic() < deadline):
                    rounds += 1
                    for target in ("read?offset=0&path=", "download?path=", "browse?path="):
                        end = "" if target.startswith("browse") else "/f"
                        response = connection.request(
                            "GET", f"/files/{target}{sandbox}/way{end}", {})
                        seen.add((response.status, response.body))
            self.assertEqual({200, 400}, {status for status, _ in seen} - {404})
            for _, body in seen:
                self.assertNotIn(b"secret", body)
                self.assertNotIn(b"only-outside", body)

    def test_download_streams(self) -> None:
        """64 MiB, to a client that takes its time, in little memory of the agent."""
        sandbox = self.sandbox_of(
            "head -c 67108864 /dev/zero | tr '\\0' x > large; echo end >> large")
        size = 67108868

        def memory() -> int:
            text = Path(f"/proc/{self.agent.pid}/smaps_rollup").read_text()
            return next(int(line.split()[1]) for line in text.splitlines()
                        if line.startswith("Pss_Anon:"))

        before = memory()
        with self.agent.connect(receive_buffer=65536) as connection:
            connection.send(f"GET /files/download?path={sandbox}/large HTTP/1.1\r\n\r\n".encode())
            response = connection.read_head()
            self.assertEqual(str(size), response.headers.get("Content-Length"))
            time.sleep(0.3)  # nothing is read, so nothing more may be held for this client
            self.assertLess(memory() - before, 16384)
            connection.read_body(response)
            self.assertEqual(size, len(response.body))
            self.assertTrue(response.body.endswith(b"xend\n"))
            # And the connection goes on.
            self.assertEqual(200, connection.request("GET", "/health", {}).status)

    def test_ranges(self) -> None:
        sandbox = self.sandbox_of(MAKE_FILES)
        target = f"/files/download?path={sandbox}/f"
        response = self.get(target, Range="bytes=2-4")
        self.assertEqual((206, b"234", "bytes 2-4/10"), (
            response.status, response.body, response.headers.get("Content-Range")))
        response = self.get(target, Range="bytes=10-")
        self.assertEqual((416, "bytes */10"), (
            response.status, response.headers.get("Content-Range")))
        response = self.get(target)
        self.assertEqual((200, b"0123456789", "bytes"), (
            response.status, response.body, response.headers.get("Accept-Ranges")))

    def test_names_with_everything_in_them(self) -> None:
        name = "a b&c;d\"é%2f+.txt"
        sandbox = self.sandbox_of("printf x > '" + name + "'")
        path = f"{sandbox}/{name}"
        reply = self.list_files(sandbox)
        assert reply.message is not None
        self.assertIn(path, [e["path"] for e in reply.message["list_files"]["file_infos"]])
        self.assertEqual(b"x", self.get(f"/files/download?path={quote(path)}").body)


class AgentLog(AgentTestCase):
    agent_flags: ClassVar[dict[str, Flag]] = {}

    def test_external_log(self) -> None:
        agent = self.new_agent(start=False)
        agent.flags["external_log_file"] = str(agent.log)
        agent.start()
        with agent.connect() as connection:
            response = connection.request("GET", "/files/download?path=/slave/log", {})
            self.assertIn(b"Serving on", response.body)
            debug = json.loads(connection.request("GET", "/files/debug", {}).text)
        self.assertEqual(str(agent.log), debug["/slave/log"])

    def test_own_log(self) -> None:
        agent = self.new_agent(start=False)
        agent.flags["log_dir"] = str(agent.scratch / "logs")
        agent.start()
        reply = agent.call({"type": "READ_FILE", "read_file": {"path": "/slave/log", "offset": 0}})
        self.assertIn(b"Serving on", content(reply)[1])

    def test_no_log(self) -> None:
        self.assert_status(404, self.agent.call(
            {"type": "LIST_FILES", "list_files": {"path": "/slave/log"}}), "")


if __name__ == "__main__":
    import run
    run.main([__file__])
