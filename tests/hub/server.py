"""A small Hugging Face Hub over HTTP, as far as pushing and loading datasets and models go; it fails when told to.

Repositories live in memory. Who may do what is decided by token, as on the Hub; large files go through LFS; a commit
holds only on top of its parent. Every call is kept, but for its Authorization header.
"""

import base64
import contextlib
import hashlib
import json
import re
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml

LARGE = (".parquet", ".safetensors")
DATE = "2025-01-01T00:00:00.000Z"


@dataclass(frozen=True)
class User:
    name: str
    role: str = "write"
    orgs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Blob:
    content: bytes
    lfs: bool

    @property
    def git_id(self) -> str:
        return hashlib.sha1(b"blob %d\0" % len(self.content) + self.content).hexdigest()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.lfs else self.git_id


@dataclass
class Repo:
    private: bool = False
    commits: list[tuple[str, str, dict[str, Blob]]] = field(default_factory=list)
    type: str = "dataset"

    @property
    def files(self) -> dict[str, Blob]:
        return self.commits[-1][2]

    @property
    def head(self) -> str:
        return self.commits[-1][0]

    def at(self, revision: str) -> dict[str, Blob] | None:
        return next((c[2] for c in reversed(self.commits) if revision in ("main", c[0])), None)

    def add(self, message: str, files: dict[str, Blob]) -> None:
        oid = hashlib.sha1(f"{len(self.commits)} {message} {sorted(files)}".encode()).hexdigest()
        self.commits.append((oid, message, files))

    def put(self, **files: str) -> None:
        """A commit of somebody else: names with `__` for a dot."""
        new = {name.replace("__", "."): Blob(text.encode(), lfs=False) for name, text in files.items()}
        self.add("by hand", self.files | new)


@dataclass
class Fault:
    """What goes wrong at the calls of one kind whose numbers, from 1, are among `at`; None means all.

    `cut_after` reads so many bytes and closes; `hang` waits for the end of the server; `lose` does the work and closes;
    `before` is run first.
    """

    kind: str
    at: tuple[int, ...] | None = (1,)
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    hang: bool = False
    lose: bool = False
    before: Any = None


@dataclass
class Hub:
    """The state of the server, and its address."""

    url: str = ""
    users: dict[str, User] = field(default_factory=dict)
    repos: dict[str, Repo] = field(default_factory=dict)
    storage: dict[str, bytes] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)
    reached: threading.Condition = field(default_factory=threading.Condition)
    closing: threading.Event = field(default_factory=threading.Event)

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.calls]

    def wait_for(self, kind: str) -> None:
        """Wait until a call of this kind has come."""
        with self.reached:
            assert self.reached.wait_for(lambda: kind in self.kinds(), timeout=60), f"no {kind}"

    def note(self, kind: str, path: str) -> Fault | None:
        with self.reached:
            self.calls.append((kind, path))
            self.reached.notify_all()
            number = self.kinds().count(kind)
        return next((f for f in self.faults if f.kind == kind and (f.at is None or number in f.at)), None)


class Refused(Exception):
    def __init__(self, status: int, message: str, code: str = "", **more: str) -> None:
        self.status, self.code, self.answer = status, code, {"error": message, **more}


