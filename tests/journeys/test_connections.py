"""The installed command over connections that break, stall, lie, or lead through a proxy."""

from __future__ import annotations

import json
import signal
import sys
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support import secrets, shim
from tests.support.authority import Authority
from tests.support.command import (
    ACCOUNT,
    BUILD,
    SERVICE,
    TOKEN,
    TWBUILD,
    Ended,
    run,
    run_words,
    start,
)
from tests.support.secrets import PROXY_PASSWORD
from tests.support.sockets import (
    Connection,
    Server,
    answering,
    deaf,
    good,
    http,
    proxying,
    resetting,
    unused_port,
)
from tests.support.twilio import build_body, page

NOW = datetime.now(timezone.utc)
HOST = "api.example.test"
ROOT = Path(__file__).parents[2]
PROXY_USER = f"svc:{PROXY_PASSWORD.replace('+', '%2B').replace('/', '%2F')}"


def no_secret_shows(ended: Ended) -> None:
    """The shared look: whatever happened, nothing that was written tells a secret."""
    assert secrets.shown(ended.stdout + ended.stderr, "%2B") == []
    assert "Traceback" not in ended.stderr


def environ(base: Mapping[str, str], url: str, **more: str) -> dict[str, str]:
    own = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN, "TWBUILD_API_URL": url}
    return {**base, **own, **more}


def look(env: Mapping[str, str]) -> Ended:
    """`status` with all that it can tell."""
    ended = run("status", "--json", "-v", SERVICE, BUILD, env=env, skips_sleeps=True)
    no_secret_shows(ended)
    if ended.code != 2:
        told = json.loads(ended.stdout)
        assert (told["error"] is None) == (ended.code in (0, 1, 8))
    return ended


@pytest.mark.parametrize("password", ["p", "Status", "json", "building", "5", SERVICE[2:]])
def test_a_proxys_password_that_is_a_part_of_other_texts_changes_none_of_them(
    base: dict[str, str], authority: Authority, password: str
) -> None:
    listed = json.dumps(page(build_body(status="building"))).encode()
    answers = [http(listed), good("building"), good("completed")]
    with (
        Server(answering(*answers), authority.context(HOST)) as api,
        Server(proxying(("127.0.0.1", api.port))) as proxy,
    ):
        proxied = {
            "HTTPS_PROXY": f"http://u:{password}@{proxy.netloc}",
            "REQUESTS_CA_BUNDLE": authority.bundle,
        }
        env = environ(base, f"https://{HOST}", **proxied)
        ended = run("wait", "-v", "-i", "200ms", SERVICE, env=env)

    assert (ended.code, ended.stdout) == (0, "completed\n")
    assert "[secret]" not in ended.stderr


# How TLS goes wrong.


def test_a_companys_authority_is_trusted_where_the_environment_names_it(
    base: dict[str, str], authority: Authority
) -> None:
    with Server(answering(good("completed")), authority.context("localhost")) as server:
        url = f"https://localhost:{server.port}"
        ended = look(environ(base, url, REQUESTS_CA_BUNDLE=authority.bundle))

    assert ended.code == 0


CERTIFICATES: Mapping[str, tuple[str, float, float, bool, str]] = {
    "unknown authority": (
        "localhost",
        -1,
        1,
        False,
        "signed by an unknown authority",
    ),
    "wrong name": (
        "elsewhere.example",
        -1,
        1,
        True,
        "Hostname mismatch, certificate is not valid for 'localhost'",
    ),
    "expired": ("localhost", -9, -1, True, "certificate has expired"),
    "not yet valid": ("localhost", 1, 9, True, "certificate is not yet valid"),
}


@pytest.mark.parametrize("row", CERTIFICATES)
def test_a_certificate_that_does_not_verify_is_fatal_at_once_and_nothing_is_sent(
    base: dict[str, str], authority: Authority, row: str
) -> None:
    name, begins, ends, known, words = CERTIFICATES[row]
    context = authority.context(name, begins=begins, ends=ends)
    with Server(answering(good("completed")), context) as server:
        bundle = {"REQUESTS_CA_BUNDLE": authority.bundle} if known else {}
        ended = look(environ(base, f"https://localhost:{server.port}", **bundle))

        assert (server.accepted, server.requests) == (1, [])
    assert ended.code == 3
    assert ended.seconds < 9
    assert f"the certificate of localhost:{server.port} does not verify: {words}" in ended.stderr
    clock = begins == 1 or ends == -1
    assert ("Check this machine's clock" in ended.stderr) == clock
    assert ("Set REQUESTS_CA_BUNDLE" in ended.stderr) == (not known)


