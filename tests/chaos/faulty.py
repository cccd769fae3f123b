"""A server that follows a plan, and remembers what it really said."""

from __future__ import annotations

import gzip
import json
import math
import threading
import time
from datetime import datetime, timezone
from typing import NamedTuple

from tests.chaos.plan import PAIR, REPEATS, Plan, Step
from tests.support.command import BUILD
from tests.support.sockets import Connection, Server, chunked, http
from tests.support.twilio import build_body, page, status_body

ERROR = b'{"code": 20000, "message": "Something is wrong", "status": 0}'
EXTRA = http(b'{"sid": null, "url": null, "status": "completed"}')  # an answer to no request
COMPLETED = json.dumps(status_body(status="completed")).encode()


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
        self._server = Server(self._handle)
        self.url = self._server.url

    def close(self) -> None:
        """Let go of everything."""
        self._server.ending.set()

    def _handle(self, connection: Connection) -> None:
        late, is_first, is_in_step = None, True, True
        while True:
            path = connection.request().split()[1].decode()
            if late:
                status, content = late
                connection.send(_response(content, status))
                continue
            step, body = self._next(path)
            verdict = self._follow(connection, step, json.dumps(body).encode())
            # A list beside the polls of a named build decides nothing.
            counts = "/Builds?" not in path or BUILD not in self._plan.arguments
            counts = counts and is_in_step and (is_first or not _is_requested_again(step))
            if verdict is not None and counts:
                self.said.append(Said(time.monotonic(), verdict, step.how == "missing"))
            if step.how == "late extra":
                connection.pause(0.05)
                connection.send(EXTRA)
                is_in_step = False  # the next request gets it, and what follows is not read
            if verdict is None or step.how in ("close", "hang up", "odd"):
                return
            late, is_first = step.late, False

    def _next(self, path: str) -> tuple[Step, object]:
        """The next step, and the body of a good answer."""
        with self._lock:
            self.first = self.first or time.monotonic()
            if path.endswith(f"/Builds/{BUILD}"):
                return self._plan.details, build_body()
            step = self._steps[0]
            if "/Builds?" in path and step.says:  # that is no Status: it is still to come
                now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
                listed = {**build_body(status="building"), "date_created": now}
                return step._replace(says="building"), page(listed)
            if len(self._steps) > 1:
                del self._steps[0]
            return step, status_body(status=step.says)

    def _follow(self, connection: Connection, step: Step, body: bytes) -> str | None:
        """Follow a step; the verdict that was said, or None where no whole answer was."""
        if step.how == "silence":
            connection.pause(step.seconds)
        elif step.how == "cut":
            whole = http(COMPLETED)
            connection.send(whole[: int(len(whole) * step.seconds / 4.1)])
        elif step.how == "short":
            connection.send(http(COMPLETED, length=len(COMPLETED) + 1))
        if step.how in ("silence", "reset") or (step.how == "cut" and step.http < 500):
            connection.reset()
        if step.how in ("silence", "reset", "cut", "short"):
            return None
        verdict = step.says.replace("building", "")
        if step.how == "error":
            content = step.body or ERROR
            request_id = f"Twilio-Request-Id: {PAIR if content == REPEATS else 'RQ1'}"
            retry_after = f"Retry-After: {step.retry_after}"
            connection.send(_response(content, step.http, retry_after, request_id))
            theirs = step.http in (401, 403) and not step.body
            verdict = "" if _passes(step.http) else "unauthorized" if theirs else "unavailable"
        elif step.how == "missing":
            connection.send(http(ERROR, "404 Of Course"))
        elif step.how == "odd":
            connection.send(_odd(step))
        elif step.how == "nonsense":
            connection.send(_response(step.body))
        else:
            _tell(connection, step, body)
        return verdict


def _is_requested_again(step: Step) -> bool:
    """Whether this counts only as the first answer on its connection."""
    return step.how in ("missing", "anonymous") or (step.how == "error" and not _passes(step.http))


def _passes(status: int) -> bool:
    return status >= 500 or status in (408, 425, 429)


def _response(body: bytes, status: int = 200, *headers: str) -> bytes:
    kind = ["Content-Type: text/html"] if body.startswith(b"<") else []
    return http(body, f"{status} Of Course", *kind, *headers)


def _odd(step: Step) -> bytes:
    """A verdict in an encoding or framing that no client has to understand."""
    if step.http < 425:
        twice = gzip.compress(gzip.compress(COMPLETED))
        return http(twice, "200 OK", "Content-Encoding: gzip, gzip")
    if step.http < 500:
        bomb = gzip.compress(COMPLETED[:-1] + b" " * (64 << 20) + b"}")
        return http(bomb, "200 OK", "Content-Encoding: gzip")
    chunks = step.body + b"\r\n" + COMPLETED + b"\r\n0\r\n\r\n"
    return http(chunks, "200 OK", "Transfer-Encoding: chunked")


def _tell(connection: Connection, step: Step, body: bytes) -> None:
    """Give a good answer, in one of the ways in which good answers come."""
    interim = b"HTTP/1.1 %d Of Course\r\n\r\n" % step.http
    behind = {"extra": EXTRA, "half an extra": EXTRA[:60], "interim behind": interim}
    content = _good(step.how, body) + behind.get(step.how, b"")
    if step.how == "early":
        connection.send(interim * 3)
        connection.pause(step.seconds / 10)
    if step.how == "late":
        head, blank, content = content.partition(b"\r\n\r\n")
        connection.send(head + blank)
        connection.pause(step.seconds)
    size = math.ceil(len(content) / 10) if step.how == "trickle" else len(content)
    for begin in range(0, len(content), size):
        connection.pause(step.seconds / 10 if begin else 0)
        connection.send(content[begin : begin + size])


def _good(how: str, body: bytes) -> bytes:
    if how == "chunked":
        return http(chunked(body[:7], body[7:]), "200 OK", "Transfer-Encoding: chunked")
    if how == "anonymous":
        body = json.dumps({**json.loads(body), "sid": None, "url": None}).encode()
    if how == "gzip":
        body = gzip.compress(body)
    headers = {
        "gzip": "Content-Encoding: gzip",
        "close": "Connection: close",
        "cookies": f"Set-Cookie: c{time.monotonic_ns()}={'x' * 500}; Path=/",
    }
    return http(body, "200 OK", headers.get(how, "X-Cache: Miss"))
