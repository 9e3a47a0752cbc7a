"""TLS: who gets in and who does not, with which versions; certificates that change; clients that mean
no good; and what is wrong in the configuration. The streams are in test_tls_streams.py.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

from attach import session, write_input
from harness import Agent, OwnAgentTestCase, argv, eventually, resources, shell, unique
from rawhttp import TIMEOUT, Connection
from tls import Authority, Certified, TlsSocket, client_context, environment

HEALTH = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


class TlsTestCase(Certified, OwnAgentTestCase):
    """With certificates for the agent and its clients."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.server = cls.authority.issue("server")
        cls.client = cls.authority.issue("client", "client")
        cls.intruder = cls.stranger.issue("intruder", "client")
        cls.trusting = client_context(cls.authority)

    def tls_agent(self, flags: dict[str, str] | None = None, start: bool = True,
                  tls: ssl.SSLContext | None = None, **variables: object) -> Agent:
        return self.new_agent(flags, start, tls=tls or self.trusting,
                              environment=environment(self.server, **variables))

    def served(self, agent: Agent, tls: ssl.SSLContext | None) -> bool:
        """Whether such a client is answered; AssertionError if it gets anything else than an answer
        or an end."""
        try:
            with Connection(agent.address, tls=tls) as connection:
                connection.send(HEALTH)
                response = connection.read_response()
        except (ssl.SSLError, ConnectionError, AssertionError):
            return False
        if tls is None and response.status == 400:
            self.assertIn("TLS", response.text)
            return False
        self.assertEqual(200, response.status)
        return True

    def refused_to_start(self, agent: Agent) -> str:
        agent.start(wait=False)
        self.assertEqual(1, agent.join())
        return agent.log.read_text()

    def log_says(self, agent: Agent, text: str) -> None:
        eventually(lambda: text in agent.log.read_text(), f"the log says {text!r}")


class Matrix(TlsTestCase):
    def clients(self) -> dict[str, ssl.SSLContext | None]:
        return {"plain": None, "without certificate": self.trusting,
                "with certificate": client_context(self.authority, self.client),
                "with a stranger's": client_context(self.authority, self.intruder)}

    def check(self, agent: Agent, *expected: str) -> None:
        """Exactly those clients are served, whatever version they speak."""
        for version in (None, TLS12, TLS13):
            with self.subTest(version=version):
                served = set()
                for name, tls in self.clients().items():
                    if tls is not None and version is not None:
                        tls.minimum_version = tls.maximum_version = version
                    if self.served(agent, tls):
                        served.add(name)
                self.assertEqual(set(expected), served)

    def test_tls_only(self) -> None:
        self.check(self.tls_agent(), "without certificate", "with certificate",
                   "with a stranger's")

    def test_downgrade(self) -> None:
        agent = self.tls_agent(SUPPORT_DOWNGRADE="true")
        self.check(agent, "plain", "without certificate", "with certificate", "with a stranger's")
        self.assertIn("LIBPROCESS_SSL_SUPPORT_DOWNGRADE", agent.log.read_text())

    def requiring(self, **variables: object) -> Agent:
        return self.tls_agent(tls=client_context(self.authority, self.client),
                              REQUIRE_CLIENT_CERT="1", CA_FILE=self.authority.cert, **variables)

    def test_client_certificate(self) -> None:
        agent = self.requiring()
        self.assertFalse(self.served(agent, self.trusting))
        self.log_says(agent, "handshake with 127.0.0.1 failed: ")
        self.log_says(agent, "peer did not return a certificate")
        self.check(agent, "with certificate")

    def test_client_certificate_and_downgrade(self) -> None:
        agent = self.requiring(SUPPORT_DOWNGRADE=1)
        self.check(agent, "plain", "with certificate")
        self.assertIn("also does without the certificate", agent.log.read_text())

    def test_directory_of_authorities_and_depth(self) -> None:
        directory = self.directory / "authorities"
        directory.mkdir()
        shutil.copy(self.authority.cert, directory / "ca.pem")
        subprocess.run(["openssl", "rehash", str(directory)], check=True, timeout=60)
        below = Authority(self.directory / "below", "below", self.authority)
        remote = client_context(self.authority, below.issue("remote", "client"))
        near = client_context(self.authority, self.client)
        for depth, far_served in ((0, False), (1, True)):
            agent = self.tls_agent(tls=near, REQUIRE_CERT="1", CA_DIR=directory,
                                   VERIFY_DEPTH=depth)
            self.assertTrue(self.served(agent, near))
            self.assertEqual(far_served, self.served(agent, remote), f"depth {depth}")
            log = agent.log.read_text()
            self.assertIn("LIBPROCESS_SSL_REQUIRE_CERT is deprecated", log)


