"""What a stand-in Databricks workspace keeps, and what it answers; only what this project asks.

Answers follow the public REST reference. What is asked for and not known here is a 404 that says
so, and is listed in `unknown`, so that a new call is noticed.
"""

import base64
import itertools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

ME = "platform@example.com"


@dataclass(frozen=True)
class Answer:
    """Status and body."""

    body: Any = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True)
class Asked:
    """One request."""

    args: tuple[str, ...]
    """Parts of the path that the route names."""
    query: Mapping[str, str]
    data: bytes

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body."""
        return json.loads(self.data or b"{}")


def missing(what: str, code: str = "RESOURCE_DOES_NOT_EXIST") -> Answer:
    """The API's 404."""
    return Answer({"error_code": code, "message": f"{what} does not exist"}, 404)


class Workspace:
    """Files, schemas, volumes, secrets, jobs, runs, alerts, dashboards, permissions."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.folders: set[str] = {"/", "/Workspace"}
        self.named: dict[str, dict[str, Any]] = {}
        """Schemas, volumes, alerts and dashboards by kind and name."""
        self.grants: dict[str, list[dict[str, Any]]] = {}
        self.permissions: dict[str, list[dict[str, Any]]] = {}
        self.scopes: dict[str, dict[str, str]] = {}
        """Secret scope to its secrets, in base64 as the API gives them."""
        self.acls: dict[str, dict[str, str]] = {}
        self.jobs: dict[int, dict[str, Any]] = {}
        self.runs: dict[int, dict[str, Any]] = {}
        self.denied: set[str] = set()
        """Secret scopes that this caller may not read."""
        self.unknown: list[str] = []
        self._ids = itertools.count(1001)
        self._routes = [
            (re.compile(f"{verb} {path}"), answer) for verb, path, answer in self._all()
        ]

    def answer(self, verb: str, path: str, query: Mapping[str, str], data: bytes) -> Answer:
        """What the workspace says to one request."""
        for pattern, handler in self._routes:
            found = pattern.fullmatch(f"{verb} {path}")
            if found is not None:
                return handler(Asked(tuple(map(unquote, found.groups())), query, data))
        self.unknown.append(f"{verb} {path}")
        return missing(f"{verb} {path}", "ENDPOINT_NOT_FOUND")

    def _all(self) -> list[tuple[str, str, Callable[[Asked], Answer]]]:
        catalog = "/api/2.1/unity-catalog"
        files = "/api/2.0/workspace"
        return [
            ("GET", r"/\.well-known/databricks-config", lambda _: Answer({})),
            ("GET", "/api/2.0/preview/scim/v2/Me", lambda _: Answer(
                {"id": "1", "userName": ME, "groups": []})),
            ("GET", "/api/2.0/preview/scim/v2/ServicePrincipals", lambda _: Answer(
                {"Resources": [{"id": "7", "applicationId": "app-7",
                                "displayName": "customerio-pipeline"}], "totalResults": 1})),
            ("GET", "/api/2.0/notification-destinations", lambda _: Answer(
                {"results": [{"id": "nd-1", "display_name": "customerio-pipeline"}]})),
            ("GET", "/api/2.0/sql/warehouses", lambda _: Answer(
                {"warehouses": [{"id": "wh-1", "name": "Serverless Starter Warehouse"}]})),
            ("GET", "/api/2.1/clusters/spark-versions", lambda _: Answer({})),
            ("POST", "/telemetry-ext", lambda _: Answer({"errors": [], "numProtoSuccess": 1})),
            ("GET", f"{files}/get-status", self._status),
            ("GET", f"{files}/list", self._list),
            ("POST", f"{files}/mkdirs", self._mkdirs),
            ("POST", f"{files}/import", self._import),
            ("POST", f"{files}/delete", self._delete),
            ("GET", f"{files}/export", lambda a: self._file(a.query["path"])),
            ("POST", "/api/2.0/workspace-files/import-file(/.*)", self._put_file),
            ("GET", "/api/2.0/workspace-files(/.*)", lambda a: self._file(a.args[0])),
            ("HEAD", "/api/2.0/fs/directories(/.*)", lambda _: Answer()),
            *self._crud("schemas", f"{catalog}/schemas", lambda b: ".".join(
                (b["catalog_name"], b["name"]))),
            *self._crud("volumes", f"{catalog}/volumes", lambda b: ".".join(
                (b["catalog_name"], b["schema_name"], b["name"]))),
            *self._crud("alerts", "/api/2.0/alerts", lambda _: f"alert-{next(self._ids)}"),
            *self._crud("dashboards", "/api/2.0/lakeview/dashboards",
                        lambda _: f"{next(self._ids):032x}"),
            ("POST", "/api/2.0/lakeview/dashboards/(.+)/published", self._publish),
            ("GET", "/api/2.0/lakeview/dashboards/(.+)/published", self._published),
            ("PATCH", f"{catalog}/permissions/(.+)", self._grant),
            ("GET", f"{catalog}/permissions/(.+)", lambda a: Answer(
                {"privilege_assignments": self.grants.get(a.args[0], [])})),
            ("PUT", "/api/2.0/permissions/(.+)", self._permit),
            ("GET", "/api/2.0/permissions/(.+)", lambda a: self._permitted(a.args[0])),
            ("POST", "/api/2.0/secrets/scopes/create", self._make_scope),
            ("GET", "/api/2.0/secrets/scopes/list", lambda _: Answer(
                {"scopes": [{"name": n, "backend_type": "DATABRICKS"} for n in self.scopes]})),
            ("POST", "/api/2.0/secrets/scopes/delete", self._drop_scope),
            ("POST", "/api/2.0/secrets/put", self._put_secret),
            ("GET", "/api/2.0/secrets/get", self._get_secret),
            ("GET", "/api/2.0/secrets/list", self._list_secrets),
            ("POST", "/api/2.0/secrets/acls/put", self._put_acl),
            ("POST", "/api/2.0/secrets/acls/delete", self._drop_acl),
            ("GET", "/api/2.0/secrets/acls/list", lambda a: Answer(
                {"items": [{"principal": p, "permission": w}
                           for p, w in self.acls.get(a.query["scope"], {}).items()]})),
            ("POST", r"/api/2\.\d/jobs/create", self._make_job),
            ("GET", r"/api/2\.\d/jobs/get", self._get_job),
            ("POST", r"/api/2\.\d/jobs/reset", self._reset_job),
            ("POST", r"/api/2\.\d/jobs/delete", self._drop_job),
            ("GET", r"/api/2\.\d/jobs/list", lambda _: Answer(
                {"jobs": list(self.jobs.values())})),
            ("POST", r"/api/2\.\d/jobs/run-now", self._run),
            ("GET", r"/api/2\.\d/jobs/runs/get", lambda a: Answer(
                self.runs[int(a.query["run_id"])])),
            ("GET", r"/api/2\.\d/jobs/runs/get-output", lambda _: Answer({"logs": "done\n"})),
            ("GET", r"/api/2\.\d/jobs/runs/list", lambda _: Answer(
                {"runs": list(self.runs.values())})),
        ]  # fmt: skip

    def _crud(
        self, kind: str, path: str, name: Callable[[dict[str, Any]], str]
    ) -> list[tuple[str, str, Callable[[Asked], Answer]]]:
        """Make, read, change and drop things of a kind that have a name or an id."""
        kept: dict[str, Any] = self.named.setdefault(kind, {})

        def make(asked: Asked) -> Answer:
            key = name(asked.body)
            identity = {"full_name": key, "id": key, "dashboard_id": key, "schema_id": key,
                        "volume_id": key, "etag": "1"}  # fmt: skip
            kept[key] = {**asked.body, **identity, "owner": ME, "lifecycle_state": "ACTIVE"}
            return Answer(kept[key])

        def read(asked: Asked) -> Answer:
            return Answer(kept[asked.args[0]]) if asked.args[0] in kept else missing(asked.args[0])

        def change(asked: Asked) -> Answer:
            if asked.args[0] not in kept:
                return missing(asked.args[0])
            kept[asked.args[0]].update(asked.body)
            return Answer(kept[asked.args[0]])

        def drop(asked: Asked) -> Answer:
            return Answer() if kept.pop(asked.args[0], None) else missing(asked.args[0])

        one = f"{path}/([^/]+)"
        return [("POST", path, make), ("GET", one, read), ("PATCH", one, change),
                ("DELETE", one, drop)]  # fmt: skip

    def _status(self, asked: Asked) -> Answer:
        path = asked.query["path"]
        if path in self.files:
            return Answer({"path": path, "object_type": "FILE", "object_id": 2})
        if path.rstrip("/") in self.folders or path in self.folders:
            return Answer({"path": path, "object_type": "DIRECTORY", "object_id": 3})
        return missing(path)

    def _list(self, asked: Asked) -> Answer:
        base = asked.query["path"].rstrip("/") + "/"
        inside = [p for p in self.files if p.startswith(base)]
        return Answer({"objects": [{"path": p, "object_type": "FILE", "object_id": 2}
                                   for p in inside]})  # fmt: skip

    def _mkdirs(self, asked: Asked) -> Answer:
        self._folder(asked.body["path"])
        return Answer()

    def _folder(self, path: str) -> None:
        while path not in {"", "/"}:
            self.folders.add(path)
            path = path.rpartition("/")[0]

    def _import(self, asked: Asked) -> Answer:
        path = asked.body["path"]
        self.files[path] = base64.b64decode(asked.body.get("content", ""))
        self._folder(path.rpartition("/")[0])
        return Answer()

    def _put_file(self, asked: Asked) -> Answer:
        path = asked.args[0]
        if path in self.files and asked.query.get("overwrite") != "true":
            words = {"error_code": "RESOURCE_ALREADY_EXISTS", "message": path}
            return Answer(words, 409)
        self.files[path] = asked.data
        self._folder(path.rpartition("/")[0])
        return Answer()

    def _file(self, path: str) -> Answer:
        return Answer(self.files[path]) if path in self.files else missing(path)

    def _delete(self, asked: Asked) -> Answer:
        path = asked.body["path"]
        below = [p for p in self.files if p == path or p.startswith(f"{path}/")]
        if not below and path not in self.folders:
            return missing(path)
        for one in below:
            del self.files[one]
        self.folders = {f for f in self.folders if f != path and not f.startswith(f"{path}/")}
        return Answer()

    def _publish(self, asked: Asked) -> Answer:
        self.named["dashboards"][asked.args[0]]["published"] = asked.body
        return self._published(asked)

    def _published(self, asked: Asked) -> Answer:
        one = self.named["dashboards"].get(asked.args[0], {})
        return Answer(one["published"]) if "published" in one else missing(asked.args[0])

    def _grant(self, asked: Asked) -> Answer:
        held = {g["principal"]: set(g["privileges"]) for g in self.grants.get(asked.args[0], [])}
        for change in asked.body.get("changes", ()):
            words = held.setdefault(change["principal"], set())
            words |= set(change.get("add", ()))
            words -= set(change.get("remove", ()))
        self.grants[asked.args[0]] = [
            {"principal": p, "privileges": sorted(w)} for p, w in held.items() if w
        ]
        return Answer({"privilege_assignments": self.grants[asked.args[0]]})

    def _permit(self, asked: Asked) -> Answer:
        self.permissions[asked.args[0]] = asked.body.get("access_control_list", [])
        return self._permitted(asked.args[0])

    def _permitted(self, what: str) -> Answer:
        shown = [
            {**{k: v for k, v in one.items() if k != "permission_level"},
             "all_permissions": [{"permission_level": one["permission_level"], "inherited": False}]}
            for one in self.permissions.get(what, [])
        ]  # fmt: skip
        return Answer({"object_id": f"/{what}", "access_control_list": shown})

    def _make_scope(self, asked: Asked) -> Answer:
        self.scopes[asked.body["scope"]] = {}
        self.acls[asked.body["scope"]] = {ME: "MANAGE"}
        return Answer()

    def _drop_scope(self, asked: Asked) -> Answer:
        self.acls.pop(asked.body["scope"], None)
        gone = self.scopes.pop(asked.body["scope"], None)
        return Answer() if gone is not None else missing(asked.body["scope"])

    def _put_secret(self, asked: Asked) -> Answer:
        scope = self.scopes.get(asked.body["scope"])
        if scope is None:
            return missing(asked.body["scope"])
        value = asked.body["string_value"].encode()
        scope[asked.body["key"]] = base64.b64encode(value).decode()
        return Answer()

    def _get_secret(self, asked: Asked) -> Answer:
        scope, key = asked.query["scope"], asked.query["key"]
        if scope in self.denied:
            return Answer({"error_code": "PERMISSION_DENIED", "message": "no READ"}, 403)
        value = self.scopes.get(scope, {}).get(key)
        return missing(key) if value is None else Answer({"key": key, "value": value})

    def _list_secrets(self, asked: Asked) -> Answer:
        scope = self.scopes.get(asked.query["scope"])
        if scope is None:
            return missing(asked.query["scope"])
        return Answer({"secrets": [{"key": k, "last_updated_timestamp": 1} for k in scope]})

    def _put_acl(self, asked: Asked) -> Answer:
        body = asked.body
        self.acls.setdefault(body["scope"], {})[body["principal"]] = body["permission"]
        return Answer()

    def _drop_acl(self, asked: Asked) -> Answer:
        self.acls.get(asked.body["scope"], {}).pop(asked.body["principal"], None)
        return Answer()

    def _make_job(self, asked: Asked) -> Answer:
        number = next(self._ids)
        self.jobs[number] = {"job_id": number, "creator_user_name": ME, "settings": asked.body}
        return Answer({"job_id": number})

    def _get_job(self, asked: Asked) -> Answer:
        job = self.jobs.get(int(asked.query["job_id"]))
        return Answer(job) if job is not None else missing("job", "INVALID_PARAMETER_VALUE")

    def _reset_job(self, asked: Asked) -> Answer:
        self.jobs[asked.body["job_id"]]["settings"] = asked.body["new_settings"]
        return Answer()

    def _drop_job(self, asked: Asked) -> Answer:
        self.jobs.pop(asked.body["job_id"], None)
        return Answer()

    def _run(self, asked: Asked) -> Answer:
        number, job = next(self._ids), self.jobs[asked.body["job_id"]]
        ended = {"life_cycle_state": "TERMINATED", "result_state": "SUCCESS"}
        self.runs[number] = {
            "run_id": number,
            "job_id": job["job_id"],
            "run_name": job["settings"]["name"],
            "run_page_url": f"http://127.0.0.1/run/{number}",
            "state": ended,
            "job_parameters": [
                {"name": name, "value": value}
                for name, value in asked.body.get("job_parameters", {}).items()
            ],
            "tasks": [{"task_key": t["task_key"], "run_id": number, "state": ended}
                      for t in job["settings"]["tasks"]],
        }  # fmt: skip
        return Answer({"run_id": number})
