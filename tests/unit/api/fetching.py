"""Single requests to a scripted server, and answers that need none."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from tests.support.command import BUILD, SERVICE
from tests.support.fasttime import fetcher
from tests.support.sockets import http
from tests.support.twilio import CREDENTIALS, status_body
from twbuild.api.fetcher import Fetcher
from twbuild.api.models import Request, Resource, Response
from twbuild.api.redaction import Redactor, secrets
from twbuild.api.sent_request import SentRequest
from twbuild.config import settings
from twbuild.errors import FetchError

STATUS = Request(Resource.STATUS, BUILD)
DETAILS = Request(Resource.BUILD, BUILD)
PAGE = Request(Resource.PAGE)
MIB = 1 << 20
HOST = "api.example.test"
PATH = f"/v1/Services/{SERVICE}/Builds/{BUILD}/Status"
RQ = f"RQ{'d4' * 16}"


def sent_request(
    request: Request = STATUS,
    environ: Mapping[str, str] = CREDENTIALS,
    service: str = SERVICE,
    proxy: str | None = None,
) -> SentRequest:
    """A request to Twilio, unless `environ` has another address."""
    found = settings.load_settings({**CREDENTIALS, **environ}, None)
    redacted = Redactor(*secrets(found.credentials, ())).redacted
    return SentRequest(request, service, PATH, found, proxy, redacted)


def response(status: int, body: object, **headers: str | None) -> Response:
    """An answer with these bytes, or with what is made JSON.

    `Retry_After` names Retry-After; a header that is None is left out.
    """
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    given = {"Content-Type": "application/json", "Twilio-Request-Id": RQ, **named}
    present = CaseInsensitiveDict({n: value for n, value in given.items() if value is not None})
    return Response(status, present, bytearray(content), is_first=True)


def body(**fields: object) -> bytes:
    return json.dumps({**status_body(), **fields}).encode()


def anonymous(status: str, **fields: object) -> bytes:
    """An answer that names no build."""
    return http(json.dumps({"sid": None, "url": None, "status": status, **fields}).encode())


def refused_by(url: str, question: Request = STATUS, /, **environ: str) -> FetchError:
    """What a request to a server, or through a proxy, comes to."""
    with pytest.raises(FetchError) as refused:
        fetcher(url, environ).fetch(question)
    return refused.value


def in_thread(client: Fetcher) -> threading.Thread:
    """A thread, started, that makes a request and drops its error."""

    def fetch() -> None:
        with suppress(FetchError):
            client.fetch(STATUS)

    thread = threading.Thread(target=fetch)
    thread.start()
    return thread


class Names:
    """What Twilio's names and those in `.test` resolve to, and the look-ups of them."""

    def __init__(self) -> None:
        self.addresses = ["127.0.0.1"]
        self.requested: list[str] = []
        self.before: Callable[[str], object] = lambda _: None
        self._real = socket.getaddrinfo

    def getaddrinfo(self, host: str, *more: Any, **named: Any) -> Any:
        """Look a name up as the system does."""
        if not host.endswith((".test", ".twilio.com")):
            return self._real(host, *more, **named)
        self.requested.append(host)
        self.before(host)
        return [found for one in self.addresses for found in self._real(one, *more, **named)]
