"""The agent finds its master by a real ZooKeeper."""

from __future__ import annotations

import itertools
import json
import signal
import time
import unittest
from typing import Any, ClassVar

from harness import Agent, bin_dir, eventually
from rawhttp import TIMEOUT
from scripted_master import ScriptedMaster
from zookeeper import (
    CREATOR,
    EPHEMERAL,
    SEQUENTIAL,
    Client,
    ZooKeeperError,
    ZooKeeperServer,
    enlist,
    master_info,
    needs_zookeeper,
)

NO_AUTH = -102
_serial = itertools.count(1)


class ZooKeeperTestCase(unittest.TestCase):
    """A server for the class, and for each test a group of masters of its own."""

    maxDiff = 4000
    peers: ClassVar[tuple[str, str]]  # java, and its class path
    server: ZooKeeperServer

    @classmethod
    def setUpClass(cls) -> None:
        cls.peers = needs_zookeeper(bin_dir() / "mesos-agent")
        cls.server = ZooKeeperServer(*cls.peers)
        cls.addClassCleanup(cls.server.discard)
        cls.server.start()

    def setUp(self) -> None:
        self.group = f"/masters{next(_serial)}"
        self.agents: list[Agent] = []

    def agent_logs(self) -> str:
        return "\n".join(agent.log_tail() for agent in self.agents)

    def client(self, credentials: str = "", server: ZooKeeperServer | None = None) -> Client:
        client = Client((server or self.server).address, credentials)
        self.addCleanup(client._socket.close)
        return client

    def master(self) -> ScriptedMaster:
        master = ScriptedMaster().start()
        self.addCleanup(master.stop)
        return master

    def agent(self, url: str | None = None, timeout: str = "10secs") -> Agent:
        agent = Agent(self.id(), {
            "master": url or self.server.url(self.group), "zk_session_timeout": timeout,
            "registration_backoff_factor": "20ms", "resources": "cpus:2;mem:1024;disk:1024"})
        self.agents.append(agent)
        self.addCleanup(agent.shutdown)
        return agent.start()

    def await_log(self, agent: Agent, text: str) -> None:
        eventually(lambda: text in agent.log.read_text(), f"the agent logs {text!r}")

    def registered(self, master: ScriptedMaster, again: bool = False) -> None:
        master.expect("ReregisterSlaveMessage" if again else "RegisterSlaveMessage")
        master.expect("UpdateSlaveMessage")
        master.assert_no_problems()


