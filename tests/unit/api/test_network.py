"""How a request leaves this machine: what the environment says of proxies and CA bundles."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import parse_url

from tests.support.authority import Authority
from tests.support.secrets import PROXY_PASSWORD, shown
from twbuild.api import network
from twbuild.errors import UsageError

TWILIO = "https://serverless.twilio.com"


def test_without_settings_the_way_is_direct() -> None:
    """Where nothing is set the way is direct and the usual authorities count."""
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
        ({"HTTPS_PROXY": "http://u:p@w@a:1"}, "proxy a:1 (HTTPS_PROXY)"),
        ({"HTTPS_PROXY": "http://[::1]:3128"}, "proxy [::1]:3128 (HTTPS_PROXY)"),
        ({"HTTPS_PROXY": "socks5h://a:1080"}, "proxy a:1080 (HTTPS_PROXY)"),
        ({"HTTPS_PROXY": "http://[fe80::1%25lo]:1"}, "proxy [fe80::1%lo]:1 (HTTPS_PROXY)"),
        ({"HTTPS_PROXY": "http://j:s3[ret]Pw@a:1"}, "proxy a:1 (HTTPS_PROXY)"),
        ({"HTTPS_PROXY": "http://CORP%5Cj:p%40w@a:1"}, "proxy a:1 (HTTPS_PROXY)"),
        ({"HTTP_PROXY": "http://a:1"}, None),
        ({"HTTPS_PROXY": ""}, None),
        ({"https_proxy": "", "HTTPS_PROXY": "http://a:1"}, "proxy a:1 (HTTPS_PROXY)"),
        ({"https_proxy": "", "all_proxy": "", "ALL_PROXY": "a:1"}, "proxy a:1 (ALL_PROXY)"),
        ({"HTTPS_PROXY": "", "ALL_PROXY": "http://a:1"}, "proxy a:1 (ALL_PROXY)"),
        ({"HTTPS_PROXY": "http://a:1", "no_proxy": "", "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": "http://a:1", "no_proxy": "", "NO_PROXY": ".twilio.com"}, None),
        ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": ".twilio.com,x"}, None),
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
        "http://h:99999",
        "http://h:port",
        "ftp://h:21",
        "http//h:80",
        f"http://u:{PROXY_PASSWORD}@h:1",
        f"http://u:7/{PROXY_PASSWORD}@h:1",
        f"http://u:7#{PROXY_PASSWORD}@h:1",
        f"u:{PROXY_PASSWORD}@h:1:2",
        "http://[::1",
        "http://a..b:1",
        "http://h:0",
        " ",
        "\x1b[1m",
        rf"http://CORP\j:{PROXY_PASSWORD.replace('/', '%2F')}@h:1",
        f"http://j:[{PROXY_PASSWORD.replace('/', '%2F')}]@[h:1",
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

    reported = " ".join([refused.value.message, *refused.value.hints, *refused.value.details])
    assert refused.value.message.startswith(f"{variable} ")
    assert shown(reported) == []
    assert reported.isprintable()


@pytest.mark.usefixtures("trusted")
def test_a_windows_domain_in_a_proxys_user_is_refused(
    environ: pytest.MonkeyPatch,
) -> None:
    """A Windows domain in a proxy's user name is refused with how to write it."""
    environ.setenv("HTTPS_PROXY", r"http://CORP\user:pw@proxy:3128")
    with pytest.raises(UsageError, match="HTTPS_PROXY is not a valid proxy address") as refused:
        network.network_for(TWILIO)

    assert refused.value.hints[0].endswith(r"with %2F %23 %3F %5B %5C %5D for / # ? [ \ ]")


@pytest.mark.parametrize(
    ("settings", "is_pointed_out"),
    [
        ({"HTTP_PROXY": "http://a:1"}, True),
        ({"http_proxy": "a:1", "https_proxy": ""}, True),
        ({"HTTP_PROXY": "http://a:1", "HTTPS_PROXY": "http://b:1"}, False),
        ({"HTTP_PROXY": "http://a:1", "ALL_PROXY": "b:1", "NO_PROXY": "*"}, False),
        ({}, False),
    ],
)
@pytest.mark.usefixtures("trusted")
def test_a_proxy_for_http_alone_is_pointed_out(
    environ: pytest.MonkeyPatch, settings: dict[str, str], is_pointed_out: bool
) -> None:
    """A proxy for HTTP alone is pointed out where no connection comes about."""
    for name, value in settings.items():
        environ.setenv(name, value)

    hint = network.network_for(TWILIO).proxy_hint

    assert bool(hint) == is_pointed_out
    assert not hint or hint.endswith("no effect here. Set HTTPS_PROXY to the same value.")


