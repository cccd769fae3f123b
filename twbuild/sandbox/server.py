"""A local fake of Twilio's API: three endpoints, in the shapes of Twilio's OpenAPI document.

Source: https://github.com/twilio/twilio-oai/blob/main/spec/json/twilio_serverless_v1.json
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import re
import secrets
import socket
import threading
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from urllib.parse import parse_qs, urlsplit

from twbuild import __version__
from twbuild.config import sids

# A poll on the second, which may come a little early, sees a build end on the second.
_EARLY = timedelta(milliseconds=200)

DEPENDENCIES = {"twilio": "5.4.2", "@twilio/runtime-handler": "2.0.1"}
EARLIER_DEPENDENCIES = {**DEPENDENCIES, "twilio": "5.4.1"}  # so that a failed build differs
EARLIER_BUILDS = 3  # one a day, each completed: as many as have a usual time
MAX_PAGE_SIZE = 1000  # Twilio's own. Source: https://www.twilio.com/docs/usage/twilios-response
# Connections without the sandbox's credentials, of any local user: each costs a thread.
MAX_STRANGERS = 50
MAX_IDLE_SECONDS = 75.0  # twbuild itself uses no connection again that was idle for over 60 s

_PATH = re.compile(
    f"/v1/Services/(?P<service>{sids.SERVICE}|{sids.SERVICE_NAME})"
    f"/Builds(?:/(?P<sid>{sids.BUILD})(?P<status>/Status)?)?"
)


class Sandbox(ThreadingMixIn, TCPServer):
    """Answers for any service and any Build SID; a build begins with the first request about it.

    Not an HTTPServer, which looks up the name of its address.
    """

    daemon_threads = True
    request_queue_size = 2 * MAX_STRANGERS

    def __init__(self, outcome: str, build_seconds: float, *, is_shell: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.is_shell = is_shell
        self._strangers: deque[socket.socket] = deque()
        self.account = f"AC{secrets.token_hex(16)}"
        self.token = secrets.token_hex(16)
        self.build = f"ZB{secrets.token_hex(16)}"
        self.port = int(self.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._service = f"ZS{secrets.token_hex(16)}"
        self._outcome = outcome
        self._build_time = timedelta(seconds=build_seconds)
        self._begun: dict[str, tuple[str, datetime]] = {}
        newest = datetime.now(timezone.utc).replace(microsecond=0) - self._build_time
        self._earlier = {
            sid.upper(): (sid, newest - timedelta(days=day))
            for day in range(1, EARLIER_BUILDS + 1)
            for sid in [f"ZB{secrets.token_hex(16)}"]
        }
        self._lock = threading.Lock()

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: clients may go at any time."""

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection; where there are too many strangers, the oldest is shut out."""
        with self._lock:
            self._strangers.append(request)
            if len(self._strangers) > MAX_STRANGERS:
                with contextlib.suppress(OSError):  # the client has gone
                    self._strangers.popleft().shutdown(socket.SHUT_RDWR)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        self.trust(request)
        super().shutdown_request(request)

    def trust(self, connection: socket.socket) -> None:
        """A connection is no stranger's: it has shown the credentials."""
        with self._lock, contextlib.suppress(ValueError):
            self._strangers.remove(connection)

    def answer(self, path: str, authorization: str) -> tuple[int, Mapping[str, Any]]:
        """HTTP status and body for a GET."""
        pair = base64.b64encode(f"{self.account}:{self.token}".encode()).decode()
        if not hmac.compare_digest(authorization.encode(), f"Basic {pair}".encode()):
            return 401, _error(401, 20003, "Authenticate")
        url = urlsplit(path)
        match = _PATH.fullmatch(url.path)
        if not match:
            return 404, _error(404, 20404, f"The requested resource {url.path} was not found")
        service = match["service"]
        if not match["sid"]:
            return 200, self._list(service, parse_qs(url.query))
        build = self._build(service, match["sid"])
        if not match["status"]:
            return 200, build
        names = ("sid", "account_sid", "service_sid", "status")
        return 200, {**{n: build[n] for n in names}, "url": f"{build['url']}/Status"}

    def _build(self, service: str, sid: str) -> dict[str, Any]:
        now = datetime.now(timezone.utc)
        earlier = self._earlier.get(sid.upper())
        with self._lock:
            sid, begun = earlier or self._begun.setdefault(sid.upper(), (sid, now))
        outcome = "completed" if earlier else self._outcome
        dependencies = EARLIER_DEPENDENCIES if earlier else DEPENDENCIES
        over = now - begun >= self._build_time - _EARLY
        service_sid = service if service.startswith("ZS") else self._service
        url = f"{self.url}/v1/Services/{service_sid}/Builds/{sid}"
        owner = {"account_sid": self.account, "service_sid": service_sid}
        version = {**owner, "date_created": _time(begun), "visibility": "public"}
        return {
            "sid": sid,
            **owner,
            "status": outcome if over else "building",
            "function_versions": [
                {
                    "sid": f"ZN{n:032x}",
                    "function_sid": f"ZH{n:032x}",
                    "path": f"/function-{n}",
                    **version,
                }
                for n in range(3)
            ],
            "asset_versions": [
                {"sid": f"ZN{9:032x}", "asset_sid": f"ZH{9:032x}", "path": "/asset", **version}
            ],
            "dependencies": [{"name": n, "version": v} for n, v in dependencies.items()],
            "runtime": "node22",
            "date_created": _time(begun),
            "date_updated": _time(begun + self._build_time if over else begun),
            "url": url,
            "links": {"build_status": f"{url}/Status"},
        }

    def _list(self, service: str, query: Mapping[str, list[str]]) -> dict[str, Any]:
        size = _number(query, "PageSize", 50, 1, MAX_PAGE_SIZE)
        page = _number(query, "Page", 0, 0, 10**6)
        self._build(service, self.build)
        with self._lock:
            sids = [sid for sid, _ in (*self._begun.values(), *self._earlier.values())]
        here = sids[page * size : (page + 1) * size]

        def at(number: int) -> str:
            return f"{self.url}/v1/Services/{service}/Builds?PageSize={size}&Page={number}"

        return {
            "builds": [self._build(service, sid) for sid in here],
            "meta": {
                "first_page_url": at(0),
                "key": "builds",
                "next_page_url": at(page + 1) if (page + 1) * size < len(sids) else None,
                "page": page,
                "page_size": size,
                "previous_page_url": at(page - 1) if page else None,
                "url": at(page),
            },
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a body would wait 40 ms for its headers' acknowledgement
    server_version = f"twbuild-sandbox/{__version__}"
    sys_version = ""
    timeout = MAX_IDLE_SECONDS
    server: Sandbox

    def version_string(self) -> str:
        """What the answers call the sandbox: in a shell, it outlasts each run of twbuild."""
        return f"{self.server_version} (shell)" if self.server.is_shell else self.server_version

    def do_GET(self) -> None:
        status, body = self.server.answer(self.path, self.headers.get("Authorization", ""))
        if status != 401:
            self.server.trust(self.request)
        self._send(status, body)

    def send_error(self, code: int, message: str | None = None, _: str | None = None) -> None:
        """Any other method, or a request that is not valid HTTP."""
        self.close_connection = True
        code = 405 if code == 501 else code
        self._send(code, _error(code, 20004 if code == 405 else 20001, message or "Bad request"))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Nothing: the terminal belongs to COMMAND."""

    def _send(self, status: int, body: Mapping[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Twilio-Request-Id", f"RQ{secrets.token_hex(16)}")
        self.end_headers()
        self.wfile.write(content)


def _error(status: int, code: int, message: str) -> dict[str, Any]:
    link = f"https://www.twilio.com/docs/errors/{code}"
    return {"code": code, "message": message, "more_info": link, "status": status}


def _number(query: Mapping[str, list[str]], name: str, default: int, least: int, most: int) -> int:
    text = query.get(name, [""])[0]
    return min(max(int(text), least), most) if re.fullmatch("[0-9]{1,9}", text) else default


def _time(when: datetime) -> str:
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"
