"""Certificates are verified on every way to the API; a bundle's problem is named."""

from __future__ import annotations

import os
import shutil
import ssl
from collections.abc import Callable, Mapping
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

pytestmark = pytest.mark.usefixtures("names", "trusted")

PROXY = "proxy.example.test"
CLOCK = "Check this machine's clock: it says "
NOT_IN_IT = "REQUESTS_CA_BUNDLE ("

SET = "Set REQUESTS_CA_BUNDLE to a file with the CA certificate of your company or proxy"
ADD = "does not contain it. Add the CA certificate of your company"
NO_EFFECT = "is set, but has no effect here. Set REQUESTS_CA_BUNDLE to the same"

Issue = Callable[[Authority, str], trustme.LeafCert]

# What is wrong with a certificate: how it is made, a part of OpenSSL's words, and what to do.
FAULTS: Mapping[str, tuple[Issue, str, str]] = {
    "another host": (lambda own, _: own.leaf("login.example.test"), "ostname mismatch", PORTAL),
    "expired": (lambda own, name: own.leaf(name, begins=-2, ends=-1), "has expired", CLOCK),
    "not yet valid": (lambda own, name: own.leaf(name, begins=1, ends=2), "not yet valid", CLOCK),
    "an unknown authority": (
        lambda _, name: trustme.CA().issue_cert(name),
        "signed by an unknown authority (unable to get local issuer certificate)",
        NOT_IN_IT,
    ),
}


def test_certificates_are_read_before_the_first_connection_and_never_again(
    environ: pytest.MonkeyPatch, authority: Authority, tmp_path: Path
) -> None:
    bundle = Path(shutil.copy(authority.bundle, tmp_path))
    environ.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with Server(answering(good()), authority.context(HOST)) as api:
        url = f"https://{HOST}:{api.port}"
        found = network.network_for(url)
        bundle.unlink()
        environ.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", "/no/such.pem")
        for _ in range(2):
            fetcher(url, way=found).fetch(STATUS)

        assert api.accepted == 2


@pytest.mark.parametrize(
    ("scheme", "whose"), [("", HOST), ("http", HOST), ("https", HOST), ("https", PROXY)]
)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_certificate_is_refused_at_once(
    environ: pytest.MonkeyPatch, authority: Authority, fault: str, scheme: str, whose: str
) -> None:
    issue, words, hint = FAULTS[fault]
    environ.setenv("HTTP_PROXY", "http://a:1")  # which is pointed out where no connection is made
    contexts = [
        server_context((issue if name == whose else Authority.leaf)(authority, name))
        for name in (HOST, PROXY)
    ]
    with Server(answering(good()), contexts[0]) as api:
        to = proxying(("127.0.0.1", api.port))
        with Server(to, contexts[1] if scheme == "https" else None) as proxy:
            if scheme:
                environ.setenv("HTTPS_PROXY", f"{scheme}://{PROXY}:{proxy.port}")
            refused = refused_by(f"https://{HOST}:{api.port}")

        accepted = {HOST: api.accepted, PROXY: proxy.accepted}
        peers = {HOST: f"{HOST}:{api.port}", PROXY: f"proxy {PROXY}:{proxy.port} (HTTPS_PROXY)"}
        assert type(refused) is PermanentError
        assert refused.reason.startswith(f"the certificate of {peers[whose]} does not verify: ")
        assert words in refused.reason
        assert [known[: len(hint)] for known in refused.hints] == [hint]
        assert (accepted[whose], api.requests) == (1, [])


ONE, TWO = (trustme.CA().cert_pem.bytes() for _ in range(2))
DAMAGED = TWO[:200] + b"AAAA" + TWO[204:]
NO_FILE, NONE = "{}: no such file or directory", "{}: contains no certificate"
DER = "{}: is in DER format, not PEM\nConvert it: openssl x509 -inform der -in {} -out ca.pem"
JOINED = (
    "{}: two certificates are joined without a line end\n"
    "Begin a new line before each -----BEGIN CERTIFICATE-----."
)
FIRST, SECOND = (
    f"{{}}: certificate {number} in it is damaged\nCopy it again from its source."
    for number in (1, 2)
)


