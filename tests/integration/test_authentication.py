"""Who may do what: replay of what was recorded, every call and endpoint as four principals, tokens,
and that no secret gets anywhere."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import wire
from harness import (DATA, ENCODINGS, REPOSITORY, AgentTestCase, OwnAgentTestCase, container_id,
                     eventually, shell, unique)
from principals import (KEY, LISTS, NOBODY, OPERATOR, GuardedAgent, all_lists_for, basic, bearer,
                        token)
from rawhttp import Response
from recordio import record
from replay import ReplayTestMixin
from wire import Message

ASKED = {"authenticate_http_readonly": True, "authenticate_http_readwrite": True}
# By the names of the table's columns.
SENDERS = {"none": None, "wrong": basic(OPERATOR[0], "not-the-password"),
           "right": basic(*OPERATOR), "forbidden": basic(*NOBODY)}


def send(agent: GuardedAgent, message: Message, authorization: str | None,
         encoding: str = ENCODINGS[0]) -> Response:
    """A call of any kind, streaming ones too, on a connection of its own."""
    body = wire.serialize(encoding, "Call", message)
    headers: dict[str, str | None] = {"Content-Type": encoding, "Accept": encoding,
                                      "Authorization": authorization}
    if message["type"] == "ATTACH_CONTAINER_INPUT":
        headers |= {"Content-Type": "application/recordio", "Message-Content-Type": encoding}
        body = record(body)
    with agent.connect() as connection:
        return connection.request("POST", "/api/v1", headers, body)


def get(agent: GuardedAgent, target: str, authorization: str | None,
        method: str = "GET") -> Response:
    with agent.connect() as connection:
        return connection.request(method, target, {"Authorization": authorization})


class GuardedTestCase(AgentTestCase):
    """Shares an agent that asks everybody."""

    agent: GuardedAgent
    acls: Any = None
    more_flags: dict[str, Any] = {}
    credentials = [OPERATOR, NOBODY]

    @classmethod
    def setUpClass(cls) -> None:
        flags = {**ASKED, **cls.more_flags}
        if cls.acls is not None:
            flags["acls"] = json.dumps(cls.acls)
        cls.agent = GuardedAgent(cls.__name__, flags, cls.credentials)
        cls.addClassCleanup(cls.agent.shutdown)
        cls.agent.start()


class AuthenticationReplay(GuardedTestCase, ReplayTestMixin):
    # As recorded.
    credentials = [("op", "pw"), ("low", "pw")]
    acls = {"permissive": False, **{
        name: [{"principals": {"values": ["op"]}, LISTS[name]: {"type": "ANY"}}] for name in (
            "get_endpoints", "view_flags", "view_containers", "set_log_level",
            "launch_standalone_containers", "kill_standalone_containers",
            "wait_standalone_containers")}}
    more_flags = {"jwt_secret_key": None, "hostname_lookup": "false"}

    def test_replay(self) -> None:
        self.replay(self.agent, "authentication",
                    {"AGENT_PORT": str(self.agent.address[1]), "WORK": str(self.agent.scratch)})

    def tearDown(self) -> None:
        # As those who were recorded, the operator does not see standalone containers.
        eventually(lambda: not self.agent.pids(), "what was launched has ended")


class EveryCall(GuardedTestCase):
    acls = all_lists_for(OPERATOR[0])

    def filled(self, text: str, root: str) -> str:
        for name, value in (("ROOT", root), ("NEW", unique("new")),
                            ("SANDBOX", str(self.agent.sandbox(root)))):
            text = text.replace("${" + name + "}", value)
        return text

    def rows(self, kind: str) -> list[Message]:
        return [row for row in json.loads((DATA / "access.json").read_text()) if kind in row]

    def check(self, row: Message, sender: str, realm: str | None, root: str,
              response: Response) -> None:
        self.assertEqual(row[sender], response.status, response.text)
        challenge = f'Basic realm="{realm}"' if response.status == 401 else None
        self.assertEqual(challenge, response.headers.get("WWW-Authenticate"))
        if response.status == 401:
            self.assertEqual("401 Unauthorized.", response.text)
        if response.status == 403:
            self.assertEqual(row.get("text", "403 Forbidden."), response.text)
            self.assertEqual("text/plain; charset=utf-8", response.content_type)
        if "shows" in row:
            shown = self.filled(row["shows"], root).encode() in response.content
            self.assertEqual(sender == "right", shown, "what only some may see")

    def test_table_has_every_call(self) -> None:
        calls = set(wire._ENUMS["CallType"]) - {"UNKNOWN"}
        self.assertEqual(calls, {row["call"] for row in self.rows("call")})

    def test_calls(self) -> None:
        with self.root() as root:
            for row in self.rows("call"):
                for encoding in ENCODINGS:
                    for sender, authorization in SENDERS.items():
                        with self.subTest(call=row["call"], encoding=encoding, sender=sender):
                            message: Message = {"type": row["call"]}
                            if row["message"] is not None:
                                text = self.filled(json.dumps(row["message"]), root)
                                message[row["call"].lower()] = json.loads(text)
                            response = send(self.agent, message, authorization, encoding)
                            self.check(row, sender, "mesos-agent-readwrite", root, response)

    def test_endpoints(self) -> None:
        with self.root() as root:
            for row in self.rows("endpoint"):
                for prefix in ("", "/slave(1)"):
                    for sender, authorization in SENDERS.items():
                        with self.subTest(path=prefix + row["endpoint"], sender=sender):
                            path = prefix + self.filled(row["endpoint"], root)
                            self.check(row, sender, row["realm"], root,
                                       get(self.agent, path, authorization))

    def test_refused_changes_nothing(self) -> None:
        """Neither who is unknown nor who is forbidden launches or kills anything."""
        with self.root() as root:
            before = self.agent.containers()
            for authorization in (SENDERS["none"], SENDERS["wrong"], SENDERS["forbidden"]):
                for kind in ("LAUNCH_NESTED_CONTAINER", "LAUNCH_NESTED_CONTAINER_SESSION"):
                    send(self.agent, {"type": kind, kind.lower(): {
                        "container_id": container_id(root, unique()),
                        "command": shell("touch made; sleep 1000")}}, authorization)
                send(self.agent, {"type": "KILL_CONTAINER", "kill_container": {
                    "container_id": container_id(root)}}, authorization)
            self.assertEqual(before, self.agent.containers())
            self.assertFalse((self.agent.sandbox(root) / "containers").exists())

    def test_order_of_checks(self) -> None:
        """Who asks comes before how; whether it is allowed comes after what is asked."""
        with self.agent.connect() as connection:
            self.assertEqual(401, connection.request("GET", "/api/v1", {}).status)
        forbidden = {"Authorization": SENDERS["forbidden"]}
        with self.agent.connect() as connection:
            self.assertEqual(405, connection.request("GET", "/api/v1", forbidden).status)
            self.assertEqual(415, connection.request(
                "POST", "/api/v1", {**forbidden, "Content-Type": "text/plain"}, b"x").status)
            self.assertEqual(400, connection.request(
                "POST", "/api/v1", {**forbidden, "Content-Type": "application/json"},
                b'{"type":"WAIT_CONTAINER"}').status)

    def test_attaching_to_what_is_unknown_is_404_for_everybody(self) -> None:
        message = {"type": "ATTACH_CONTAINER_OUTPUT",
                   "attach_container_output": {"container_id": container_id("nowhere")}}
        for sender in ("right", "forbidden"):
            self.assertEqual(404, send(self.agent, message, SENDERS[sender]).status)

    def test_other_methods(self) -> None:
        for path in ("/flags", "/containers", "/monitor/statistics", "/containerizer/debug"):
            response = get(self.agent, path, SENDERS["forbidden"], "PUT")
            self.assertEqual((405, "GET"), (response.status, response.headers.get("Allow")))


class DocumentedExample(GuardedTestCase):
    """docs/authentication.md's example does what it says."""

    credentials = [("ops", "correct-horse"), ("dashboard", "battery-staple")]

    @classmethod
    def setUpClass(cls) -> None:
        text = (REPOSITORY / "docs" / "authentication.md").read_text()
        blocks = [part.split("\n\n")[0] for part in text.split("\n\n    {")[1:]]
        credentials, acls = (json.loads("{" + block) for block in blocks[:2])
        assert cls.credentials == [(c["principal"], c["secret"])
                                   for c in credentials["credentials"]]
        cls.acls = acls
        super().setUpClass()

    def test_operators_and_dashboards(self) -> None:
        ops, dashboard = (basic(*known) for known in self.credentials)
        for path, allowed in (("/flags", False), ("/metrics", True), ("/metrics/snapshot", True),
                              ("/state", True), ("/files/debug", False), ("/containers", True)):
            with self.subTest(path=path):
                self.assertEqual(401, get(self.agent, path, None).status)
                self.assertEqual(200, get(self.agent, path, ops).status)
                self.assertEqual(200 if allowed else 403,
                                 get(self.agent, path, dashboard).status)
        with self.root() as root:  # by ops
            listed = send(self.agent, {"type": "GET_CONTAINERS", "get_containers": {
                "show_standalone": True}}, dashboard)
            self.assertIn(root.encode(), listed.content)
            for kind in ("KILL_CONTAINER", "WAIT_CONTAINER"):
                self.assertEqual(403, send(self.agent, {"type": kind, kind.lower(): {
                    "container_id": container_id(root)}}, dashboard).status)


