"""Single requests to a scripted server."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.command import BUILD
from tests.support.fasttime import fetcher
from tests.support.sockets import Handler, Server, http
from tests.support.twilio import status_body
from twbuild.api.models import Build, BuildPage, BuildStatus, Request, Resource
from twbuild.errors import FetchError

STATUS = Request(Resource.STATUS, BUILD)
DETAILS = Request(Resource.BUILD, BUILD)
PAGE = Request(Resource.PAGE)
MIB = 1 << 20


def body(**fields: object) -> bytes:
    return json.dumps({**status_body(), **fields}).encode()


def anonymous(status: str, **fields: object) -> bytes:
    """An answer that names no build."""
    return http(json.dumps({"sid": None, "url": None, "status": status, **fields}).encode())


def refusal(server: Server, question: Request = STATUS) -> FetchError:
    with pytest.raises(FetchError) as refused:
        fetcher(server.url).fetch(question)
    return refused.value


def requested(handler: Handler, question: Request = STATUS) -> BuildStatus | Build | BuildPage:
    with Server(handler) as server:
        return fetcher(server.url).fetch(question)


class Names:
    """What names that end in `.test` resolve to, and the look-ups of them."""

    def __init__(self) -> None:
        self.addresses = ["127.0.0.1"]
        self.requested: list[str] = []
        self.before: Callable[[str], None] = lambda _: None
        self._real = socket.getaddrinfo

    def getaddrinfo(self, host: str, *more: Any, **named: Any) -> Any:
        """Look a name up as the system does."""
        if not host.endswith(".test"):
            return self._real(host, *more, **named)
        self.requested.append(host)
        self.before(host)
        return [found for one in self.addresses for found in self._real(one, *more, **named)]
