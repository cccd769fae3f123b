"""The installed command says in a network's own words what is wrong, with whom, and what helps."""

from __future__ import annotations

import errno
import json
import os
import ssl
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support import secrets, shim
from tests.support.authority import Authority
from tests.support.command import ACCOUNT, BUILD, KEY, SECRET, SERVICE, TOKEN, Ended, run
from tests.support.fasttime import watch
from tests.support.secrets import PROXY_PASSWORD
from tests.support.sockets import (
    Connection,
    Handler,
    Server,
    answering,
    closing,
    good,
    http,
    proxying,
    socks5,
    unused_port,
)
from twbuild.outcome import Outcome

HOST = "api.example.test"
URL = f"https://{HOST}"
LOGIN = f"svc:{quote(PROXY_PASSWORD, safe='')}@"
PROXY_LOGIN = "Check the user name and password in the proxy's address: USER:PASSWORD@HOST:PORT."
SSH = b"SSH-2.0-OpenSSH_9.6\r\n"


def status(base: Mapping[str, str], url: str, *, first: str = "", **more: str) -> Ended:
    """`twbuild status` of the usual build at `url`; whatever it tells, it is no secret."""
    own = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN, "TWBUILD_API_URL": url}
    env = {**base, **own, **more}
    ended = run("status", SERVICE, BUILD, env=env, skips_sleeps=True, first=first)
    assert secrets.shown(ended.stdout + ended.stderr, "%2B") == []
    assert "Traceback" not in ended.stderr
    return ended


def told(ended: Ended) -> list[str]:
    """The error and what follows it, in lines without their prefix."""
    lines = [line.removeprefix("twbuild: ").strip() for line in ended.stderr.splitlines()]
    head = next(n for n, line in enumerate(lines) if line.startswith("error: "))
    return lines[head:]


def greeting(content: bytes) -> Handler:
    """Speaks first, and then no more."""

    def handle(connection: Connection) -> None:
        connection.send(content)
        connection.stay_silent()

    return handle


# What comes is not the HTTP that Twilio speaks.

ANSWERS: Mapping[str, tuple[Handler, str]] = {
    "SSH": (greeting(SSH), "the answer is not HTTP"),
    "HTTP/2": (answering(b"\0\0\x12\4\0\0\0\0\0", close=True), "the answer is not HTTP"),
    "a status of two digits": (
        answering(b"HTTP/1.1 42 X\r\n\r\n", close=True),
        "the answer is not HTTP",
    ),
    "150 headers": (
        answering(http(b"{}", "200 OK", *(f"X-{n}: y" for n in range(150))), close=True),
        "the answer has over 100 header lines",
    ),
    "a header of 70 kB": (
        answering(http(b"{}", "200 OK", f"X: {'y' * 70_000}"), close=True),
        "the answer has a head of over 64 KiB",
    ),
    "nothing": (answering(b"", close=True), "connection lost"),
    "a part": (answering(closing(http(b"{", length=9))), "the answer was cut short"),
    "status 999": (answering(http(b"", "999 \x1b[1m")), "HTTP 999"),
}


@pytest.mark.parametrize("row", ANSWERS)
def test_an_answer_that_is_no_good_http_is_named_as_what_it_is(
    base: dict[str, str], row: str
) -> None:
    handler, words = ANSWERS[row]
    with Server(handler) as server:
        ended = status(base, server.url)

        assert told(ended)[0].startswith(f"error: {words} (3 tries in ")
        assert told(ended)[-1].startswith("GET /v1/Services/")
        assert told(ended)[-1].endswith(f"/Status at {server.netloc}")
    assert ended.code == 3
    assert "\x1b" not in ended.stderr
    assert "OpenSSH" not in ended.stderr


@pytest.mark.parametrize("number", [300, 301, 302, 303, 304, 305, 307, 308])
def test_a_redirect_is_told_as_one_and_any_other_3xx_as_unexpected(
    base: dict[str, str], number: int
) -> None:
    with Server(answering(http(b"", f"{number} X", "Location: http://x.example/"))) as server:
        ended = status(base, server.url)

        assert len(server.requests) == 1
    assert ended.code == 3
    redirects = number in (301, 302, 303, 307, 308)
    head = f"HTTP {number}, a redirect" if redirects else f"unexpected HTTP {number}"
    assert told(ended)[0].startswith(f"error: {head}")
    assert ("edirect" in ended.stderr) == redirects


