"""The API on loopback, as cheap as can be, so that it costs the same for all that are measured."""

from __future__ import annotations

import json
import math
import socket
import socketserver
import ssl
import threading
import time

from tests.support.command import ACCOUNT, SERVICE

BUILDS = [f"ZB{number:032x}" for number in range(100)]


class Api(socketserver.ThreadingTCPServer):
    """Says `building` of each build until its time in `finished_at`, and `completed` from then on.

    `certificate` is a file with a key and its certificate, None for plain HTTP.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, certificate: str | None = None) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
        if self._context and certificate:
            self._context.load_cert_chain(certificate)
        super().__init__(("127.0.0.1", 0), _Connection)
        self.finished_at: dict[str, float] = {}
        self.polls: list[float] = []
        self.first_polls: dict[str, float] = {}
        self.connections = 0
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        """What TWBUILD_API_URL is to be."""
        scheme = "https" if self._context else "http"
        return f"{scheme}://127.0.0.1:{self.server_address[1]}"

    def begin(self, **finished_at: float) -> None:
        """Forget what was counted, and set when builds are over; the others never are."""
        self.finished_at = finished_at
        self.polls = []
        self.first_polls = {}
        self.connections = 0

    def get_request(self) -> tuple[socket.socket, object]:
        """The next connection; its thread makes the TLS handshake, when it first reads."""
        accepted, address = super().get_request()
        if self._context:
            accepted = self._context.wrap_socket(
                accepted, server_side=True, do_handshake_on_connect=False
            )
        return accepted, address


class _Connection(socketserver.StreamRequestHandler):
    server: Api
    disable_nagle_algorithm = True  # else an answer waits for TLS session tickets to be read

    def handle(self) -> None:
        self.server.connections += 1
        while request := self.rfile.readline():
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
            now = time.monotonic()
            self.server.polls.append(now)
            sid = request.decode().partition("/Builds/")[2].partition("/")[0]
            self.server.first_polls.setdefault(sid, now)
            finished = now >= self.server.finished_at.get(sid, math.inf)
            self.wfile.write(_response(sid, "completed" if finished else "building"))


def _response(sid: str, status: str) -> bytes:
    found = {"sid": sid, "account_sid": ACCOUNT, "service_sid": SERVICE, "status": status}
    body = json.dumps({**found, "url": None}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body
