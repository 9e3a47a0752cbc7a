"""A cluster that speaks TLS: the agent's messages to masters and executors, and its own executors."""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from executor_case import DriverTestCase
from harness import Agent, eventually, shell, unique
from master_case import MasterTestCase
from rawhttp import Connection, Response
from tls import Authority, Certified, Identity, client_context, environment, server_context
from wire import JSON, to_json

EXECUTOR_API = "/slave(1)/api/v1/executor"
NOBODY = 65534


class TlsCase(Certified, MasterTestCase):
    """Certificates for the class. The agent speaks TLS, and has the certificate `agent`."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.agent_identity = cls.authority.issue("agent")
        cls.master_identity = cls.authority.issue("master")

    def secure(self, identity: Identity | None = None, clients: Authority | None = None,
               **options: Any) -> Mapping[str, Any]:
        """What ScriptedMaster needs to speak TLS with that certificate, in both directions."""
        return {"tls": server_context(identity or self.master_identity, clients),
                "agent_tls": client_context(self.authority), **options}

    def join_by_tls(self, master: Mapping[str, Any], wait: bool = True, start: bool = True,
                    identity: Identity | None = None, flags: Mapping[str, Any] | None = None,
                    **variables: object) -> Agent:
        return self.join(flags, start, wait, master=master, tls=client_context(self.authority),
                         environment=environment(identity or self.agent_identity, **variables))

    def log_says(self, *texts: str) -> str:
        """Waits for a line with all of them, and gives it."""
        def find() -> str | None:
            return next((line for line in self.agent.log.read_text().splitlines()
                         if all(text in line for text in texts)), None)

        eventually(lambda: find() is not None, f"the log says {texts}")
        line = find()
        assert line is not None
        return line

    def assert_not_joined(self) -> None:
        self.assertEqual([], self.master.received)
        self.agent.check_alive()


class Masters(TlsCase):
    def test_all_goes_over_tls(self) -> None:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version=version):
                self.join_by_tls({**self.secure(), "tls": server_context(self.master_identity,
                                                                         version=version)})
                self.master.ping()
                self.master.expect("PongSlaveMessage")
                self.assert_all_encrypted()
                self.assertNotIn("without TLS", self.agent.log.read_text())
                self.end_both()

    def assert_all_encrypted(self) -> None:
        """Each connection that the master has accepted; a plain one never would be."""
        endpoint = self.master.endpoint
        eventually(lambda: endpoint.encrypted == endpoint.connections, "all have shaken hands")
        self.assertGreater(endpoint.encrypted, 0)
        self.assertEqual([], endpoint.refused)

    def end_both(self) -> None:
        self.agent.stop()
        self.close_master()

    def test_certificate_of_the_agent(self) -> None:
        """Shown to a master that asks for it."""
        self.join_by_tls(self.secure(clients=self.authority))
        self.assertEqual({"agent"}, set(self.master.endpoint.peer_names))

    def test_certificate_that_the_master_does_not_know(self) -> None:
        """Until there is a new one: SIGHUP."""
        current = Identity("current", self.directory / "current.pem",
                           self.directory / "current.key")

        def install(identity: Identity) -> None:
            shutil.copy(identity.cert, current.cert)
            shutil.copy(identity.key, current.key)

        install(self.stranger.issue("unwelcome"))
        self.join_by_tls(self.secure(clients=self.authority), wait=False, identity=current)
        eventually(lambda: len(self.master.endpoint.refused) >= 2, "it is refused again and again")
        self.log_says(f"127.0.0.1:{self.master.address[1]}", "alert")
        self.assert_not_joined()
        install(self.agent_identity)
        os.kill(self.agent.pid, signal.SIGHUP)
        self.await_registered()
        self.assertEqual({"agent"}, set(self.master.endpoint.peer_names))

    def refused(self, identity: Identity, *reason: str, **variables: object) -> None:
        """The agent tries, again and again, and does not register; the log says why, once."""
        self.join_by_tls(self.secure(identity), wait=False, VERIFY_SERVER_CERT=1, **variables)
        line = self.log_says(f"127.0.0.1:{self.master.address[1]}", *reason)
        eventually(lambda: self.master.endpoint.connections >= 4, "it tries again")
        self.assert_not_joined()
        self.assertEqual(1, self.agent.log.read_text().count("The connection to "), line)

    def test_unknown_authority(self) -> None:
        self.refused(self.stranger.issue("impostor"), "certificate verify failed",
                     CA_FILE=self.authority.cert, VERIFY_IPADD=1)

    def test_unknown_authority_without_verification(self) -> None:
        self.join_by_tls(self.secure(self.stranger.issue("impostor")),
                         CA_FILE=self.authority.cert)

    def test_another_address(self) -> None:
        self.refused(self.authority.issue("elsewhere", "elsewhere"),
                     "the certificate of 'elsewhere' is not for the address 127.0.0.1",
                     CA_FILE=self.authority.cert, VERIFY_IPADD=1,
                     HOSTNAME_VALIDATION_SCHEME="openssl")

    def test_nothing_to_compare(self) -> None:
        self.refused(self.master_identity, "LIBPROCESS_SSL_VERIFY_IPADD",
                     CA_FILE=self.authority.cert, HOSTNAME_VALIDATION_SCHEME="openssl")

    def test_verified(self) -> None:
        """By address, by the name that the flag has, and by the name that the resolver has."""
        for host, variables in (
                ("127.0.0.1", {"VERIFY_IPADD": 1, "HOSTNAME_VALIDATION_SCHEME": "openssl"}),
                ("localhost", {"HOSTNAME_VALIDATION_SCHEME": "openssl"}),
                ("127.0.0.1", {"VERIFY_CERT": 1})):
            with self.subTest(host=host, variables=variables):
                self.join_by_tls(self.secure(), start=False, CA_FILE=self.authority.cert,
                                 VERIFY_SERVER_CERT=1, **variables)
                self.agent.flags["master"] = f"{host}:{self.master.address[1]}"
                self.agent.start(wait=False)
                self.await_registered()
                self.end_both()

    def test_authority_that_is_learnt(self) -> None:
        """SIGHUP also has those read again that are trusted."""
        trusted = self.directory / "trusted.pem"
        shutil.copy(self.stranger.cert, trusted)
        self.join_by_tls(self.secure(), wait=False, VERIFY_SERVER_CERT=1, VERIFY_IPADD=1,
                         CA_FILE=trusted)
        self.log_says(f"127.0.0.1:{self.master.address[1]}", "certificate verify failed")
        self.assert_not_joined()
        shutil.copy(self.authority.cert, trusted)
        os.kill(self.agent.pid, signal.SIGHUP)
        self.await_registered()

    def test_downgrade(self) -> None:
        """A master without TLS: only with SUPPORT_DOWNGRADE, and the log says it, once."""
        self.join_by_tls({}, wait=False)
        eventually(lambda: len(self.master.endpoint.refused) >= 3, "it tries, with TLS")
        self.log_says(f"127.0.0.1:{self.master.address[1]}", "TLS handshake")
        self.assert_not_joined()
        self.end_both()
        self.join_by_tls({}, SUPPORT_DOWNGRADE=1)
        line = self.log_says(f"127.0.0.1:{self.master.address[1]}", "without TLS")
        self.master.ping(connected=False)
        self.master.expect("ReregisterSlaveMessage")
        self.await_registered()
        self.assertGreaterEqual(len(self.master.endpoint.refused), 2)
        self.assertEqual(1, self.agent.log.read_text().count(line.partition("] ")[2]))

    def test_downgrade_is_for_need_only(self) -> None:
        self.join_by_tls(self.secure(downgrade=True), SUPPORT_DOWNGRADE=1)
        self.assert_all_encrypted()

    def test_master_that_comes_back_with_tls(self) -> None:
        """As a cluster that is being upgraded."""
        self.join_by_tls({}, SUPPORT_DOWNGRADE=1)
        self.master.tls = server_context(self.master_identity)
        self.master.restart()
        self.master.send("PingSlaveMessage", {"connected": False}, sender="slave-observer(1)",
                         receiver=f"slave(1)@127.0.0.1:{self.agent.address[1]}")
        self.expected_problems.append("a pong to nobody")
        self.master.expect("ReregisterSlaveMessage")
        self.await_registered()
        self.assertGreater(self.master.endpoint.encrypted, 0)


# A resolver whose name servers are silent; at its start the agent has asked already.
SILENT_RESOLVER = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <unistd.h>

int getnameinfo(const struct sockaddr* restrict address, socklen_t size, char* restrict host,
                socklen_t host_size, char* restrict service, socklen_t service_size, int flags) {
  (void)address, (void)size, (void)host, (void)host_size, (void)service, (void)service_size,
      (void)flags;
  if (gettid() == getpid()) return EAI_AGAIN;
  close(open(getenv("RESOLVER_ASKED"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  while (1) pause();
}
"""