# TLS.


def test_a_proxy_that_speaks_no_tls_is_told_with_what_to_write(base: dict[str, str]) -> None:
    with Server(greeting(http(b"", "400 Bad Request"))) as proxy:
        ended = status(base, URL, HTTPS_PROXY=f"https://{LOGIN}{proxy.netloc}")

        peer = f"proxy {proxy.netloc} (HTTPS_PROXY)"
        assert f"{peer} does not speak TLS (wrong version number)" in told(ended)[0]
    assert told(ended)[1] == "The proxy's address begins with https://: write http:// there."
    assert ended.code == 3


def test_a_host_that_speaks_no_tls_behind_a_proxy_is_told_apart_from_the_proxy(
    base: dict[str, str],
) -> None:
    def handle(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 Established\r\n\r\n")
        connection.exactly(5)
        connection.send(http(b"", "400 Bad Request"))
        connection.stay_silent()

    with Server(handle) as proxy:
        ended = status(base, URL, HTTPS_PROXY=f"http://{proxy.netloc}")

    assert f"{HOST} does not speak TLS (wrong version number)" in told(ended)[0]
    assert "write http://" not in ended.stderr


def _tls_1_2(context: ssl.SSLContext) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2


def _tls_1_3(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_3


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (_tls_1_2, "sslv3 alert handshake failure"),
        (_tls_1_3, "tlsv13 alert certificate required"),
    ],
)
def test_a_server_that_requires_a_client_certificate_is_told(
    base: dict[str, str],
    authority: Authority,
    limit: Callable[[ssl.SSLContext], None],
    words: str,
) -> None:
    context = authority.context("127.0.0.1")
    context.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(context)
    limit(context)

    def handle(connection: Connection) -> None:
        connection.socket.settimeout(5)
        with context.wrap_socket(
            connection.socket, server_side=True, do_handshake_on_connect=False
        ) as tls:
            with pytest.raises(ssl.SSLError):
                tls.do_handshake()
            connection.pause(1)  # closed at once, the system would throw the alert away

    with Server(handle) as server:
        url = f"https://{server.netloc}"
        ended = status(base, url, REQUESTS_CA_BUNDLE=authority.bundle)

    assert told(ended)[0].startswith(f"error: the TLS handshake failed: {words} (3 tries")
    assert "a client certificate, which twbuild cannot send" in told(ended)[1]
    assert ended.code == 3


def test_a_server_of_old_tls_only_is_told(base: dict[str, str]) -> None:
    def handle(connection: Connection) -> None:
        connection.exactly(5)
        connection.send(bytes.fromhex("15030100020246"))  # alert: fatal, protocol_version
        connection.stay_silent()

    with Server(handle) as server:
        ended = status(base, f"https://{server.netloc}")

    assert "the TLS handshake failed: tlsv1 alert protocol version" in told(ended)[0]
    assert "twbuild needs TLS 1.2 or newer" in told(ended)[1]


# Certificates: fatal at once.


def test_an_unknown_authority_is_told_with_the_variable_and_this_machines_own_bundle(
    base: dict[str, str], authority: Authority
) -> None:
    with Server(answering(good()), authority.context("127.0.0.1")) as server:
        ended = status(base, server.url)

        assert (server.accepted, server.requests) == (1, [])
        head = f"error: the certificate of {server.netloc} does not verify: signed by an unknown"
        assert told(ended)[0].startswith(head)
    own = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/ssl/cert.pem",
    ]
    found = [path for path in own if os.path.isfile(path)][:1]
    assert "Set REQUESTS_CA_BUNDLE to a file with the CA certificate" in told(ended)[1]
    assert all(f"(this machine's own: {path})" in told(ended)[1] for path in found)
    assert ended.code == 3


