"""Exceptions become FetchErrors: named by their kind, never by their text."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest
import requests
import urllib3

from tests.support.authority import Authority
from tests.support.command import ACCOUNT, SERVICE, TOKEN
from tests.support.fasttime import fetcher
from tests.support.secrets import PROXY_PASSWORD, shown
from tests.support.sockets import (
    Connection,
    Gone,
    Handler,
    Server,
    answering,
    good,
    http,
    socks5,
    unused_port,
)
from tests.unit.api.fetching import STATUS
from twbuild.api import connection_errors, network
from twbuild.api.connector import Phase
from twbuild.api.http_errors import PROXY_LOGIN
from twbuild.api.sent_request import SentRequest
from twbuild.api.transport import TransportError
from twbuild.config import settings
from twbuild.errors import FetchError, PermanentError, TransientError

pytestmark = pytest.mark.usefixtures("trusted")

HOST = "api.example.test"
LOGIN = f"svc:{quote(PROXY_PASSWORD, safe='')}@"


def greeting(content: bytes) -> Handler:
    """Speaks first, and then no more."""

    def handle(connection: Connection) -> None:
        connection.send(content)
        connection.stay_silent()

    return handle


def answering_hello(alert: bytes, before: bytes = b"") -> Handler:
    """Says `before` to CONNECT, where there is one, and `alert` to the hello of a handshake."""

    def handle(connection: Connection) -> None:
        if before:
            connection.request()
            connection.send(before)
        connection.exactly(5)
        connection.send(alert)
        connection.stay_silent()

    return handle


NOT_TLS = http(b"", "400 Bad Request")
SSH = b"SSH-2.0-OpenSSH_9.6\r\n"
NOWHERE = ("127.0.0.1", 1)
PROXY = "proxy {} (HTTPS_PROXY)"
# The scheme of the proxy, or of the URL where there is none; what answers, what is said of it
# where {} is the server's address, and what to do.
ANSWERS: Mapping[str, tuple[str, Handler, str, str]] = {
    "no HTTP": ("http:", greeting(SSH), "the answer is not HTTP", ""),
    "no TLS": (
        "https:",
        greeting(NOT_TLS),
        "the TLS handshake failed: {} does not speak TLS (wrong version number)",
        "",
    ),
    "old TLS": (
        "https:",
        answering_hello(bytes.fromhex("15030100020246")),  # fatal, protocol_version
        "the TLS handshake failed: tlsv1 alert protocol version",
        "twbuild needs TLS 1.2 or newer",
    ),
    "no TLS of the proxy": (
        "https",
        greeting(NOT_TLS),
        f"the TLS handshake failed: {PROXY} does not speak TLS (wrong version number)",
        "The proxy's address begins with https://: write http:// there.",
    ),
    "no TLS behind the proxy": (
        "http",
        answering_hello(NOT_TLS, b"HTTP/1.1 200 Established\r\n\r\n"),
        f"the TLS handshake failed: {HOST} does not speak TLS (wrong version number)",
        "",
    ),
    "407 to CONNECT": (
        "http",
        answering(http(b"", "407 Login")),
        f"the {PROXY} refused CONNECT: HTTP 407",
        PROXY_LOGIN,
    ),
    "a SOCKS proxy's password": (
        "socks5h",
        socks5(NOWHERE, user=(b"svc", b"other")),
        f"{PROXY} refused the user name and password, or requires them",
        PROXY_LOGIN,
    ),
    "a SOCKS proxy's rules": (
        "socks5h",
        socks5(NOWHERE, reply=2),
        f"{PROXY} could not connect: connection not allowed by ruleset",
        "",
    ),
    "a SOCKS proxy's network": (
        "socks5h",
        socks5(NOWHERE, reply=4),
        f"{PROXY} could not connect: host unreachable",
        "",
    ),
    "no SOCKS": ("socks5h", greeting(SSH), f"{PROXY} did not answer as a SOCKS proxy", ""),
}


@pytest.mark.parametrize("row", ANSWERS)
def test_what_answers_in_place_of_the_api_is_reported(
    environ: pytest.MonkeyPatch, row: str
) -> None:
    """What answers in place of the API is reported in words and what helps."""
    scheme, handler, words, hint = ANSWERS[row]
    with Server(handler) as server:
        url = f"{scheme}//{server.netloc}"
        if not scheme.endswith(":"):
            login = LOGIN if scheme != "socks5h" or "password" in row else ""
            environ.setenv("HTTPS_PROXY", f"{scheme}://{login}{server.netloc}")
            url = f"https://{HOST}"
        with pytest.raises(FetchError) as refused:
            fetcher(url).fetch(STATUS)

        assert refused.value.reason == words.format(server.netloc)
    assert hint in " ".join(refused.value.hints)
    assert isinstance(refused.value, PermanentError) == (hint == PROXY_LOGIN)
    reported = " ".join([refused.value.message, *refused.value.hints, *refused.value.details])
    assert shown(reported, "%2F") == []
    assert "OpenSSH" not in reported


def test_a_proxys_name_that_does_not_resolve_is_reported(
    environ: pytest.MonkeyPatch,
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    environ.setattr(socket, "getaddrinfo", unknown)
    environ.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    with pytest.raises(TransientError, match=r"resolve proxy proxy\.invalid:3128 \(HTTPS_PROXY\)"):
        fetcher("https://api.example.test").fetch(STATUS)


@pytest.mark.parametrize("number", [None, errno.ECONNREFUSED, errno.ETIMEDOUT, errno.ENETUNREACH])
def test_a_proxy_for_http_alone_is_pointed_out(
    environ: pytest.MonkeyPatch, number: int | None
) -> None:
    """A proxy for HTTP alone is pointed out where no connection comes about."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, "") if number else socket.gaierror(socket.EAI_NONAME, "unknown")

    environ.setattr(socket, "create_connection" if number else "getaddrinfo", fail)
    environ.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with pytest.raises(TransientError) as refused:
        fetcher("https://192.0.2.1" if number else "https://api.example.test").fetch(STATUS)

    assert refused.value.hints[-1].startswith("HTTP_PROXY is set, but has no effect here.")


