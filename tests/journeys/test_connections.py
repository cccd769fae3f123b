"""The installed command over plain connections, TLS and proxies: each exit code, and no secret."""

from __future__ import annotations

import json
import signal
import time
from base64 import b64encode
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support import secrets
from tests.support.authority import Authority
from tests.support.command import ACCOUNT, KEY, SECRET, SERVICE, STATUS, TOKEN, WAIT
from tests.support.moments import until
from tests.support.run import Ended, Env, finish, run, start
from tests.support.secrets import PROXY_PASSWORD
from tests.support.sockets import (
    Connection,
    Server,
    answering,
    good,
    http,
    proxying,
    socks5,
    unused_port,
)
from tests.support.twilio import CREDENTIALS, build_body, page

HOST = "api.example.test"
URL = f"https://{HOST}"
PROXY_USER = f"svc:{PROXY_PASSWORD.replace('+', '%2B').replace('/', '%2F')}"


def environ(base: Mapping[str, str], url: str, **more: str) -> dict[str, str]:
    return {**base, **CREDENTIALS, "TWBUILD_API_URL": url, **more}


def check(env: Mapping[str, str]) -> tuple[Ended, list[str]]:
    """`status` with all that it can tell; its error and what follows, without their prefix."""
    ended = run(*STATUS, "-v", env=env)
    assert secrets.shown(ended.stdout + ended.stderr, "%2B") == []
    assert ended.is_plain
    _, found, error = ended.stderr.partition("twbuild: error: ")
    return ended, [line.removeprefix("twbuild:").strip() for line in (found + error).splitlines()]


def test_a_refused_connection_gets_three_tries(base: Env) -> None:
    netloc = f"127.0.0.1:{unused_port()}"
    ended, (first, hint, request) = check(environ(base, f"http://{netloc}"))

    assert ended.code == 3
    assert 2 < ended.seconds < 12
    assert first.startswith(f"error: connection refused by {netloc} (3 tries in ")
    assert hint == "Check TWBUILD_API_URL."
    assert request.endswith(f"/Status at {netloc}")


def test_an_unknown_authority_is_fatal_and_nothing_is_sent(base: Env, authority: Authority) -> None:
    with Server(answering(good("completed")), authority.context("localhost")) as server:
        ended, (first, hint, *_) = check(environ(base, f"https://localhost:{server.port}"))

        assert (server.accepted, server.requests) == (1, [])
        head = f"error: the certificate of localhost:{server.port} does not verify: signed by"
    assert ended.code == 3
    assert first.startswith(head)
    assert "Set REQUESTS_CA_BUNDLE to a file with the CA certificate" in hint


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_a_proxy_leads_to_the_api_and_sees_no_credentials(
    base: Env, authority: Authority, scheme: str
) -> None:
    with Server(answering(good("completed")), authority.context(HOST)) as api:
        to, user = ("127.0.0.1", api.port), (b"svc", PROXY_PASSWORD.encode())
        with Server(proxying(to) if scheme == "http" else socks5(to, user=user)) as proxy:
            address = f"{scheme}://{PROXY_USER}@{proxy.netloc}"
            bundle = {"REQUESTS_CA_BUNDLE": authority.bundle}
            ended, _ = check(environ(base, URL, ALL_PROXY=address, **bundle))

        (connect,), (request,) = proxy.requests, api.requests
    assert ended.code == 0
    assert f"{HOST}:443".encode() in connect
    assert b"\r\nAuthorization:" not in connect
    assert scheme == "socks5h" or b64encode(b":".join(user)) in connect
    assert b"\r\nAuthorization: Basic " in request
    assert b"Proxy-Authorization" not in request


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_a_proxy_that_refuses_the_login_is_tried_once(base: Env, scheme: str) -> None:
    """It is named without its password."""
    refusing = answering(http(b"<html>Log in</html>", "407 Login"))
    with Server(refusing if scheme == "http" else socks5(("127.0.0.1", 9), user=(b"", b""))) as s:
        address = f"{scheme}://{PROXY_USER}@{s.netloc}"
        ended, (first, hint, *_) = check(environ(base, URL, HTTPS_PROXY=address))

        assert s.accepted == 1
        assert f"proxy {s.netloc} (HTTPS_PROXY) refused " in first
    assert hint.startswith("Check the user name and password in the proxy's address: USER:PASS")
    assert ended.code == 3
    assert "Log in" not in ended.stderr


