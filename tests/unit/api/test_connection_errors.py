"""Exceptions become FetchErrors: named by their kind, never by their text."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Callable
from urllib.parse import quote

import pytest
import requests
from requests.exceptions import ConnectTimeout, InvalidProxyURL, ProxyError, ReadTimeout
from urllib3.exceptions import IncompleteRead, ProtocolError

from tests.support.run import Env
from tests.support.secrets import PROXY_PASSWORD, shown
from tests.support.sockets import Connection, Handler, Server, answering, http, socks5
from tests.unit.api.fetching import HOST, Names, refused_by, sent_request
from twbuild.api import connection_errors, network
from twbuild.api.connector import Phase
from twbuild.api.http_errors import PORTAL, PROXY_LOGIN
from twbuild.api.transport import TransportError
from twbuild.errors import FetchError, PermanentError, TransientError

pytestmark = pytest.mark.usefixtures("trusted")

LOGIN = f"svc:{quote(PROXY_PASSWORD, safe='')}@"
NEAR_MISS = "HTTP_PROXY is set, but has no effect here. Set HTTPS_PROXY to the same value."
CHECK_DNS = "Check the network or DNS."
CHECK_NETWORK = "Check the network, and a VPN if you use one."
LOWER_MISS = f"{CHECK_DNS}\n{NEAR_MISS.replace('HTTP_PROXY', 'http_proxy')}"
REGIONAL = "serverless.no.zz9.twilio.com"
MADE_FROM = f"at {REGIONAL} (from TWILIO_REGION (zz9) and TWILIO_EDGE (no))"
CHECK_REGION = "Check the region and the edge, the network and DNS."
OF_PROXY = "proxy p.test (HTTPS_PROXY)"
LET_IT_RESOLVE = "With socks5h:// or socks4a:// the proxy resolves it."
FIREWALL = "A firewall or sandbox on this machine may forbid the connection."
FILES = "Raise the limit of open files (ulimit -n), or wait for fewer builds at once."


def replying(content: bytes, before: bytes = b"") -> Handler:
    """Says `content` to the first bytes; to CONNECT, where there is `before`, that."""

    def handle(connection: Connection) -> None:
        if before:
            connection.request()
            connection.send(before)
        connection.exactly(3)
        connection.send(content)
        connection.stay_silent()

    return handle


def alert(number: int) -> Handler:
    """Ends a handshake. Source: https://www.rfc-editor.org/rfc/rfc8446#section-6"""
    return replying(b"\x15\3\1\0\2\2" + bytes([number]))


SSH = b"SSH-2.0-OpenSSH_9.6\r\n"
NOT_TLS = http(b"", "400 Bad Request")
BEHIND = replying(NOT_TLS, b"HTTP/1.1 200 Established\r\n\r\n")
NOWHERE = ("127.0.0.1", 1)
LOGIN_PAGE = answering(http(b"", "407 Login"))
FORBIDS = answering(http(b"", "403 No"))
LONG_HEAD, LONG = replying(b"HTTP/1.1 200 ".ljust(70_000, b"x")), "has a head of over 64 KiB"
REACH = f"Check the proxy: it may not allow or reach {HOST}."
CHECK_PROXY, CHECK_URL = "Check the proxy's address, and the network.", "Check TWBUILD_API_URL."
REFUSED_LOGIN = "refused the user name and password, or requires them"
FORBIDDEN = "could not connect: connection not allowed by ruleset"
LOCKED = socks5(NOWHERE, user=(b"svc", b"other"))
BROKEN = "the TLS connection failed: "  # after its handshake
FAILED, NO_TLS = "the TLS handshake failed: ", "does not speak TLS (wrong version number)"
OLD_TLS = "The server may speak an old version of TLS only; twbuild needs TLS 1.2 or newer."
CLIENT = "The server may require a client certificate, which twbuild cannot send."
HTTP_URL = "Write http:// in TWBUILD_API_URL."
HTTP_PROXY = "The proxy's address begins with https://: write http:// there."


