"""Certificates are verified as strictly as requests does it, and read once per run."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.authority import Authority, server_context
from tests.support.command import BUILD
from tests.support.fasttime import close_fetchers, fetcher
from tests.support.sockets import Server, answering, good, proxying
from twbuild.api import network
from twbuild.api.http_errors import PORTAL
from twbuild.api.models import Request, Resource
from twbuild.errors import PermanentError, UsageError

STATUS = Request(Resource.STATUS, BUILD)
HOST = "api.example.test"
PROXY = "proxy.example.test"
ROUTES = ("direct", "CONNECT of an HTTP proxy", "CONNECT of an HTTPS proxy")
DAY = timedelta(days=1)
NOW = datetime.now(timezone.utc)

Issue = Callable[[trustme.CA, str], trustme.LeafCert]


def issued_for_clients(authority: trustme.CA, name: str) -> trustme.LeafCert:
    """A certificate of `authority` that is good for clients alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    ca_key = serialization.load_pem_private_key(authority.private_key_pem.bytes(), None)
    ca = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return trustme.LeafCert(secret, certificate.public_bytes(pem), [])


# What is wrong with a certificate: how it is made, and a part of OpenSSL's words about it.
FAULTS: Mapping[str, tuple[Issue, str]] = {
    "another host": (lambda ca, _: ca.issue_cert("other.example.test"), "ostname mismatch"),
    "the host as common name only": (
        lambda ca, name: ca.issue_cert("other.example.test", common_name=name),
        "ostname mismatch",
    ),
    "expired": (
        lambda ca, name: ca.issue_cert(name, not_before=NOW - 2 * DAY, not_after=NOW - DAY),
        "certificate has expired",
    ),
    "not yet valid": (
        lambda ca, name: ca.issue_cert(name, not_before=NOW + DAY, not_after=NOW + 2 * DAY),
        "certificate is not yet valid",
    ),
    "for clients only": (issued_for_clients, "certificate purpose"),
    "an unknown authority": (
        lambda _, name: trustme.CA().issue_cert(name),
        "unable to get local issuer certificate",
    ),
}


