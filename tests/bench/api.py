"""The API on loopback, as cheap as can be, so that it costs the same for all that are measured."""

from __future__ import annotations

import json
import math
import socketserver
import threading
import time

ACCOUNT = "AC" + "b2" * 16
TOKEN = "5ecre7" * 5 + "99"
SERVICE = "ZS" + "a1" * 16
BUILDS = [f"ZB{number:032x}" for number in range(100)]


class Api(socketserver.ThreadingTCPServer):
    """Says `building` of each build until its time in `over_at`, and `completed` from then on."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.over_at: dict[str, float] = {}
        self.polls: list[float] = []
        self.connections = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """What TWBUILD_API_URL is to be."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def begin(self, **over_at: float) -> None:
        """Forget what was counted, and set when builds are over; the others never are."""
        self.over_at = over_at
        self.polls = []
        self.connections = 0


class _Connection(socketserver.StreamRequestHandler):
    server: Api

    def handle(self) -> None:
        self.server.connections += 1
        while request := self.rfile.readline():
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
            now = time.monotonic()
            self.server.polls.append(now)
            sid = request.decode().partition("/Builds/")[2].partition("/")[0]
            over = now >= self.server.over_at.get(sid, math.inf)
            self.wfile.write(_response(sid, "completed" if over else "building"))


def _response(sid: str, status: str) -> bytes:
    found = {"sid": sid, "account_sid": ACCOUNT, "service_sid": SERVICE, "status": status}
    body = json.dumps({**found, "url": None}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body
