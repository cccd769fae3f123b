"""Requests that brought no whole response, told for people: exceptions into FetchErrors.

The text of an exception is never shown: it may quote passwords of proxies or bits of a token.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from datetime import datetime, timezone

import urllib3

from twbuild.errors import FatalError, FetchError, PassingError
from twbuild.leanrequests import requests
from twbuild.problems import PASSING_4XX, Asked

# OpenSSL's X509_V_ERR_* numbers, for people.
_CERTIFICATE = {
    9: "it is not valid yet",
    10: "it has expired",
    18: "it is signed by itself",
    19: "an authority that this machine does not know signed it",
    20: "an authority that this machine does not know signed it",
    62: "it is for another name",
    64: "it is for another address",
}
_CLOCK = (9, 10)


def of_exception(asked: Asked, error: Exception) -> FetchError:
    """A request that brought no whole response."""
    causes = list(_causes(error))
    if refused := _refused_by_proxy(causes):
        return _of_connect(asked, refused)
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _of_certificate(asked, cause.verify_code)
    told = next(t for kinds, t in _MISHAPS if any(isinstance(c, kinds) for c in causes))
    reason = told.format(peer=asked.route or asked.host, name=asked.route or asked.name)
    hints = []
    if told is _UNRESOLVED and asked.settings.routed:
        hints = ["the host's name was made from region and edge: do they exist?"]
    return PassingError(reason, reason, asked.question, *hints)


_UNRESOLVED = "the name of {name} does not resolve"

# The first that is among the causes tells most; an exception may be held by several others.
_MISHAPS: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((ssl.SSLError,), "the TLS handshake failed"),
    ((socket.gaierror,), _UNRESOLVED),
    ((ConnectionRefusedError,), "connection refused by {peer}"),
    (
        (urllib3.exceptions.ConnectTimeoutError, requests.ConnectTimeout),
        "no connection to {peer} in time",
    ),
    (
        (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError),
        "no answer in time",
    ),
    (
        (urllib3.exceptions.DecodeError, requests.exceptions.ContentDecodingError),
        "the answer is badly compressed",
    ),
    ((urllib3.exceptions.IncompleteRead,), "the answer was cut short"),
    ((Exception,), "the connection broke"),
)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The exception, and all that it was raised from, holds as its reason, or among its args."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        current = waiting.pop(0)
        if isinstance(current, BaseException) and current not in seen:
            seen.append(current)
            yield current
            waiting += [current.__cause__, current.__context__, getattr(current, "reason", None)]
            waiting += current.args


def _refused_by_proxy(causes: list[BaseException]) -> int | None:
    """The HTTP status of a CONNECT that was refused; http.client tells it in a text only."""
    for cause in causes:
        text = str(cause.args[0]) if isinstance(cause, OSError) and cause.args else ""
        if match := re.match(r"Tunnel connection failed: ([0-9]{3})\b", text):
            return int(match[1])
    return None


def _of_connect(asked: Asked, status: int) -> FetchError:
    reason = f"the {asked.route or 'proxy'} refused CONNECT: HTTP {status}"
    if status >= 500 or status in PASSING_4XX:
        return PassingError(reason, reason, asked.question, http_status=status)
    hints = ["the proxy wants a user name and password of its own"] if status == 407 else []
    return FatalError(reason, reason, asked.question, *hints, http_status=status)


def _of_certificate(asked: Asked, code: int) -> FatalError:
    reason = f"the certificate does not verify: {_CERTIFICATE.get(code, f'OpenSSL error {code}')}"
    hints = ["REQUESTS_CA_BUNDLE names the authorities of a company's own proxy"]
    if code in _CLOCK:
        now = datetime.now(timezone.utc)
        hints = [f"is this machine's clock right? It says {now:%Y-%m-%d %H:%M} UTC"]
    return FatalError(reason, reason, asked.question, *hints)