@pytest.fixture
def bundle(tmp_path: Path, authority: Authority) -> Path:
    """A copy of the authority's file, which a test may remove."""
    return Path(shutil.copy(authority.bundle, tmp_path))


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch, bundle: Path) -> Iterator[pytest.MonkeyPatch]:
    """An environment that trusts `authority`, names no proxy, and resolves every name to here."""
    for name in list(os.environ):
        if name.lower().endswith(("_proxy", "_ca_bundle")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    real = socket.getaddrinfo

    def resolve(_: str, *more: Any, **named: Any) -> Any:
        return real("127.0.0.1", *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    yield monkeypatch
    close_fetchers()


class Way:
    """The servers of a route to an API, and the API's URL.

    Each of the two certificates is None for a good one.
    """

    def __init__(
        self,
        servers: ExitStack,
        environ: pytest.MonkeyPatch,
        authority: Authority,
        route: str,
        api: trustme.LeafCert | None = None,
        proxy: trustme.LeafCert | None = None,
    ) -> None:
        context = server_context(api or authority.leaf(HOST))
        self.api = servers.enter_context(Server(answering(good()), context))
        self.url = f"https://{HOST}:{self.api.port}"
        self.proxy: Server | None = None
        if route == "direct":
            return
        is_tls = "HTTPS" in route
        leaf = proxy or authority.leaf(PROXY)
        self.proxy = servers.enter_context(
            Server(proxying(("127.0.0.1", self.api.port)), server_context(leaf) if is_tls else None)
        )
        scheme = "https" if is_tls else "http"
        environ.setenv("HTTPS_PROXY", f"{scheme}://{PROXY}:{self.proxy.port}")


def verdict_of_requests(url: str) -> str:
    """What OpenSSL says of the certificate when requests alone makes the request; "" for good."""
    try:
        requests.get(url, timeout=5).close()
    except requests.ConnectionError as error:
        cause: object = error
        while not isinstance(cause, ssl.SSLCertVerificationError):
            assert isinstance(cause, BaseException)
            inner = (
                cause.__cause__,
                cause.__context__,
                *cause.args,
                getattr(cause, "reason", None),
            )
            cause = next(one for one in inner if isinstance(one, BaseException))
        return cause.verify_message
    return ""


def verdict(url: str) -> str:
    """The same of twbuild, as a part of its message."""
    try:
        fetcher(url).fetch(STATUS)
    except PermanentError as error:
        return error.message
    return ""


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_api_certificate_is_refused_as_requests_does(
    environ: pytest.MonkeyPatch, authority: Authority, fault: str, route: str
) -> None:
    issue, words = FAULTS[fault]
    with ExitStack() as servers:
        way = Way(servers, environ, authority, route, api=issue(authority.ca, HOST))
        ours, plain = verdict(way.url), verdict_of_requests(way.url)

        assert words in plain
        assert plain.rstrip(".") in ours
        assert f"certificate of {HOST}" in ours
        assert way.api.requests == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_proxy_certificate_is_refused_as_requests_does(
    environ: pytest.MonkeyPatch, authority: Authority, fault: str
) -> None:
    issue, words = FAULTS[fault]
    with ExitStack() as servers:
        way = Way(servers, environ, authority, ROUTES[-1], proxy=issue(authority.ca, PROXY))
        ours, plain = verdict(way.url), verdict_of_requests(way.url)

        assert words in plain
        assert plain.rstrip(".") in ours
        assert f"certificate of proxy {PROXY}" in ours
        assert way.proxy
        assert (way.proxy.requests, way.api.requests) == ([], [])


@pytest.mark.parametrize("route", ROUTES)
def test_certificates_are_read_before_the_first_connection_and_never_again(
    environ: pytest.MonkeyPatch, bundle: Path, authority: Authority, route: str
) -> None:
    with ExitStack() as servers:
        way = Way(servers, environ, authority, route)
        found = network.network_for(way.url)
        bundle.unlink()
        environ.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", "/no/such.pem")
        for _ in range(3):
            fetcher(way.url, way=found).fetch(STATUS)

        assert way.api.accepted == 3
        assert len(way.api.requests) == 3


# What a file of CA certificates may be, and what is said of it and to be done; {} is its path.

ONE, TWO = (trustme.CA().cert_pem.bytes() for _ in range(2))
DAMAGED = TWO[:200] + b"AAAA" + TWO[204:]
NEW_LINE = "Begin a new line before each -----BEGIN CERTIFICATE-----."
AGAIN = "Copy it again from its source."
NO_CERTIFICATE = ("contains no certificate",)

BUNDLES: Mapping[str, tuple[bytes, tuple[str, ...]]] = {
    "empty": (b"", NO_CERTIFICATE),
    "a line end": (b"\n", NO_CERTIFICATE),
    "text": (b"no certificate", NO_CERTIFICATE),
    "noise": (b"\xff\0" * 99, NO_CERTIFICATE),
    "PKCS #7": (b"-----BEGIN PKCS7-----\nMIIB\n-----END PKCS7-----\n", NO_CERTIFICATE),
    "UTF-16": (ONE.decode().encode("utf-16"), NO_CERTIFICATE),
    "DER": (
        ssl.PEM_cert_to_DER_cert(ONE.decode()),
        ("is in DER format, not PEM", "Convert it: openssl x509 -inform der -in {} -out ca.pem"),
    ),
    "joined": (ONE.rstrip() + TWO, ("two certificates are joined without a line end", NEW_LINE)),
    "joined later": (
        ONE + TWO.rstrip() + b" " + ONE,
        ("two certificates are joined without a line end", NEW_LINE),
    ),
    "damaged": (DAMAGED, ("certificate 1 in it is damaged", AGAIN)),
    "one damaged": (ONE + DAMAGED + ONE, ("certificate 2 in it is damaged", AGAIN)),
    "no base64": (ONE + TWO[:99] + b"!" + TWO[100:], ("certificate 2 in it is damaged", AGAIN)),
    "cut": ("# Zürich\n".encode() + ONE + TWO[:300], ("certificate 2 in it is damaged", AGAIN)),
}


@pytest.mark.parametrize("row", BUNDLES)
def test_an_unusable_file_is_refused_with_its_problem(
    environ: pytest.MonkeyPatch, tmp_path: Path, row: str
) -> None:
    content, (why, *hints) = BUNDLES[row]
    path = tmp_path / "ca.crt"
    path.write_bytes(content)

    assert refusal(environ, str(path)) == [
        f"REQUESTS_CA_BUNDLE cannot be used: {path}: {why}",
        *(hint.format(path) for hint in hints),
    ]


def refusal(environ: pytest.MonkeyPatch, path: str, name: str = "REQUESTS_CA_BUNDLE") -> list[str]:
    environ.delenv("REQUESTS_CA_BUNDLE")
    environ.setenv(name, path)
    with pytest.raises(UsageError) as refused:
        network.network_for(f"https://{HOST}")
    hints = refused.value.hints
    assert hints  # what to do, if only what the variable is for
    return [refused.value.message, *(hint for hint in hints if not hint.startswith("Set "))]


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_file_that_is_not_there_is_refused_by_name(
    environ: pytest.MonkeyPatch, variable: str
) -> None:
    why = "no such file or directory"
    assert refusal(environ, "/no/such\x1b.pem", variable) == [
        f"{variable} cannot be used: /no/such\\x1b.pem: {why}"
    ]


@pytest.mark.parametrize(
    ("end", "shown"),
    [
        ("\r", "\\r"),
        ("\n", "\\n"),
        (" ", " "),
        ("\u00a0", "\\xa0"),
        ("\ufeff", "\\ufeff"),
        ("\ufe0f", "\\ufe0f"),
        ("\u200b\r\n", "\\u200b\\r\\n"),
    ],
    ids=ascii,
)
def test_an_invisible_end_of_a_path_is_shown(
    environ: pytest.MonkeyPatch, bundle: Path, end: str, shown: str
) -> None:
    """An invisible end of a path is shown and the file without it named."""
    why = "no such file or directory"
    assert refusal(environ, f"{bundle}{end}") == [
        f"REQUESTS_CA_BUNDLE cannot be used: {bundle}{shown}: {why}",
        f"Remove '{shown}' at its end: {bundle} exists.",
    ]
    assert refusal(environ, f"/no/such{end}") == [
        f"REQUESTS_CA_BUNDLE cannot be used: /no/such{shown}: {why}"
    ]


def test_a_folder_counts_if_openssl_finds_something_in_it(
    environ: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "my certs"
    folder.mkdir()
    head = f"REQUESTS_CA_BUNDLE cannot be used: {folder}: contains no certificate"
    assert refusal(environ, str(folder)) == [head]

    (folder / "ca.pem").write_bytes(ONE)
    assert refusal(environ, str(folder)) == [
        f"{head} under the name of its hash",
        f"Run: openssl rehash '{folder}'",
    ]

    (folder / "0123abcd.0").write_bytes(ONE)
    assert network.network_for(f"https://{HOST}").context


def test_what_is_no_regular_file_is_refused_and_never_opened(
    environ: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (str(tmp_path / "fifo"), "/dev/null", "/dev/zero"):
        assert refusal(environ, path) == [
            f"REQUESTS_CA_BUNDLE cannot be used: {path}: not a regular file"
        ]


@pytest.mark.parametrize("path", ["/no/such/folder/keys.log", "/", "fifo", "/dev/null"])
def test_a_key_log_that_cannot_be_written_is_ignored(
    environ: pytest.MonkeyPatch, tmp_path: Path, path: str
) -> None:
    os.mkfifo(tmp_path / "fifo")
    environ.setenv("SSLKEYLOGFILE", str(tmp_path / path))
    made = network.network_for(f"https://{HOST}").context

    assert made
    assert made.keylog_filename is None


def test_a_key_log_that_can_be_written_is_written(
    environ: pytest.MonkeyPatch, tmp_path: Path, authority: Authority
) -> None:
    log = tmp_path / "keys.log"
    environ.setenv("SSLKEYLOGFILE", str(log))
    with ExitStack() as servers:
        fetcher(Way(servers, environ, authority, ROUTES[0]).url).fetch(STATUS)

    assert "SECRET" in log.read_text()


# Variables that others read, and what is said where an authority is unknown.

UNKNOWN: Mapping[str, tuple[dict[str, str], list[str]]] = {
    "nothing is set": ({}, ["Set REQUESTS_CA_BUNDLE to a file with the CA certificate"]),
    "a bundle without it": (
        {"CURL_CA_BUNDLE": "{}"},
        ["CURL_CA_BUNDLE ({}) does not contain it. Add the CA certificate of your company"],
    ),
    **{
        name: (
            {name: "{}"},
            [
                f"{name} is set, but has no effect here. Set REQUESTS_CA_BUNDLE to the same",
                "Set REQUESTS_CA_BUNDLE to a file with the CA certificate",
            ],
        )
        for name in ("TWILIO_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "SSL_CERT_DIR")
    },
    "another's beside ours": (
        {"SSL_CERT_FILE": "{}", "NODE_EXTRA_CA_CERTS": "{}"},
        ["SSL_CERT_FILE ({}) does not contain it."],
    ),
}


@pytest.mark.parametrize("row", UNKNOWN)
def test_an_unknown_authority_names_the_variable_that_counts(
    environ: pytest.MonkeyPatch, tmp_path: Path, bundle: Path, row: str
) -> None:
    settings, wanted = UNKNOWN[row]
    environ.delenv("REQUESTS_CA_BUNDLE")
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"):
        environ.delenv(name, raising=False)
    for name, value in settings.items():
        environ.setenv(name, value.format(bundle))
    stranger = Authority(tmp_path)
    with ExitStack() as servers:
        url = Way(servers, environ, stranger, ROUTES[0]).url
        with pytest.raises(PermanentError) as refused:
            fetcher(url).fetch(STATUS)

    begun = [len(start.format(bundle)) for start in wanted]
    cut = [hint[:size] for hint, size in zip(refused.value.hints, begun, strict=True)]
    assert cut == [start.format(bundle) for start in wanted]


def test_a_certificate_for_another_name_hints_at_a_portal(
    environ: pytest.MonkeyPatch, authority: Authority
) -> None:
    leaf = authority.leaf("login.example.test")
    with ExitStack() as servers:
        url = Way(servers, environ, authority, ROUTES[0], api=leaf).url
        with pytest.raises(PermanentError, match="Hostname mismatch") as refused:
            fetcher(url).fetch(STATUS)

    assert refused.value.hints == (PORTAL,)