def test_a_socks_proxy_without_its_package_is_refused_by_name(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("ALL_PROXY", f"socks5://u:{PROXY_PASSWORD.replace('/', '%2F')}@h:1080")
    environ.setitem(sys.modules, "socks", None)
    with pytest.raises(UsageError, match=r"ALL_PROXY is a SOCKS proxy, which needs .*PySocks"):
        network.network_for(TWILIO)


def test_an_empty_variable_and_plain_http_need_no_bundle(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("REQUESTS_CA_BUNDLE", "")
    context = network.network_for(TWILIO).context
    assert context
    assert len(context.get_ca_certs()) > 50

    environ.setenv("REQUESTS_CA_BUNDLE", "/no/such.pem")
    assert network.network_for("http://127.0.0.1:1").context is None


def test_a_scheme_that_requests_does_not_know_is_refused(
    environ: pytest.MonkeyPatch,
) -> None:
    """A scheme that requests does not know is refused with the one to write."""
    environ.setenv("all_proxy", "socks://127.0.0.1:1080")
    with pytest.raises(UsageError, match=r"all_proxy begins with socks://") as refused:
        network.network_for(TWILIO)

    assert "socks5h://" in " ".join(refused.value.hints)


def test_ssl_cert_file_counts_after_the_variables_of_requests(
    environ: pytest.MonkeyPatch, tmp_path: Path, authority: Authority
) -> None:
    file = authority.bundle
    environ.setenv("SSL_CERT_FILE", file)
    found = network.network_for(TWILIO).context
    assert found
    assert len(found.get_ca_certs()) == 1

    environ.setenv("SSL_CERT_FILE", "/no/such.pem")
    with pytest.raises(UsageError, match="SSL_CERT_FILE cannot be used"):
        network.network_for(TWILIO)

    environ.setenv("CURL_CA_BUNDLE", file)
    assert network.network_for(TWILIO).context


class TestAddressInTwiliosPlace:
    @pytest.mark.parametrize(
        ("url", "base_url"),
        [
            ("http://127.0.0.1:8123", "http://127.0.0.1:8123"),
            ("http://localhost:8123/", "http://localhost:8123"),
            ("http://LOCALHOST", "http://localhost"),
            ("http://[::1]:8123", "http://[::1]:8123"),
            ("https://gateway.example.test", "https://gateway.example.test"),
            ("HTTPS://Gateway.Example.Test/Twilio/", "https://gateway.example.test/Twilio"),
            ("https://gateway.example.test:8443/a/b//", "https://gateway.example.test:8443/a/b"),
            ("https://192.0.2.1/X", "https://192.0.2.1/X"),
            ("https://[2001:db8::1]/x", "https://[2001:db8::1]/x"),
            ("https://serverless.twilio.com/v1", "https://serverless.twilio.com"),
            ("https://serverless.twilio.com/v1/", "https://serverless.twilio.com"),
            ("http://127.0.0.1:8123/v1//", "http://127.0.0.1:8123"),
            ("https://gateway.example.test/twilio/v1", "https://gateway.example.test/twilio"),
            ("https://gateway.example.test/apiv1", "https://gateway.example.test/apiv1"),
            ("https://gateway.example.test/v1/x", "https://gateway.example.test/v1/x"),
            ("https://gateway.example.test/a.b/..c", "https://gateway.example.test/a.b/..c"),
            ("https://v1/v1", "https://v1"),
        ],
    )
    def test_https_or_http_to_this_machine(self, url: str, base_url: str) -> None:
        assert network.checked_url(url) == base_url

    @pytest.mark.parametrize(
        ("url", "why"),
        [
            *(
                (url, "would send credentials unencrypted to another machine")
                for url in (
                    "http://hunter2.example",
                    "http://192.0.2.1",
                    "http://127.0.0.1.hunter2.example",
                    "http://localhost.hunter2.example",
                    "http://localhost.",
                    "http://128.0.0.1",
                    "http://0.0.0.0",
                    "http://127.1",
                    "http://2130706433",
                    "http://0x7f000001",
                    "http://[::ffff:127.0.0.1]",
                    "http://[::1%25hunter2]",
                )
            ),
            *(
                (url, "is not an http or https URL")
                for url in (
                    "hunter2",
                    "127.0.0.1:8123",
                    "localhost",
                    "//hunter2.example",
                    "ftp://hunter2.example",
                    "https://",
                    "https://hunter2.example:0",
                )
            ),
            *(
                (url, "is not a valid URL")
                for url in (
                    "https://hunter2.example:99999",
                    "https://hunter2.example:port",
                    "https://[hunter2",
                )
            ),
            *(
                (url, "has a host that is neither an address nor a valid DNS name")
                for url in (
                    "https://.hunter2.example",
                    "https://hunter2..example",
                    "https://-hunter2.example",
                    f"https://{'h' * 64}.example",
                )
            ),
            *(
                (url, "contains a user name; credentials have variables of their own")
                for url in (
                    "https://hunter2@api.example",
                    "https://user:hunter2@api.example",
                    "http://hunter2.example@127.0.0.1",
                )
            ),
            *(
                (url, "contains a query or a fragment")
                for url in (
                    "https://api.example?hunter2",
                    "https://api.example#hunter2",
                    "http://hunter2.example#127.0.0.1",
                )
            ),
            *(
                (url, "contains a dot segment (. or ..) in its path")
                for url in (
                    "https://api.example/../hunter2",
                    "https://api.example/a/./hunter2",
                    "https://api.example/a/%2e%2E/hunter2",
                    "https://api.example/a/.%2e",
                )
            ),
            *(
                (url, "contains a space, a backslash or a character that is not valid in a URL")
                for url in (
                    "http://hunter2.example\\@127.0.0.1/",
                    "https://api.example\\hunter2",
                    "https://hunter2 .example",
                    " https://hunter2.example",
                    "https://hunter2.example\n",
                    "https://hunter2.example\r\nX-Header: 1",
                    "https://hunter2ü.example",
                    "https://hunter2\u200b.example",
                    "https://hunter2\x00",
                    " ",
                    '"https://hunter2.example"',
                    "https://api.example/{hunter2}",
                    "https://api.example/%hunter2",
                )
            ),
        ],
    )
    def test_anything_else_is_refused_and_not_repeated(self, url: str, why: str) -> None:
        with pytest.raises(UsageError) as refused:
            network.network_for(url)

        assert refused.value.message == f"TWBUILD_API_URL {why}"
        assert refused.value.hints == (
            "Use https://HOST[:PORT][/PATH], or http:// to this machine.",
        )

    @pytest.mark.parametrize(
        ("host", "answer"),
        [
            ("localhost", True),
            ("LocalHost", True),
            ("localhost.", False),
            ("x.localhost", False),
            ("127.0.0.1", True),
            ("127.255.255.255", True),
            ("::1", True),
            ("[::1]", True),
            ("[0:0:0:0:0:0:0:1]", True),
            ("128.0.0.1", False),
            ("::2", False),
            ("localhost.example", False),
            ("", False),
        ],
    )
    def test_what_is_surely_this_machine(self, host: str, answer: bool) -> None:
        assert network.is_loopback(host) is answer


@given(
    st.from_regex(r"https?://[a-z0-9.:@/\\?#\[\]%-]{0,30}", fullmatch=True) | st.text(max_size=30)
)
def test_no_text_leads_the_credentials_unencrypted_from_this_machine(url: str) -> None:
    try:
        base_url = network.checked_url(url)
    except UsageError:
        return
    parts = parse_url(base_url + "/v1/Services")
    assert parts.scheme == "https" or (parts.scheme and network.is_loopback(parts.host or ""))
    assert (parts.auth, parts.query, parts.fragment) == (None, None, None)