@pytest.mark.parametrize(("begins", "ends"), [(1, 2), (-2, -1)], ids=["tomorrow", "yesterday"])
def test_a_certificate_of_another_day_hints_at_the_clock(
    authority: Authority, begins: float, ends: float
) -> None:
    other = authority.context("127.0.0.1", begins=begins, ends=ends)
    with Server(answering(good()), other) as server, pytest.raises(PermanentError) as refused:
        fetcher(server.url).fetch(STATUS)

    assert "Check this machine's clock" in " ".join(refused.value.hints)
    assert (server.accepted, server.requests) == (1, [])


def test_a_rule_of_newer_pythons_is_reported() -> None:
    """A rule of newer Pythons is reported in OpenSSL's words and what helps."""
    raised = ssl.SSLCertVerificationError(1, SECRET_TEXT)
    raised.verify_code, raised.verify_message = 92, "Missing Authority Key Identifier"
    error = from_exception(raised, Phase.TLS)

    assert error.reason.endswith("does not verify: Missing Authority Key Identifier")
    assert error.hints[0].startswith("Python 3.13 and newer verify more strictly.")


def test_a_missing_proxy_is_named_without_its_password(
    environ: pytest.MonkeyPatch,
) -> None:
    port = unused_port()
    environ.setenv("ALL_PROXY", f"http://{LOGIN}127.0.0.1:{port}")
    with pytest.raises(TransientError) as refused:
        fetcher(f"https://{HOST}").fetch(STATUS)

    assert refused.value.reason == f"connection refused by proxy 127.0.0.1:{port} (ALL_PROXY)"
    assert shown(" ".join([*refused.value.hints, *refused.value.details]), "%2F") == []


@pytest.mark.parametrize(
    ("status", "fatal"), [(401, True), (404, False), (407, True), (429, False), (503, False)]
)
def test_a_proxys_answer_to_connect_is_judged_by_status(
    environ: pytest.MonkeyPatch, status: int, fatal: bool
) -> None:
    with Server(answering(http(b"", f"{status} No"))) as proxy:
        environ.setenv("HTTPS_PROXY", f"http://{proxy.netloc}")
        with pytest.raises(PermanentError if fatal else TransientError, match="CONNECT") as refused:
            fetcher("https://api.example.test").fetch(STATUS)

    assert refused.value.http_status == status