class Tokens(GuardedTestCase):
    """Executors' tokens, beside passwords, on an agent whose lists allow everything."""

    acls = {}
    more_flags = {"authenticate_http_executors": True}

    def ask(self, authorization: str, **message: Any) -> int:
        kind = next(iter(message))
        return send(self.agent, {"type": kind.upper(), kind: message[kind]}, authorization).status

    def test_own_tree_only(self) -> None:
        with self.root() as own, self.root() as other:
            holder = bearer(fid="f", eid="e", cid=own)
            for root, allowed in ((own, True), (other, False)):
                with self.subTest(own=allowed):
                    child = container_id(root, unique())
                    denied = 403
                    self.assertEqual(200 if allowed else denied, self.ask(
                        holder, launch_nested_container={
                            "container_id": child, "command": shell("sleep 1000")}))
                    self.assertEqual(200 if allowed else denied, self.ask(
                        holder, kill_nested_container={"container_id": child}))
                    self.assertEqual(200 if allowed else denied, self.ask(
                        holder, wait_nested_container={"container_id": child}))
                    self.assertEqual(200 if allowed else denied, self.ask(
                        holder, remove_nested_container={"container_id": child}))
                    self.assertEqual(200 if allowed else denied, self.ask(
                        holder, launch_nested_container_session={
                            "container_id": container_id(root, unique()),
                            "command": shell("true")}))
                    # No switchboard there: 500 is what may be seen of it.
                    self.assertEqual(500 if allowed else denied, self.ask(
                        holder, attach_container_output={"container_id": container_id(root)}))

    def test_nothing_else(self) -> None:
        with self.root() as own:
            holder = bearer(fid="f", eid="e", cid=own)
            for message, status in (
                    ({"get_health": None}, 200), ({"get_version": None}, 200),
                    ({"get_flags": None}, 403),
                    ({"set_logging_level": {"level": 0, "duration": {"nanoseconds": 1}}}, 403),
                    ({"list_files": {"path": str(self.agent.sandbox(own))}}, 403),
                    ({"kill_container": {"container_id": container_id(own)}}, 403),
                    ({"launch_container": {"container_id": container_id(unique())}}, 403),
                    ({"attach_container_input": {"type": "CONTAINER_ID",
                                                 "container_id": container_id(own)}}, 403)):
                with self.subTest(call=next(iter(message))):
                    self.assertEqual(status, self.ask(holder, **message))
            response = send(self.agent, {"type": "GET_CONTAINERS", "get_containers": {
                "show_nested": True, "show_standalone": True}}, holder)
            self.assertEqual(b'{"type":"GET_CONTAINERS","get_containers":{}}', response.body)
            self.assertEqual(403, get(self.agent, "/flags", holder).status)

    def test_prefix(self) -> None:
        """A resource provider's token: standalone containers whose ids begin as it says."""
        holder = bearer(cid_prefix="org-provider--")
        for name, status in ((f"org-provider--{unique()}", 404), (unique(), 403)):
            self.assertEqual(status, self.ask(
                holder, wait_container={"container_id": container_id(name)}))

    def test_bad_tokens(self) -> None:
        def challenge(authorization: str | None) -> tuple[str, str]:
            response = send(self.agent, {"type": "GET_HEALTH"}, authorization)
            self.assertEqual(401, response.status)
            header = response.headers.get("WWW-Authenticate") or ""
            first, comma, second = header.partition(",")
            self.assertEqual(('Basic realm="mesos-agent-readwrite"', ","), (first, comma))
            return second.removeprefix('Bearer realm="mesos-agent-readwrite"'), response.text

        both = ('"Basic" authenticator returned:\n401 Unauthorized.\n\n'
                '"Bearer" authenticator returned:\n401 Unauthorized.')
        self.assertEqual(("", both), challenge(None))
        good = token({"cid": "c"})
        for bad, why in (
                ("Bearer", "Malformed 'Authorization' header"),
                ("Bearer a b", "Malformed 'Authorization' header"),
                ("token=tok.tok.tok", "Malformed 'Authorization' header"),
                (basic("op", "no"), "Scheme 'Basic' unsupported"),
                ('"\\ x', "Scheme '\\\"\\\\' unsupported"),
                ("bearer " + good, "Scheme 'bearer' unsupported"),
                ("Bearer a.b", "Invalid JWT: Expected three parts with dots between them"),
                ("Bearer " + good + "=", "Invalid JWT: The signature is not base64url"),
                ("Bearer " + token({"cid": "c"}, b"another key"),
                 "Invalid JWT: The signature is wrong"),
                ("Bearer " + token({"cid": "c"}, algorithm="none"),
                 "Invalid JWT: The algorithm is not HS256"),
                ("Bearer " + good.rpartition(".")[0] + ".", "Invalid JWT: The signature is wrong"),
                ("Bearer " + token({"cid": "c", "exp": time.time() - 1}),
                 "Invalid JWT: The token has expired"),
                ("Bearer " + token({}), "JWT claims missing")):
            with self.subTest(sent=bad):
                self.assertEqual(
                    f', error="invalid_token", error_description="{why}"', challenge(bad)[0])

    def test_executor_endpoint(self) -> None:
        def post(message: Message, authorization: str | None) -> Response:
            with self.agent.connect() as connection:
                return connection.request(
                    "POST", "/api/v1/executor", {"Content-Type": "application/json",
                                                 "Authorization": authorization},
                    json.dumps(message).encode())

        ids = {"framework_id": {"value": "f"}, "executor_id": {"value": "e"}}
        holder = bearer(fid="f", eid="e", cid="c")
        heartbeat = {"type": "HEARTBEAT", **ids}
        response = post(heartbeat, None)
        self.assertEqual(401, response.status)
        self.assertIn('Bearer realm="mesos-agent-executor"',
                      response.headers.get("WWW-Authenticate") or "")
        self.assertEqual(202, post(heartbeat, holder).status)
        for message, text in (
                ({"type": "SUBSCRIBE", "subscribe": {}, **ids}, "Framework cannot be found"),
                ({"type": "SUBSCRIBE", **ids}, "Failed to validate Executor::Call: "
                                               "Expecting 'subscribe' to be present"),
                (ids, "Failed to validate Executor::Call: Expecting 'type' to be present")):
            response = post(message, holder)
            self.assertEqual((400, text), (response.status, response.text))