@pytest.mark.parametrize(
    ("scheme", "handler", "short", "reason", "hint"),
    [
        # The API's scheme
        ("http:", replying(SSH), "bad answer", "the answer is not HTTP", CHECK_URL),
        ("https:", replying(NOT_TLS), "TLS", f"{FAILED}{{api}} {NO_TLS}", HTTP_URL),
        ("https:", alert(70), "TLS", f"{FAILED}tlsv1 alert protocol version", OLD_TLS),
        ("https:", alert(80), "TLS", f"{FAILED}tlsv1 alert internal error", CHECK_URL),
        ("https:", alert(40), "TLS", f"{FAILED}sslv3 alert handshake failure", CLIENT),
        # The proxy's scheme
        ("https", replying(NOT_TLS), "TLS", f"{FAILED}{{proxy}} {NO_TLS}", HTTP_PROXY),
        ("http", BEHIND, "TLS", f"{FAILED}{HOST} {NO_TLS}", PORTAL),
        ("http", replying(SSH), "bad answer", "the answer of {proxy} is not HTTP", CHECK_PROXY),
        ("http", LONG_HEAD, "bad answer", f"the answer of {{proxy}} {LONG}", CHECK_PROXY),
        ("http", FORBIDS, "proxy 403", "the {proxy} refused CONNECT: HTTP 403", REACH),
        ("http", LOGIN_PAGE, "proxy 407", "the {proxy} refused CONNECT: HTTP 407", PROXY_LOGIN),
        ("socks5h", LOCKED, "", f"{{proxy}} {REFUSED_LOGIN}", PROXY_LOGIN),
        ("socks5h", socks5(NOWHERE, reply=2), "proxy", f"{{proxy}} {FORBIDDEN}", ""),
        ("socks5h", replying(SSH), "proxy", "{proxy} did not answer as a SOCKS proxy", ""),
    ],
)
def test_what_answers_in_place_of_the_api_is_reported(
    environ: pytest.MonkeyPatch, scheme: str, handler: Handler, short: str, reason: str, hint: str
) -> None:
    """`short` is for a row of the live screen, which has 24 columns for it and the countdown."""
    with Server(handler) as server:
        url = f"{scheme}//{server.netloc}"
        if not scheme.endswith(":"):
            environ.setenv("HTTPS_PROXY", f"{scheme}://{LOGIN}{server.netloc}")
            url = f"https://{HOST}"
        refused = refused_by(url)

    proxy = f"proxy {server.netloc} (HTTPS_PROXY)"
    assert refused.reason == reason.format(api=server.netloc, proxy=proxy)
    assert refused.short == (short or refused.reason)
    assert refused.hints == ((hint,) if hint else ())
    assert isinstance(refused, PermanentError) == (hint in (PROXY_LOGIN, REACH))
    assert refused.http_status == (int(reason[-3:]) if "CONNECT" in reason else None)
    reported = " ".join([refused.message, *refused.hints, *refused.details])
    assert shown(reported, "%2F") == []
    assert "OpenSSH" not in reported


@pytest.mark.parametrize(
    ("variables", "unknown", "name", "hint"),
    [
        ({}, HOST, HOST, CHECK_DNS),
        ({"TWILIO_REGION": "zz9", "TWILIO_EDGE": "no"}, REGIONAL, REGIONAL, CHECK_REGION),
        ({"HTTP_PROXY": "http://a:1"}, HOST, HOST, f"{CHECK_DNS}\n{NEAR_MISS}"),
        ({"http_proxy": "a:1", "https_proxy": ""}, HOST, HOST, LOWER_MISS),
        ({"HTTP_PROXY": "http://a:1", "NO_PROXY": "*"}, HOST, HOST, CHECK_DNS),
        ({"HTTPS_PROXY": "http://p.test", "HTTP_PROXY": "a:1"}, "p.test", OF_PROXY, CHECK_DNS),
        ({"ALL_PROXY": "socks5://p.test"}, "p.test", "proxy p.test (ALL_PROXY)", CHECK_DNS),
        ({"ALL_PROXY": "socks5://p.test"}, HOST, HOST, LET_IT_RESOLVE),
        ({"ALL_PROXY": "socks4://p.test"}, HOST, HOST, LET_IT_RESOLVE),
    ],
)
def test_the_name_that_does_not_resolve_is_reported(
    environ: pytest.MonkeyPatch, names: Names, variables: Env, unknown: str, name: str, hint: str
) -> None:
    def look_up(host: str) -> None:
        if host == unknown:
            raise socket.gaierror(socket.EAI_NONAME, TEXT)

    names.before = look_up
    for variable, value in variables.items():
        environ.setenv(variable, value)
    refused = refused_by("" if name == REGIONAL else f"https://{HOST}", **variables)

    assert type(refused) is TransientError
    assert (refused.reason, refused.short) == (f"could not resolve {name}", "DNS")
    assert "\n".join(refused.hints) == hint
    assert (MADE_FROM in refused.details[0]) == (name == REGIONAL)


def raising(error: OSError) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise error

    return fail


def test_twilios_own_host_takes_the_network(environ: pytest.MonkeyPatch, names: Names) -> None:
    environ.setattr(socket.socket, "connect", raising(ConnectionRefusedError()))
    refused = refused_by("")

    assert refused.reason == "connection refused by serverless.twilio.com"
    assert refused.hints == (CHECK_NETWORK,)


@pytest.mark.parametrize(
    ("number", "reason", "hint"),
    [
        (errno.ENETUNREACH, "could not reach {}: network is unreachable", CHECK_NETWORK),
        (errno.EACCES, "could not reach {}: permission denied", FIREWALL),
        (errno.EMFILE, "could not reach {}: too many open files", FILES),
        (errno.ENOBUFS, "could not reach {}: no buffer space available", None),
        (errno.ECONNREFUSED, "connection refused by {}", CHECK_URL),
        (errno.ETIMEDOUT, "connection to {} timed out", CHECK_URL),
        (errno.ECONNRESET, "connection lost", CHECK_URL),
    ],
)
def test_a_failed_connection_is_reported_in_the_systems_words(
    environ: pytest.MonkeyPatch, number: int, reason: str, hint: str | None
) -> None:
    environ.setattr(socket.socket, "connect", raising(OSError(number, os.strerror(number))))
    environ.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    refused = refused_by("https://192.0.2.1")

    assert type(refused) is TransientError
    assert refused.reason == reason.format("192.0.2.1")
    assert refused.hints == ((hint, NEAR_MISS) if hint else (NEAR_MISS,))


