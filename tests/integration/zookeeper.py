"""A real ZooKeeper server, and enough of its client's protocol to play masters with it.

The server is Debian's, or of the java class path in MESOS_TEST_ZOOKEEPER_CLASSPATH. It listens on a
port of 127.0.0.1 and keeps its data in a scratch directory. All waits are bounded.
"""

from __future__ import annotations

import glob
import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import unittest
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness import eventually, find_peer
from rawhttp import TIMEOUT, TIMEOUT_FACTOR
from scripted_master import ScriptedMaster

# Where Debian's libzookeeper-java has its classes, beside those of all that it needs.
JARS = "/usr/share/java"

# The server looks for sessions that have expired this often; it keeps none longer than asked for,
# and those of the tests' own clients for longer than a test takes.
TICK_MS = 200
OWN_TIMEOUT_MS = 600_000

# Of ZooKeeper's protocol (its jute records): operations, error codes, and whom an ACL names.
CREATE, DELETE, SET_DATA, SET_ACL, CHILDREN, AUTH, CLOSE = 1, 2, 5, 7, 8, 100, -11
AUTH_XID = -4
NO_NODE, NODE_EXISTS = -101, -110
EPHEMERAL, SEQUENTIAL = 1, 2
ALL = 31
ANYONE = [(ALL, "world", "anyone")]
CREATOR = [(ALL, "auth", "")]  # who has authenticated as whoever sets this

Acl = Sequence[tuple[int, str, str]]


def class_path() -> str:
    """Java's class path of the server. The tests are skipped if there is none."""
    path = os.environ.get("MESOS_TEST_ZOOKEEPER_CLASSPATH")
    if path:
        return path
    if not Path(JARS, "zookeeper.jar").exists():
        raise unittest.SkipTest(f"there is no {JARS}/zookeeper.jar: "
                                "install the package libzookeeper-java")
    # Of the several loggers that may be there only one: slf4j's own refuse each other.
    jars = [jar for jar in sorted(glob.glob(f"{JARS}/*.jar"))
            if "slf4j" not in jar and "logback" not in jar]
    return ":".join([*jars, f"{JARS}/slf4j-api.jar", f"{JARS}/slf4j-simple.jar"])


def needs_zookeeper(agent: Path) -> tuple[str, str]:
    """Where java is, and the server's class path. Skips the tests if anything is missing."""
    if not has_client(agent):
        raise unittest.SkipTest("this build has no ZooKeeper client: "
                                "install the package libzookeeper-mt-dev and build again")
    classes = class_path()
    return find_peer("java", "openjdk-17-jre-headless"), classes


def has_client(agent: Path) -> bool:
    """Whether the program was built with ZooKeeper's client library. Without it, it says so."""
    return b"this build has no ZooKeeper client" not in agent.read_bytes()