def test_the_certificate_of_a_proxy_is_told_apart_from_the_hosts(
    base: dict[str, str], authority: Authority
) -> None:
    with Server(proxying(("127.0.0.1", 9)), authority.context("127.0.0.1")) as proxy:
        ended = status(base, URL, HTTPS_PROXY=f"https://{LOGIN}{proxy.netloc}")

        assert proxy.accepted == 1
        peer = f"proxy {proxy.netloc} (HTTPS_PROXY)"
        assert f"the certificate of {peer} does not verify" in told(ended)[0]
    assert ended.code == 3


STRICT = """
import ssl
_load = ssl.SSLContext.load_verify_locations
def load(self, *given, **named):
    self.verify_flags |= ssl.VERIFY_X509_STRICT
    return _load(self, *given, **named)
ssl.SSLContext.load_verify_locations = load
"""


def certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: tuple[str, ec.EllipticCurvePrivateKey]
) -> x509.Certificate:
    """A certificate as old company CAs make them: no key identifiers, no key usage."""

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now = datetime.now(timezone.utc)
    is_ca = name == issuer[0]
    extension: x509.ExtensionType = (
        x509.BasicConstraints(ca=True, path_length=None)
        if is_ca
        else x509.SubjectAlternativeName([x509.DNSName(name)])
    )
    return (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer[0]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=9))
        .add_extension(extension, critical=False)
        .sign(issuer[1], hashes.SHA256())
    )


