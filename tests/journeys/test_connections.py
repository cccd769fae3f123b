"""The installed command over plain connections, TLS and proxies: each exit code, and no secret."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support import secrets
from tests.support.authority import Authority
from tests.support.command import ACCOUNT, STATUS, TOKEN
from tests.support.run import Ended, Env, run
from tests.support.secrets import PROXY_PASSWORD
from tests.support.sockets import (
    Server,
    answering,
    good,
    proxying,
    socks5,
    unused_port,
)
from tests.support.twilio import CREDENTIALS

HOST = "api.example.test"
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
    """A .netrc replaces them at neither."""
    netrc = Path(base["HOME"]) / ".netrc"
    netrc.write_text("default login a password b\n")
    netrc.chmod(0o600)
    with Server(answering(good("completed")), authority.context(HOST)) as api:
        to, user = ("127.0.0.1", api.port), (b"svc", PROXY_PASSWORD.encode())
        with Server(proxying(to) if scheme == "http" else socks5(to, user=user)) as proxy:
            address = f"{scheme}://{PROXY_USER}@{proxy.netloc}"
            more = {"ALL_PROXY": address, "REQUESTS_CA_BUNDLE": authority.bundle}
            ended, _ = check(environ(base, f"https://{HOST}", NETRC=str(netrc), **more))

        (connect,), (request,) = proxy.requests, api.requests
    assert ended.code == 0
    assert f"{HOST}:443".encode() in connect
    assert b"\r\nAuthorization:" not in connect
    assert scheme == "socks5h" or b64encode(b":".join(user)) in connect
    assert b"\r\nAuthorization: Basic " + b64encode(f"{ACCOUNT}:{TOKEN}".encode()) in request
    assert b"Proxy-Authorization" not in request


NO_LOOK_UP = """
import os, sys
def hook(event, args):
    if event == "socket.getaddrinfo" and args[0] not in ("127.0.0.1", "::1"):
        os._exit(99)
sys.addaudithook(hook)
"""


def test_localhost_is_this_machine_whatever_the_hosts_file_says(base: Env) -> None:
    with Server(answering(good("completed"))) as server:
        env = environ(base, f"http://LocalHost:{server.port}")

        assert run(*STATUS, env=env, first=NO_LOOK_UP).code == 0
