"""URIs of a command, fetched into its sandbox before it runs."""

from __future__ import annotations

import os
import pwd
import tarfile
from pathlib import Path

import attach
from fetching import CONTENT, USER, FetcherTestCase, archive, entry, uris
from harness import ENCODINGS, shell, unique
from sessions import SessionTestCase
from uri_servers import ftp_server, http_server, make_certificate


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
    agent_flags = {"fetcher_stall_timeout": "5secs"}

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
            self.assertIn("nothing came for 5 s", self.refuse(server.url("stalled")))

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


if __name__ == "__main__":
    import run
    run.main([__file__])