class Versions(TlsTestCase):
    def accepted(self, agent: Agent) -> set[str]:
        return {version.name for version in ssl.TLSVersion
                if version.name.startswith("TLSv") and
                self.served(agent, client_context(self.authority, version=version))}

    def test_versions(self) -> None:
        for variables, expected in (({}, {"TLSv1_2", "TLSv1_3"}),
                                    ({"ENABLE_TLS_V1_3": 0}, {"TLSv1_2"}),
                                    ({"ENABLE_TLS_V1_2": 0}, {"TLSv1_3"})):
            with self.subTest(variables=variables):
                self.assertEqual(expected, self.accepted(self.tls_agent(**variables)))

    def test_what_cannot_be_configured(self) -> None:
        rsa = self.authority.issue("rsa", key="rsa")
        encrypted = self.directory / "encrypted.key"
        subprocess.run(["openssl", "rsa", "-aes256", "-passout", "pass:secret", "-in",
                        str(rsa.key), "-out", str(encrypted)], check=True, timeout=60,
                       capture_output=True)
        empty = self.directory / "empty.pem"
        empty.touch()
        for variables, sentence in (
                ({"ENABLE_TLS_V1_2": 0, "ENABLE_TLS_V1_3": 0}, "no version is left"),
                ({"ENABLE_TLS_V1_1": 1}, "the oldest version that this agent speaks is TLS 1.2"),
                ({"ENABLE_SSL_V3": "true"}, "LIBPROCESS_SSL_ENABLE_SSL_V3=true"),
                ({"SUPPORT_DOWNGRADE": "yes"}, "expected true, 1, false or 0"),
                ({"KEY_FILE": "/no/such/key"}, "KEY_FILE=/no/such/key: No such file"),
                ({"KEY_FILE": encrypted}, f"KEY_FILE={encrypted}"),
                ({"KEY_FILE": rsa.key}, "is not that of the certificate"),
                ({"CERT_FILE": empty}, f"CERT_FILE={empty}: no start line"),
                ({"CIPHERS": "none"}, "LIBPROCESS_SSL_CIPHERS=none"),
                ({"ECDH_CURVES": "round"}, "LIBPROCESS_SSL_ECDH_CURVES=round"),
                ({"REQUIRE_CLIENT_CERT": 1, "CA_FILE": "/no/ca"}, "CA_FILE=/no/ca"),
                ({"VERIFICATION_DEPTH": -1}, "expected an integer")):
            with self.subTest(variables=variables):
                log = self.refused_to_start(self.tls_agent(start=False, **variables))
                self.assertIn(sentence, log)
                self.assertEqual(1, log.count("mesos-agent: "), log)

    def test_no_files(self) -> None:
        agent = self.new_agent(start=False, environment={"LIBPROCESS_SSL_ENABLED": "1"})
        self.assertIn("LIBPROCESS_SSL_KEY_FILE must name", self.refused_to_start(agent))

    def test_old_names(self) -> None:
        agent = self.new_agent(tls=self.trusting, environment={
            "SSL_ENABLED": "1", "SSL_KEY_FILE": str(self.server.key),
            "SSL_CERT_FILE": "/not/this/one",
            "LIBPROCESS_SSL_CERT_FILE": str(self.server.cert)})
        self.assertFalse(self.served(agent, None))
        self.assertTrue(self.served(agent, self.trusting))
        log = agent.log.read_text()
        self.assertIn("SSL_ENABLED is deprecated", log)
        self.assertIn("SSL_CERT_FILE and LIBPROCESS_SSL_CERT_FILE have different values", log)

    def test_off(self) -> None:
        """Whatever else is set."""
        agent = self.new_agent(environment={"LIBPROCESS_SSL_ENABLED": "false",
                                            "LIBPROCESS_SSL_CERT_FILE": "/no/such",
                                            "SSL_CERT_FILE": "/etc/ssl/certs/ca.pem"})
        self.assertTrue(self.served(agent, None))
        self.assertFalse(self.served(agent, self.trusting))

    def curl(self, agent: Agent, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["curl", "-sS", "--noproxy", "*", "--max-time", str(TIMEOUT), *arguments,
             f"https://localhost:{agent.address[1]}/version"],
            capture_output=True, text=True, timeout=2 * TIMEOUT)

    def test_curl(self) -> None:
        trusting = ("--cacert", str(self.authority.cert))
        agent = self.tls_agent(tls=client_context(self.authority, self.client),
                               REQUIRE_CLIENT_CERT=1, CA_FILE=self.authority.cert)
        known = ("--cert", str(self.client.cert), "--key", str(self.client.key))
        self.assertIn('"version"', self.curl(agent, *trusting, *known).stdout)
        self.assertNotEqual(0, self.curl(agent, *trusting).returncode)
        self.assertEqual(60, self.curl(agent, *known, "--cacert",
                                       str(self.stranger.cert)).returncode)

    def test_what_a_mesos_master_offers(self) -> None:
        """RSA and CBC are all that it offers, if nobody tells it otherwise."""
        rsa = self.authority.issue("for-master", key="rsa")
        agent = self.tls_agent(CERT_FILE=rsa.cert, KEY_FILE=rsa.key)
        for cipher in ("AES128-SHA", "AES256-SHA", "DHE-RSA-AES128-SHA"):
            done = self.curl(agent, "--cacert", str(self.authority.cert), "--tls-max", "1.2",
                             "--ciphers", cipher)
            self.assertIn('"version"', done.stdout, done.stderr)
        restricted = self.tls_agent(CERT_FILE=rsa.cert, KEY_FILE=rsa.key,
                                    CIPHERS="ECDHE+AESGCM", ECDH_CURVES="P-384:P-256")
        done = self.curl(restricted, "--cacert", str(self.authority.cert), "--tls-max", "1.2",
                         "--ciphers", "AES128-SHA")
        self.assertNotEqual(0, done.returncode)
        self.assertTrue(self.served(restricted, self.trusting))


