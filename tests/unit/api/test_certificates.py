"""Certificates are verified on every way to the API, and read once per run."""

from __future__ import annotations

import os
import shutil
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests
import trustme

from tests.support.authority import Authority, server_context
from tests.support.fasttime import fetcher
from tests.support.sockets import Server, answering, good, proxying
from tests.unit.api.fetching import HOST, STATUS, refused_by
from twbuild.api import network
from twbuild.api.http_errors import PORTAL
from twbuild.errors import PermanentError, UsageError

pytestmark = pytest.mark.usefixtures("names")

PROXY = "proxy.example.test"
CLOCK = "Check this machine's clock: it says "
NOT_IN_IT = "REQUESTS_CA_BUNDLE ("

Issue = Callable[[Authority, str], trustme.LeafCert]

# What is wrong with a certificate: how it is made, a part of OpenSSL's words, and what to do.
FAULTS: Mapping[str, tuple[Issue, str, str]] = {
    "another host": (lambda own, _: own.leaf("login.example.test"), "ostname mismatch", PORTAL),
    "the host as common name only": (
        lambda own, name: own.ca.issue_cert("hostmaster@example.test", common_name=name),
        "ostname mismatch",
        PORTAL,
    ),
    "expired": (lambda own, name: own.leaf(name, begins=-2, ends=-1), "has expired", CLOCK),
    "not yet valid": (lambda own, name: own.leaf(name, begins=1, ends=2), "not yet valid", CLOCK),
    "an unknown authority": (
        lambda _, name: trustme.CA().issue_cert(name),
        "signed by an unknown authority (unable to get local issuer certificate)",
        NOT_IN_IT,
    ),
}


@pytest.fixture
def bundle(tmp_path: Path, authority: Authority) -> Path:
    """A copy of the authority's file, which a test may remove."""
    return Path(shutil.copy(authority.bundle, tmp_path))


@pytest.fixture(autouse=True)
def trusting(environ: pytest.MonkeyPatch, bundle: Path) -> None:
    environ.setenv("REQUESTS_CA_BUNDLE", str(bundle))


@contextmanager
def servers(
    environ: pytest.MonkeyPatch,
    scheme: str,
    api_leaf: trustme.LeafCert,
    proxy_leaf: trustme.LeafCert,
) -> Iterator[tuple[str, Server, Server]]:
    """The URL of an API, its server, and a proxy's; `scheme` is in HTTPS_PROXY, "" for none."""
    with ExitStack() as stack:
        api = stack.enter_context(Server(answering(good()), server_context(api_leaf)))
        context = server_context(proxy_leaf) if scheme == "https" else None
        proxy = stack.enter_context(Server(proxying(("127.0.0.1", api.port)), context))
        if scheme:
            environ.setenv("HTTPS_PROXY", f"{scheme}://{PROXY}:{proxy.port}")
        yield f"https://{HOST}:{api.port}", api, proxy


@pytest.mark.parametrize(
    ("scheme", "whose"), [("", HOST), ("http", HOST), ("https", HOST), ("https", PROXY)]
)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_certificate_is_refused_at_once(
    environ: pytest.MonkeyPatch, authority: Authority, fault: str, scheme: str, whose: str
) -> None:
    issue, words, hint = FAULTS[fault]
    environ.setenv("HTTP_PROXY", "http://a:1")  # which is pointed out where no connection is made
    leaves = [
        (issue if name == whose else Authority.leaf)(authority, name) for name in (HOST, PROXY)
    ]
    with servers(environ, scheme, *leaves) as (url, api, proxy):
        refused = refused_by(url)

        is_api = whose == HOST
        peer = f"{HOST}:{api.port}" if is_api else f"proxy {PROXY}:{proxy.port} (HTTPS_PROXY)"
        assert type(refused) is PermanentError
        assert refused.reason.startswith(f"the certificate of {peer} does not verify: ")
        assert words in refused.reason
        assert [known[: len(hint)] for known in refused.hints] == [hint]
        assert ((api if is_api else proxy).accepted, api.requests) == (1, [])