@pytest.mark.parametrize("scheme", ["socks4", "socks5"])
@pytest.mark.parametrize("unknown", ["api.example.test", "proxy.example.test"])
def test_the_name_that_does_not_resolve_is_reported_of_two(
    environ: pytest.MonkeyPatch, scheme: str, unknown: str
) -> None:
    """Of a SOCKS proxy and the API the name that does not resolve is reported."""
    real = socket.getaddrinfo

    def look_up(host: str, *more: Any, **named: Any) -> Any:
        if host == unknown:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return real("127.0.0.1", *more, **named)

    environ.setattr(socket, "getaddrinfo", look_up)
    with Server(socks5(("127.0.0.1", 1))) as proxy:
        environ.setenv("ALL_PROXY", f"{scheme}://proxy.example.test:{proxy.port}")
        with pytest.raises(TransientError) as refused:
            fetcher("https://api.example.test").fetch(STATUS)

    assert refused.value.reason.startswith("could not resolve ")
    assert unknown in refused.value.reason
    reported = " ".join(refused.value.hints)
    assert (f"{scheme}{'a' if scheme == 'socks4' else 'h'}://" in reported) == unknown.startswith(
        "api"
    )


FIREWALL = "A firewall or sandbox on this machine"


@pytest.mark.parametrize(
    ("number", "words", "hint"),
    [
        (errno.ENETUNREACH, "could not reach {}: network is unreachable", "Check the network"),
        (errno.EHOSTUNREACH, "could not reach {}: no route to host", "Check the network"),
        (errno.EACCES, "could not reach {}: permission denied", FIREWALL),
        (errno.EPERM, "could not reach {}: operation not permitted", FIREWALL),
        (errno.EMFILE, "could not reach {}: too many open files", "ulimit -n"),
        (errno.ENOBUFS, "could not reach {}: no buffer space available", ""),
        (errno.ECONNREFUSED, "connection refused by {}", "Check TWBUILD_API_URL."),
        (errno.ETIMEDOUT, "connection to {} timed out", "Check TWBUILD_API_URL."),
        (errno.ECONNRESET, "connection lost", ""),
    ],
)
def test_a_failed_connection_is_reported_in_the_systems_words(
    environ: pytest.MonkeyPatch, number: int, words: str, hint: str
) -> None:
    """Why no connection comes about is reported in the system's words with what helps."""

    def connect(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    environ.setattr(socket.socket, "connect", connect)
    with pytest.raises(TransientError) as refused:
        fetcher("http://127.0.0.1:1").fetch(STATUS)

    assert refused.value.reason == words.format("127.0.0.1:1")
    assert hint in " ".join(refused.value.hints)


def test_a_region_or_edge_that_does_not_resolve_is_named(
    environ: pytest.MonkeyPatch,
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    environ.setattr(socket, "getaddrinfo", unknown)
    where = {"TWILIO_REGION": "zz9", "TWILIO_EDGE": "nowhere", "TWBUILD_API_URL": ""}
    with pytest.raises(TransientError) as refused:
        fetcher("", where).fetch(STATUS)

    reported = " ".join([*refused.value.hints, *refused.value.details])
    assert "Check the region and the edge" in reported
    assert "could not resolve serverless.nowhere.zz9.twilio.com" in refused.value.message
    assert "TWILIO_REGION (zz9)" in reported
    assert "TWILIO_EDGE (nowhere)" in reported


@pytest.mark.parametrize(
    ("newest", "words"),
    [
        (ssl.TLSVersion.TLSv1_2, "sslv3 alert handshake failure"),
        (ssl.TLSVersion.TLSv1_3, "tlsv13 alert certificate required"),
    ],
)
def test_a_server_that_requires_a_client_certificate_is_reported(
    authority: Authority, newest: ssl.TLSVersion, words: str
) -> None:
    context = authority.context("127.0.0.1")
    context.verify_mode, context.maximum_version = ssl.CERT_REQUIRED, newest
    authority.ca.configure_trust(context)

    def handle(connection: Connection) -> None:
        connection.socket.settimeout(5)
        with context.wrap_socket(
            connection.socket, server_side=True, do_handshake_on_connect=False
        ) as tls:
            with pytest.raises(ssl.SSLError):
                tls.do_handshake()
            connection.pause(1)  # closed at once, the system would throw the alert away
        raise Gone

    with Server(handle) as server, pytest.raises(TransientError) as refused:
        fetcher(f"https://{server.netloc}").fetch(STATUS)

    assert refused.value.reason == f"the TLS handshake failed: {words}"
    assert "a client certificate, which twbuild cannot send" in " ".join(refused.value.hints)


SECRET_TEXT = "http://svc:Hunter2x@proxy:1 Authorization: Basic QUM6"

# What is raised, in which phase of the request, and what is said.
RAISED: Mapping[str, tuple[Exception, Phase, str]] = {
    "connection": (requests.ConnectionError(SECRET_TEXT), Phase.ANSWER, "connection lost"),
    "refused": (
        requests.ConnectionError(ConnectionRefusedError(SECRET_TEXT)),
        Phase.CONNECTION,
        "refused by 127",
    ),
    "name": (
        requests.ConnectionError(socket.gaierror(-2, SECRET_TEXT)),
        Phase.NAME,
        "could not resolve",
    ),
    "proxy": (requests.exceptions.ProxyError(SECRET_TEXT), Phase.CONNECTION, "connection lost"),
    "tunnel": (
        requests.exceptions.ProxyError(OSError(f"Tunnel connection failed: 502 {SECRET_TEXT}")),
        Phase.PROXY,
        "refused CONNECT: HTTP 502",
    ),
    "TLS": (
        requests.exceptions.SSLError(ssl.SSLError(1, SECRET_TEXT)),
        Phase.TLS,
        "the TLS handshake failed",
    ),
    "connect timeout": (
        requests.ConnectTimeout(SECRET_TEXT),
        Phase.CONNECTION,
        "connection to 127.0.0.1:1 timed out",
    ),
    "read timeout": (requests.ReadTimeout(SECRET_TEXT), Phase.ANSWER, "no answer within 15s"),
    "socket timeout": (TimeoutError(SECRET_TEXT), Phase.ANSWER, "no answer within 15s"),
    "protocol": (urllib3.exceptions.ProtocolError(SECRET_TEXT), Phase.ANSWER, "connection lost"),
    "cut": (urllib3.exceptions.IncompleteRead(1, 2), Phase.ANSWER, "the answer was cut short"),
    "chunk": (
        requests.exceptions.ChunkedEncodingError(SECRET_TEXT),
        Phase.ANSWER,
        "connection lost",
    ),
    "operating system": (OSError(5, SECRET_TEXT), Phase.ANSWER, "input/output error"),
    "proxy's address": (
        requests.exceptions.InvalidProxyURL(SECRET_TEXT),
        Phase.NAME,
        "is not valid for requests",
    ),
    "value": (ValueError(SECRET_TEXT), Phase.NAME, "is not valid for requests"),
    "answer": (ValueError(SECRET_TEXT), Phase.ANSWER, "the answer is not HTTP"),
}
# What a row of the live screen says of them; a row has 24 columns for it and the countdown.
IN_SHORT = {
    "connection": "disconnected",
    "refused": "refused",
    "name": "DNS",
    "proxy": "disconnected",
    "tunnel": "proxy 502",
    "TLS": "TLS",
    "connect timeout": "timed out",
    "read timeout": "no answer",
    "socket timeout": "no answer",
    "protocol": "disconnected",
    "cut": "bad answer",
    "chunk": "disconnected",
    "operating system": "unreachable",
    "answer": "bad answer",
}


def from_exception(raised: Exception, phase: Phase) -> FetchError:
    error = TransportError()
    error.__cause__ = raised
    url = "http://127.0.0.1:1"
    given = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN, "TWBUILD_API_URL": url}
    sent = SentRequest(STATUS, SERVICE, "/v1", settings.load_settings(given, None), None, str)
    attempt = connection_errors.Attempt(sent, network.network_for(url), phase)
    return connection_errors.from_exception(attempt, error)


@pytest.mark.parametrize("row", RAISED)
def test_an_exception_is_reported_by_kind_not_by_text(row: str) -> None:
    raised, phase, reason = RAISED[row]
    error = from_exception(raised, phase)

    reported = " ".join([error.reason, error.message, *error.hints])
    assert reason in reported
    assert "Hunter2x" not in reported
    assert "QUM6" not in reported
    assert isinstance(error, PermanentError) == ("is not valid" in reason)
    assert isinstance(error, PermanentError) or error.short == IN_SHORT[row]


def test_exceptions_that_hold_each_other_are_no_endless_loop() -> None:
    first, second = requests.ConnectionError(), OSError()
    first.__cause__, second.__cause__ = second, first

    assert from_exception(first, Phase.ANSWER).reason == "connection lost"
