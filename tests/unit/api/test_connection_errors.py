"""Exceptions become FetchErrors: told by their kind, never by their text."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import warnings
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
import trustme
import urllib3

from tests.support.command import ACCOUNT, SERVICE, TOKEN
from tests.support.fasttime import fetcher
from tests.support.secrets import PROXY_PASSWORD, shown
from tests.support.sockets import (
    Connection,
    Server,
    answering,
    good,
    http,
    socks5,
    unused_port,
)
from tests.unit.api.fetching import STATUS
from tests.unit.api.tls import bundle, context
from twbuild.api import connection_errors, network
from twbuild.api.connector import Phase
from twbuild.api.http_errors import SentRequest
from twbuild.api.transport import TransportError
from twbuild.config import settings
from twbuild.errors import FetchError, PermanentError, TransientError

pytestmark = pytest.mark.usefixtures("trusted")


def test_a_proxys_name_that_does_not_resolve_is_the_one_that_is_told(
    environ: pytest.MonkeyPatch,
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    environ.setattr(socket, "getaddrinfo", unknown)
    environ.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    with pytest.raises(TransientError, match=r"resolve proxy proxy\.invalid:3128 \(HTTPS_PROXY\)"):
        fetcher("https://api.example.test").fetch(STATUS)


@pytest.mark.parametrize("number", [None, errno.ECONNREFUSED, errno.ETIMEDOUT, errno.ENETUNREACH])
def test_a_proxy_for_http_alone_is_pointed_out_where_no_connection_comes_about(
    environ: pytest.MonkeyPatch, number: int | None
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, "") if number else socket.gaierror(socket.EAI_NONAME, "unknown")

    environ.setattr(socket, "create_connection" if number else "getaddrinfo", fail)
    environ.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with pytest.raises(TransientError) as refused:
        fetcher("https://192.0.2.1" if number else "https://api.example.test").fetch(STATUS)

    assert refused.value.hints[-1].startswith("HTTP_PROXY is set, but has no effect here.")


def test_a_certificate_of_tomorrow_makes_one_look_at_the_clock(
    environ: pytest.MonkeyPatch, tmp_path: Path, authority: trustme.CA
) -> None:
    tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
    environ.setenv("REQUESTS_CA_BUNDLE", str(bundle(tmp_path, authority.cert_pem.bytes())))
    early = context(authority, "127.0.0.1", not_before=tomorrow)
    with Server(answering(good()), early) as server, pytest.raises(PermanentError) as refused:
        fetcher(server.url).fetch(STATUS)

    assert "certificate is not yet valid" in refused.value.message
    assert "clock" in " ".join(refused.value.hints)
    assert server.accepted == 1


def test_a_certificate_for_another_address_is_told_as_such(
    environ: pytest.MonkeyPatch, tmp_path: Path, authority: trustme.CA
) -> None:
    environ.setenv("REQUESTS_CA_BUNDLE", str(bundle(tmp_path, authority.cert_pem.bytes())))
    other = context(authority, "127.0.0.2")
    with Server(answering(good()), other) as server, pytest.raises(PermanentError) as refused:
        fetcher(server.url).fetch(STATUS)

    assert "IP address mismatch" in refused.value.message


def test_a_proxy_that_is_not_there_is_passing_trouble(environ: pytest.MonkeyPatch) -> None:
    port = unused_port()
    environ.setenv("HTTPS_PROXY", f"http://u:{PROXY_PASSWORD.replace('/', '%2F')}@127.0.0.1:{port}")
    with pytest.raises(TransientError) as refused:
        fetcher("https://api.example.test").fetch(STATUS)

    told = " ".join([refused.value.reason, refused.value.message, *refused.value.hints])
    assert f"connection refused by proxy 127.0.0.1:{port} (HTTPS_PROXY)" in told
    assert shown(told, "%2F") == []


@pytest.mark.parametrize(
    ("status", "fatal"), [(401, True), (404, False), (407, True), (429, False), (503, False)]
)
def test_what_a_proxy_says_to_connect_is_judged_by_its_status(
    environ: pytest.MonkeyPatch, status: int, fatal: bool
) -> None:
    with Server(answering(http(b"", f"{status} No"))) as proxy:
        environ.setenv("HTTPS_PROXY", f"http://{proxy.netloc}")
        with pytest.raises(PermanentError if fatal else TransientError, match="CONNECT") as refused:
            fetcher("https://api.example.test").fetch(STATUS)

    assert refused.value.http_status == status


@pytest.mark.parametrize(
    ("reply", "words"), [(2, "not allowed"), (4, "host unreachable"), (5, "connection refused")]
)
def test_what_a_socks_proxy_refuses_with_is_told(
    environ: pytest.MonkeyPatch, reply: int, words: str
) -> None:
    with Server(socks5(("127.0.0.1", 1), reply=reply)) as proxy:
        environ.setenv("ALL_PROXY", f"socks5h://{proxy.netloc}")
        with pytest.raises(TransientError) as refused:
            fetcher("https://api.example.test").fetch(STATUS)

    assert "could not connect" in refused.value.reason
    assert words in refused.value.reason


@pytest.mark.parametrize("scheme", ["socks4", "socks5"])
@pytest.mark.parametrize("unknown", ["api.example.test", "proxy.example.test"])
def test_of_a_socks_proxy_and_the_api_the_name_that_does_not_resolve_is_told(
    environ: pytest.MonkeyPatch, scheme: str, unknown: str
) -> None:
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
    told = " ".join(refused.value.hints)
    assert (f"{scheme}{'a' if scheme == 'socks4' else 'h'}://" in told) == unknown.startswith("api")


def test_a_socks_proxy_that_refuses_the_password_is_told_so(
    environ: pytest.MonkeyPatch,
) -> None:
    with Server(socks5(("127.0.0.1", 1), user=(b"a", b"b"))) as proxy:
        environ.setenv("ALL_PROXY", f"socks5h://a:{quote(PROXY_PASSWORD, '')}@{proxy.netloc}")
        with pytest.raises(PermanentError, match="refused the user name and password") as refused:
            fetcher("https://api.example.test").fetch(STATUS)

    assert shown(refused.value.message) == []


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENETUNREACH, "could not reach 127.0.0.1:1: network is unreachable"),
        (errno.EHOSTUNREACH, "no route to host"),
        (errno.EACCES, "permission denied"),
        (errno.EPERM, "operation not permitted"),
        (errno.EMFILE, "too many open files"),
        (errno.ENOBUFS, "no buffer space available"),
        (errno.EADDRNOTAVAIL, "cannot assign requested address"),
        (errno.ECONNREFUSED, "connection refused by 127.0.0.1:1"),
        (errno.ETIMEDOUT, "connection to 127.0.0.1:1 timed out"),
        (errno.ECONNRESET, "connection lost"),
    ],
)
def test_why_no_connection_comes_about_is_told_in_the_systems_words(
    environ: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def connect(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    environ.setattr(socket.socket, "connect", connect)
    with pytest.raises(TransientError) as refused:
        fetcher("http://127.0.0.1:1").fetch(STATUS)

    assert words in refused.value.reason


def test_a_region_or_edge_that_does_not_resolve_is_named_with_its_value(
    environ: pytest.MonkeyPatch,
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    environ.setattr(socket, "getaddrinfo", unknown)
    where = {"TWILIO_REGION": "zz9", "TWILIO_EDGE": "nowhere", "TWBUILD_API_URL": ""}
    with pytest.raises(TransientError) as refused:
        fetcher("", where).fetch(STATUS)

    told = " ".join([*refused.value.hints, *refused.value.details])
    assert "Check the region and the edge" in told
    assert "could not resolve serverless.nowhere.zz9.twilio.com" in refused.value.message
    assert "TWILIO_REGION (zz9)" in told
    assert "TWILIO_EDGE (nowhere)" in told


def test_a_proxy_that_does_not_speak_tls_is_told_with_what_to_write(
    environ: pytest.MonkeyPatch,
) -> None:
    with Server(answering(http(b"", "400 Bad Request"), close=True)) as proxy:

        def greet(connection: Connection) -> None:
            connection.send(http(b"", "400 Bad Request"))
            connection.stay_silent()

        proxy.handle = greet
        environ.setenv("HTTPS_PROXY", f"https://{proxy.netloc}")
        with pytest.raises(TransientError) as refused:
            fetcher("https://api.example.test").fetch(STATUS)

    assert "does not speak TLS" in refused.value.reason
    assert "write http://" in " ".join(refused.value.hints)


def test_a_server_that_wants_a_client_certificate_is_told_in_openssls_words(
    environ: pytest.MonkeyPatch, tmp_path: Path, authority: trustme.CA
) -> None:
    environ.setenv("REQUESTS_CA_BUNDLE", str(bundle(tmp_path, authority.cert_pem.bytes())))
    wanting = context(authority, "127.0.0.1")
    wanting.maximum_version = ssl.TLSVersion.TLSv1_2  # in 1.3 it is refused after the handshake
    wanting.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(wanting)
    with Server(answering(good()), wanting) as server, pytest.raises(TransientError) as refused:
        fetcher(server.url).fetch(STATUS)

    assert "the TLS handshake failed: sslv3 alert handshake failure" in refused.value.reason


def test_a_server_of_old_tls_is_told_in_openssls_words(
    environ: pytest.MonkeyPatch, tmp_path: Path, authority: trustme.CA
) -> None:
    environ.setenv("REQUESTS_CA_BUNDLE", str(bundle(tmp_path, authority.cert_pem.bytes())))
    old = context(authority, "127.0.0.1")
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with Server(answering(good()), old) as server, pytest.raises(TransientError) as refused:
        fetcher(server.url).fetch(STATUS)

    assert "the TLS handshake failed: " in refused.value.reason
    assert "version" in refused.value.reason or "protocol" in refused.value.reason


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


def from_exception(raised: Exception, phase: Phase) -> FetchError:
    error = TransportError()
    error.__cause__ = raised
    url = "http://127.0.0.1:1"
    given = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN, "TWBUILD_API_URL": url}
    sent = SentRequest(STATUS, SERVICE, "/v1", settings.load_settings(given, None), None, str)
    attempt = connection_errors.Attempt(sent, network.network_for(url), phase)
    return connection_errors.from_exception(attempt, error)


@pytest.mark.parametrize("row", RAISED)
def test_an_exception_is_told_by_its_kind_and_never_by_its_text(row: str) -> None:
    raised, phase, reason = RAISED[row]
    error = from_exception(raised, phase)

    told = " ".join([error.reason, error.message, *error.hints])
    assert reason in told
    assert "Hunter2x" not in told
    assert "QUM6" not in told
    assert isinstance(error, PermanentError) == ("is not valid" in reason)


def test_exceptions_that_hold_each_other_are_no_endless_loop() -> None:
    first, second = requests.ConnectionError(), OSError()
    first.__cause__, second.__cause__ = second, first

    assert from_exception(first, Phase.ANSWER).reason == "connection lost"
