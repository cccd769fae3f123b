"""A server that follows a plan, and remembers what it really said."""

from __future__ import annotations

import gzip
import json
import math
import socket
import struct
import threading
import time
from datetime import datetime, timezone
from typing import NamedTuple

from tests.chaos.plan import PAIR, REPEATS, Plan, Step
from tests.support.command import BUILD
from tests.support.twilio import build_body, page, status_body

ERROR = b'{"code": 20000, "message": "Something is wrong", "status": 0}'


class Said(NamedTuple):
    """An answer that has left: when, and what a client may make of it.

    `verdict` is a status or an HTTP status that ends a wait; `missing` a 404.
    """

    at: float
    verdict: str = ""
    missing: bool = False


class Faulty:
    """One wait's server."""

    def __init__(self, plan: Plan) -> None:
        self.said: list[Said] = []
        self.first: float | None = None
        self._plan = plan
        self._steps = list(plan.steps)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Let go of everything."""
        self._over.set()
        self._socket.close()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(30)
        try:
            with connection, connection.makefile("rb") as lines:
                late, is_first = None, True
                while target := lines.readline():
                    while lines.readline() not in (b"\r\n", b""):
                        pass
                    if late:
                        http, body = late
                        connection.sendall(_head(body, http) + body)
                        continue
                    kept, late = self._answer(connection, target.decode().split(" ")[1], is_first)
                    if not kept:
                        return
                    is_first = False
        except OSError:
            return  # the client has gone, or was reset

    def _answer(
        self, connection: socket.socket, path: str, is_first: bool
    ) -> tuple[bool, tuple[int, bytes] | None]:
        """Follow the next step; whether the connection is kept, and what comes late on it."""
        with self._lock:
            self.first = self.first or time.monotonic()
            if path.endswith(f"/Builds/{BUILD}"):
                step, body = self._plan.details, build_body()
            else:
                step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
                body = status_body(status=step.says)
            if "/Builds?" in path and step.says:
                now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
                body = page({**build_body(status="building"), "date_created": now})
                self._steps.insert(0, step)  # that was no Status: it is still to come
                step = step._replace(says="building")
        said = len(self.said)
        kept = self._follow(connection, step, json.dumps(body).encode())
        if not is_first and _is_requested_again(step):
            del self.said[said:]
        return kept, step.late

    def _follow(self, connection: socket.socket, step: Step, body: bytes) -> bool:
        if step.how == "silence":
            self._over.wait(step.seconds)
        if step.how in ("silence", "reset"):
            return _reset(connection)
        if step.how in ("cut", "short"):
            return self._break_off(connection, step)
        if step.how == "error":
            content = step.body or ERROR
            connection.sendall(
                _head(
                    content,
                    step.http,
                    f"Retry-After: {step.retry_after}",
                    f"Twilio-Request-Id: {PAIR if content == REPEATS else 'RQ1'}",
                )
                + content
            )
            theirs = step.http in (401, 403) and not step.body
            fatal = "" if _passes(step.http) else "unauthorized" if theirs else "unavailable"
            self.said.append(Said(time.monotonic(), fatal))
        elif step.how == "missing":
            connection.sendall(_head(ERROR, 404) + ERROR)
            self.said.append(Said(time.monotonic(), missing=True))
        elif step.how == "odd":
            self._say_oddly(connection, step, body)
            self.said.append(Said(time.monotonic()))
            return False
        elif step.how == "nonsense":
            connection.sendall(_head(step.body) + step.body)
            self.said.append(Said(time.monotonic()))
        else:
            self._tell(connection, step, body)
            self.said.append(Said(time.monotonic(), step.says if step.says != "building" else ""))
        if step.how == "late extra":
            self._over.wait(0.05)
            connection.sendall(_extra())
        return step.how not in ("close", "hang up")

    def _say_oddly(self, connection: socket.socket, step: Step, body: bytes) -> None:
        """A verdict in an encoding or framing that no client has to understand."""
        body = json.dumps(status_body(status="completed")).encode()
        if step.http < 425:
            body = gzip.compress(gzip.compress(body))
            connection.sendall(_head(body, 200, "Content-Encoding: gzip, gzip") + body)
        elif step.http < 500:
            body = gzip.compress(body[:-1] + b" " * (64 << 20) + b"}")
            connection.sendall(_head(body, 200, "Content-Encoding: gzip") + body)
        else:
            head = _head(None, 200, "Transfer-Encoding: chunked")
            connection.sendall(head + step.body + b"\r\n" + body + b"\r\n0\r\n\r\n")

    def _tell(self, connection: socket.socket, step: Step, body: bytes) -> None:
        """A good answer, in one of the ways in which good answers come."""
        content, interim = _good(step.how, body), _head(None, step.http)
        behind = {"extra": _extra(), "half an extra": _extra()[:60], "interim behind": interim}
        content += behind.get(step.how, b"")
        if step.how == "early":
            connection.sendall(interim * 3)
            self._over.wait(step.seconds / 10)
        if step.how == "late":
            head, blank, content = content.partition(b"\r\n\r\n")
            connection.sendall(head + blank)
            self._over.wait(step.seconds)
        size = math.ceil(len(content) / 10) if step.how == "trickle" else len(content)
        for begin in range(0, len(content), size):
            if begin:
                self._over.wait(step.seconds / 10)
            connection.sendall(content[begin : begin + size])

    def _break_off(self, connection: socket.socket, step: Step) -> bool:
        """A verdict that is not whole, and so is none."""
        body = json.dumps(status_body(status="completed")).encode()
        if step.how == "cut":
            content = _head(body) + body
            connection.sendall(content[: int(len(content) * step.seconds / 4.1)])
            return _reset(connection) if step.http < 500 else False
        connection.sendall(_head(body + b" ") + body)
        return False


def _is_requested_again(step: Step) -> bool:
    """Whether this counts only as the first answer on its connection."""
    return step.how in ("missing", "anonymous") or (step.how == "error" and not _passes(step.http))


def _good(how: str, body: bytes) -> bytes:
    if how == "gzip":
        body = gzip.compress(body)
        return _head(body, 200, "Content-Encoding: gzip") + body
    if how == "chunked":
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in (body[:7], body[7:]))
        return _head(None, 200, "Transfer-Encoding: chunked") + chunks + b"0\r\n\r\n"
    if how == "anonymous":
        body = json.dumps({**json.loads(body), "sid": None, "url": None}).encode()
    extra = "Connection: close" if how == "close" else "X-Cache: Miss"
    if how == "cookies":
        extra = f"Set-Cookie: c{time.monotonic_ns()}={'x' * 500}; Path=/"
    return _head(body, 200, extra) + body


def _extra() -> bytes:
    """An answer to no request, and that names no build."""
    body = b'{"sid": null, "url": null, "status": "completed"}'
    return _head(body) + body


def _passes(http: int) -> bool:
    return http >= 500 or http in (408, 425, 429)


def _head(body: bytes | None, http: int = 200, *extra: str) -> bytes:
    kind = "text/html" if body and body.startswith(b"<") else "application/json"
    length = [] if body is None else [f"Content-Length: {len(body)}"]
    lines = [f"HTTP/1.1 {http} Of Course", f"Content-Type: {kind}", *length, *extra, "", ""]
    return "\r\n".join(lines).encode()


def _reset(connection: socket.socket) -> bool:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False