class Leaders(ZooKeeperTestCase):
    def test_from_one_to_the_next(self) -> None:
        first, second, third = self.master(), self.master(), self.master()
        client = self.client()
        client.create(self.group)
        client.create(f"{self.group}/log_replicas")
        sessions = [self.client() for _ in range(3)]
        enlist(sessions[0], first, self.group)
        enlist(sessions[1], second, self.group)
        agent = self.agent()
        self.registered(first)
        self.assertEqual([], second.received)

        sessions[0].close()
        self.registered(second, again=True)
        sessions[1].close()
        self.await_log(agent, "No master leads at present")
        enlist(sessions[2], third, self.group)
        self.registered(third, again=True)

    def test_one_that_does_not_lead_may_leave(self) -> None:
        first, second = self.master(), self.master()
        self.client().create(self.group)
        enlist(self.client(), first, self.group)
        other = self.client()
        enlist(other, second, self.group)
        agent = self.agent()
        self.registered(first)
        other.close()
        enlist(self.client(), second, self.group)
        agent.check_alive()
        first.expect_none("ReregisterSlaveMessage", 0.5)
        self.assertEqual([], second.received)

    def test_the_group_is_made_if_there_is_none(self) -> None:
        self.group += "/of/a/cluster"
        master, client = self.master(), self.client()
        self.agent()
        eventually(lambda: client.children(self.group) == [], "the agent makes the group")
        enlist(client, master, self.group)
        self.registered(master)

    def test_the_group_may_go(self) -> None:
        master, client = self.master(), self.client()
        agent = self.agent()
        eventually(lambda: client.children(self.group) == [], "the agent makes the group")
        client.delete(self.group)
        eventually(lambda: client.children(self.group) == [], "the agent makes it again")
        enlist(client, master, self.group)
        self.registered(master)
        agent.check_alive()

    def test_older_forms(self) -> None:
        master, client = self.master(), self.client()
        client.create(self.group)
        client.create(f"{self.group}/", master.pid.encode(), EPHEMERAL | SEQUENTIAL)
        self.agent()
        self.registered(master)

    def test_what_is_no_master(self) -> None:
        """It is said, nobody else is taken for the leader, and it is looked at again."""
        master, client = self.master(), self.client()
        client.create(self.group)
        garbage = client.create(f"{self.group}/json.info_", b"garbage", SEQUENTIAL)
        unknown = client.create(f"{self.group}/other_", b"{}", SEQUENTIAL)
        enlist(self.client(), master, self.group)
        agent = self.agent()
        self.await_log(agent, f"'{garbage.rpartition('/')[2]}' describes no master")
        client.delete(garbage)
        self.await_log(agent, f"'{unknown.rpartition('/')[2]}' has a label that no master uses")
        self.assertEqual([], master.received)
        # The first problem is told once, though it was met again and again.
        self.assertEqual(1, agent.log.read_text().count("describes no master"))
        client.delete(unknown)
        self.registered(master)

    def test_content_that_comes_late(self) -> None:
        """ZooKeeper tells of new children, not of new content: that is found by looking again."""
        master, client = self.master(), self.client()
        client.create(self.group)
        node = client.create(f"{self.group}/json.info_", b"", SEQUENTIAL)
        agent = self.agent()
        self.await_log(agent, "describes no master")
        client.set_data(node, json.dumps(master_info(master)).encode())
        self.registered(master)


class Addresses(ZooKeeperTestCase):
    def test_one_of_several_servers_is_dead(self) -> None:
        master = self.master()
        self.client().create(self.group)
        enlist(self.client(), master, self.group)
        self.agent(self.server.url(self.group, more="127.0.0.1:1,"))
        self.registered(master)

    def test_a_file_with_credentials(self) -> None:
        master = self.master()
        self.client().create(self.group)
        enlist(self.client(), master, self.group)
        path = self.server.scratch / "master"
        path.write_text(self.server.url(self.group, "agent:s3cret@") + "\n")
        agent = self.agent(f"file://{path}")
        self.registered(master)
        self.assertEqual(f"file://{path}", self.flags(agent)["master"])
        self.assertNotIn("s3cret", agent.log.read_text())

    def flags(self, agent: Agent) -> dict[str, str]:
        with agent.connect() as connection:
            return json.loads(connection.request("GET", "/flags", {}).content)["flags"]

    def test_the_password_is_not_shown(self) -> None:
        master = self.master()
        self.client().create(self.group)
        enlist(self.client(), master, self.group)
        agent = self.agent(self.server.url(self.group, "agent:s3cret@"))
        self.registered(master)
        self.assertEqual(self.server.url(self.group, "agent:***@"), self.flags(agent)["master"])
        reply = agent.call({"type": "GET_FLAGS"})
        self.assertEqual(200, reply.status)
        self.assertNotIn("s3cret", str(reply.message))
        agent.stop()
        self.assertNotIn("s3cret", agent.log.read_text())