@pytest.mark.parametrize(
    ("variable", "value"),
    [("HTTPS_PROXY", f"http://{PROXY_USER}@127.0.0.1:port"), ("CURL_CA_BUNDLE", "/no/such.pem")],
)
def test_an_unusable_setting_exits_2_and_is_named(base: Env, variable: str, value: str) -> None:
    ended, (first, *_) = check({**environ(base, URL), variable: value})

    assert (ended.code, ended.stdout) == (2, "")
    assert first.startswith(f"error: {variable} ")


def test_a_hosts_refusal_names_the_region_and_edge_behind_it(
    base: Env, authority: Authority
) -> None:
    context = authority.context("serverless.dublin.ie1.twilio.com")
    body = json.dumps({"code": 20404, "message": "No", "status": 404}).encode()
    with (
        Server(answering(http(body, "404 No")), context) as api,
        Server(proxying(("127.0.0.1", api.port))) as proxy,
    ):
        env = {"TWILIO_API_KEY": KEY, "TWILIO_API_SECRET": SECRET, "TWILIO_REGION": "ie1"}
        env |= {"REQUESTS_CA_BUNDLE": authority.bundle, "HTTPS_PROXY": f"http://{proxy.netloc}"}
        ended, (*_, last) = check({**base, **env, "TWILIO_EDGE": "dublin"})

        route = f"through proxy {proxy.netloc} (HTTPS_PROXY)"
    assert last.endswith(f" (from TWILIO_REGION (ie1) and TWILIO_EDGE (dublin)), {route}")
    assert ended.code == 5


def test_a_proxys_password_within_other_texts_changes_none_of_them(
    base: Env, authority: Authority
) -> None:
    listed = json.dumps(page(build_body(status="building"))).encode()
    answers = [http(listed), good("building"), good("completed")]
    with (
        Server(answering(*answers), authority.context(HOST)) as api,
        Server(proxying(("127.0.0.1", api.port))) as proxy,
    ):
        address, bundle = f"http://u:building@{proxy.netloc}", authority.bundle
        env = environ(base, URL, HTTPS_PROXY=address, REQUESTS_CA_BUNDLE=bundle)
        ended = run("wait", "-v", "-i", "200ms", SERVICE, env=env)

    assert (ended.code, ended.stdout) == (0, "completed\n")
    assert "[secret]" not in ended.stderr


NO_LOOK_UP = """
import os, sys
def hook(event, args):
    if event == "socket.getaddrinfo" and args[0] not in ("127.0.0.1", "::1"):
        os._exit(99)
sys.addaudithook(hook)
"""


@pytest.mark.parametrize("url", ["http://LocalHost", "https://localhost"])
def test_localhost_is_this_machine_whatever_the_hosts_file_says(
    base: Env, authority: Authority, url: str
) -> None:
    context = authority.context("localhost") if url.startswith("https") else None
    with Server(answering(good("completed")), context) as server:
        env = environ(base, f"{url}:{server.port}", REQUESTS_CA_BUNDLE=authority.bundle)

        assert run(*STATUS, env=env, first=NO_LOOK_UP).code == 0


def test_a_connection_reset_during_a_stop_is_one_problem(base: Env) -> None:
    """Missed beats are skipped, not made up."""

    def handle(connection: Connection) -> None:
        while True:
            connection.request()
            count = len(connection.server.requests)
            connection.send(good("completed" if count > 5 else "building"))
            if count == 2:
                process.send_signal(signal.SIGSTOP)
                connection.reset()
                return

    with Server(handle) as server:
        process = start(*WAIT, "-qv", env=environ(base, server.url))
        until(lambda: len(server.requests) >= 2, "polls")
        time.sleep(2)
        process.send_signal(signal.SIGCONT)
        ended = finish(process)

    assert (ended.code, ended.stdout) == (0, "completed\n")
    assert min(late - early for early, late in pairwise(server.times[2:])) > 0.1
    assert ended.stderr.count("GET") - ended.stderr.count("  200  ") <= 1


def test_a_netrc_never_replaces_the_credentials(base: Env) -> None:
    netrc = Path(base["HOME"]) / ".netrc"
    netrc.write_text("machine 127.0.0.1 login else password else\ndefault login a password b\n")
    netrc.chmod(0o600)
    with Server(answering(good("completed"))) as server:
        ended, _ = check(environ(base, server.url, NETRC=str(netrc)))

        (request,) = server.requests
    assert ended.code == 0
    assert b64encode(f"{ACCOUNT}:{TOKEN}".encode()) in request
