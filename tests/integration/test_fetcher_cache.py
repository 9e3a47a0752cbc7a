"""The fetcher's cache."""

from __future__ import annotations

import os
import pwd
import threading
from typing import Any

from fetching import CONTENT, USER, FetcherTestCase, archive, uris
from harness import Reply, shell, unique
from rawhttp import TIMEOUT
from uri_servers import http_server
from wire import Message


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
            for number, _ in enumerate(names, 1):
                self.assertTrue(server.stalled.acquire(timeout=TIMEOUT))
                self.assertEqual(number, server.count("GET /stalled/a"))
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


if __name__ == "__main__":
    import run
    run.main([__file__])