def refusal(environ: pytest.MonkeyPatch, path: object) -> str:
    """Why `path` is refused as the value of REQUESTS_CA_BUNDLE, then what is special to do."""
    environ.setenv("REQUESTS_CA_BUNDLE", str(path))
    with pytest.raises(UsageError) as refused:
        network.network_for(f"https://{HOST}")
    usual = "Set REQUESTS_CA_BUNDLE to a file with CA certificates in PEM form, or unset it."
    name, _, why = refused.value.message.partition(" cannot be used: ")
    assert name == "REQUESTS_CA_BUNDLE"
    assert refused.value.hints
    return "\n".join([why, *(hint for hint in refused.value.hints if hint != usual)])


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        pytest.param(b"", NONE, id="empty"),
        pytest.param(b"-----BEGIN PKCS7-----\nMIIB\n-----END PKCS7-----\n", NONE, id="PKCS #7"),
        pytest.param(ssl.PEM_cert_to_DER_cert(ONE.decode()), DER, id="DER"),
        pytest.param(ONE + TWO.rstrip() + b" " + ONE, JOINED, id="joined"),
        pytest.param(b"0\n" + DAMAGED, FIRST, id="damaged"),
        pytest.param(ONE + DAMAGED + ONE, SECOND, id="one damaged"),
        pytest.param(ONE + TWO[:99] + b"\xfc" + TWO[100:], SECOND, id="no ASCII"),
        pytest.param("# Zürich\n".encode() + ONE + TWO[:300], SECOND, id="cut"),
    ],
)
def test_an_unusable_file_is_refused_with_its_problem(
    environ: pytest.MonkeyPatch, tmp_path: Path, content: bytes, wanted: str
) -> None:
    path = tmp_path / "ca.crt"
    path.write_bytes(content)

    assert refusal(environ, path) == wanted.format(path, path)


@pytest.mark.parametrize(
    ("path", "shown", "hint"),
    [
        ("/no/such\x1b.pem", r"/no/such\x1b.pem", ""),
        ("/no/such.pem\r", r"/no/such.pem\r", ""),
        ('"{}', '"{}', "\nRemove the quotation marks around it."),
        ("{}'", "{}'", "\nRemove the quotation marks around it."),
        ("~/a", "~/a", "\nIt begins with ~, which was not expanded. Write $HOME in its place."),
        ("{} ", "{} ", "\nRemove ' ' at its end: {} exists."),
        ("{}\ufe0f\r\n", r"{}\ufe0f\r\n", "\nRemove '\\ufe0f\\r\\n' at its end: {} exists."),
    ],
)
def test_a_path_without_a_file_is_shown_with_its_problem(
    environ: pytest.MonkeyPatch, authority: Authority, path: str, shown: str, hint: str
) -> None:
    bundle = authority.bundle
    wanted = f"{NO_FILE.format(shown)}{hint}".replace("{}", bundle)

    assert refusal(environ, path.replace("{}", bundle)) == wanted


def test_a_folder_needs_names_that_openssl_finds(
    environ: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "my certs"
    folder.mkdir()
    assert refusal(environ, folder) == NONE.format(folder)

    (folder / "ca.pem").write_bytes(ONE)
    unnamed = f"{folder}: contains no certificate under the name of its hash"
    assert refusal(environ, folder) == f"{unnamed}\nRun: openssl rehash '{folder}'"

    (folder / "0123abcd.0").write_bytes(ONE)
    assert network.network_for(f"https://{HOST}").context


def test_what_is_no_regular_file_is_not_opened(environ: pytest.MonkeyPatch, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", "/dev/zero"):
        assert refusal(environ, path) == f"{path}: not a regular file"


@pytest.mark.parametrize("name", ["no/keys.log", "", "fifo", "keys.log"])
def test_a_key_log_is_written_where_it_can_be(
    environ: pytest.MonkeyPatch, tmp_path: Path, authority: Authority, name: str
) -> None:
    """Else it is ignored."""
    os.mkfifo(tmp_path / "fifo")
    path = tmp_path / name
    environ.setenv("SSLKEYLOGFILE", str(path))
    with Server(answering(good()), authority.context("127.0.0.1")) as server:
        assert fetcher(server.url).fetch(STATUS)

    assert path.is_file() is (name == "keys.log")
    assert not path.is_file() or "SECRET" in path.read_text()


@pytest.mark.parametrize(
    ("named", "hints"),
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
    environ: pytest.MonkeyPatch, authority: Authority, named: list[str], hints: list[str]
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"):
        environ.delenv(name, raising=False)
    for name in named:
        environ.setenv(name, authority.bundle)
    unknown = server_context(trustme.CA().issue_cert("127.0.0.1"))
    with Server(answering(good()), unknown) as server:
        refused = refused_by(server.url)

    for hint, begins in zip(refused.hints, hints, strict=True):
        assert hint.startswith(begins.format(authority.bundle))