TEXT = "http://svc:Hunter2x@proxy:1 Authorization: Basic QUM6"
TUNNEL = OSError(f"Tunnel connection failed: 502 {TEXT}")
NOT_SENT = "the request was not sent: its URL, or the proxy's, is not valid for requests"
API = "127.0.0.1:1"
NOT_REACHED = f"could not reach {API}: "


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, TEXT)
    error.reason = reason
    return error


NO_TLS_HERE = tls_error("HTTP_REQUEST")
CERTIFICATE = tls_error("TLSV13_ALERT_CERTIFICATE_REQUIRED")
ENDED, VERSION = tls_error("UNEXPECTED_EOF_WHILE_READING"), tls_error("WRONG_VERSION_NUMBER")


def from_exception(raised: Exception, phase: Phase) -> FetchError:
    error = TransportError()
    error.__cause__ = raised
    url = f"http://{API}"
    sent = sent_request(environ={"TWBUILD_API_URL": url})
    attempt = connection_errors.Attempt(sent, network.network_for(url), phase)
    return connection_errors.from_exception(attempt, error)


@pytest.mark.parametrize(
    ("phase", "raised", "reason", "short"),
    [
        ("NAME", TimeoutError(TEXT), "could not resolve 127.0.0.1 (no answer from DNS)", "DNS"),
        ("NAME", InvalidProxyURL(TEXT), NOT_SENT, NOT_SENT),
        ("NAME", ValueError(TEXT), NOT_SENT, NOT_SENT),
        ("CONNECTION", ConnectTimeout(TEXT), f"connection to {API} timed out", "timed out"),
        ("PROXY", ProxyError(TUNNEL), "the proxy refused CONNECT: HTTP 502", "proxy 502"),
        ("PROXY", TimeoutError(TEXT), f"no answer from {API}", "proxy"),
        ("PROXY_TLS", TimeoutError(TEXT), f"the TLS handshake with {API} timed out", "TLS"),
        ("TLS", TimeoutError(TEXT), f"the TLS handshake with {API} timed out", "TLS"),
        ("TLS", ssl.SSLError(1, TEXT), "the TLS handshake failed", "TLS"),
        ("TLS", NO_TLS_HERE, f"{FAILED}{API} does not speak TLS (http request)", "TLS"),
        ("TLS", ENDED, f"{FAILED}connection lost", "TLS"),
        ("TLS", ssl.SSLEOFError(8, TEXT), f"{FAILED}connection lost", "TLS"),
        ("ANSWER", VERSION, f"{BROKEN}wrong version number", "TLS"),
        ("ANSWER", CERTIFICATE, f"{BROKEN}tlsv13 alert certificate required", "TLS"),
        ("ANSWER", ReadTimeout(TEXT), "no answer within 15s", "no answer"),
        ("ANSWER", requests.ConnectionError(TEXT), "connection lost", "disconnected"),
        ("ANSWER", ConnectionResetError(104, TEXT), "connection lost", "disconnected"),
        ("ANSWER", ProtocolError(TEXT), "connection lost", "disconnected"),
        ("ANSWER", IncompleteRead(1, 2), "the answer was cut short", "bad answer"),
        ("ANSWER", ValueError(TEXT), "the answer is not HTTP", "bad answer"),
        ("ANSWER", OSError(5, TEXT), f"{NOT_REACHED}input/output error", "unreachable"),
        ("ANSWER", MemoryError(), f"{NOT_REACHED}cannot allocate memory", "unreachable"),
    ],
    ids=repr,
)
def test_an_exception_is_reported_by_kind_not_by_text(
    phase: str, raised: Exception, reason: str, short: str
) -> None:
    error = from_exception(raised, Phase[phase])

    reported = " ".join([error.message, *error.hints, *error.details])
    assert (error.reason, error.short) == (reason, short)
    assert isinstance(error, PermanentError) == (reason == NOT_SENT)
    assert any("a client certificate" in hint for hint in error.hints) == (raised is CERTIFICATE)
    assert "Hunter2x" not in reported
    assert "QUM6" not in reported


STRICTER = (
    "Python 3.13 and newer verify more strictly. Ask the issuer of the certificate for a",
    "CA certificate that follows RFC 5280, or run twbuild with Python 3.12.",
)


@pytest.mark.parametrize(("code", "hints"), [(7, ()), (92, STRICTER)])
def test_a_certificates_fault_is_given_in_openssls_words(code: int, hints: tuple[str, ...]) -> None:
    raised = ssl.SSLCertVerificationError(1, TEXT)
    raised.verify_code, raised.verify_message = code, "Missing\x1b Key Identifier."
    error = from_exception(raised, Phase.TLS)

    assert error.reason == f"the certificate of {API} does not verify: Missing Key Identifier"
    assert error.hints == hints
