"""URIs of a command, fetched into its sandbox before it runs."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pwd
import shutil
import signal
import stat
import tarfile
import tempfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attach
from harness import (ENCODINGS, Agent, AgentTestCase, OwnAgentTestCase, Reply, eventually, pid_gone,
                     shell, unique)
from leftovers import processes_running
from rawhttp import TIMEOUT
from sessions import SessionTestCase
from uri_servers import ftp_server, http_server, make_certificate
from wire import Message

USER = "nobody"
CONTENT = os.urandom(300_000)


def uris(command: Message, *values: str | Message) -> Message:
    return {**command, "uris": [v if isinstance(v, dict) else {"value": v} for v in values]}


def archive(pack: str, *entries: tarfile.TarInfo | tuple[str, bytes]) -> bytes:
    """A tar archive of these entries, packed by "", "gz", "bz2" or "xz"."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{pack}", format=tarfile.PAX_FORMAT) as tar:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                tar.addfile(entry)
            else:
                info = tarfile.TarInfo(entry[0])
                info.size = len(entry[1])
                tar.addfile(info, io.BytesIO(entry[1]))
    return buffer.getvalue()


def entry(name: str, kind: bytes, target: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, target, mode
    return info


def zip_archive(*entries: tuple[str, bytes] | tuple[str, bytes, int]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content, *mode in entries:
            info = zipfile.ZipInfo(name)
            info.create_system = 3  # Unix, so that there is a mode
            info.external_attr = (mode[0] if mode else stat.S_IFREG | 0o644) << 16
            file.writestr(info, content)
    return buffer.getvalue()


class FetcherTestCase(AgentTestCase):
    source: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.source = Path(tempfile.mkdtemp(prefix="mesos-agent-test-uris-"))
        cls.source.chmod(0o755)
        cls.addClassCleanup(shutil.rmtree, cls.source)
        super().setUpClass()

    def put(self, name: str, content: bytes) -> str:
        path = self.source / name
        path.write_bytes(content)
        return str(path)

    def fetch(self, *values: str | Message, user: str | None = None,
              script: str = "true") -> Path:
        """Launches and ends a container with these URIs, and gives its sandbox."""
        name = unique()
        self.agent.launch(name, command=uris(shell(script, user=user), *values))
        self.assertEqual(0, self.agent.wait(name)["exit_status"],
                         self.agent.output(name, file="stderr"))
        return self.agent.sandbox(name)

    def refuse(self, *values: str | Message, user: str | None = None) -> str:
        """The text of a launch that must fail because of its URIs, of which nothing is left."""
        name = unique()
        reply = self.agent.launch(name, command=uris(shell("true", user=user), *values), status=400)
        self.assertFalse(self.agent.sandbox(name).exists())
        self.assertEqual(404, self.agent.try_wait(name).status)
        return reply.text

    def metric(self, name: str) -> float:
        reply = self.agent.expect(200, {"type": "GET_METRICS", "get_metrics": {}})
        assert reply.message is not None
        return next(m["value"] for m in reply.message["get_metrics"]["metrics"]
                    if m["name"] == f"containerizer/fetcher/{name}")


class Files(FetcherTestCase):
    def test_a_file_is_there_before_the_command_runs(self) -> None:
        path = self.put("data", CONTENT)
        for encoding in ENCODINGS:
            for value in (path, f"file://{path}", f"file://localhost{path}", f"  {path}"):
                with self.subTest(value=value, encoding=encoding):
                    name = unique()
                    self.agent.launch(name, encoding=encoding,
                                      command=uris(shell("cp data copy"), value))
                    self.assertEqual({"exit_status": 0}, self.agent.wait(name))
                    self.assertEqual(CONTENT, (self.agent.sandbox(name) / "copy").read_bytes())

    def test_nested_containers_fetch_too(self) -> None:
        path = self.put("data", CONTENT)
        with self.root() as root:
            child = unique()
            self.agent.launch(root, child, command=uris(shell("cp data copy"), path))
            self.assertEqual({"exit_status": 0}, self.agent.wait(root, child))
            self.assertEqual(CONTENT, (self.agent.sandbox(root, child) / "copy").read_bytes())

    def test_names_and_modes(self) -> None:
        path = self.put("script", b"#!/bin/sh\nexit 0\n")
        sandbox = self.fetch(
            path,
            {"value": path, "executable": True, "output_file": "run"},
            {"value": path, "output_file": "a/b/c"},
            script="./run && test -f a/b/c && test ! -x script")
        self.assertEqual(0o755, (sandbox / "run").stat().st_mode & 0o7777)
        self.assertEqual(0o644, (sandbox / "script").stat().st_mode & 0o7777)

    def test_as_the_user_of_the_container(self) -> None:
        path = self.put("data", CONTENT)
        packed = self.put("user.tar", archive("", ("inside/file", b"x"),
                                              entry("inside/link", tarfile.SYMTYPE, "file")))
        sandbox = self.fetch({"value": path, "output_file": "sub/data"}, packed, user=USER)
        for name in ("sub", "sub/data", "user.tar", "inside", "inside/file", "inside/link",
                     "stdout", "stderr"):
            with self.subTest(name=name):
                self.assertEqual(pwd.getpwnam(USER).pw_uid, (sandbox / name).lstat().st_uid)

    def test_with_the_rights_of_the_user_of_the_container(self) -> None:
        path = self.put("secret", CONTENT)
        Path(path).chmod(0o600)
        self.assertIn("Permission denied", self.refuse(path, user=USER))
        self.fetch(path)

    def test_several_and_one_of_them_fails(self) -> None:
        path = self.put("data", CONTENT)
        text = self.refuse(path, str(self.source / "missing"), path)
        self.assertRegex(text, "Failed to fetch all URIs for container '.*': Failed to fetch "
                               f"'{self.source}/missing': .*No such file or directory")

    def test_what_is_no_file_is_refused(self) -> None:
        os.mkfifo(self.source / "fifo")
        for path in (str(self.source), str(self.source / "fifo"), "/dev/zero"):
            with self.subTest(path=path):
                self.assertIn("is not a regular file", self.refuse(path))

    def test_refused_by_their_text(self) -> None:
        path = self.put("data", CONTENT)
        for value, error in (
                ("http://127.0.0.1", "Malformed URI (missing path)"),
                ("http://127.0.0.1/", "Malformed URI (missing path)"),
                ("file://", "Malformed URI (missing path)"),
                ("/", "Malformed URI (missing path)"),
                ("", "Malformed URI (missing path)"),
                (path + "/..", "the URI ends in no file name"),
                ("/it's", "a character that is not allowed"),
                ("/back\\slash", "a character that is not allowed"),
                ("relative", "a relative path, and the agent has no --frameworks_home"),
                ("file://elsewhere/x", "a file of another host"),
                ({"value": path, "output_file": ""}, "output_file must not be empty"),
                ({"value": path, "output_file": "/x"}, "must be within the sandbox"),
                ({"value": path, "output_file": "../x"}, "must be a path below the sandbox"),
                ({"value": path, "output_file": "a/../../x"}, "must be a path below the sandbox"),
                ({"value": path, "output_file": "a/"}, "must be a path below the sandbox"),
                ({"value": path, "output_file": ".."}, "must be a path below the sandbox")):
            with self.subTest(value=value):
                self.assertIn(error, self.refuse(value))

    def test_frameworks_home(self) -> None:
        self.put("data", CONTENT)
        agent = self.new_agent({"frameworks_home": str(self.source)})
        agent.launch("c", command=uris(shell("true"), "data"))
        agent.wait("c")
        self.assertEqual(CONTENT, (agent.sandbox("c") / "data").read_bytes())

    def test_links_that_an_earlier_container_has_left_lead_nowhere(self) -> None:
        name, path = unique(), self.put("data", CONTENT)
        victim = Path(self.put("victim", b"untouched"))
        self.agent.run(name, command=shell(f"ln -s {victim} data; ln -s {self.source} directory"))
        self.agent.launch(name, command=uris(shell("true"), path))
        self.agent.wait(name)
        self.assertEqual(b"untouched", victim.read_bytes())
        self.assertFalse((self.agent.sandbox(name) / "data").is_symlink())
        reply = self.agent.launch(name, status=400, command=uris(
            shell("true"), {"value": path, "output_file": "directory/data2"}))
        self.assertIn("leads out of the sandbox", reply.text)
        self.assertFalse((self.source / "data2").exists())

    def test_what_it_says_goes_to_the_sandbox(self) -> None:
        path = self.put("data", CONTENT)
        sandbox = self.fetch(path)
        self.assertIn(f"Fetched '{path}' to 'data'", (sandbox / "stderr").read_text())

    def test_metrics(self) -> None:
        path = self.put("data", CONTENT)
        before = self.metric("task_fetches_succeeded"), self.metric("task_fetches_failed")
        self.fetch(path, path)
        self.refuse("/no/such/file")
        self.agent.run(unique(), command=shell("true"))
        after = self.metric("task_fetches_succeeded"), self.metric("task_fetches_failed")
        self.assertEqual((before[0] + 1, before[1] + 1), after)


class Attachable(SessionTestCase):
    """What the fetcher says goes to the sandbox, not to those who are attached."""

    def test_a_session(self) -> None:
        path = self.new()
        output = self.start(*path, command=uris(shell("echo out; echo err >&2; exit 3"),
                                                "/etc/passwd"))
        output.read_to_end()
        self.assertEqual((b"out\n", b"err\n"), (output.stdout, output.stderr))
        self.assertEqual(3 << 8, self.status(*path))
        self.assertEqual(Path("/etc/passwd").read_bytes(),
                         (self.agent.sandbox(*path) / "passwd").read_bytes())

    def test_a_session_that_cannot_be_fetched_for(self) -> None:
        path = self.new()
        reply = self.agent.call(attach.session_call(
            *path, command=uris(shell("true"), "/no/such/file")))
        self.assert_status(400, reply)
        self.assertIn("No such file or directory", reply.text)

    def test_an_attachable_container(self) -> None:
        path = self.new()
        command = shell("cat passwd", MESOS_CONTAINER_ATTACHABLE="true")
        self.agent.run(*path, command=uris(command, "/etc/passwd"))
        self.assertEqual(Path("/etc/passwd").read_text(), self.agent.output(*path))
        self.assertIn("Fetched '/etc/passwd'", self.agent.output(*path, file="stderr"))


class Net(FetcherTestCase):
    agent_flags = {"fetcher_stall_timeout": "1secs"}

    def test_http(self) -> None:
        with http_server({"a/data": CONTENT, "empty": b"", "q": b"query"}) as server:
            sandbox = self.fetch(server.url("a/data"), server.url("empty"), server.url("q?x=1"))
            self.assertEqual(CONTENT, (sandbox / "data").read_bytes())
            self.assertEqual(b"", (sandbox / "empty").read_bytes())
            self.assertEqual(b"query", (sandbox / "q?x=1").read_bytes())

    def test_redirects(self) -> None:
        with http_server({"data": CONTENT}) as server, ftp_server({"data": b"by ftp"}) as ftp:
            server.redirects = {"/one": "/two", "/two": "/data", "/loop": "/loop",
                                "/ftp": ftp.url("data"), "/file": "file:///etc/passwd",
                                "/gopher": "gopher://127.0.0.1/x"}
            sandbox = self.fetch(server.url("one"), server.url("ftp"))
            self.assertEqual(CONTENT, (sandbox / "one").read_bytes())
            self.assertEqual(b"by ftp", (sandbox / "ftp").read_bytes())
            self.refuse(server.url("loop"))
            for scheme in ("file", "gopher"):
                self.assertIn(f'Protocol "{scheme}" not supported', self.refuse(server.url(scheme)))

    def test_failures(self) -> None:
        with http_server({"truncated": CONTENT, "data": CONTENT}) as server:
            self.assertIn("status 404", self.refuse(server.url("missing")))
            self.assertIn("transfer closed", self.refuse(server.url("data"),
                                                         server.url("truncated")))
            gone = server.url("data")
        self.assertIn("Failed to connect", self.refuse(gone))

    def test_a_server_that_stalls(self) -> None:
        with http_server({"stalled": CONTENT}) as server:
            self.assertIn("nothing came for 1 s", self.refuse(server.url("stalled")))

    def test_passwords_are_not_shown(self) -> None:
        with http_server({}) as server:
            url = server.url("missing").replace("http://", "http://me:secret@")
            self.assertNotIn("secret", self.refuse(url))

    def test_https(self) -> None:
        certificate, context = make_certificate(self.source)
        with http_server({"data": CONTENT}, context) as server:
            self.assertIn("certificate", self.refuse(server.url("data")))
            agent = self.new_agent(environment={"CURL_CA_BUNDLE": str(certificate)})
            agent.launch("c", command=uris(shell("true", user=USER), server.url("data")))
            agent.wait("c")
            self.assertEqual(CONTENT, (agent.sandbox("c") / "data").read_bytes())

    def test_ftp(self) -> None:
        with ftp_server({"data": CONTENT}) as server:
            sandbox = self.fetch(server.url("data"))
            self.assertEqual(CONTENT, (sandbox / "data").read_bytes())
            self.assertIn("Failed to fetch 'ftp://", self.refuse(server.url("missing")))

    def test_hadoop(self) -> None:
        name = unique()
        reply = self.agent.launch(name, status=400,
                                  command=uris(shell("true"), "hdfs://cluster/data"))
        self.assertIn("'hadoop'", reply.text)
        home = self.source / "hadoop"
        (home / "bin").mkdir(parents=True)
        client = home / "bin" / "hadoop"
        client.write_text('#!/bin/sh\necho "$@" >&2\n'
                          '[ "$3" = hdfs://cluster/data ] && echo from hadoop > "$4"\n')
        client.chmod(0o755)
        agent = self.new_agent({"hadoop_home": str(home)})
        agent.launch("c", command=uris(shell("true", user=USER), "hdfs://cluster/data"))
        agent.wait("c")
        self.assertEqual("from hadoop\n", (agent.sandbox("c") / "data").read_text())
        self.assertIn("fs -copyToLocal hdfs://cluster/data", agent.output("c", file="stderr"))
        reply = agent.launch("d", status=400, command=uris(shell("true"), "hdfs://cluster/none"))
        self.assertIn("'hadoop' exited with status 1", reply.text)


class Archives(FetcherTestCase):
    GOOD = (entry("dir", tarfile.DIRTYPE, mode=0o555), ("dir/file", b"content"),
            entry("dir/link", tarfile.SYMTYPE, "file"), entry("hard", tarfile.LNKTYPE, "dir/file"),
            ("./dotted", b"dotted"), ("näme", b"utf-8"))
    TARS = {"tar": "", "tar.gz": "gz", "tgz": "gz", "tar.bz2": "bz2", "tbz2": "bz2",
            "tar.xz": "xz", "txz": "xz"}

    def test_tars(self) -> None:
        for suffix, pack in self.TARS.items():
            for user in (None, USER):
                with self.subTest(suffix=suffix, user=user):
                    sandbox = self.fetch(self.put(f"good.{suffix}", archive(pack, *self.GOOD)),
                                         user=user)
                    self.assertEqual(b"content", (sandbox / "dir/file").read_bytes())
                    self.assertEqual(0o555, (sandbox / "dir").stat().st_mode & 0o7777)
                    self.assertEqual("file", os.readlink(sandbox / "dir/link"))
                    self.assertTrue((sandbox / "hard").samefile(sandbox / "dir/file"))
                    self.assertEqual(b"dotted", (sandbox / "dotted").read_bytes())
                    self.assertEqual(b"utf-8", (sandbox / "näme").read_bytes())
                    self.assertTrue((sandbox / f"good.{suffix}").exists())

    def test_zip(self) -> None:
        sandbox = self.fetch(self.put("good.zip", zip_archive(
            ("dir/file", b"content"), ("run", b"#!/bin/sh\n", stat.S_IFREG | 0o755))),
            script="./run")
        self.assertEqual(b"content", (sandbox / "dir/file").read_bytes())

    def test_gzip(self) -> None:
        path = self.put("data.gz", gzip.compress(CONTENT))
        sandbox = self.fetch(path, {"value": path, "output_file": "sub/other.gz"})
        self.assertEqual(CONTENT, (sandbox / "data").read_bytes())
        self.assertEqual(CONTENT, (sandbox / "other").read_bytes())

    def test_not_to_be_extracted(self) -> None:
        path = self.put("good.tgz", archive("gz", *self.GOOD))
        sandbox = self.fetch({"value": path, "extract": False},
                             {"value": path, "executable": True, "output_file": "x.tgz"},
                             {"value": path, "output_file": "no-archive"})
        self.assertFalse((sandbox / "dir").exists())
        self.assertEqual(0o755, (sandbox / "x.tgz").stat().st_mode & 0o7777)

    def test_damaged(self) -> None:
        good = archive("gz", ("file", CONTENT))
        for name, content in (("none.tar", b"no archive"), ("cut.tgz", good[:-1000]),
                              ("none.gz", b"not gzip"), ("cut.gz", gzip.compress(CONTENT)[:-1000]),
                              ("cut.tar.bz2", bz2.compress(b"x" * 5000)[:-10]),
                              ("cut.txz", lzma.compress(CONTENT)[:-1000]),
                              ("none.zip", b"PK\3\4")):
            with self.subTest(name=name):
                self.assertIn(f"Failed to extract '{name}'", self.refuse(self.put(name, content)))

    def test_nothing_escapes(self) -> None:
        outside = self.source / "outside"
        outside.mkdir()
        (outside / "victim").write_text("untouched")
        absolute = str(outside / "new")
        depth = "../" * 12
        evil: dict[str, tuple[tarfile.TarInfo | tuple[str, bytes], ...]] = {
            "dots": ((f"{depth}{absolute[1:]}", b"x"),),
            "dots within": ((f"a/{depth}{absolute[1:]}", b"x"),),
            "absolute": ((absolute, b"x"),),
            "through a link": (entry("l", tarfile.SYMTYPE, str(outside)), ("l/new", b"x")),
            "through a relative link": (
                entry("l", tarfile.SYMTYPE, f"{depth}{str(outside)[1:]}"), ("l/new", b"x")),
            "through two links": (
                entry("a", tarfile.DIRTYPE, mode=0o755), entry("a/up", tarfile.SYMTYPE, ".."),
                entry("l", tarfile.SYMTYPE, f"a/up/{depth}{str(outside)[1:]}"), ("l/new", b"x")),
            "a directory through a link": (
                entry("l", tarfile.SYMTYPE, str(outside)),
                entry("l/new", tarfile.DIRTYPE, mode=0o755)),
            "a hard link": (entry("h", tarfile.LNKTYPE, str(outside / "victim")),),
            "a hard link with dots": (
                entry("h", tarfile.LNKTYPE, f"{depth}{str(outside / 'victim')[1:]}"),),
            "a hard link through a link": (
                entry("l", tarfile.SYMTYPE, str(outside)),
                entry("h", tarfile.LNKTYPE, "l/victim")),
            "a link below a link": (
                entry("l", tarfile.SYMTYPE, str(outside)),
                entry("l/new", tarfile.SYMTYPE, "/etc")),
            "a device": (entry("null", tarfile.CHRTYPE),),
            "a fifo": (entry("fifo", tarfile.FIFOTYPE),),
        }
        for user in (None, USER):
            for what, entries in evil.items():
                for suffix, pack in self.TARS.items():
                    if suffix != "tar" and (user is not None or what != "through a link"):
                        continue
                    with self.subTest(what=what, suffix=suffix, user=user):
                        path = self.put(f"evil.{suffix}", archive(pack, *entries))
                        self.assertIn("Failed to extract", self.refuse(path, user=user))
        for name in (f"{depth}{absolute[1:]}", absolute):
            with self.subTest(zip=name):
                self.assertIn("Failed to extract",
                              self.refuse(self.put("evil.zip", zip_archive((name, b"x")))))
        link = zip_archive(("l", str(outside).encode(), stat.S_IFLNK | 0o777), ("l/new", b"x"))
        self.assertIn("Failed to extract", self.refuse(self.put("evil.zip", link)))
        self.assertEqual(["victim"], [p.name for p in outside.iterdir()])
        self.assertEqual("untouched", (outside / "victim").read_text())
        self.assertEqual(1, (outside / "victim").stat().st_nlink)

    def test_a_link_is_replaced_not_followed(self) -> None:
        victim = Path(self.put("linked", b"untouched"))
        sandbox = self.fetch(self.put("replace.tar", archive(
            "", entry("file", tarfile.SYMTYPE, str(victim)), ("file", b"new"))))
        self.assertEqual(b"untouched", victim.read_bytes())
        self.assertEqual(b"new", (sandbox / "file").read_bytes())

    def test_links_that_stay_inside_are_followed(self) -> None:
        sandbox = self.fetch(self.put("inside.tar", archive(
            "", entry("usr/lib", tarfile.DIRTYPE, mode=0o755),
            entry("lib", tarfile.SYMTYPE, "usr/lib"), ("lib/file", b"x"))))
        self.assertEqual(b"x", (sandbox / "usr/lib/file").read_bytes())

    def test_no_setuid(self) -> None:
        sandbox = self.fetch(self.put("setuid.tar", archive("", entry(
            "program", tarfile.REGTYPE, mode=0o6755))))
        self.assertEqual(0o755, (sandbox / "program").stat().st_mode & 0o7777)


class Caching(FetcherTestCase):
    agent_flags = {"fetcher_cache_size": "1MB"}

    def cached(self, url: str, **fields: Any) -> Message:
        return {"value": url, "cache": True, **fields}

    def files(self) -> list[str]:
        directory = self.agent.scratch / "fetch"
        return sorted(p.name for p in directory.rglob("*") if p.is_file())

    def test_downloaded_once(self) -> None:
        with http_server({"data": CONTENT}) as server:
            for _ in range(3):
                sandbox = self.fetch(self.cached(server.url("data")),
                                     self.cached(server.url("data"), output_file="again",
                                                 executable=True))
                self.assertEqual(CONTENT, (sandbox / "data").read_bytes())
                self.assertEqual(CONTENT, (sandbox / "again").read_bytes())
                self.assertEqual(0o755, (sandbox / "again").stat().st_mode & 0o777)
            self.assertEqual(1, server.count("GET /data"))
        self.assertEqual(1 << 20, self.metric("cache_size_total_bytes"))
        self.assertGreaterEqual(self.metric("cache_size_used_bytes"), len(CONTENT))

    def test_each_user_has_its_own(self) -> None:
        with http_server({"data": CONTENT}) as server:
            for user in (None, USER, USER):
                self.fetch(self.cached(server.url("data")), user=user)
            self.assertEqual(2, server.count("GET /data"))
        for name, uid in (("@agent", 0), (USER, pwd.getpwnam(USER).pw_uid)):
            info = (self.agent.scratch / "fetch" / name).stat()
            self.assertEqual((uid, 0o700), (info.st_uid, info.st_mode & 0o777))

    def test_an_archive_itself_is_not_in_the_sandbox(self) -> None:
        with http_server({"good.tgz": archive("gz", ("file", b"x"))}) as server:
            for _ in range(2):
                sandbox = self.fetch(self.cached(server.url("good.tgz")))
                self.assertEqual(b"x", (sandbox / "file").read_bytes())
                self.assertFalse((sandbox / "good.tgz").exists())
            self.assertEqual(1, server.count("GET /good.tgz"))

    def test_the_oldest_gives_way(self) -> None:
        big = {name: os.urandom(400_000) for name in ("a", "b", "c")}
        with http_server(big) as server:
            for name in ("a", "b", "a", "c", "a", "b"):
                self.fetch(self.cached(server.url(name)))
            self.assertEqual([1, 2, 1], [server.count(f"GET /{name}") for name in "abc"])
        self.assertLessEqual(self.metric("cache_size_used_bytes"), 1 << 20)
        self.assertLessEqual(sum(p.stat().st_size for p in (self.agent.scratch / "fetch").rglob("*")
                                 if p.is_file()), 1 << 20)

    def test_what_does_not_fit_bypasses(self) -> None:
        with http_server({"huge": os.urandom(2 << 20), "unsized": CONTENT}) as server:
            before = self.files()
            for name in ("huge", "unsized"):
                sandbox = self.fetch(self.cached(server.url(name)))
                self.assertEqual(server.files[name], (sandbox / name).read_bytes())
            self.assertEqual(before, self.files())

    def test_a_vanished_file_is_fetched_again(self) -> None:
        with http_server({"vanishing": CONTENT}) as server:
            self.fetch(self.cached(server.url("vanishing")))
            (file,) = (self.agent.scratch / "fetch").rglob("c*-vanishing")
            file.unlink()
            sandbox = self.fetch(self.cached(server.url("vanishing")))
            self.assertEqual(CONTENT, (sandbox / "vanishing").read_bytes())
            self.assertEqual(2, server.count("GET /vanishing"))

    def test_a_failed_download_is_not_kept(self) -> None:
        with http_server({"truncated": CONTENT}) as server:
            before = self.files(), self.metric("cache_size_used_bytes")
            self.refuse(self.cached(server.url("truncated")))
            self.assertEqual(before, (self.files(), self.metric("cache_size_used_bytes")))

    def test_others_wait_for_the_first(self) -> None:
        with http_server({"stalled/a": CONTENT, "b": CONTENT}) as server:
            a, b = self.cached(server.url("stalled/a")), self.cached(server.url("b"))
            names = [unique(), unique()]
            ended: list[Reply] = []
            threads = [threading.Thread(target=lambda n=name, u=pair: ended.append(
                self.agent.launch(n, command=uris(shell("true"), *u), status=400)))
                for name, pair in zip(names, ((a, b), (b, a)), strict=True)]
            for thread in threads:
                thread.start()
            # The first is cut off, so it fails; then it is the second's turn.
            for _ in names:
                self.assertTrue(server.stalled.acquire(timeout=TIMEOUT))
                self.assertLessEqual(server.count("GET /stalled/a"), len(ended) + 1)
                server.go_on.set()
            for thread in threads:
                thread.join(TIMEOUT)
            self.assertEqual(2, len(ended))
            self.assertEqual(2, server.count("GET /stalled/a"))

    def test_emptied_at_the_start_but_for_what_is_not_the_caches(self) -> None:
        agent = self.new_agent()
        agent.launch("c", command=uris(shell("true", user=USER),
                                       self.cached(self.put("data", CONTENT))))
        agent.wait("c")
        directory = agent.scratch / "fetch"
        (directory / USER / "mine").write_text("not the cache's")
        self.assertEqual(["c1-data", "mine"], sorted(os.listdir(directory / USER)))
        agent.restart()
        self.assertEqual(["mine"], os.listdir(directory / USER))


class Cut(OwnAgentTestCase):
    """A fetch that does not come to its end."""

    def start(self, agent: Agent, url: str, server: Any,
              user: str | None = None) -> tuple[threading.Thread, list[Any]]:
        replies: list[Any] = []

        def launch() -> None:
            try:
                replies.append(agent.launch("c", command=uris(shell("true", user=user), url),
                                            status=400))
            except (AssertionError, OSError) as error:
                replies.append(error)

        thread = threading.Thread(target=launch)
        thread.start()
        if server is not None:
            self.assertTrue(server.stalled.acquire(timeout=TIMEOUT))
        return thread, replies

    def fetchers(self, agent: Agent) -> list[int]:
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                environment = Path(f"/proc/{pid}/environ").read_bytes()
                name = Path(f"/proc/{pid}/comm").read_text().strip()
            except OSError:
                continue
            if name == "mesos-fetcher" and str(agent.scratch).encode() in environment:
                found.append(int(pid))
        return [pid for pid in found if not pid_gone(pid)]

    def test_killed(self) -> None:
        agent = self.new_agent()
        for user in (None, USER):
            for kill in (None, signal.SIGTERM):
                with self.subTest(user=user, kill=kill), \
                        http_server({"stalled": CONTENT}) as server:
                    thread, replies = self.start(agent, server.url("stalled"), server, user)
                    self.assertEqual(2, len(self.fetchers(agent)))
                    self.assert_status(200, agent.kill("c", signal=kill))
                    thread.join(TIMEOUT)
                    self.assertEqual("Container is being destroyed during fetching",
                                     replies[0].text)
                    self.assertEqual([], self.fetchers(agent))
                    self.assertFalse(agent.sandbox("c").exists())
        agent.assert_nothing_left()

    def test_the_agent_is_killed(self) -> None:
        for user in (None, USER):
            with self.subTest(user=user), http_server({"stalled": CONTENT}) as server:
                agent = self.new_agent()
                thread, _ = self.start(agent, server.url("stalled"), server, user)
                self.assertEqual(2, len(self.fetchers(agent)))
                agent.kill9()
                eventually(lambda a=agent: not self.fetchers(a), "the fetcher ends")
                thread.join(TIMEOUT)
                agent.start()
                # The launch that was cut off is undone; the id is free.
                agent.launch("c", command=shell("exit 3"))
                self.assertEqual(3 << 8, agent.wait("c")["exit_status"])
                self.assertFalse((agent.sandbox("c") / "stalled").exists())
                agent.assert_nothing_left()

    def test_the_agent_is_stopped(self) -> None:
        agent = self.new_agent()
        with http_server({"stalled": CONTENT}) as server:
            thread, _ = self.start(agent, server.url("stalled"), server)
            agent.stop()
            eventually(lambda: not self.fetchers(agent), "the fetcher ends")
            thread.join(TIMEOUT)
        agent.start()
        eventually(lambda: not agent.containers(), "the launch is undone")

    def test_the_fetcher_is_killed(self) -> None:
        agent = self.new_agent()
        for user in (None, USER):
            for victim in (min, max):  # the one that waits, and the one that works
                with self.subTest(user=user, victim=victim), \
                        http_server({"stalled": CONTENT}) as server:
                    thread, replies = self.start(agent, server.url("stalled"), server, user)
                    os.kill(victim(self.fetchers(agent)), signal.SIGKILL)
                    thread.join(TIMEOUT)
                    self.assertIn("Failed to fetch all URIs for container 'c'", replies[0].text)
                    eventually(lambda: not self.fetchers(agent), "the fetcher ends")

    def test_what_it_starts_goes_with_it(self) -> None:
        cases: tuple[Callable[[Agent], Any], ...] = (lambda a: a.kill("c"), Agent.kill9)
        for number, end in enumerate(cases):
            with self.subTest(number=number):
                sleep = f"sleep 1000.{os.getpid()}{number}"
                home = Path(tempfile.mkdtemp(prefix="mesos-agent-test-hadoop-"))
                self.addCleanup(shutil.rmtree, home)
                home.chmod(0o755)
                (home / "bin").mkdir()
                client = home / "bin" / "hadoop"
                client.write_text(f"#!/bin/sh\nsetsid {sleep} & {sleep}\n")
                client.chmod(0o755)
                agent = self.new_agent({"hadoop_home": str(home)})
                thread, _ = self.start(agent, "hdfs://cluster/data", None)
                eventually(lambda s=sleep: len(processes_running(s)) == 2, "hadoop runs")
                end(agent)
                eventually(lambda s=sleep: not processes_running(s), "nothing is left of it")
                thread.join(TIMEOUT)
                if agent.process is None:
                    agent.start()

    def test_without_the_program(self) -> None:
        directory = Path(tempfile.mkdtemp(prefix="mesos-agent-test-bin-"))
        self.addCleanup(shutil.rmtree, directory)
        agent = self.new_agent(start=False)
        programs = Path(str(agent.flags["launcher_dir"]))
        for name in ("mesos-containerizer", "mesos-io-switchboard"):
            (directory / name).symlink_to(programs / name)
        agent.flags["launcher_dir"] = str(directory)
        agent.start()
        reply = agent.launch("c", command=uris(shell("true"), "/etc/hostname"), status=400)
        self.assertIn("mesos-fetcher': No such file or directory", reply.text)
        self.assertEqual({"exit_status": 0}, agent.run("d", command=shell("true")))

    def test_posix_launcher(self) -> None:
        agent = self.new_agent({"launcher": "posix", "isolation": "posix/cpu,posix/mem",
                                "cgroups_root": None})
        agent.launch("c", command=uris(shell("cp passwd copy"), "/etc/passwd"))
        self.assertEqual({"exit_status": 0}, agent.wait("c"))


if __name__ == "__main__":
    import run
    run.main([__file__])
