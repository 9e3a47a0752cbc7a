"""A headless Chromium: the DOM of a page, and the DevTools protocol over its pipe."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from rawhttp import TIMEOUT

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage")
LIMIT = 3 * TIMEOUT  # its start alone can take many seconds


class Profile:
    """A new, empty profile; also the browser's home, so that nothing is written elsewhere."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="mesos-agent-test-chromium-"))
        self.downloads = self.directory / "downloads"
        self.downloads.mkdir()

    def command(self, program: str, *arguments: str) -> list[str]:
        return [program, *FLAGS, f"--user-data-dir={self.directory / 'profile'}", *arguments]

    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items()
                if not k.lower().endswith("_proxy") and k != "DISPLAY"}
        return {**kept, "HOME": str(self.directory), "TMPDIR": str(self.directory)}

    def remove(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """The browser and all processes that it has started: they are in a session of their own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait(TIMEOUT)


def dump_dom(program: str, profile: Profile, url: str) -> str:
    """What the page has become once it is loaded."""
    process = subprocess.Popen(profile.command(program, "--dump-dom", url),
                               env=profile.environment(), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               start_new_session=True)
    try:
        out, err = process.communicate(timeout=LIMIT)
    finally:
        end_group(process)
    if process.returncode != 0:
        raise AssertionError(f"chromium ended with {process.returncode}: {err.decode()[-2000:]}")
    return out.decode()


class Browser:
    """One that is driven. Its messages are JSON, each ended by a zero byte; it reads descriptor 3
    and writes descriptor 4."""

    def __init__(self, program: str, profile: Profile) -> None:
        self.errors = (profile.directory / "stderr").open("w+b")
        its_in, self.requests = os.pipe()
        self.messages, its_out = os.pipe()
        # The shell gives the pipes their numbers. They are moved out of each other's way first.
        wiring = (f'exec 8<&{its_in} 9>&{its_out}; exec "$@" 3<&8 4>&9 8<&- 9>&-')
        self.process = subprocess.Popen(
            ["bash", "-c", wiring, "bash",
             *profile.command(program, "--remote-debugging-pipe", "about:blank")],
            env=profile.environment(), stdin=subprocess.DEVNULL, stdout=self.errors,
            stderr=self.errors, pass_fds=(its_in, its_out), start_new_session=True)
        os.close(its_in)
        os.close(its_out)
        self._buffer = b""
        self._last_id = 0
        self._events: list[dict[str, Any]] = []

    def close(self) -> None:
        end_group(self.process)
        os.close(self.requests)
        os.close(self.messages)
        self.errors.close()

    def _receive(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.messages], [], [], left)[0]:
                raise AssertionError("chromium says nothing more" + self._complaints())
            data = os.read(self.messages, 1 << 16)
            if not data:
                raise AssertionError("chromium has ended" + self._complaints())
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def _complaints(self) -> str:
        self.errors.seek(0)
        return ":\n" + self.errors.read().decode(errors="replace")[-2000:]

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """The result of a command; events that come before it are kept."""
        self._last_id += 1
        message: dict[str, Any] = {"id": self._last_id, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self.requests, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + LIMIT
        while (reply := self._receive(deadline)).get("id") != self._last_id:
            self._events.append(reply)
        if "error" in reply:
            raise AssertionError(f"{method}: {reply['error']}")
        return reply["result"]

    def event(self, method: str, **expected: Any) -> dict[str, Any]:
        """Waits for an event with such parameters, and takes it and all before it."""
        deadline = time.monotonic() + LIMIT
        while True:
            event = self._events.pop(0) if self._events else self._receive(deadline)
            parameters = event.get("params", {})
            if event.get("method") == method and expected.items() <= parameters.items():
                return parameters

    def open_page(self) -> str:
        """A session for the calls about a new page."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable", session)
        return session

    def navigate(self, session: str, url: str) -> None:
        result = self.call("Page.navigate", session, url=url)
        if "errorText" in result:
            raise AssertionError(f"{url}: {result['errorText']}")
        self.event("Page.loadEventFired")

    def evaluate(self, session: str, expression: str) -> Any:
        """The value of JavaScript, awaited if it is a promise."""
        result = self.call("Runtime.evaluate", session, expression=expression, awaitPromise=True,
                           returnByValue=True)
        if "exceptionDetails" in result:
            raise AssertionError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")
