"""TLS for the tests: certificates made by the openssl command, and a client that decides itself what
goes over the wire and when: half of a handshake, close_notify without closing, closing without it.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

CONFIG = """\
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
subjectAltName = DNS:localhost, IP:127.0.0.1
[elsewhere]
basicConstraints = critical, CA:FALSE
subjectAltName = DNS:elsewhere.test, IP:127.0.0.9
[client]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = clientAuth
"""


@dataclass
class Identity:
    """A certificate and its key, as files."""

    name: str
    cert: Path
    key: Path

    def der(self) -> bytes:
        return ssl.PEM_cert_to_DER_cert(self.cert.read_text().partition("-----END")[0]
                                        + "-----END CERTIFICATE-----\n")


class Authority:
    """A certificate authority in a directory of its own; `issuer` makes it an intermediate one."""

    def __init__(self, directory: Path, name: str = "authority",
                 issuer: Authority | None = None) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "config").write_text(CONFIG)
        self.issuer = issuer
        self.identity = self._make(name, "authority", issuer, "ec")

    def issue(self, name: str, kind: str = "server", key: str = "ec") -> Identity:
        """`kind` is server, elsewhere (a server of another name) or client, `key` is ec or rsa."""
        return self._make(name, kind, self, key)

    @property
    def cert(self) -> Path:
        return self.identity.cert

    def _make(self, name: str, kind: str, issuer: Authority | None, key: str) -> Identity:
        made = Identity(name, self.directory / f"{name}.pem", self.directory / f"{name}.key")
        algorithm = (["rsa:2048"] if key == "rsa"
                     else ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        signer = (["-CA", str(issuer.identity.cert), "-CAkey", str(issuer.identity.key)]
                  if issuer else [])
        openssl("req", "-x509", "-newkey", *algorithm, "-noenc", "-days", "2",
                "-subj", f"/CN={name}", "-config", str(self.directory / "config"),
                "-extensions", kind, *signer, "-keyout", str(made.key), "-out", str(made.cert))
        if issuer is not None and issuer.issuer is not None:
            with made.cert.open("a") as chain:
                chain.write(issuer.cert.read_text())
        return made


class Certified(unittest.TestCase):
    """Two authorities for a class of tests, in a directory that goes with it."""

    directory: ClassVar[Path]
    authority: ClassVar[Authority]
    stranger: ClassVar[Authority]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.directory = Path(tempfile.mkdtemp(prefix="mesos-agent-test-tls-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cls.authority = Authority(cls.directory / "own")
        cls.stranger = Authority(cls.directory / "other", "stranger")


def openssl(*arguments: str) -> str:
    done = subprocess.run(["openssl", *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"openssl {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def environment(identity: Identity, **more: str | Path | int) -> dict[str, str]:
    """What makes an agent speak TLS: environment(identity, SUPPORT_DOWNGRADE=1)."""
    values = {"ENABLED": "true", "CERT_FILE": identity.cert, "KEY_FILE": identity.key, **more}
    return {f"LIBPROCESS_SSL_{name}": str(value) for name, value in values.items()}


def client_context(authority: Authority | Identity, identity: Identity | None = None,
                   version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """Trusts that authority only; `version` is the only one it speaks, however old it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority.cert)
    # An end without close_notify is not to be taken for a clean one.
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    if identity is not None:
        context.load_cert_chain(identity.cert, identity.key)
    if version is not None:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
    return context


def server_context(identity: Identity, clients: Authority | None = None,
                   version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """Of a server; with `clients`, one that lets nobody in without a certificate of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.cert, identity.key)
    if clients is not None:
        context.load_verify_locations(clients.cert)
        context.verify_mode = ssl.CERT_REQUIRED
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


class TlsSocket:
    """What rawhttp.Connection needs of a socket, over TLS. One thread may receive while another
    sends."""

    def __init__(self, plain: socket.socket, context: ssl.SSLContext) -> None:
        self.plain = plain
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.session = context.wrap_bio(self.incoming, self.outgoing,
                                        server_hostname="127.0.0.1")
        self._ahead = bytearray()  # decrypted, for recv()
        self._lock = threading.Lock()  # for the session, not while waiting for data

    def do_handshake(self) -> None:
        while True:
            try:
                self.session.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
            else:
                self._flush()
                return

    def client_hello(self) -> bytes:
        """The first message of a handshake, which is not sent."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.session.do_handshake()
        return self.outgoing.read()

    def peer_certificate(self) -> bytes:
        certificate = self.session.getpeercert(binary_form=True)
        assert certificate is not None
        return certificate

    def _flush(self) -> None:
        while data := self.outgoing.read(1 << 20):
            self.plain.sendall(data)

    def _fill(self) -> None:
        data = self.plain.recv(1 << 18)
        with self._lock:
            if data:
                self.incoming.write(data)
            else:
                self.incoming.write_eof()

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            with self._lock:
                sent = self.session.write(view[:1 << 18])
                view = view[sent:]
                self._flush()

    def recv(self, size: int) -> bytes:
        """b"" only after close_notify; ssl.SSLEOFError if the connection ends without."""
        if self._ahead:
            data = bytes(self._ahead[:size])
            del self._ahead[:size]
            return data
        while True:
            with self._lock:
                try:
                    return self.session.read(size)
                except ssl.SSLWantReadError:
                    self._flush()
                except ssl.SSLZeroReturnError:
                    return b""
            self._fill()

    def close_notify(self) -> None:
        """Says that nothing follows; the connection stays open."""
        # unwrap() also looks for the peer's answer, and data in its place would be an error for good.
        with contextlib.suppress(ssl.SSLWantReadError):
            while data := self.session.read(1 << 18):
                self._ahead += data
        with contextlib.suppress(ssl.SSLWantReadError):
            self.session.unwrap()
        self._flush()

    def shutdown(self, how: int) -> None:
        assert how == socket.SHUT_WR
        self.close_notify()
        self.plain.shutdown(how)

    def settimeout(self, seconds: float) -> None:
        self.plain.settimeout(seconds)

    def setsockopt(self, *arguments: object) -> None:
        self.plain.setsockopt(*arguments)  # type: ignore[arg-type]

    def fileno(self) -> int:
        return self.plain.fileno()

    def close(self) -> None:
        """Without close_notify, as most clients do."""
        self.plain.close()
