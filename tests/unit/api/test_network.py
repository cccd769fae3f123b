"""How a request leaves this machine: what the environment says of proxies and CA bundles."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path

import pytest
import trustme

from tests.support.secrets import PROXY_PASSWORD, shown
from tests.unit.api.tls import bundle
from twbuild.api import network
from twbuild.errors import UsageError

TWILIO = "https://serverless.twilio.com"


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
@pytest.mark.usefixtures("trusted")
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
@pytest.mark.usefixtures("trusted")
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
