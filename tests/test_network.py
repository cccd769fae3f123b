"""How a request leaves this machine: what the environment says of proxies and CA bundles."""

from __future__ import annotations

import os
import socket
import ssl
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

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
    unused_port,
)
from twbuild import network
from twbuild.errors import FatalError, PassingError, UsageError
from twbuild.events import BuildStatus, Kind, Question, Status

STATUS = Question(Kind.STATUS, BUILD)
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
    way = network.of(TWILIO)

    assert (way.proxies, way.route) == ({}, None)
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

    way = network.of(TWILIO)

    assert way.route == route
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

    way = network.of(url)

    assert (way.proxies, way.route) == ({}, None)


def test_a_request_to_this_machine_is_sent_past_every_proxy(environ: pytest.MonkeyPatch) -> None:
    with Server(answering(good("completed"))) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            environ.setenv(name, "http://127.0.0.1:9")

        assert fetcher(server.url).ask(STATUS)


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
    ],
    ids=ascii,
)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
def test_a_malformed_proxy_is_refused_by_name_and_never_repeated(
    environ: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    environ.setenv(variable, value)
    with pytest.raises(UsageError) as refused:
        network.of(TWILIO)

    told = " ".join([refused.value.message, *refused.value.hints])
    assert refused.value.message.startswith(f"{variable} ")
    assert shown(told) == []
    assert told.isprintable()


def test_a_socks_proxy_without_its_package_is_refused_by_name(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("ALL_PROXY", f"socks5://u:{PROXY_PASSWORD.replace('/', '%2F')}@h:1080")
    environ.setitem(sys.modules, "socks", None)
    with pytest.raises(UsageError, match=r"ALL_PROXY is a SOCKS proxy, which needs .*PySocks"):
        network.of(TWILIO)


def test_a_proxy_that_never_answers_is_named(environ: pytest.MonkeyPatch) -> None:
    environ.setattr(network, "CONNECT_SECONDS", 0.3)
    with Server(silent) as proxy:
        environ.setenv("HTTPS_PROXY", f"http://{proxy.netloc}")
        with pytest.raises(PassingError) as refused:
            fetcher("https://api.example.test").ask(STATUS)

    assert proxy.netloc in " ".join([refused.value.message, *refused.value.hints])


def test_a_proxys_name_that_does_not_resolve_is_the_one_that_is_told(
    environ: pytest.MonkeyPatch,
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    environ.setattr(socket, "getaddrinfo", unknown)
    environ.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    with pytest.raises(PassingError, match=r"name of proxy proxy\.invalid:3128 \(HTTPS_PROXY\)"):
        fetcher("https://api.example.test").ask(STATUS)


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
        network.of(TWILIO)

    assert refused.value.message == f"{variable} cannot be used: {path}: contains no certificate"


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_bundle_that_is_not_there_is_refused_by_name(
    environ: pytest.MonkeyPatch, variable: str
) -> None:
    environ.setenv(variable, "/no/such\x1b.pem")
    with pytest.raises(UsageError) as refused:
        network.of(TWILIO)

    message = f"{variable} cannot be used: /no/such\\x1b.pem: no such file or directory"
    assert refused.value.message == message


def test_an_empty_folder_of_authorities_is_refused_by_name(
    environ: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environ.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    with pytest.raises(UsageError, match="REQUESTS_CA_BUNDLE cannot be used"):
        network.of(TWILIO)


def test_an_empty_variable_and_plain_http_need_no_bundle(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("REQUESTS_CA_BUNDLE", "")
    context = network.of(TWILIO).context
    assert context
    assert len(context.get_ca_certs()) > 50

    environ.setenv("REQUESTS_CA_BUNDLE", "/no/such.pem")
    assert network.of("http://127.0.0.1:1").context is None


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
        ask = fetcher(server.url).ask
        for _ in range(5):
            ask(STATUS)

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
        ask = fetcher(server.url).ask
        ask(STATUS)
        answer = ask(STATUS)

    assert isinstance(answer, BuildStatus)
    assert answer.status is Status.COMPLETED


def test_a_certificate_of_tomorrow_makes_one_look_at_the_clock(
    environ: pytest.MonkeyPatch, tmp_path: Path, authority: trustme.CA
) -> None:
    tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
    environ.setenv("REQUESTS_CA_BUNDLE", str(bundle(tmp_path, authority.cert_pem.bytes())))
    early = context(authority, "127.0.0.1", not_before=tomorrow)
    with Server(answering(good()), early) as server, pytest.raises(FatalError) as refused:
        fetcher(server.url).ask(STATUS)

    assert "it is not valid yet" in refused.value.message
    assert "clock" in " ".join(refused.value.hints)
    assert server.accepted == 1


def test_a_certificate_for_another_address_is_told_as_such(
    environ: pytest.MonkeyPatch, tmp_path: Path, authority: trustme.CA
) -> None:
    environ.setenv("REQUESTS_CA_BUNDLE", str(bundle(tmp_path, authority.cert_pem.bytes())))
    other = context(authority, "127.0.0.2")
    with Server(answering(good()), other) as server, pytest.raises(FatalError) as refused:
        fetcher(server.url).ask(STATUS)

    assert "it is for another address" in refused.value.message


def test_a_tls_handshake_that_hangs_takes_4_seconds_at_most(environ: pytest.MonkeyPatch) -> None:
    environ.setattr(network, "CONNECT_SECONDS", 0.3)
    with Server(silent) as server, pytest.raises(PassingError):
        fetcher(f"https://{server.netloc}").ask(STATUS)

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
        ask = fetcher("https://api.example.test").ask
        for _ in range(5):
            ask(STATUS)

        assert (proxy.accepted, len(proxy.requests), len(api.requests)) == (1, 1, 5)
        assert api.requests[0].startswith(f"GET /v1/Services/{SERVICE}/".encode())


def test_a_proxy_that_is_not_there_is_passing_trouble(environ: pytest.MonkeyPatch) -> None:
    port = unused_port()
    environ.setenv("HTTPS_PROXY", f"http://u:{PROXY_PASSWORD.replace('/', '%2F')}@127.0.0.1:{port}")
    with pytest.raises(PassingError) as refused:
        fetcher("https://api.example.test").ask(STATUS)

    told = " ".join([refused.value.reason, refused.value.message, *refused.value.hints])
    assert f"connection refused by proxy 127.0.0.1:{port} (HTTPS_PROXY)" in told
    assert shown(told, "%2F") == []


@pytest.mark.parametrize(
    ("status", "fatal"), [(401, True), (404, True), (407, True), (429, False), (503, False)]
)
def test_what_a_proxy_says_to_connect_is_judged_by_its_status(
    environ: pytest.MonkeyPatch, status: int, fatal: bool
) -> None:
    with Server(answering(http(b"", f"{status} No"))) as proxy:
        environ.setenv("HTTPS_PROXY", f"http://{proxy.netloc}")
        with pytest.raises(FatalError if fatal else PassingError, match="CONNECT") as refused:
            fetcher("https://api.example.test").ask(STATUS)

    assert refused.value.http_status == status