def test_plain_http_on_a_tls_port_is_no_answer(base: dict[str, str]) -> None:
    def handle(connection: Connection) -> None:
        connection.send(http(b"", "400 Bad Request"))
        connection.stay_silent()

    with Server(handle) as server:
        ended = look(environ(base, f"https://127.0.0.1:{server.port}"))

    assert ended.code == 3
    assert "the TLS handshake failed" in ended.stderr


# Connections that do not come about, or break.


def test_a_refused_connection_gets_three_tries(base: dict[str, str]) -> None:
    port = unused_port()
    ended = look(environ(base, f"http://127.0.0.1:{port}"))

    assert ended.code == 3
    assert ended.seconds < 12
    assert f"connection refused by 127.0.0.1:{port}" in ended.stderr
    assert "3 tries" in ended.stderr


@pytest.mark.parametrize("part", [b"", good()[:30], http(b"[", length=99)])
def test_a_connection_that_is_reset_is_tried_again(base: dict[str, str], part: bytes) -> None:
    with Server(answering(resetting(part), good("completed"))) as server:
        ended = look(environ(base, server.url))

        assert len(server.requests) == 2
    assert ended.code == 0
    assert "connection lost, retrying in" in ended.stderr


def test_idle_connections_that_the_server_closes_are_no_trouble(base: dict[str, str]) -> None:
    def handle(connection: Connection) -> None:
        connection.request()
        connection.send(good("completed" if connection.number == 5 else "building"))
        connection.pause(0.1)

    with Server(handle) as server:
        ended = run("wait", "-qv", "-i", "300ms", SERVICE, BUILD, env=environ(base, server.url))

        assert 1.1 < server.times[-1] - server.times[0] < 2, "the beat stays"
    assert (ended.code, ended.stdout) == (0, "completed\n")
    assert ended.stderr.count("GET") == ended.stderr.count("HTTP 200") == 5


def test_a_timeout_shorter_than_connecting_takes_is_kept(base: dict[str, str]) -> None:
    with deaf() as port:
        env = environ(base, f"http://127.0.0.1:{port}")
        ended = run("wait", "-t", "500ms", SERVICE, BUILD, env=env)

    no_secret_shows(ended)
    assert (ended.code, ended.stdout) == (124, "")
    assert 0.5 < ended.seconds < 6
    assert f"twbuild wait {SERVICE} {BUILD}" in ended.stderr


@pytest.mark.parametrize("url", ["http://localhost", "http://LocalHost", "https://localhost"])
def test_localhost_is_this_machine_whatever_the_hosts_file_says(
    base: dict[str, str], authority: Authority, tmp_path: Path, unshare: list[str], url: str
) -> None:
    leaf = authority.ca.issue_cert("localhost")
    leaf.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "own.pem"))
    more = {"CERTIFICATE": str(tmp_path / "own.pem"), "REQUESTS_CA_BUNDLE": authority.bundle}
    here = [sys.executable, "-m", "tests.support.elsewhere", f"{url}:{{port}}"]
    words = [*unshare, *here, TWBUILD, "status", SERVICE, BUILD]
    ended = run_words(words, env=environ(base, "", **more), cwd=ROOT)

    no_secret_shows(ended)
    assert json.loads(ended.stdout) == [0, 1, 0], ended.stderr


def test_a_name_that_resolves_only_at_the_third_time_is_ridden_out(
    base: dict[str, str], authority: Authority, tmp_path: Path
) -> None:
    with Server(answering(good("completed")), authority.context(HOST)) as server:
        url = f"https://{HOST}:{server.port}"
        env = environ(base, url, REQUESTS_CA_BUNDLE=authority.bundle)
        env = shim.shimmed(env, tmp_path / "shim", shim.FAILS_TWICE)
        ended = run("wait", SERVICE, BUILD, env=env)

    no_secret_shows(ended)
    assert (ended.code, ended.stdout) == (0, "completed\n")
    assert ended.stderr.count(f"could not resolve {HOST}, retrying in") == 2