class Secrets(OwnAgentTestCase):
    def guarded(self, start: bool = True, **flags: Any) -> GuardedAgent:
        agent = GuardedAgent(self.id().rpartition(".")[2], {**ASKED, **flags})
        self.own_agents.append(agent)
        self.addCleanup(agent.shutdown)
        if start:
            agent.start()
        return agent

    def test_no_secret_gets_anywhere(self) -> None:
        agent = self.guarded(authenticate_http_executors=True, acls="{}")
        secrets = [OPERATOR[1].encode(), NOBODY[1].encode(), KEY.strip(),
                   SENDERS["right"].split()[1].encode()]  # type: ignore[union-attr]
        root = unique()
        agent.launch(root, command=shell("sleep 1000", MESOS_CONTAINER_ATTACHABLE="true"))
        seen = [get(agent, path, agent.authorization).content
                for path in ("/flags", "/state", "/help")]
        seen.append(send(agent, {"type": "GET_FLAGS"}, agent.authorization).content)
        self.assertIn(str(agent.flags["http_credentials"]).encode(), seen[0])  # the path is none
        for authorization in (SENDERS["right"], SENDERS["wrong"], bearer(cid=root), "Basic %%%"):
            send(agent, {"type": "GET_HEALTH"}, authorization)
        for pid in (agent.pid, *agent.pids(root)):
            for file in ("cmdline", "environ"):
                seen.append(Path(f"/proc/{pid}/{file}").read_bytes())
        seen.append(agent.log.read_bytes())
        agent.stop()
        agent.start()
        seen.append(agent.log.read_bytes())
        for text in seen:
            for secret in secrets:
                self.assertNotIn(secret, text)

    def test_both_forms_of_credentials(self) -> None:
        for text in ("op pw-of-op\nlow\tpw-of-low\n", json.dumps(
                {"credentials": [{"principal": "op", "secret": "pw-of-op"}]})):
            for prefix in ("", "file://"):
                with self.subTest(text=text, prefix=prefix):
                    agent = self.guarded(start=False)
                    path = str(agent.flags["http_credentials"])
                    Path(path).write_text(text)
                    agent.flags["http_credentials"] = prefix + path
                    agent.start()
                    self.assertEqual(401, send(agent, {"type": "GET_HEALTH"}, None).status)

    def test_open_permissions_are_warned_of(self) -> None:
        agent = self.guarded(start=False)
        Path(str(agent.flags["http_credentials"])).chmod(0o644)
        agent.start()
        self.assertIn(f"--http_credentials: the permissions of '{agent.flags['http_credentials']}'"
                      " are too open", agent.log.read_text())
        self.assertNotIn("--jwt_secret_key: the permissions", agent.log.read_text())

    def test_starts_that_are_refused(self) -> None:
        for flags, content, sentence in (
                ({}, '{"credentials": [', "--http_credentials: '${FILE}': "),
                ({}, '{"credentials":[{"principal":"op","secret":5}]}',
                 "the secret of credential 1 is missing, empty or not a string"),
                ({}, "op pw-of-op more", "expected a principal and a secret in line 1"),
                ({}, "", "there is nothing in it"),
                ({"http_credentials": "/nowhere/file"}, None,
                 "--http_credentials: '/nowhere/file' cannot be read: No such file or directory"),
                ({"http_credentials": None}, None,
                 "--http_authenticators: 'basic' needs --http_credentials, which is not given"),
                ({"http_credentials": '{"credentials":[{"principal":"op","secret":"pw-of-op"}]}'},
                 None, "--http_credentials: expected the absolute path of a file, not a secret"),
                ({"http_authenticators": "jwt", "jwt_secret_key": None}, None,
                 "--http_authenticators: 'jwt' needs --jwt_secret_key, which is not given"),
                ({"authenticate_http_executors": True, "jwt_secret_key": None}, None,
                 "--authenticate_http_executors: executors show tokens"),
                ({"http_authenticators": "kerberos"}, None, "expected one of basic jwt"),
                ({"acls": "{"}, None, "--acls={: expected access control lists as a JSON object"),
                ({"acls": '{"view_flags":[{"principals":{"type":"ANY"}}]}'}, None,
                 "view_flags[0].flags: expected "),
                ({"acls": '{"get_endpoints":[{"principals":{"type":"ANY"},'
                          '"paths":{"values":["/metric"]}}]}'}, None,
                 "--acls: get_endpoints: there is no endpoint '/metric'")):
            with self.subTest(sentence=sentence):
                agent = self.guarded(start=False, **flags)
                file = str(agent.flags["http_credentials"])
                if content is not None:
                    Path(file).write_text(content)
                agent.start(wait=False)
                self.assertEqual(1, agent.join())
                log = agent.log.read_text()
                self.assertIn(sentence.replace("${FILE}", file), log)
                self.assertNotIn("pw-of-op", log)

    def test_misspelt_lists_are_told(self) -> None:
        agent = self.guarded(acls='{"view_flag":[], "register_frameworks":[]}')
        self.assertIn("--acls: there is no list 'view_flag'", agent.log.read_text())
        self.assertNotIn("register_frameworks", agent.log.read_text())

    def test_acls_from_a_file(self) -> None:
        for form in ("{}", "file://{}"):
            agent = self.guarded(start=False)
            path = agent.scratch / "acls.json"
            path.write_text(json.dumps(all_lists_for(OPERATOR[0])))
            agent.flags["acls"] = form.format(path)
            agent.start()
            self.assertEqual(403, get(agent, "/flags", SENDERS["forbidden"]).status)
            self.assertEqual(200, get(agent, "/flags", SENDERS["right"]).status)

    def test_the_log_is_a_file_of_its_own(self) -> None:
        """Who may see sandboxes may not see the log, and the other way round."""
        agent = self.guarded(start=False)
        agent.flags["external_log_file"] = str(agent.log)
        for name, objects, statuses in (("access_mesos_logs", "logs", (200, 403)),
                                        ("access_sandboxes", "users", (403, 200))):
            agent.flags["acls"] = json.dumps({
                "permissive": False, name: [{"principals": {"values": [OPERATOR[0]]},
                                             objects: {"type": "ANY"}}],
                "launch_standalone_containers": [{"principals": {"type": "ANY"},
                                                  "users": {"type": "ANY"}}]})
            agent.start()
            own = unique()
            agent.launch(own, command=shell("true"))
            for sender, expected in (("right", statuses), ("forbidden", (403, 403))):
                answers = tuple(
                    get(agent, f"/files/read?path={path}&offset=0", SENDERS[sender]).status
                    for path in ("/slave/log", agent.sandbox(own) / "stdout"))
                self.assertEqual(expected, answers, f"{name} {sender}")
            eventually(lambda a=agent: not a.pids(), "the container has ended")
            agent.stop()

    def test_a_realm_that_is_not_asked_has_no_principal(self) -> None:
        """The header is not even looked at there."""
        agent = self.guarded(authenticate_http_readonly=None,
                             acls=json.dumps(all_lists_for(OPERATOR[0])))
        self.assertEqual(403, get(agent, "/flags", SENDERS["right"]).status)
        self.assertEqual(200, get(agent, "/state", "nonsense").status)
        self.assertEqual(401, send(agent, {"type": "GET_HEALTH"}, "nonsense").status)


if __name__ == "__main__":
    import run
    run.main([__file__])
