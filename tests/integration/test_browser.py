"""A browser looks into a sandbox, as people do: it lists it and downloads a file of it."""

from __future__ import annotations

import hashlib
import html
import json
import os
import re
from typing import ClassVar
from urllib.parse import quote

from chromium import Browser, Profile, dump_dom
from harness import AgentTestCase, find_peer, shell, unique

CONTENT = os.urandom(300_000)


class InABrowser(AgentTestCase):
    program: ClassVar[str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.program = find_peer("chromium", "chromium")
        super().setUpClass()

    def setUp(self) -> None:
        super().setUp()
        self.profile = Profile()
        self.addCleanup(self.profile.remove)
        self.base = f"http://127.0.0.1:{self.agent.address[1]}"
        with self.root() as root:
            name = unique()
            self.agent.run(root, name, command=shell("echo hello; mkdir directory"))
            self.sandbox = self.agent.sandbox(root, name)
        (self.sandbox / "a <file> & more.bin").write_bytes(CONTENT)

    def url(self, endpoint: str, path: str = "") -> str:
        return f"{self.base}/files/{endpoint}?path={quote(str(self.sandbox) + path)}"

    def names(self, listing: str) -> set[str]:
        return {entry["path"].rpartition("/")[2] for entry in json.loads(listing)}

    EXPECTED: ClassVar[set[str]] = {"stdout", "stderr", "directory", "a <file> & more.bin"}

    def test_listing(self) -> None:
        dom = dump_dom(self.program, self.profile, self.url("browse"))
        shown = re.search(r"<pre[^>]*>(.*?)</pre>", dom, re.DOTALL)
        assert shown is not None, dom
        self.assertEqual(self.EXPECTED, self.names(html.unescape(shown[1])))

    def test_download(self) -> None:
        """As a script gets it, and as it comes to be on the user's disk."""
        browser = Browser(self.program, self.profile)
        self.addCleanup(browser.close)
        page = browser.open_page()
        browser.navigate(page, self.url("browse"))
        self.assertEqual(self.EXPECTED,
                         self.names(browser.evaluate(
                             page, "document.querySelector('pre').textContent")))
        file = self.url("download", "/a <file> & more.bin")
        digest = browser.evaluate(page, f"""
            fetch({json.dumps(file)})
              .then(response => response.arrayBuffer())
              .then(bytes => crypto.subtle.digest("SHA-256", bytes))
              .then(digest => Array.from(new Uint8Array(digest),
                                         byte => byte.toString(16).padStart(2, "0")).join(""))
            """)
        self.assertEqual(hashlib.sha256(CONTENT).hexdigest(), digest)

        browser.call("Browser.setDownloadBehavior", behavior="allowAndName", eventsEnabled=True,
                     downloadPath=str(self.profile.downloads))
        browser.evaluate(page, f"location.assign({json.dumps(file)})")
        begun = browser.event("Browser.downloadWillBegin")
        browser.event("Browser.downloadProgress", guid=begun["guid"], state="completed")
        self.assertEqual(CONTENT, (self.profile.downloads / begun["guid"]).read_bytes())


if __name__ == "__main__":
    import run
    run.main([__file__])