def test_the_timeout_is_kept_while_a_name_is_looked_up(
    base: dict[str, str], tmp_path: Path
) -> None:
    env = shim.shimmed(environ(base, f"https://{HOST}"), tmp_path / "shim", shim.HANGS)
    ended = run("wait", "-t", "500ms", SERVICE, BUILD, env=env)

    assert ended.code == 124
    assert 0.5 < ended.seconds < 6


@pytest.mark.parametrize("hours", [1, -1])
def test_a_wall_clock_that_jumps_neither_shortens_nor_lengthens_a_wait(
    base: dict[str, str], tmp_path: Path, hours: int
) -> None:
    with Server(answering(good())) as server:
        env = environ(base, server.url)
        env = shim.shimmed(env, tmp_path / "shim", shim.CLOCK_JUMPS.format(hours=hours))
        ended = run("wait", "-i", "200ms", "-t", "2s", SERVICE, BUILD, env=env)

        assert 4 <= len(server.requests) <= 11
    assert ended.code == 124
    assert 2 < ended.seconds < 9
    assert "still building after 2s" in ended.stderr


def test_a_process_that_was_stopped_goes_on_without_a_burst(base: dict[str, str]) -> None:
    left = [good()] * 4
    with Server(answering(*left, good("completed"))) as server:
        process = start("wait", "-i", "300ms", SERVICE, BUILD, env=environ(base, server.url))
        while len(server.requests) < 2:
            time.sleep(0.02)
        process.send_signal(signal.SIGSTOP)
        time.sleep(2)
        before = len(server.requests)
        process.send_signal(signal.SIGCONT)
        stdout, stderr = process.communicate(timeout=20)

        gaps = [later - early for early, later in pairwise(server.times[before:])]
    assert (process.returncode, stdout) == (0, "completed\n")
    assert stderr.count("retrying in") <= 1
    assert min(gaps) > 0.1, "missed beats are skipped, not made up"


def test_a_connection_that_was_reset_during_a_stop_is_one_trouble_at_most(
    base: dict[str, str],
) -> None:
    resumed: list[float] = []

    def handle(connection: Connection) -> None:
        while True:
            connection.request()
            connection.send(good("completed" if resumed else "building"))
            if connection.number == 1 and len(connection.server.requests) == 2:
                process.send_signal(signal.SIGSTOP)
                connection.reset()
                return

    with Server(handle) as server:
        words = ("wait", "-qv", "-i", "500ms", SERVICE, BUILD)
        process = start(*words, env=environ(base, server.url))
        while len(server.requests) < 2:
            time.sleep(0.02)
        time.sleep(1.2)
        resumed.append(time.monotonic())
        process.send_signal(signal.SIGCONT)
        stdout, stderr = process.communicate(timeout=20)

        assert len(server.requests) <= 4
    assert (process.returncode, stdout) == (0, "completed\n")
    assert stderr.count("GET") - stderr.count("HTTP 200") <= 1


# Proxies: CONNECT to a host that only the proxy knows.


@contextmanager
def api_behind_a_proxy(authority: Authority) -> Iterator[tuple[Server, Server]]:
    """A TLS server that is the API, and a proxy that leads to it."""
    context = authority.context(HOST)
    with (
        Server(answering(good("completed")), context) as api,
        Server(proxying(("127.0.0.1", api.port))) as proxy,
    ):
        yield api, proxy


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_proxy_leads_to_the_api_and_sees_none_of_its_credentials(
    base: dict[str, str], authority: Authority, variable: str
) -> None:
    with api_behind_a_proxy(authority) as (api, proxy):
        env = environ(base, f"https://{HOST}", REQUESTS_CA_BUNDLE=authority.bundle)
        ended = look({**env, variable: f"http://{PROXY_USER}@{proxy.netloc}"})

        (connect,), (request,) = proxy.requests, api.requests
    assert ended.code == 0
    assert connect.startswith(f"CONNECT {HOST}:443 ".encode())
    assert b"\r\nAuthorization:" not in connect
    assert b64encode(f"svc:{PROXY_PASSWORD}".encode()) in connect
    assert b"\r\nAuthorization: Basic " in request
    assert b"Proxy-Authorization" not in request