@pytest.mark.parametrize("scheme", ["", "http", "https"])
def test_certificates_are_read_before_the_first_connection_and_never_again(
    environ: pytest.MonkeyPatch, bundle: Path, authority: Authority, scheme: str
) -> None:
    leaves = (authority.leaf(HOST), authority.leaf(PROXY))
    with servers(environ, scheme, *leaves) as (url, api, _):
        found = network.network_for(url)
        bundle.unlink()
        environ.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", "/no/such.pem")
        for _ in range(3):
            fetcher(url, way=found).fetch(STATUS)

        assert (api.accepted, len(api.requests)) == (3, 3)


# What a file of CA certificates may be, and what is said of it and to be done; {} is its path.

ONE, TWO = (trustme.CA().cert_pem.bytes() for _ in range(2))
DAMAGED = TWO[:200] + b"AAAA" + TWO[204:]
NO_CERTIFICATE = ("contains no certificate",)
JOINED = (
    "two certificates are joined without a line end",
    "Begin a new line before each -----BEGIN CERTIFICATE-----.",
)
FIRST_DAMAGED, SECOND_DAMAGED = (
    (f"certificate {number} in it is damaged", "Copy it again from its source.")
    for number in (1, 2)
)
DER = ("is in DER format, not PEM", "Convert it: openssl x509 -inform der -in {} -out ca.pem")

BUNDLES: Mapping[str, tuple[bytes, tuple[str, ...]]] = {
    "empty": (b"", NO_CERTIFICATE),
    "noise": (b"\xff\0" * 99, NO_CERTIFICATE),
    "PKCS #7": (b"-----BEGIN PKCS7-----\nMIIB\n-----END PKCS7-----\n", NO_CERTIFICATE),
    "DER": (ssl.PEM_cert_to_DER_cert(ONE.decode()), DER),
    "joined": (ONE.rstrip() + TWO, JOINED),
    "joined later": (ONE + TWO.rstrip() + b" " + ONE, JOINED),
    "damaged": (b"0\n" + DAMAGED, FIRST_DAMAGED),
    "one damaged": (ONE + DAMAGED + ONE, SECOND_DAMAGED),
    "no base64": (ONE + TWO[:99] + b"!" + TWO[100:], SECOND_DAMAGED),
    "no ASCII": (ONE + TWO[:99] + b"\xfc" + TWO[100:], SECOND_DAMAGED),
    "cut": ("# Zürich\n".encode() + ONE + TWO[:300], SECOND_DAMAGED),
}


def refusal(environ: pytest.MonkeyPatch, path: str, name: str = "REQUESTS_CA_BUNDLE") -> list[str]:
    """Why `path` is refused as the value of `name`, and what to do."""
    environ.delenv("REQUESTS_CA_BUNDLE")
    environ.setenv(name, path)
    with pytest.raises(UsageError) as refused:
        network.network_for(f"https://{HOST}")
    usual = f"Set {name} to a file with CA certificates in PEM form, or unset it."
    message, *hints = refused.value.message, *refused.value.hints
    assert hints
    assert message.startswith(f"{name} cannot be used: ")
    return [message.partition(": ")[2], *([] if hints == [usual] else hints)]


@pytest.mark.parametrize("row", BUNDLES)
def test_an_unusable_file_is_refused_with_its_problem(
    environ: pytest.MonkeyPatch, tmp_path: Path, row: str
) -> None:
    content, (why, *hints) = BUNDLES[row]
    path = tmp_path / "ca.crt"
    path.write_bytes(content)

    assert refusal(environ, str(path)) == [f"{path}: {why}", *(hint.format(path) for hint in hints)]


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_missing_file_is_refused_by_name(environ: pytest.MonkeyPatch, variable: str) -> None:
    why = ["/no/such\\x1b.pem: no such file or directory"]
    assert refusal(environ, "/no/such\x1b.pem", variable) == why


