"""How a request leaves this machine: what the environment says of proxies and CA bundles."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import sys
import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import trustme

from tests.support.command import BUILD, SERVICE
from tests.support.fasttime import close_fetchers, fetcher
from tests.support.secrets import PROXY_PASSWORD, shown
from tests.support.sockets import (
    Connection,
    Server,
    answering,
    good,
    http,
    proxying,
    silent,
    socks5,
    unused_port,
)
from twbuild.api import network, transport
from twbuild.api.models import BuildStatus, Request, Resource, Status
from twbuild.errors import PermanentError, TransientError, UsageError

STATUS = Request(Resource.STATUS, BUILD)
TWILIO = "https://serverless.twilio.com"


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """An environment that says nothing of proxies and bundles."""
    for name in list(os.environ):
        if name.lower().endswith(("_proxy", "_ca_bundle")):
            monkeypatch.delenv(name)
    yield monkeypatch
    close_fetchers()


def test_where_nothing_is_set_the_way_is_direct_and_the_usual_authorities_count() -> None:
    way = network.network_for(TWILIO)

    assert (way.proxies, way.proxy_name) == ({}, None)
    assert way.context
    assert way.context.verify_mode is ssl.CERT_REQUIRED
    assert way.context.check_hostname


@pytest.mark.parametrize(
    ("settings", "route"),
    [
        ({"HTTPS_PROXY": "http://proxy:3128"}, "proxy proxy:3128 (HTTPS_PROXY)"),
        ({"https_proxy": "http://proxy:3128/"}, "proxy proxy:3128 (https_proxy)"),
        ({"ALL_PROXY": "proxy:3128"}, "proxy proxy:3128 (ALL_PROXY)"),
        ({"all_proxy": "https://proxy"}, "proxy proxy (all_proxy)"),
        ({"HTTPS_PROXY": "http://a:1", "ALL_PROXY": "http://b:2"}, "proxy a:1 (HTTPS_PROXY)"),
        ({"HTTPS_PROXY": "http://u:p%40w@a:1"}, "proxy a:1 (HTTPS_PROXY)"),
        ({"HTTPS_PROXY": "http://u:p@w@a:1"}, "proxy a:1 (HTTPS_PROXY)"),
        ({"HTTPS_PROXY": "http://[::1]:3128"}, "proxy [::1]:3128 (HTTPS_PROXY)"),
        ({"HTTPS_PROXY": "socks5h://a:1080"}, "proxy a:1080 (HTTPS_PROXY)"),
        ({"HTTP_PROXY": "http://a:1"}, None),
        ({"HTTPS_PROXY": ""}, None),
        ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": "serverless.twilio.com"}, None),
        ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": ".twilio.com,x"}, None),
        ({"HTTPS_PROXY": "http://a:1", "no_proxy": "*"}, None),
        ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": "example.com"}, "proxy a:1 (HTTPS_PROXY)"),
    ],
    ids=str,
)
def test_the_proxy_is_the_one_that_requests_documents(
    environ: pytest.MonkeyPatch, settings: dict[str, str], route: str | None
) -> None:
    for name, value in settings.items():
        environ.setenv(name, value)

    way = network.network_for(TWILIO)

    assert way.proxy_name == route
    assert bool(way.proxies) == bool(route)
    assert "p@w" not in repr(way)
    assert "p%40w" not in repr(way)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8123", "http://127.9.9.9", "http://localhost", "https://[::1]:1/x"],
)
def test_a_loopback_address_never_goes_through_a_proxy(
    environ: pytest.MonkeyPatch, url: str
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        environ.setenv(name, "http://127.0.0.1:9")

    way = network.network_for(url)

    assert (way.proxies, way.proxy_name) == ({}, None)


def test_a_request_to_this_machine_is_sent_past_every_proxy(environ: pytest.MonkeyPatch) -> None:
    with Server(answering(good("completed"))) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            environ.setenv(name, "http://127.0.0.1:9")

        assert fetcher(server.url).fetch(STATUS)


@pytest.mark.parametrize(
    "value",
    [
        "http://",
        "http://:8080",
        "http://h:99999",
        "http://h:port",
        "ftp://h:21",
        "http//h:80",
        f"http://u:{PROXY_PASSWORD}@h:1",
        f"http://u:7/{PROXY_PASSWORD}@h:1",
        f"http://u:7#{PROXY_PASSWORD}@h:1",
        f"http://u:7?{PROXY_PASSWORD}@h:1",
        f"u:{PROXY_PASSWORD}@h:1:2",
        "http://[::1",
        "http://.h:1",
        "http://a..b:1",
        "http://h:0",
        " ",
        "\x1b[1m",
        f"http://u:{PROXY_PASSWORD.replace('/', '%2F')}€@h:1",
        f"http://u:{PROXY_PASSWORD.replace('/', '%2F')}%E4@h:1",
        f"socks5h://u:{PROXY_PASSWORD.replace('/', '%2F')}\udce4@h:1",
    ],
    ids=ascii,
)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
def test_a_malformed_proxy_is_refused_by_name_and_never_repeated(
    environ: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    environ.setenv(variable, value)
    with pytest.raises(UsageError) as refused:
        network.network_for(TWILIO)

    told = " ".join([refused.value.message, *refused.value.hints, *refused.value.details])
    assert refused.value.message.startswith(f"{variable} ")
    assert shown(told) == []
    assert told.isprintable()


def test_a_socks_proxy_without_its_package_is_refused_by_name(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("ALL_PROXY", f"socks5://u:{PROXY_PASSWORD.replace('/', '%2F')}@h:1080")
    environ.setitem(sys.modules, "socks", None)
    with pytest.raises(UsageError, match=r"ALL_PROXY is a SOCKS proxy, which needs .*PySocks"):
        network.network_for(TWILIO)


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_a_proxy_that_never_answers_is_named(environ: pytest.MonkeyPatch, scheme: str) -> None:
    environ.setattr(transport, "CONNECT_SECONDS", 0.3)
    with Server(silent) as proxy:
        environ.setenv("HTTPS_PROXY", f"{scheme}://{proxy.netloc}")
        with pytest.raises(TransientError, match="timed out") as refused:
            fetcher("https://api.example.test").fetch(STATUS)

    assert proxy.netloc in " ".join(
        [refused.value.message, *refused.value.hints, *refused.value.details]
    )


def test_a_proxys_name_that_does_not_resolve_is_the_one_that_is_told(
    environ: pytest.MonkeyPatch,
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    environ.setattr(socket, "getaddrinfo", unknown)
    environ.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    with pytest.raises(TransientError, match=r"resolve proxy proxy\.invalid:3128 \(HTTPS_PROXY\)"):
        fetcher("https://api.example.test").fetch(STATUS)


# CA bundles.


def bundle(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "bundle.pem"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("content", [b"", b"\n", b"no certificate", b"\xff\0" * 99])
def test_a_bundle_without_a_certificate_is_refused_by_name(
    environ: pytest.MonkeyPatch, tmp_path: Path, variable: str, content: bytes
) -> None:
    path = bundle(tmp_path, content)
    environ.setenv(variable, str(path))
    with pytest.raises(UsageError) as refused:
        network.network_for(TWILIO)

    assert refused.value.message == f"{variable} cannot be used: {path}: contains no certificate"


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_bundle_that_is_not_there_is_refused_by_name(
    environ: pytest.MonkeyPatch, variable: str
) -> None:
    environ.setenv(variable, "/no/such\x1b.pem")
    with pytest.raises(UsageError) as refused:
        network.network_for(TWILIO)

    message = f"{variable} cannot be used: /no/such\\x1b.pem: no such file or directory"
    assert refused.value.message == message


def test_an_empty_folder_of_authorities_is_refused_by_name(
    environ: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environ.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    with pytest.raises(UsageError, match="REQUESTS_CA_BUNDLE cannot be used"):
        network.network_for(TWILIO)


def test_an_empty_variable_and_plain_http_need_no_bundle(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("REQUESTS_CA_BUNDLE", "")
    context = network.network_for(TWILIO).context
    assert context
    assert len(context.get_ca_certs()) > 50

    environ.setenv("REQUESTS_CA_BUNDLE", "/no/such.pem")
    assert network.network_for("http://127.0.0.1:1").context is None


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def context(authority: trustme.CA, name: str, not_before: datetime | None = None) -> ssl.SSLContext:
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, not_before=not_before).configure_cert(found)
    return found


def test_one_tls_connection_serves_many_questions(
    environ: pytest.MonkeyPatch, tmp_path: Path, authority: trustme.CA
) -> None:
    environ.setenv("REQUESTS_CA_BUNDLE", str(bundle(tmp_path, authority.cert_pem.bytes())))
    with Server(answering(good()), context(authority, "127.0.0.1")) as server:
        fetch = fetcher(server.url).fetch
        for _ in range(5):
            fetch(STATUS)

        assert (server.accepted, len(server.requests)) == (1, 5)


@pytest.mark.parametrize("ends", ["closed", "reset"])
def test_a_kept_tls_connection_that_was_ended_is_opened_again_without_a_word(
    environ: pytest.MonkeyPatch, tmp_path: Path, authority: trustme.CA, ends: str
) -> None:
    def handle(connection: Connection) -> None:
        connection.request()
        connection.send(good("building" if connection.number == 1 else "completed"))
        if ends == "reset":
            connection.request()
            connection.reset()

    environ.setenv("REQUESTS_CA_BUNDLE", str(bundle(tmp_path, authority.cert_pem.bytes())))
    with Server(handle, context(authority, "127.0.0.1")) as server:
        fetch = fetcher(server.url).fetch
        fetch(STATUS)
        answer = fetch(STATUS)

    assert isinstance(answer, BuildStatus)
    assert answer.status is Status.COMPLETED


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


def test_a_tls_handshake_that_hangs_takes_4_seconds_at_most(environ: pytest.MonkeyPatch) -> None:
    environ.setattr(transport, "CONNECT_SECONDS", 0.3)
    with Server(silent) as server, pytest.raises(TransientError):
        fetcher(f"https://{server.netloc}").fetch(STATUS)

    assert server.accepted == 1


def test_a_tunnel_is_kept_for_the_whole_wait(
    environ: pytest.MonkeyPatch, tmp_path: Path, authority: trustme.CA
) -> None:
    environ.setenv("REQUESTS_CA_BUNDLE", str(bundle(tmp_path, authority.cert_pem.bytes())))
    api_context = context(authority, "api.example.test")
    with (
        Server(answering(good()), api_context) as api,
        Server(proxying(("127.0.0.1", api.port))) as proxy,
    ):
        environ.setenv("ALL_PROXY", f"http://{proxy.netloc}")
        fetch = fetcher("https://api.example.test").fetch
        for _ in range(5):
            fetch(STATUS)

        assert (proxy.accepted, len(proxy.requests), len(api.requests)) == (1, 1, 5)
        assert api.requests[0].startswith(f"GET /v1/Services/{SERVICE}/".encode())


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


@pytest.mark.parametrize("scheme", ["socks5h", "socks5"])
@pytest.mark.parametrize("user", [None, (b"svc", PROXY_PASSWORD.encode())])
def test_a_socks_proxy_leads_to_the_api(
    environ: pytest.MonkeyPatch,
    tmp_path: Path,
    authority: trustme.CA,
    scheme: str,
    user: tuple[bytes, bytes] | None,
) -> None:
    environ.setenv("REQUESTS_CA_BUNDLE", str(bundle(tmp_path, authority.cert_pem.bytes())))
    name = "api.example.test"
    if scheme == "socks5":  # the name is resolved here
        real = socket.getaddrinfo
        environ.setattr(
            socket,
            "getaddrinfo",
            lambda host, *more, **named: real(
                "127.0.0.1" if host == "api.example.test" else host, *more, **named
            ),
        )
    with (
        Server(answering(good()), context(authority, "api.example.test")) as api,
        Server(socks5(("127.0.0.1", api.port), user=user)) as proxy,
    ):
        who = f"svc:{quote(PROXY_PASSWORD, safe='')}@" if user else ""
        environ.setenv("ALL_PROXY", f"{scheme}://{who}{proxy.netloc}")
        fetch = fetcher("https://api.example.test").fetch
        for _ in range(3):
            fetch(STATUS)

        asked_for = proxy.requests[0].decode("latin-1")
        assert asked_for == (f"{name}:443" if scheme == "socks5h" else "\x7f\0\0\1:443")
        assert (proxy.accepted, len(api.requests)) == (1, 3)


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
@pytest.mark.parametrize("unknown", ["api.example.test", "localhost"])
def test_of_a_socks_proxy_and_the_api_the_name_that_does_not_resolve_is_told(
    environ: pytest.MonkeyPatch, scheme: str, unknown: str
) -> None:
    real = socket.getaddrinfo

    def look_up(host: str, *more: Any, **named: Any) -> Any:
        if host == unknown:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return real(host, *more, **named)

    def look_up_one(host: str) -> str:
        return str(look_up(host, None)[0][4][0])

    environ.setattr(socket, "getaddrinfo", look_up)
    environ.setattr(socket, "gethostbyname", look_up_one)
    with Server(socks5(("127.0.0.1", 1))) as proxy:
        environ.setenv("ALL_PROXY", f"{scheme}://localhost:{proxy.port}")
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


def test_a_scheme_that_requests_does_not_know_is_refused_with_the_one_to_write(
    environ: pytest.MonkeyPatch,
) -> None:
    environ.setenv("all_proxy", "socks://127.0.0.1:1080")
    with pytest.raises(UsageError, match=r"all_proxy begins with socks://") as refused:
        network.network_for(TWILIO)

    assert "socks5h://" in " ".join(refused.value.hints)


@pytest.mark.parametrize("path", ["/no/such/folder/keys.log", "/"])
def test_a_key_log_that_cannot_be_written_is_done_without(
    environ: pytest.MonkeyPatch, path: str
) -> None:
    environ.setenv("SSLKEYLOGFILE", path)

    assert network.network_for(TWILIO).context


def test_ssl_cert_file_counts_after_the_variables_of_requests(
    environ: pytest.MonkeyPatch, tmp_path: Path, authority: trustme.CA
) -> None:
    file = str(bundle(tmp_path, authority.cert_pem.bytes()))
    environ.setenv("SSL_CERT_FILE", file)
    found = network.network_for(TWILIO).context
    assert found
    assert len(found.get_ca_certs()) == 1

    environ.setenv("SSL_CERT_FILE", "/no/such.pem")
    with pytest.raises(UsageError, match="SSL_CERT_FILE cannot be used"):
        network.network_for(TWILIO)

    environ.setenv("CURL_CA_BUNDLE", file)
    assert network.network_for(TWILIO).context


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