class ZooKeeperServer:
    """One server process. Call discard() when done with it."""

    def __init__(self, java: str, classes: str) -> None:
        self.command = [java, "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                        "-cp", classes, "org.apache.zookeeper.server.ZooKeeperServerMain"]
        self.scratch = Path(tempfile.mkdtemp(prefix="mesos-zookeeper-test-"))
        self.log = self.scratch / "log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address: tuple[str, int] = probe.getsockname()
        self.process: subprocess.Popen[bytes] | None = None
        self.configuration = self.scratch / "zoo.cfg"
        self.configuration.write_text("\n".join((
            f"dataDir={self.scratch}/data", f"tickTime={TICK_MS}", "admin.enableServer=false",
            f"clientPortAddress={self.address[0]}", f"clientPort={self.address[1]}",
            f"minSessionTimeout={TICK_MS}", f"maxSessionTimeout={OWN_TIMEOUT_MS}", "")))

    def url(self, path: str = "/mesos", credentials: str = "", more: str = "") -> str:
        return f"zk://{credentials}{more}{self.address[0]}:{self.address[1]}{path}"

    def start(self) -> ZooKeeperServer:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*self.command, str(self.configuration)],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=self.scratch)
        eventually(self._answers, "ZooKeeper answers", 3 * TIMEOUT)
        return self

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-4000:]
        try:
            Client(self.address).close()
        except OSError:
            return False
        return True

    def kill9(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(TIMEOUT)
        self.process = None

    def discard(self) -> None:
        if self.process is not None:
            self.kill9()
        shutil.rmtree(self.scratch)


class ZooKeeperError(AssertionError):
    def __init__(self, operation: int, path: str, code: int) -> None:
        super().__init__(f"operation {operation} on {path!r}: error {code}")
        self.code = code


class Client:
    """A session: one request at a time. It stays alive by itself for longer than a test."""

    def __init__(self, address: tuple[str, int], credentials: str = "") -> None:
        self._socket = socket.create_connection(address, 5 * TIMEOUT_FACTOR)
        self._xid = 0
        try:
            self._send(struct.pack(">iqiq", 0, 0, OWN_TIMEOUT_MS, 0) + _data(bytes(16)))
            self._receive()
            if credentials:
                self._request(AUTH, "", struct.pack(">i", 0) + _text("digest")
                              + _text(credentials), AUTH_XID)
        except BaseException:
            self._socket.close()
            raise

    def close(self) -> None:
        """Ends the session, and with it its ephemeral nodes."""
        try:
            self._request(CLOSE, "", b"")
        finally:
            self._socket.close()

    def create(self, path: str, data: bytes = b"", flags: int = 0, acl: Acl = ANYONE) -> str:
        """Gives the path of the new node, which has a number at its end if flags say so."""
        reply = self._request(CREATE, path, _text(path) + _data(data) + _acl(acl)
                              + struct.pack(">i", flags))
        return _texts(reply, 1)[0]

    def make(self, path: str) -> None:
        """Create a node unless it is there."""
        try:
            self.create(path)
        except ZooKeeperError as error:
            if error.code != NODE_EXISTS:
                raise

    def delete(self, path: str) -> None:
        self._request(DELETE, path, _text(path) + struct.pack(">i", -1))

    def set_data(self, path: str, data: bytes) -> None:
        self._request(SET_DATA, path, _text(path) + _data(data) + struct.pack(">i", -1))

    def set_acl(self, path: str, acl: Acl) -> None:
        self._request(SET_ACL, path, _text(path) + _acl(acl) + struct.pack(">i", -1))

    def children(self, path: str) -> list[str] | None:
        """None if there is no such node."""
        try:
            reply = self._request(CHILDREN, path, _text(path) + b"\0")
        except ZooKeeperError as error:
            if error.code != NO_NODE:
                raise
            return None
        return _texts(reply[4:], struct.unpack_from(">i", reply)[0])

    # -- the wire --

    def _request(self, operation: int, path: str, body: bytes, xid: int | None = None) -> bytes:
        if xid is None:
            self._xid += 1
            xid = self._xid
        self._send(struct.pack(">ii", xid, operation) + body)
        reply = self._receive()
        answered, _, code = struct.unpack_from(">iqi", reply)
        assert answered == xid, f"an answer to {answered} instead of {xid}"
        if code != 0:
            raise ZooKeeperError(operation, path, code)
        return reply[16:]

    def _send(self, frame: bytes) -> None:
        self._socket.sendall(_data(frame))

    def _receive(self) -> bytes:
        return self._exactly(struct.unpack(">i", self._exactly(4))[0])

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._socket.recv(size - len(data))
            if not more:
                raise ConnectionError("ZooKeeper has closed the connection")
            data += more
        return data


def _data(data: bytes) -> bytes:
    return struct.pack(">i", len(data)) + data


def _text(text: str) -> bytes:
    return _data(text.encode())


def _acl(acl: Acl) -> bytes:
    entries = [struct.pack(">i", permissions) + _text(scheme) + _text(who)
               for permissions, scheme, who in acl]
    return struct.pack(">i", len(entries)) + b"".join(entries)


def _texts(data: bytes, count: int) -> list[str]:
    found = []
    for _ in range(count):
        size = struct.unpack_from(">i", data)[0]
        found.append(data[4:4 + size].decode())
        data = data[4 + size:]
    return found


# -- masters --

def master_info(master: ScriptedMaster) -> dict[str, Any]:
    """As a real master describes itself."""
    ip, port = master.address
    return {
        "id": master.id, "pid": master.pid, "hostname": ip, "port": port, "version": "1.11.0",
        "ip": struct.unpack("=I", socket.inet_aton(ip))[0],
        "address": {"hostname": ip, "ip": ip, "port": port},
        "capabilities": [{"type": name} for name in ("AGENT_UPDATE", "AGENT_DRAINING", "QUOTA_V2")],
    }


def enlist(client: Client, master: ScriptedMaster, group: str = "/mesos", acl: Acl = ANYONE) -> str:
    """Write down that this master could lead: it does if nobody came before. Gives the node."""
    return client.create(f"{group}/json.info_", json.dumps(master_info(master)).encode(),
                         EPHEMERAL | SEQUENTIAL, acl)