@dataclass(frozen=True)
class Refusal:
    """What a proxy does with CONNECT, and what comes of it."""

    answer: bytes
    words: tuple[str, ...]
    tries: int = 1


HTML = b"<html>Blocked by policy</html>"
REFUSALS: Mapping[str, Refusal] = {
    "407": Refusal(
        http(HTML, "407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="x"'),
        ("refused CONNECT: HTTP 407", "Check the user name and password in the proxy's address"),
    ),
    "403 in HTML": Refusal(http(HTML, "403 Forbidden"), ("refused CONNECT: HTTP 403",)),
    "a redirect": Refusal(
        http(HTML, "302 Found", "Location: http://login.example/"), ("refused CONNECT: HTTP 302",)
    ),
    "HTML in place of TLS": Refusal(http(HTML), ("the TLS handshake failed",), 3),
}


@pytest.mark.parametrize("row", REFUSALS)
def test_a_proxy_that_refuses_is_named_without_its_password(base: dict[str, str], row: str) -> None:
    refusal = REFUSALS[row]

    def handle(connection: Connection) -> None:
        connection.request()
        connection.send(refusal.answer)

    with Server(handle) as proxy:
        route = f"http://{PROXY_USER}@{proxy.netloc}"
        ended = look(environ(base, f"https://{HOST}", HTTPS_PROXY=route))

        assert proxy.accepted == refusal.tries
        assert all(request.startswith(b"CONNECT") for request in proxy.requests)
    assert ended.code == 3
    assert f"proxy {proxy.netloc} (HTTPS_PROXY)" in ended.stderr
    assert "Blocked by policy" not in ended.stderr
    for words in refusal.words:
        assert words in ended.stderr


def test_a_proxy_that_is_not_there_is_named_without_its_password(base: dict[str, str]) -> None:
    port = unused_port()
    route = f"http://{PROXY_USER}@127.0.0.1:{port}"
    ended = look(environ(base, f"https://{HOST}", ALL_PROXY=route))

    assert ended.code == 3
    assert f"connection refused by proxy 127.0.0.1:{port} (ALL_PROXY)" in ended.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_loopback_address_is_never_asked_through_a_proxy(base: dict[str, str], host: str) -> None:
    with Server(answering(good("completed"))) as server:
        proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), "http://127.0.0.1:9")
        ended = look({**environ(base, f"http://{host}:{server.port}"), **proxies})

    assert ended.code == 0


def test_the_sandbox_works_with_a_proxy_that_does_not(base: dict[str, str]) -> None:
    proxies = {"HTTP_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9"}
    ended = run("sandbox", "--build-time", "1s", env={**base, **proxies})

    assert (ended.code, ended.stdout) == (0, "completed\n")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HTTPS_PROXY", f"http://{PROXY_USER}@127.0.0.1:port"),
        ("ALL_PROXY", f"ftp://{PROXY_USER}@127.0.0.1:21"),
        ("REQUESTS_CA_BUNDLE", "/no/such.pem"),
        ("CURL_CA_BUNDLE", "/no/such.pem"),
    ],
)
def test_a_setting_that_cannot_be_used_exits_2_and_is_named(
    base: dict[str, str], variable: str, value: str
) -> None:
    ended = look({**environ(base, f"https://{HOST}"), variable: value})

    assert (ended.code, ended.stdout) == (2, "")
    assert f"error: {variable} " in ended.stderr
    assert "/no/such.pem" in ended.stderr or "PROXY" in variable


def test_a_netrc_never_replaces_the_credentials(base: dict[str, str]) -> None:
    netrc = Path(base["HOME"]) / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\ndefault login a password b\n")
    netrc.chmod(0o600)
    with Server(answering(good("completed"))) as server:
        ended = look(environ(base, server.url, NETRC=str(netrc)))

        (request,) = server.requests
    assert ended.code == 0
    assert b64encode(f"{ACCOUNT}:{TOKEN}".encode()) in request
