"""Repositories to share through: a bare one on disk, and the same over HTTP, served by git's own `http-backend`."""

import os
import subprocess
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import pytest

from ampcommit.carried import Carry
from ampcommit.ledger import Ledger
from ampcommit.record import Record
from ampcommit.resolved import Resolved
from ampcommit.rewritten import Rewrite
from tests.conftest import Repo

_KNOWS_HTTP = Path(os.fsdecode(subprocess.check_output(["git", "--exec-path"]).strip()), "git-remote-http").exists()
needs_http = pytest.mark.skipif(not _KNOWS_HTTP, reason="this git was built without HTTP")


class Hub(Repo):
    """A bare repository in *folder*, and clones of it beside it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "hub.git")
        Repo(folder)("init", "-q", "--bare", str(self.path))
        self("config", "uploadpack.allowFilter", "true")
        self("config", "uploadpack.allowAnySHA1InWant", "true")

    def clone(self, name: str, *args: str) -> Repo:
        """Return a clone, made with *args*."""
        target = self.path.parent / name
        Repo(self.path.parent)("clone", "-q", *args, f"file://{self.path}", str(target))
        return Repo(target)

    def hook(self, name: str, script: str) -> None:
        """Let *script* run as a hook."""
        file = self.path / "hooks" / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    def lines(self, commit: str) -> list[str]:
        """Return the lines of the note of *commit*."""
        return self("notes", "--ref=ampcommit", "show", commit).splitlines()


def keep(repo: Repo, entries: Sequence[Carry | Record | Rewrite | Resolved]) -> Ledger:
    """Append *entries* to the ledger of *repo*."""
    folder = repo.path / (".git" if (repo.path / ".git").exists() else "") / "ampcommit"
    folder.mkdir(exist_ok=True)
    ledger = Ledger(str(folder / "ledger.jsonl"))
    ledger.append(*entries, again=True)
    return ledger


class _Handler(BaseHTTPRequestHandler):
    """Hands each request to `git http-backend`, or wants a password for each."""

    server: "_Server"
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self._body()
        if self.server.locked:
            self._send(401, [("WWW-Authenticate", 'Basic realm="x"')], b"")
            return
        path, _, query = self.path.partition("?")
        environ = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_USER": "someone",
            "REMOTE_ADDR": "127.0.0.1",
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environ, capture_output=True, check=False)
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        headers = [
            (name, value.strip()) for name, _, value in (row.partition(":") for row in head.decode().split("\r\n"))
        ]
        status = int(dict(headers).get("Status", "200").split()[0])
        self._send(status, [one for one in headers if one[0] != "Status"], answer)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the library's
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    root: Path
    locked: bool


class Host:
    """The repositories in *folder* over HTTP on loopback, during a `with` block; *locked*, it wants a password."""

    def __init__(self, folder: Path, *, locked: bool = False) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.root = folder
        self._server.locked = locked
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def url(self, name: str, user: str = "") -> str:
        """Return the address of the repository *name*."""
        return f"http://{user}127.0.0.1:{self._server.server_address[1]}/{name}"
