"""Agents that ask who is there: credentials, keys and access control lists for tests."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from harness import Agent, Flag

# Who may do everything, and who may do nothing that has to be allowed.
OPERATOR = ("op", "pw-of-op")
NOBODY = ("low", "pw-of-low")
KEY = b"the key of the executors' tokens\n"

# Each list, and what its objects are called.
LISTS = {
    "access_mesos_logs": "logs", "access_sandboxes": "users", "attach_containers_input": "users",
    "attach_containers_output": "users", "get_endpoints": "paths",
    "kill_nested_containers": "users", "kill_standalone_containers": "users",
    "launch_nested_container_sessions_as_user": "users",
    "launch_nested_container_sessions_under_parent_with_user": "users",
    "launch_nested_containers_as_user": "users",
    "launch_nested_containers_under_parent_with_user": "users",
    "launch_standalone_containers": "users", "mark_resource_providers_gone": "resource_providers",
    "modify_resource_provider_configs": "resource_providers", "prune_images": "images",
    "remove_nested_containers": "users", "remove_standalone_containers": "users",
    "run_tasks": "users", "set_log_level": "level", "view_containers": "users",
    "view_executors": "users", "view_flags": "flags", "view_frameworks": "users",
    "view_resource_providers": "resource_providers", "view_roles": "roles",
    "view_standalone_containers": "users", "view_tasks": "users",
    "wait_nested_containers": "users", "wait_standalone_containers": "users",
}


def all_lists_for(*principals: str) -> dict[str, Any]:
    """ACLs that allow these everything, and everybody else nothing."""
    return {"permissive": False, **{
        name: [{"principals": {"values": list(principals)}, objects: {"type": "ANY"}}]
        for name, objects in LISTS.items()}}


def basic(principal: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{principal}:{secret}".encode()).decode()


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(claims: dict[str, Any], key: bytes = KEY, algorithm: str = "HS256") -> str:
    """A JSON Web Token, signed by HMAC-SHA256 whatever it says of the algorithm."""
    parts = [_base64url(json.dumps(part, separators=(",", ":")).encode())
             for part in ({"alg": algorithm, "typ": "JWT"}, claims)]
    signed = ".".join(parts)
    signature = hmac.new(key, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_base64url(signature)}"


def bearer(**claims: Any) -> str:
    return "Bearer " + token(claims)


class GuardedAgent(Agent):
    """An agent with credentials of OPERATOR and NOBODY, and a key; its own calls are OPERATOR's."""

    def __init__(self, name: str, flags: dict[str, Flag] | None = None,
                 credentials: list[tuple[str, str]] | None = None) -> None:
        super().__init__(name, flags)
        known = credentials or [OPERATOR, NOBODY]
        for file, flag, content in (
                ("credentials.json", "http_credentials", json.dumps({"credentials": [
                    {"principal": p, "secret": s} for p, s in known]}).encode()),
                ("key", "jwt_secret_key", KEY)):
            path = self.scratch / file
            path.write_bytes(content)
            path.chmod(0o600)
            self.flags.setdefault(flag, str(path))
        self.authorization = basic(*known[0])
