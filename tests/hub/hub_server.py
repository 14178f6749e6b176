"""A hub on this machine: as much of the Hugging Face hub's protocol as its clients speak when they fetch files."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = (".safetensors", ".parquet", ".bin", ".h5", ".onnx", ".msgpack")  # kept in LFS, and named by their SHA-256


@dataclass
class Repository:
    """A repository: its commits, what points at them, and what shall go wrong with it."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    gated: bool = False
    """Files are for tokens in the hub's `welcome` only."""
    cut: dict[str, int] = field(default_factory=dict)
    """How often a download of a file breaks off before its last byte."""
    stuck: set[str] = field(default_factory=set)
    """Files of which nothing arrives before the connection ends."""
    damaged: set[str] = field(default_factory=set)
    """Files that arrive with a changed byte."""
    short: set[str] = field(default_factory=set)
    """Files that arrive without their last byte, as if that were all."""
    closed: set[str] = field(default_factory=set)
    """Folders that are not listed."""
    broken: bool = False
    """Every question about it is answered with 500."""

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        """Add a commit, at which the branch then points; its hash."""
        files = {".gitattributes": b"*.safetensors filter=lfs\n", **files}
        commit = hashlib.sha1(repr((len(self.commits), sorted(files.items()))).encode()).hexdigest()
        self.commits[commit] = files
        self.refs[branch] = commit
        return commit

    def find(self, revision: str) -> str | None:
        """The commit of a branch, tag or hash."""
        commit = self.refs.get(revision) or self.tags.get(revision) or revision
        return commit if commit in self.commits else None