ROUTES = [
    ("whoami", "GET", r"/api/whoami-v2"),
    ("create", "POST", r"/api/repos/create"),
    ("validate", "POST", r"/api/validate-yaml"),
    ("preupload", "POST", r"/api/(?:datasets|models)/(?P<repo>[^/]+/[^/]+)/preupload/(?P<revision>[^/]+)"),
    ("commit", "POST", r"/api/(?:datasets|models)/(?P<repo>[^/]+/[^/]+)/commit/(?P<revision>[^/]+)"),
    ("paths", "POST", r"/api/(?:datasets|models)/(?P<repo>[^/]+/[^/]+)/paths-info/(?P<revision>[^/]+)"),
    ("tree", "GET", r"/api/(?:datasets|models)/(?P<repo>[^/]+/[^/]+)/tree/(?P<revision>[^/]+)(/(?P<path>.*))?"),
    ("info", "GET", r"/api/(?:datasets|models)/(?P<repo>[^/]+/[^/]+)(/revision/(?P<revision>[^/]+))?"),
    ("batch", "POST", r"(?:/datasets)?/(?P<repo>[^/]+/[^/]+)\.git/info/lfs/objects/batch"),
    ("put", "PUT", r"/storage/(?P<oid>[0-9a-f]{64})"),
    ("resolve", "GET", r"(?:/datasets)?/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.*)"),
]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *args: object) -> None: ...

    def _serve(self) -> None:
        path = urllib.parse.unquote(self.path.partition("?")[0])
        method = "GET" if self.command == "HEAD" else self.command
        matches = ((kind, re.fullmatch(pattern, path)) for kind, verb, pattern in ROUTES if verb == method)
        kind, match = next(((kind, m) for kind, m in matches if m), ("other", None))
        fault = self.hub.note(kind, path)
        length = int(self.headers.get("Content-Length") or 0)
        if fault and fault.before:
            fault.before()
        if fault and fault.hang:
            self.rfile.read(length)
            self.hub.note("hanging", path)
            self.hub.closing.wait()
            return self._cut()
        if fault and fault.cut_after is not None:
            self.rfile.read(min(length, fault.cut_after))
            return self._cut()
        body = self.rfile.read(length)
        head = "".join(f"{k}: {v}\n" for k, v in self.headers.items() if k.lower() != "authorization")
        self.hub.received.append(f"{self.command} {self.path}\n{head}".encode() + body)
        if fault and fault.status:
            return self._send(fault.status, {"error": "told to fail"}, fault.headers)
        try:
            if match is None:
                raise Refused(404, "nothing here")
            groups = match.groupdict()
            if "repo" in groups:
                groups["repo"] = self._repo(groups["repo"], write=kind in ("preupload", "commit", "batch"))
            answer = getattr(self, f"_{kind}")(body, **groups)
        except Refused as refusal:
            headers = {"X-Error-Code": refusal.code} if refusal.code else {}
            return self._send(refusal.status, refusal.answer, headers)
        if fault and fault.lose:
            return self._cut()
        return self._send(200, *answer) if isinstance(answer, tuple) else self._send(200, answer)

    do_GET = do_HEAD = do_POST = do_PUT = _serve

    def _cut(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(2)

    def _send(self, status: int, answer: Any, headers: dict[str, str] | None = None) -> None:
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        kind = "application/octet-stream" if isinstance(answer, bytes) else "application/json"
        if status == 200 and (span := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))):
            start, end = int(span[1]), min(int(span[2] or len(content)), len(content) - 1)
            headers = (headers or {}) | {"Content-Range": f"bytes {start}-{end}/{len(content)}"}
            status, content = 206, content[start : end + 1]
        with contextlib.suppress(OSError):  # the caller may be gone
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    def _user(self) -> User | None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token not in self.hub.users:
            raise Refused(401, "Invalid credentials in Authorization header")
        return self.hub.users.get(token)

    def _may_write(self, owner: str) -> bool:
        user = self._user()
        if user is None:
            raise Refused(401, "Invalid username or password.")
        return user.role != "read" and owner in (user.name, *user.orgs)

    def _repo(self, name: str, *, write: bool) -> Repo:
        user, repo, owner = self._user(), self.hub.repos.get(name), name.partition("/")[0]
        asked = "dataset" if self.path.startswith(("/api/datasets/", "/datasets/")) else "model"
        is_hidden = repo and repo.private and (user is None or owner not in (user.name, *user.orgs))
        if repo is None or repo.type != asked or is_hidden:
            raise Refused(404 if user else 401, "Repository not found", "RepoNotFound")
        if write and not self._may_write(owner):
            raise Refused(403, "you have no write access")
        return repo

    def _whoami(self, body: bytes) -> Any:
        user = self._user()
        if user is None:
            raise Refused(401, "Invalid username or password.")
        orgs = [{"name": name, "roleInOrg": "write"} for name in user.orgs]
        return {"name": user.name, "orgs": orgs, "auth": {"accessToken": {"role": user.role}}}

    def _create(self, body: bytes) -> Any:
        asked = json.loads(body)
        owner = asked.get("organization") or getattr(self._user(), "name", "")
        name = f"{owner}/{asked['name']}"
        kind = asked.get("type", "model")
        url = f"{self.hub.url}/{'datasets/' if kind == 'dataset' else ''}{name}"
        if not self._may_write(owner):
            raise Refused(403, f"You don't have the rights to create a {kind} under the namespace {owner!r}")
        if name in self.hub.repos:
            raise Refused(409, "You already created this dataset repo", url=url)
        is_private = asked.get("visibility") == "private" or bool(asked.get("private"))
        repo = self.hub.repos[name] = Repo(private=is_private, type=kind)
        repo.add("initial commit", {".gitattributes": Blob(b"*.parquet filter=lfs\n", lfs=False)})
        return {"url": url}

    def _info(self, body: bytes, repo: Repo, revision: str | None) -> Any:
        files = repo.at(revision or "main")
        if files is None:
            raise Refused(404, "Invalid rev id", "RevisionNotFound")
        name = next(n for n, r in self.hub.repos.items() if r is repo)
        siblings = [
            {"rfilename": path, "size": len(b.content), "blobId": b.git_id, **({"lfs": _lfs(b)} if b.lfs else {})}
            for path, b in files.items()
        ]
        return {
            "id": name, "sha": repo.head if revision in (None, "main") else revision, "private": repo.private,
            "siblings": siblings, "tags": [], "downloads": 0, "likes": 0, "disabled": False, "gated": False,
        }  # fmt: skip

    def _tree(self, body: bytes, repo: Repo, revision: str, path: str | None) -> Any:
        files = repo.at(revision) or {}
        base = f"{path}/" if path else ""
        below = [name for name in files if name.startswith(base)]
        if not below:
            raise Refused(404, "Entry not found", "EntryNotFound")
        if "recursive=True" in self.path or "recursive=true" in self.path:
            return [_entry(name, files[name]) for name in below]
        folders = {base + name[len(base) :].partition("/")[0] for name in below if "/" in name[len(base) :]}
        return [_folder(name) for name in sorted(folders)] + [
            _entry(name, files[name]) for name in below if "/" not in name[len(base) :]
        ]

    def _paths(self, body: bytes, repo: Repo, revision: str) -> Any:
        files = repo.at(revision) or {}
        if "json" in self.headers.get("Content-Type", ""):
            asked = json.loads(body)["paths"]
        else:
            asked = urllib.parse.parse_qs(body.decode()).get("paths", [])
        found = [_entry(name, files[name]) for name in asked if name in files]
        return found + [_folder(name) for name in asked if any(f.startswith(f"{name}/") for f in files)]

    def _resolve(self, body: bytes, repo: Repo, revision: str, path: str) -> Any:
        files = repo.at(revision)
        if not files or path not in files:
            raise Refused(404, "Entry not found", "EntryNotFound")
        blob = files[path]
        commit = repo.head if revision == "main" else revision
        return blob.content, {"ETag": f'"{blob.etag}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}

    def _preupload(self, body: bytes, repo: Repo, revision: str) -> Any:
        def mode(name: str) -> str:
            return "lfs" if name.endswith(LARGE) else "regular"

        files = [f["path"] for f in json.loads(body)["files"]]
        there = {name: repo.files[name].etag for name in files if name in repo.files}
        return {
            "files": [
                {"path": n, "uploadMode": mode(n), "shouldIgnore": False} | ({"oid": there[n]} if n in there else {})
                for n in files
            ]
        }

    def _batch(self, body: bytes, repo: Repo) -> Any:
        def answer(wanted: dict[str, Any]) -> dict[str, Any]:
            upload = {"href": f"{self.hub.url}/storage/{wanted['oid']}?signature=secret"}
            return wanted if wanted["oid"] in self.hub.storage else wanted | {"actions": {"upload": upload}}

        return {"transfer": "basic", "objects": [answer(o) for o in json.loads(body)["objects"]]}

    def _put(self, body: bytes, oid: str) -> Any:
        if hashlib.sha256(body).hexdigest() != oid:
            raise Refused(400, "other bytes than were announced")
        self.hub.storage[oid] = body
        return {}

    def _validate(self, body: bytes) -> Any:
        content = json.loads(body)["content"]
        header = yaml.safe_load(content.split("---\n")[1])
        name, kind = {"dataset": ("configs", list), "model": ("library_name", str)}[json.loads(body)["repoType"]]
        if not isinstance(header, dict) or not isinstance(header.get(name), kind):
            raise Refused(400, f"no {name}")
        return {"errors": [], "warnings": []}

    def _commit(self, body: bytes, repo: Repo, revision: str) -> Any:
        lines = [json.loads(line) for line in body.splitlines()]
        header, files = lines[0]["value"], dict(repo.files)
        if header.get("parentCommit") not in (None, repo.head):
            raise Refused(412, "A commit has happened since. Please refresh and try again.")
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "deletedFile":
                del files[value["path"]]
            elif line["key"] == "file":
                files[value["path"]] = Blob(base64.b64decode(value["content"]), lfs=False)
            else:
                if value["oid"] not in self.hub.storage:
                    raise Refused(400, f"{value['path']} was not uploaded")
                files[value["path"]] = Blob(self.hub.storage[value["oid"]], lfs=True)
        repo.add(header["summary"], files)
        name = next(n for n, r in self.hub.repos.items() if r is repo)
        return {"commitUrl": f"{self.hub.url}/datasets/{name}/commit/{repo.head}", "commitOid": repo.head}


def _lfs(blob: Blob) -> dict[str, Any]:
    return {"sha256": blob.sha256, "oid": blob.sha256, "size": len(blob.content), "pointerSize": 130}


def _entry(name: str, blob: Blob) -> dict[str, Any]:
    entry = {"type": "file", "path": name, "size": len(blob.content), "oid": blob.git_id}
    return (
        entry | ({"lfs": _lfs(blob)} if blob.lfs else {}) | {"lastCommit": {"id": "0" * 40, "title": "", "date": DATE}}
    )


def _folder(name: str) -> dict[str, Any]:
    return {"type": "directory", "path": name, "oid": "0" * 40, "size": 0}


@contextlib.contextmanager
def serving() -> Iterator[Hub]:
    """A Hub at work on a port of its own."""
    hub = Hub()
    handler = type("HandlerOfHub", (Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        hub.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