class Reload(TlsTestCase):
    def certificate(self, agent: Agent) -> bytes:
        with agent.connect() as connection:
            assert isinstance(connection.socket, TlsSocket)
            return connection.socket.peer_certificate()

    def test_reload(self) -> None:
        """Under a stream that is open, which goes on; bad files change nothing."""
        cert, key = self.directory / "current.pem", self.directory / "current.key"
        first, second = self.authority.issue("first"), self.authority.issue("second")

        def install(a: Path, b: Path) -> None:
            shutil.copy(a, cert)
            shutil.copy(b, key)

        install(first.cert, first.key)
        agent = self.tls_agent(CERT_FILE=cert, KEY_FILE=key)
        self.assertEqual(first.der(), self.certificate(agent))
        root = unique("root")
        agent.launch(root, command=shell("sleep 1000"), resources=resources(cpus=1, mem=256))
        name = unique()
        with session(agent, root, name, command=argv("cat")) as output:
            write_input(agent, root, name, data=b"before\n", eof=False)
            output.read_until(b"before\n")

            install(second.cert, second.key)
            os.kill(agent.pid, signal.SIGHUP)
            self.log_says(agent, "Certificates were read again")
            self.assertEqual(second.der(), self.certificate(agent))

            bad: list[tuple[Callable[[], object], str]] = [
                (lambda: install(first.cert, second.key), "key values mismatch"),
                (lambda: cert.write_text("nonsense"), "no start line"),
                (cert.unlink, "No such file or directory")]
            for spoil, sentence in bad:
                spoil()
                os.kill(agent.pid, signal.SIGHUP)
                self.log_says(agent, sentence)
                self.assertEqual(second.der(), self.certificate(agent))
            self.assertEqual(3, agent.log.read_text().count("could not be read again"))

            data = os.urandom(1 << 20)
            write_input(agent, root, name, data=data)
            self.assertEqual(b"before\n" + data, output.read_to_end().stdout)
        self.assertEqual({"exit_status": 0}, agent.wait(root, name))

    def test_many_at_once(self) -> None:
        """Clients that come while it reloads are all served."""
        agent = self.tls_agent()
        for _ in range(50):
            os.kill(agent.pid, signal.SIGHUP)
            self.assertTrue(self.served(agent, self.trusting))