def git_hash(content: bytes) -> str:
    """What git names a blob."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def entry(path: str, content: bytes) -> dict[str, Any]:
    """A file in a listing."""
    found: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": git_hash(content)}
    if path.endswith(LARGE):
        found["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
    return found


class Hub:
    """The server; a context in which it answers."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.tokens: set[str] = set()
        self.welcome: set[str] = set()
        self.requests: list[tuple[str, str]] = []
        self.ranges: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def add(self, name: str, files: dict[str, bytes]) -> Repository:
        """A repository with one commit, at main; a data set's name starts with `datasets/`."""
        repository = self.repositories[name] = Repository()
        repository.commit(files)
        return repository

    def fetched(self, name: str) -> list[str]:
        """The files of a repository whose content was asked for."""
        return [path.split("/resolve/")[1].split("/", 1)[1] for verb, path in self.requests
                if verb == "GET" and path.startswith(f"/{name}/resolve/")]  # fmt: skip

    def __enter__(self) -> Hub:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Refused(Exception):
    def __init__(self, status: int, code: str = "", message: str = "") -> None:
        self.status, self.code, self.message = status, code, message


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing on the screen."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append((self.command, path))
        try:
            if path.startswith("/api/"):
                self._send(json.dumps(self._describe(path.removeprefix("/api/"), body)).encode())
            else:
                self._send_file(path)
        except _Refused as refused:
            headers = {"X-Error-Code": refused.code, "X-Error-Message": refused.message}
            text = json.dumps({"error": refused.message}).encode()
            self._send(text, refused.status, {name: value for name, value in headers.items() if value})

    def _token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def _open(self, name: str) -> Repository:
        token = self._token()
        if token and token not in self.hub.tokens:
            raise _Refused(401, message="Invalid credentials in Authorization header")
        repository = self.hub.repositories.get(name)
        if repository is None:
            raise (
                _Refused(404, "RepoNotFound", "Repository not found")
                if token
                else _Refused(401, message="Invalid username or password.")
            )
        if repository.broken:
            raise _Refused(500, message=f"out of order for {self.headers.get('Authorization')}")
        return repository

    @staticmethod
    def _at(repository: Repository, revision: str) -> str:
        commit = repository.find(revision)
        if commit is None:
            raise _Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return commit

    def _describe(self, path: str, body: str) -> Any:
        """The answer of the API about a repository."""
        kind, owner, short, *rest = path.split("/")
        name = f"{owner}/{short}"
        repository = self._open(name if kind == "models" else f"{kind}/{name}")
        question, revision = (rest[0], "/".join(rest[1:])) if rest else ("revision", "main")
        if question == "refs":
            branches, tags = (
                [{"name": ref, "ref": f"{where}/{ref}", "targetCommit": commit} for ref, commit in refs.items()]
                for where, refs in (("refs/heads", repository.refs), ("refs/tags", repository.tags))
            )
            return {"branches": branches, "tags": tags, "converts": []}
        if question == "tree":
            revision, _, below = revision.partition("/")
            if below in repository.closed:
                raise _Refused(403, message="not today")
            return _listing(repository.commits[self._at(repository, revision)], below)
        commit = self._at(repository, revision)
        files = repository.commits[commit]
        if question == "paths-info":
            fields = json.loads(body) if body.startswith("{") else parse_qs(body)
            return [found for path in fields["paths"] for found in _entries(files, path)]
        return {"id": name, "sha": commit, "siblings": [{"rfilename": file} for file in files], "tags": [],
                "private": False, "gated": "manual" if repository.gated else False}  # fmt: skip

    def _send_file(self, path: str) -> None:
        name, _, rest = path.strip("/").partition("/resolve/")
        revision, _, file = rest.partition("/")
        repository = self._open(name)
        if repository.gated and self._token() not in self.hub.welcome:
            raise _Refused(403 if self._token() else 401, "GatedRepo", "Access to it is restricted.")
        commit = self._at(repository, revision)
        content = repository.commits[commit].get(file)
        if content is None:
            raise _Refused(404, "EntryNotFound", "Entry not found")
        tag = entry(file, content).get("lfs", {"oid": git_hash(content)})["oid"]
        headers = {
            "ETag": f'"{tag}"',
            "X-Repo-Commit": commit,
            "X-Linked-Size": str(len(content)),
            "Accept-Ranges": "bytes",
        }
        if file.endswith(LARGE):
            headers["X-Linked-Etag"] = f'"{tag}"'
        if self.command == "GET" and file in repository.damaged:
            content = content[:-1] + bytes([content[-1] ^ 1])
        if self.command == "GET" and file in repository.short:
            content = content[:-1]
        status, start = HTTPStatus.OK, 0
        if "Range" in self.headers:
            self.hub.ranges.append(self.headers["Range"])
            start = int(self.headers["Range"].removeprefix("bytes=").split("-")[0])
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            status = HTTPStatus.PARTIAL_CONTENT
        body = content[start:]
        self._send(body, status, headers, self._sent(repository, file, len(body)))

    def _sent(self, repository: Repository, file: str, size: int) -> int:
        """How many bytes of a file are sent before the connection ends."""
        if self.command == "GET" and file in repository.stuck:
            return 0
        if self.command == "GET" and repository.cut.get(file, 0) > 0:
            repository.cut[file] -= 1
            return size - 1
        return size

    def _send(
        self, body: bytes, status: int = 200, headers: dict[str, str] | None = None, sent: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:sent])
        if sent is not None and sent < len(body):
            self.close_connection = True


def _listing(files: dict[str, bytes], below: str) -> list[dict[str, Any]]:
    # ASSUME: who asks, asks for all levels (`recursive`).
    folders = sorted({path.rpartition("/")[0] for path in files if "/" in path})
    found = [{"type": "directory", "path": folder, "size": 0, "oid": "0" * 40} for folder in folders]
    found += [entry(path, content) for path, content in sorted(files.items())]
    return [one for one in found if not below or one["path"].startswith(f"{below}/")]


def _entries(files: dict[str, bytes], path: str) -> list[dict[str, Any]]:
    if path in files:
        return [entry(path, files[path])]
    if any(file.startswith(f"{path}/") for file in files):
        return [{"type": "directory", "path": path, "size": 0, "oid": "0" * 40}]
    return []
