"""A server that follows a plan, and remembers what it really said."""

from __future__ import annotations

import gzip
import json
import math
import time
from datetime import datetime, timezone
from typing import NamedTuple

from tests.chaos.plan import BROKEN, HOWS, PAIR, REPEATS, Plan, Step
from tests.support.command import BUILD
from tests.support.sockets import Connection, Server, chunked, http
from tests.support.twilio import build_body, page, status_body

EXTRA = http(b'{"sid": null, "url": null, "status": "completed"}')  # an answer to no request
COMPLETED = json.dumps(status_body(status="completed")).encode()


class Said(NamedTuple):
    """An answer that has left; its verdict is a status or an error that ends a wait."""

    at: float
    verdict: str = ""
    missing: bool = False


class Faulty(Server):
    """One wait's server."""

    def __init__(self, plan: Plan) -> None:
        self.said: list[Said] = []
        self._plan, self._steps = plan, list(plan.steps)
        super().__init__(self._follow)

    def _follow(self, connection: Connection) -> None:
        is_first = True
        while True:
            path = connection.request().split()[1].decode()
            step, body = self._next(path)
            connection.play(_parts(step, json.dumps(body).encode()))
            if step.how in BROKEN:
                if step.http < 500:
                    connection.reset()
                return
            # A list beside the polls of a named build decides nothing; what is requested
            # again counts only as the first answer on its connection.
            counts = "/Builds?" not in path or BUILD not in self._plan.arguments
            is_again = step.how in ("missing", "anonymous") or (step.how == "error" and step.says)
            if counts and (is_first or not is_again):
                verdict = step.says.replace("building", "")
                self.said.append(Said(time.monotonic(), verdict, step.how == "missing"))
            if step.how in ("close", "hang up", "odd"):
                return
            is_first = False

    def _next(self, path: str) -> tuple[Step, object]:
        """The next step, and the body of a good answer."""
        with self._lock:
            if path.endswith(f"/Builds/{BUILD}"):
                return self._plan.details, build_body()
            step = self._steps[0]
            if "/Builds?" in path and step.how in HOWS:  # that is no Status: it is still to come
                now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
                listed = {**build_body(status="building"), "date_created": now}
                return step._replace(says="building"), page(listed)
            if len(self._steps) > 1:
                del self._steps[0]
            return step, status_body(status=step.says)


def _response(status: int, body: bytes, *headers: str) -> bytes:
    kind = ["Content-Type: text/html"] if body.startswith(b"<") else []
    return http(body, f"{status} Of Course", *kind, *headers)


def _parts(step: Step, body: bytes) -> list[bytes | float]:
    """What is sent, and the pauses in it. No client has to understand what is odd."""
    interim = b"HTTP/1.1 %d Of Course\r\n\r\n" % step.http
    good = _good(step.how, body)
    match step.how:
        case "silence":
            return [step.seconds]
        case "cut":
            whole = http(COMPLETED)
            return [whole[: int(len(whole) * max(0, step.seconds - 2) / 2.1)]]  # or nothing at all
        case "short":
            return [http(COMPLETED, length=len(COMPLETED) + 1)]
        case "odd" if step.http < 500:
            twice = gzip.compress(gzip.compress(COMPLETED))
            return [http(twice, "200 OK", "Content-Encoding: gzip, gzip")]
        case "odd":
            chunks = step.body + b"\r\n" + COMPLETED + b"\r\n0\r\n\r\n"
            return [http(chunks, "200 OK", "Transfer-Encoding: chunked")]
        case "error" | "missing" | "nonsense":
            request_id = PAIR if step.body == REPEATS else "RQ1"
            headers = f"Retry-After: {step.retry_after}", f"Twilio-Request-Id: {request_id}"
            return [_response(step.http, step.body, *headers)]
        case "early":
            return [interim * 3, step.seconds / 10, good]
        case "late":
            head, blank, content = good.partition(b"\r\n\r\n")
            return [head + blank, step.seconds, content]
        case "trickle":
            size = math.ceil(len(good) / 10)
            begins = range(0, len(good), size)
            return [p for at in begins for p in (step.seconds / 10, good[at : at + size])]
    behind = {"extra": EXTRA, "half an extra": EXTRA[:60], "interim behind": interim}
    return [good + behind.get(step.how, b"")]


def _good(how: str, body: bytes) -> bytes:
    """A good answer, in one of the ways in which good answers come."""
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