class Intruders(TlsTestCase):
    def connect(self, agent: Agent) -> socket.socket:
        plain = socket.create_connection(agent.address, TIMEOUT)
        self.addCleanup(plain.close)
        return plain

    def stalled(self, agent: Agent) -> list[socket.socket]:
        """One for each point where a handshake can stop."""
        hello = TlsSocket(socket.socket(), self.trusting)
        self.addCleanup(hello.close)
        whole = hello.client_hello()
        stalls = []
        for said in (b"", whole[:1], whole[:40], whole[:-1], whole):
            plain = self.connect(agent)
            plain.sendall(said)
            stalls.append(plain)
        return stalls

    def until_ended(self, plain: socket.socket) -> None:
        plain.settimeout(4 * TIMEOUT)  # the limit of a handshake is 15 s
        try:
            while plain.recv(1 << 16):
                pass
        except ConnectionResetError:
            pass

    def test_stalls(self) -> None:
        """They keep nobody from being served, and end."""
        agent = self.tls_agent()
        before = agent.settled_fds()
        stalls = [plain for _ in range(20) for plain in self.stalled(agent)]
        for _ in range(10):
            self.assertTrue(self.served(agent, self.trusting))
        for plain in stalls:
            self.until_ended(plain)
            plain.close()
        self.assertEqual(before, agent.settled_fds())

    def test_they_count_as_connections(self) -> None:
        """And the one that has been waited for longest gives way to who comes next."""
        agent = self.tls_agent({"max_connections": "5"}, SUPPORT_DOWNGRADE=1)
        stalls = self.stalled(agent)
        late = self.connect(agent)
        late.sendall(HEALTH)
        self.assertTrue(late.recv(100).startswith(b"HTTP/1.1 200 OK"))
        self.until_ended(stalls[0])
        for plain in stalls:
            self.until_ended(plain)
        self.assertTrue(self.served(agent, self.trusting))

    def test_garbage(self) -> None:
        agent = self.tls_agent()
        before = agent.settled_fds()
        record = struct.pack(">BHH", 22, 0x0301, 512)
        for said in (b"\0" * 100, os.urandom(5000), b"\x80\x2e\x01\x00\x02" + os.urandom(100),
                     record + os.urandom(512), struct.pack(">BHH", 22, 0x0303, 65535) + b"x" * 70000,
                     struct.pack(">BHH", 22, 0x0303, 0) * 1000, b"SSH-2.0-x\r\n", b"\x16", b"x"):
            with self.subTest(said=said[:20]):
                plain = self.connect(agent)
                try:
                    plain.sendall(said)
                    plain.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
                self.until_ended(plain)
                plain.close()
        self.assertTrue(self.served(agent, self.trusting))
        self.assertEqual(before, agent.settled_fds())

    def test_garbage_in_the_middle(self) -> None:
        """A connection that was good once is no better than others."""
        agent = self.tls_agent()
        before = agent.settled_fds()
        for garbage in (os.urandom(1000), struct.pack(">BHH", 23, 0x0303, 100) + os.urandom(100)):
            connection = agent.connect()
            connection.send(HEALTH)
            self.assertEqual(200, connection.read_response().status)
            assert isinstance(connection.socket, TlsSocket)
            connection.socket.plain.sendall(garbage)
            self.until_ended(connection.socket.plain)
            connection.close()
        self.assertTrue(self.served(agent, self.trusting))
        self.assertEqual(before, agent.settled_fds())

    def test_plain_http_is_told(self) -> None:
        agent = self.tls_agent()
        with Connection(agent.address) as connection:
            connection.send(HEALTH)
            response = connection.read_response()
            self.assertEqual((400, "close"),
                             (response.status, response.headers.get("Connection")))
            self.assertIn("use https", response.text)
            self.assertTrue(connection.ended())
        self.log_says(agent, "does not speak TLS")


class Restart(TlsTestCase):
    def test_kill_9(self) -> None:
        """Containers live on, and TLS is there again on the same port."""
        agent = self.tls_agent()
        root = unique("root")
        agent.launch(root, command=shell("sleep 1000"), resources=resources(cpus=1, mem=256))
        output = session(agent, root, unique(), command=shell("echo ready; sleep 1000"))
        self.addCleanup(output.close)
        output.read_until(b"ready\n")
        agent.kill9()
        with self.assertRaises((ssl.SSLEOFError, ConnectionError)):  # not an end by close_notify
            output.read_to_end()
        agent.start()
        self.assertIn((root,), agent.containers())
        self.assertFalse(self.served(agent, None))
        self.assertEqual(3 << 8, agent.run(root, unique(), command=shell("exit 3"))["exit_status"])


if __name__ == "__main__":
    import run
    run.main([__file__])