class Permissions(ZooKeeperTestCase):
    def test_credentials_open_a_group(self) -> None:
        master, owner = self.master(), self.client("agent:s3cret")
        owner.create(self.group)
        enlist(owner, master, self.group, CREATOR)
        owner.set_acl(self.group, CREATOR)
        self.agent(self.server.url(self.group, "agent:s3cret@"))
        self.registered(master)

    def test_wrong_credentials(self) -> None:
        """The agent says what is wrong, and joins once it is right."""
        master, owner = self.master(), self.client("agent:s3cret")
        owner.create(self.group)
        enlist(owner, master, self.group)
        owner.set_acl(self.group, CREATOR)
        for credentials in ("agent:wrong@", ""):
            with self.subTest(credentials):
                agent = self.agent(self.server.url(self.group, credentials))
                self.await_log(agent, f"{self.group}: not authenticated")
        self.assertEqual([], master.received)
        agent.stop()
        agent.start()
        owner.set_acl(self.group, [(31, "world", "anyone")])
        self.registered(master)

    def test_the_group_that_is_made_is_the_users(self) -> None:
        agent = self.agent(self.server.url(self.group, "agent:s3cret@"))
        stranger, owner = self.client(), self.client("agent:s3cret")
        eventually(lambda: stranger.children(self.group) == [], "the agent makes the group")
        with self.assertRaises(ZooKeeperError) as refused:
            enlist(stranger, self.master(), self.group)
        self.assertEqual(NO_AUTH, refused.exception.code)
        master = self.master()
        enlist(owner, master, self.group)
        self.registered(master)
        agent.check_alive()


class Outages(ZooKeeperTestCase):
    """Each test has a server of its own, to kill."""

    def setUp(self) -> None:
        super().setUp()
        self.own = ZooKeeperServer(*self.peers)
        self.addCleanup(self.own.discard)

    def lead(self) -> ScriptedMaster:
        """A master that leads in a server that has just been started."""
        self.own.start()
        master, client = self.master(), self.client(server=self.own)
        client.make(self.group)
        enlist(client, master, self.group)
        return master

    def own_agent(self, **kwargs: Any) -> Agent:
        return self.agent(self.own.url(self.group), **kwargs)

    def test_a_short_one_changes_nothing(self) -> None:
        master = self.lead()
        agent = self.own_agent(timeout="1mins")
        self.registered(master)
        self.own.kill9()
        self.await_log(agent, "The connection to ZooKeeper is lost")
        self.own.start()
        eventually(lambda: agent.log.read_text().count("Connected to ZooKeeper") == 2,
                   "the agent has a connection again", 3 * TIMEOUT)
        self.assertEqual([], master.all_of("ReregisterSlaveMessage"))
        # And what is new is seen again.
        client = self.client(server=self.own)
        second = self.master()
        enlist(client, second, self.group)
        for name in sorted(client.children(self.group) or [])[:1]:
            client.delete(f"{self.group}/{name}")
        self.registered(second, again=True)

    def test_a_long_one(self) -> None:
        """Nobody leads until ZooKeeper says so again, even if it is the same master."""
        master = self.lead()
        agent = self.own_agent(timeout="1secs")
        self.registered(master)
        self.own.kill9()
        self.await_log(agent, "There was no connection to ZooKeeper at")
        self.await_log(agent, "No master leads at present")
        agent.check_alive()
        self.own.start()
        self.registered(master, again=True)

    def test_the_server_forgets_the_session(self) -> None:
        master = self.lead()
        agent = self.own_agent(timeout="1secs")
        self.registered(master)
        assert agent.process is not None
        agent.process.send_signal(signal.SIGSTOP)
        time.sleep(3)  # what the server does meanwhile cannot be observed
        agent.process.send_signal(signal.SIGCONT)
        self.registered(master, again=True)

    def test_none_yet(self) -> None:
        """The agent starts without ZooKeeper, and works as far as it can."""
        agent = self.own_agent(timeout="1secs")
        self.await_log(agent, "There was no connection to ZooKeeper at")
        self.assertIn("Connection refused", agent.log.read_text())
        master = self.lead()
        self.registered(master)

    def test_an_agent_ends_without_it(self) -> None:
        """Also while the server does not answer its farewell, and before it was ever there."""
        agent = self.own_agent()
        agent.stop()
        master = self.lead()
        agent.start()
        self.registered(master)
        assert self.own.process is not None
        self.own.process.send_signal(signal.SIGSTOP)
        agent.stop()

    def test_the_log_is_the_agents_own(self) -> None:
        """The client library writes nothing of its own."""
        master = self.lead()
        agent = self.own_agent()
        self.registered(master)
        self.own.kill9()
        self.await_log(agent, "The connection to ZooKeeper is lost")
        self.assertNotIn("ZOO_", agent.log.read_text())


if __name__ == "__main__":
    import run
    run.main([__file__])