def test_a_company_ca_that_python_3_13_refuses_is_told_in_openssls_words_and_what_helps(
    base: dict[str, str], tmp_path: Path
) -> None:
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = certificate("Company CA", ca_key, ("Company CA", ca_key))
    own = certificate("localhost", key, ("Company CA", ca_key))
    pem = serialization.Encoding.PEM
    (tmp_path / "ca.pem").write_bytes(ca.public_bytes(pem))
    (tmp_path / "own.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + own.public_bytes(pem)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "own.pem")
    env = {**base, "REQUESTS_CA_BUNDLE": str(tmp_path / "ca.pem")}
    with Server(answering(good("completed")), context) as server:
        url = f"https://localhost:{server.port}"
        strict = status(env, url, first=STRICT)
        accepted = server.accepted
        lax = status(env, url)

    assert (strict.code, accepted) == (3, 1)
    assert "does not verify: Missing Authority Key Identifier" in told(strict)[0]
    assert "Python 3.13" in told(strict)[1]
    assert lax.code == (3 if sys.version_info >= (3, 13) else 0)


# Proxies.


def test_a_socks_proxy_leads_to_the_api(base: dict[str, str], authority: Authority) -> None:
    user = (b"svc", PROXY_PASSWORD.encode())
    with (
        Server(answering(good("completed")), authority.context(HOST)) as api,
        Server(socks5(("127.0.0.1", api.port), user=user)) as proxy,
    ):
        more = {"REQUESTS_CA_BUNDLE": authority.bundle}
        ended = status(base, URL, ALL_PROXY=f"socks5h://{LOGIN}{proxy.netloc}", **more)

        assert proxy.requests == [f"{HOST}:443".encode()]
        assert len(api.requests) == 1
    assert (ended.code, ended.stdout) == (0, "completed\n")


def test_a_socks_proxy_that_refuses_the_login_is_asked_once(base: dict[str, str]) -> None:
    with Server(socks5(("127.0.0.1", 9), user=(b"svc", b"other"))) as proxy:
        for login in (LOGIN, ""):
            ended = status(base, URL, ALL_PROXY=f"socks5h://{login}{proxy.netloc}")

            peer = f"proxy {proxy.netloc} (ALL_PROXY)"
            words = "refused the user name and password, or requires them"
            assert told(ended)[:2] == [f"error: {peer} {words}  {BUILD}", PROXY_LOGIN]
            assert ended.code == 3
        assert proxy.accepted == 2


def test_a_http_proxy_that_wants_a_login_is_asked_once(base: dict[str, str]) -> None:
    with Server(answering(http(b"", "407 Login"))) as proxy:
        ended = status(base, URL, HTTPS_PROXY=f"http://{LOGIN}{proxy.netloc}")

        assert proxy.accepted == 1
        peer = f"proxy {proxy.netloc} (HTTPS_PROXY)"
        head = f"error: the {peer} refused CONNECT: HTTP 407  {BUILD}"
        assert told(ended)[:2] == [head, PROXY_LOGIN]
    assert ended.code == 3


SOCKS: Mapping[str, tuple[Handler, str]] = {
    "refused": (socks5(("127.0.0.1", 9), reply=2), "connection not allowed by ruleset"),
    "unreachable": (socks5(("127.0.0.1", 9), reply=4), "host unreachable"),
    "SSH": (greeting(SSH), "did not answer as a SOCKS proxy"),
}


@pytest.mark.parametrize("row", SOCKS)
def test_what_a_socks_proxy_answers_is_told_in_words(base: dict[str, str], row: str) -> None:
    handler, words = SOCKS[row]
    with Server(handler) as proxy:
        ended = status(base, URL, ALL_PROXY=f"socks5h://{proxy.netloc}")

        assert told(ended)[0].startswith(f"error: proxy {proxy.netloc} (ALL_PROXY) ")
    assert words in told(ended)[0]
    assert ended.code == 3


RESOLVES_NO = shim.LOOK_UPS.format(
    fault=f'if host != "127.0.0.1": raise socket.gaierror(socket.EAI_NONAME, "{PROXY_PASSWORD}")'
)


def test_a_name_that_does_not_resolve_is_told_as_the_hosts_or_the_proxys(
    base: dict[str, str],
) -> None:
    with Server(socks5(("127.0.0.1", 9))) as proxy:
        host = status(base, URL, first=RESOLVES_NO, ALL_PROXY=f"socks5://{proxy.netloc}")
    both = status(base, URL, first=RESOLVES_NO, HTTPS_PROXY="http://proxy.example:3128")

    assert told(host)[0].startswith(f"error: could not resolve {HOST} (3 tries")
    assert told(both)[0].startswith(
        "error: could not resolve proxy proxy.example:3128 (HTTPS_PROXY) (3 tries"
    )
    assert told(host)[1] == "With socks5h:// or socks4a:// the proxy resolves it."
    assert told(both)[1] == "Check the network or DNS."


def test_a_connection_refused_names_who_refused(base: dict[str, str]) -> None:
    netloc = f"127.0.0.1:{unused_port()}"
    direct = status(base, f"http://{netloc}")
    proxied = status(base, URL, ALL_PROXY=f"socks5h://{LOGIN}{netloc}")

    assert told(direct)[0].startswith(f"error: connection refused by {netloc} (3 tries")
    head = f"error: connection refused by proxy {netloc} (ALL_PROXY) (3 tries"
    assert told(proxied)[0].startswith(head)


# What the system refuses.

CONNECTS_NOT = """
import errno, os, socket
def connect(self, address):
    raise OSError(errno.{name}, os.strerror(errno.{name}))
socket.socket.connect = connect
"""
SYSTEM: Mapping[str, str] = {
    "ENETUNREACH": "Check the network",
    "EACCES": "A firewall or sandbox on this machine",
    "EMFILE": "ulimit -n",
    "ENOBUFS": "GET /v1/",
}


@pytest.mark.parametrize("name", SYSTEM)
def test_what_the_system_refuses_is_told_in_its_words_with_what_helps(
    base: dict[str, str], name: str
) -> None:
    words = os.strerror(getattr(errno, name)).lower()
    ended = status(base, "http://127.0.0.1:9", first=CONNECTS_NOT.format(name=name))

    assert told(ended)[0].startswith(f"error: could not reach 127.0.0.1:9: {words} (3 tries")
    assert SYSTEM[name] in told(ended)[1]
    assert ended.code == 3


# Region and edge.


def region(base: Mapping[str, str], source: str) -> tuple[dict[str, str], str]:
    """Region ie1 and edge dublin from a source, and how that is to be told."""
    if source == "environment":
        own = {"TWILIO_API_KEY": KEY, "TWILIO_API_SECRET": SECRET}
        where = {"TWILIO_REGION": "ie1", "TWILIO_EDGE": "dublin"}
        return {**base, **own, **where}, "TWILIO_REGION (ie1) and TWILIO_EDGE (dublin)"
    folder = Path(base["HOME"]) / ".twilio-cli"
    folder.mkdir(exist_ok=True)
    profile = {"apiKey": KEY, "apiSecret": SECRET, "region": "ie1", "edge": "dublin"}
    config = {"profiles": {"dev": profile}, "activeProject": "dev"}
    (folder / "config.json").write_text(json.dumps(config))
    place = f"of profile dev in {folder / 'config.json'}"
    return dict(base), f"the region {place} (ie1) and the edge {place} (dublin)"


@pytest.mark.parametrize("source", ["environment", "profile"])
def test_a_host_made_from_region_and_edge_that_does_not_resolve_names_them(
    base: dict[str, str], source: str
) -> None:
    env, made_from = region(base, source)
    ended = run("status", SERVICE, BUILD, env=env, skips_sleeps=True, first=RESOLVES_NO)

    host = "serverless.dublin.ie1.twilio.com"
    assert ended.code == 3
    assert told(ended)[0].startswith(f"error: could not resolve {host} (3 tries")
    assert told(ended)[1].startswith("Check the region and the edge")
    assert told(ended)[-1].endswith(f" at {host} (from {made_from})")


@pytest.mark.parametrize("source", ["environment", "profile"])
@pytest.mark.parametrize(("number", "code", "error"), [(401, 4, 20003), (404, 5, 20404)])
def test_a_refusal_by_a_host_made_from_region_and_edge_names_them(
    base: dict[str, str], authority: Authority, source: str, number: int, code: int, error: int
) -> None:
    env, made_from = region(base, source)
    body = json.dumps({"code": error, "message": "No", "status": number}).encode()
    context = authority.context("serverless.dublin.ie1.twilio.com")
    with (
        Server(answering(http(body, f"{number} No")), context) as api,
        Server(proxying(("127.0.0.1", api.port))) as proxy,
    ):
        more = {"REQUESTS_CA_BUNDLE": authority.bundle, "HTTPS_PROXY": f"http://{proxy.netloc}"}
        ended = run("status", SERVICE, BUILD, env={**env, **more})

        route = f"through proxy {proxy.netloc} (HTTPS_PROXY)"
        assert told(ended)[-1].endswith(f" (from {made_from}), {route}")
    assert ended.code == code
    assert ended.stderr.count(made_from) == 1
    assert secrets.shown(ended.stderr) == []


# Who answered: Twilio, or somebody in between.

FOREIGN = [
    b"default backend - 404",
    b"<html><h1>Not Found</h1></html>",
    b'{"code": 5, "message": "Not Found", "details": []}',
    b'{"code": 404, "message": "Not Found", "status": 404}',
    b'{"kind": "Status", "status": "Failure", "message": "no", "code": 404}',
    b'{"type": "about:blank", "title": "Not Found", "status": 404}',
]


@pytest.mark.parametrize("body", FOREIGN, ids=range(len(FOREIGN)))
@pytest.mark.parametrize("number", [401, 403, 404])
def test_only_a_refusal_in_a_shape_of_twilios_is_twilios(
    base: dict[str, str], body: bytes, number: int
) -> None:
    with Server(answering(http(body, f"{number} No"))) as server:
        ended = status(base, server.url)

        assert len(server.requests) == (3 if number == 404 else 1)
    assert ended.code == 3
    assert "This is not Twilio's answer. Check " in told(ended)[1]
    assert "default backend" not in ended.stderr
    assert "<h1>" not in ended.stderr


def test_a_404_of_an_ingress_after_good_answers_is_ridden_out_until_patience_ends() -> None:
    ingress = http(FOREIGN[0], "404 Not Found", "Content-Type: text/plain")
    with Server(answering(good(), ingress)) as server:
        watched = watch(server.url)
    assert watched.finished.outcome is Outcome.UNAVAILABLE
    assert watched.finished.answer
    assert watched.seconds >= 120

    with Server(answering(good(), *[ingress] * 5, good("completed"))) as server:
        assert watch(server.url).finished.outcome is Outcome.COMPLETED


def test_a_retry_after_that_ends_a_status_at_once_is_named(base: dict[str, str]) -> None:
    with Server(answering(http(b"", "503 Busy", "Retry-After: 40"))) as server:
        ended = status(base, server.url)

        assert len(server.requests) == 1
    assert ended.code == 3
    assert told(ended)[1] == "The server asks to retry after 40s (Retry-After)."
