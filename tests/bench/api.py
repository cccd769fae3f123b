"""The API on loopback, which costs the same for all that are measured."""

from __future__ import annotations

import math
import ssl
import time

from tests.support.sockets import Connection, Server, good


class Api(Server):
    """Says `completed` of each build from its time in `finished_at` on, `building` until then."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.finished_at: dict[str, float] = {}
        super().__init__(self._answer, context)

    def begin(self, **finished_at: float) -> None:
        """Forget what was counted, and set when builds are over; the others never are."""
        self.finished_at = finished_at
        self.requests, self.times, self.accepted = [], [], 0

    def _answer(self, connection: Connection) -> None:
        while True:
            sid = connection.request().decode().partition("/Builds/")[2].partition("/")[0]
            finished = time.monotonic() >= self.finished_at.get(sid, math.inf)
            connection.send(good("completed" if finished else "building", sid=sid))