class SilentResolver(TlsCase):
    def test_it_holds_up_nothing_else(self) -> None:
        """Who the master is cannot be verified; containers go on, and the agent ends when told."""
        (self.directory / "shim.c").write_text(SILENT_RESOLVER)
        shim, asked = self.directory / "shim.so", self.directory / "asked"
        subprocess.run(["clang-19", "-shared", "-fPIC", "-O1", "-o", shim,
                        self.directory / "shim.c"], check=True)
        self.join_by_tls(self.secure(), start=False, CA_FILE=self.authority.cert,
                         VERIFY_SERVER_CERT=1)
        self.agent.environment |= {"LD_PRELOAD": str(shim), "RESOLVER_ASKED": str(asked)}
        self.agent.start()
        eventually(asked.exists, "the resolver is asked")
        for number in range(8):
            name = unique()
            status = self.agent.run(name, command=shell(f"exit {number}"))["exit_status"]
            self.assertEqual(number << 8, status)
            self.assertEqual(200, self.agent.remove(name).status)
        self.assert_not_joined()
        self.agent.stop()


class OwnExecutors(TlsCase):
    """mesos-executor speaks no TLS, and has a socket of its own."""

    def assert_tls_only(self) -> None:
        with Connection(self.agent.address) as connection:
            self.assertEqual(400, connection.request("GET", "/health", {"Host": "a"}).status)

    def socket(self) -> Path:
        return self.agent.runtime_dir / "executors.sock"

    def post(self, path: str, call: Mapping[str, Any]) -> Response:
        with Connection(str(self.socket())) as connection:
            return self.ask(connection, path, call)

    def test_a_task_to_its_end(self) -> None:
        for variables in ({}, {"REQUIRE_CLIENT_CERT": 1, "CA_FILE": self.authority.cert}):
            with self.subTest(variables=variables):
                context = client_context(self.authority, self.agent_identity)
                self.join_by_tls(self.secure(agent_tls=context), start=False, **variables)
                self.agent.tls = context
                self.agent.start(wait=False)
                self.await_registered()
                self.assert_tls_only()
                framework = self.master.subscribe()
                task = self.run_to_end(framework, "echo it runs; test -z \"$LIBPROCESS_SSL_ENABLED\"")
                self.assert_states(task, "STARTING", "RUNNING", "FINISHED")
                self.assert_no_containers()
                self.agent.stop()
                self.close_master()

    def test_with_the_variables_of_other_executors(self) -> None:
        """Those that operators must give to executors of libmesos."""
        variables = environment(self.agent_identity)
        self.join_by_tls(self.secure(),
                         flags={"executor_environment_variables": json.dumps(variables)})
        task = self.run_to_end(self.master.subscribe(), "true")
        self.assert_states(task, "STARTING", "RUNNING", "FINISHED")

    def test_restart(self) -> None:
        """What runs finds the agent again."""
        self.join_by_tls(self.secure(), flags={"executor_reregistration_timeout": "5secs"})
        task = self.running(self.master.subscribe(checkpoint=True))
        for _ in range(2):
            self.agent.kill9()
            self.agent.start(wait=False)
            self.master.expect("ReregisterSlaveMessage")
            self.await_registered()
        self.master.kill_task(task)
        self.master.await_end(task)
        self.assert_states(task, "STARTING", "RUNNING", "KILLING", "KILLED")

    def test_who_may_call(self) -> None:
        """The executor API only; and for an executor, its own user and root only."""
        self.join_by_tls(self.secure(), start=False)
        self.agent.let_users_run_executors()
        self.agent.start(wait=False)
        self.await_registered()
        task = self.running(self.master.subscribe())
        for path in ("/slave(1)/api/v1", "/api/v1/executor", "/state", f"{EXECUTOR_API}/x"):
            self.assertEqual(403, self.post(path, {"type": "GET_HEALTH"}).status, path)
        call = {"type": "MESSAGE", "framework_id": {"value": task.framework_id},
                "executor_id": {"value": task.task_id}, "message": {"data": "eA=="}}
        self.assertEqual(202, self.post(EXECUTOR_API, call).status)
        mine = self.running(self.master.subscribe(), shell("sleep 1000", user="nobody"))
        with self.connect_as(NOBODY) as connection:
            answer = self.ask(connection, EXECUTOR_API, call)
            self.assertEqual((403, f"The executor does not run as the user {NOBODY}, who calls"),
                             (answer.status, answer.text))
        call |= {"framework_id": {"value": mine.framework_id},
                 "executor_id": {"value": mine.task_id}}
        with self.connect_as(NOBODY) as connection:
            self.assertEqual(202, self.ask(connection, EXECUTOR_API, call).status)

    def test_strangers_are_refused_before_their_body_is_read(self) -> None:
        """As whom a client runs is known when it connects; what it announces need not come."""
        self.join_by_tls(self.secure())
        self.running(self.master.subscribe())
        with self.connect_as(NOBODY) as connection:
            connection.send_request("POST", EXECUTOR_API, {
                "Content-Type": JSON, "Accept": JSON, "Content-Length": "4000000"})
            answer = connection.read_response()
            self.assertEqual((403, f"No executor runs as the user {NOBODY}, who calls"),
                             (answer.status, answer.text))

    def ask(self, connection: Connection, path: str, call: Mapping[str, Any]) -> Response:
        return connection.request("POST", path, {"Content-Type": JSON, "Accept": JSON},
                                  to_json(dict(call)))

    def connect_as(self, user: int) -> Connection:
        before = os.getcwd()
        os.chdir(self.socket().parent)  # on the way there are directories that are not for everybody
        os.seteuid(user)
        try:
            return Connection(self.socket().name)
        finally:
            os.seteuid(0)
            os.chdir(before)

    def test_only_where_it_is_needed(self) -> None:
        """Not without TLS, nor without a master."""
        self.join()
        self.assertFalse(self.socket().exists())
        self.agent.stop()
        self.agent = self.new_agent(tls=client_context(self.authority),
                                    environment=environment(self.agent_identity))
        self.assertFalse(self.socket().exists())

    def test_beside_the_socket_that_a_flag_asks_for(self) -> None:
        """Who was started without that flag finds the agent that was started again with it."""
        self.join_by_tls(self.secure(), flags={"executor_reregistration_timeout": "5secs"})
        framework = self.master.subscribe(checkpoint=True)
        before = self.running(framework)
        self.agent.kill9()
        self.agent.flags["http_executor_domain_sockets"] = "true"
        self.agent.start(wait=False)
        self.master.expect("ReregisterSlaveMessage")
        self.await_registered()
        task = self.run_to_end(framework, "true")
        self.assert_states(task, "STARTING", "RUNNING", "FINISHED")
        self.master.kill_task(before)
        self.master.await_end(before)
        self.assert_states(before, "STARTING", "RUNNING", "KILLING", "KILLED")


class OtherExecutors(TlsCase, DriverTestCase):
    def test_driver(self) -> None:
        """What operators configure for executors of libmesos; ours is not in its environment."""
        variables = environment(self.agent_identity, CA_FILE=self.authority.cert)
        self.join_by_tls(self.secure(),
                         flags={"executor_environment_variables": json.dumps(variables)})
        executor, task = self.running_driver()
        self.assertNotIn("MESOS_DOMAIN_SOCKET", executor.environment)
        self.driver_update(executor, task, "TASK_FINISHED")
        self.acknowledged(executor)
        self.master.await_end(task)


if __name__ == "__main__":
    import run
    run.main([__file__])