@pytest.mark.parametrize(
    ("end", "shown"),
    [("\r", "\\r"), (" ", " "), ("\ufe0f", "\\ufe0f"), ("\u200b\r\n", "\\u200b\\r\\n")],
    ids=ascii,
)
def test_an_invisible_end_of_a_path_is_shown(
    environ: pytest.MonkeyPatch, bundle: Path, end: str, shown: str
) -> None:
    """An invisible end of a path is shown and the file without it named."""
    assert refusal(environ, f"{bundle}{end}") == [
        f"{bundle}{shown}: no such file or directory",
        f"Remove '{shown}' at its end: {bundle} exists.",
    ]
    assert refusal(environ, f"/no/such{end}") == [f"/no/such{shown}: no such file or directory"]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ('"/no/such.pem"', "Remove the quotation marks around it."),
        ("'/no/such.pem'", "Remove the quotation marks around it."),
        ("~/such.pem", "It begins with ~, which was not expanded. Write $HOME in its place."),
    ],
)
def test_what_a_shell_would_remove_from_a_path_is_named(
    environ: pytest.MonkeyPatch, path: str, hint: str
) -> None:
    assert refusal(environ, path) == [f"{path}: no such file or directory", hint]


def test_a_folder_needs_names_that_openssl_finds(
    environ: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "my certs"
    folder.mkdir()
    assert refusal(environ, str(folder)) == [f"{folder}: contains no certificate"]

    (folder / "ca.pem").write_bytes(ONE)
    assert refusal(environ, str(folder)) == [
        f"{folder}: contains no certificate under the name of its hash",
        f"Run: openssl rehash '{folder}'",
    ]

    (folder / "0123abcd.0").write_bytes(ONE)
    assert network.network_for(f"https://{HOST}").context


def test_what_is_no_regular_file_is_not_opened(environ: pytest.MonkeyPatch, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (str(tmp_path / "fifo"), "/dev/zero"):
        assert refusal(environ, path) == [f"{path}: not a regular file"]


@pytest.mark.parametrize("path", ["/no/such/folder/keys.log", "/", "fifo"])
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
    with Server(answering(good()), authority.context("127.0.0.1")) as server:
        fetcher(server.url).fetch(STATUS)

    assert "SECRET" in log.read_text()


# Variables that are set, and what is said where an authority is unknown; {} is a bundle's path.

SET = "Set REQUESTS_CA_BUNDLE to a file with the CA certificate of your company or proxy"
ADD = "does not contain it. Add the CA certificate of your company"
NO_EFFECT = "is set, but has no effect here. Set REQUESTS_CA_BUNDLE to the same"


@pytest.mark.parametrize(
    ("variables", "hints"),
    [
        ([], [SET]),
        (["CURL_CA_BUNDLE"], [f"CURL_CA_BUNDLE ({{}}) {ADD}"]),
        (["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"], [f"SSL_CERT_FILE ({{}}) {ADD}"]),
        (["TWILIO_CA_BUNDLE"], [f"TWILIO_CA_BUNDLE {NO_EFFECT}", SET]),
        (["NODE_EXTRA_CA_CERTS"], [f"NODE_EXTRA_CA_CERTS {NO_EFFECT}", SET]),
        (["SSL_CERT_DIR"], [f"SSL_CERT_DIR {NO_EFFECT}", SET]),
    ],
)
def test_an_unknown_authority_names_the_variable_that_counts(
    environ: pytest.MonkeyPatch,
    tmp_path: Path,
    bundle: Path,
    variables: list[str],
    hints: list[str],
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"):
        environ.delenv(name, raising=False)
    for name in variables:
        environ.setenv(name, str(bundle))
    with Server(answering(good()), Authority(tmp_path).context("127.0.0.1")) as server:
        refused = refused_by(server.url)

    for hint, begins in zip(refused.hints, hints, strict=True):
        assert hint.startswith(begins.format(bundle))
