"""How a request leaves this machine: what the environment says of proxies and CA bundles."""

from __future__ import annotations

import re
import ssl
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import parse_url

from tests.support.authority import Authority
from tests.support.secrets import PROXY_PASSWORD, shown
from twbuild.api import network
from twbuild.errors import UsageError

TWILIO = "https://serverless.twilio.com"


def refusal(url: str = TWILIO) -> str:
    """All that a user reads where the network's settings cannot be used: message, then hints."""
    with pytest.raises(UsageError) as refused:
        network.network_for(url)
    assert refused.value.hints
    assert not refused.value.details
    return "\n".join([refused.value.message, *refused.value.hints])


def test_without_settings_the_way_is_direct(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("REQUESTS_CA_BUNDLE", "")
    way = network.network_for(TWILIO)

    assert (way.proxies, way.proxy_name) == ({}, None)
    assert way.context
    assert way.context.verify_mode is ssl.CERT_REQUIRED
    assert way.context.check_hostname
    assert len(way.context.get_ca_certs()) > 50


@pytest.mark.parametrize(
    ("settings", "route"),
    [
        ({"https_proxy": "http://proxy:3128/"}, "proxy:3128 (https_proxy)"),
        ({"ALL_PROXY": "proxy:3128"}, "proxy:3128 (ALL_PROXY)"),
        ({"all_proxy": "https://proxy"}, "proxy (all_proxy)"),
        ({"HTTPS_PROXY": "http://a:1", "ALL_PROXY": "http://b:2"}, "a:1 (HTTPS_PROXY)"),
        ({"HTTPS_PROXY": "http://u:p@w@a:1"}, "a:1 (HTTPS_PROXY)"),
        ({"HTTPS_PROXY": "http://[fe80::1%25lo]:1"}, "[fe80::1%lo]:1 (HTTPS_PROXY)"),
        ({"HTTPS_PROXY": "http://j:s3[ret]Pw@a:1"}, "a:1 (HTTPS_PROXY)"),
        ({"HTTPS_PROXY": "http://CORP%5Cj:p%40w@a:1"}, "a:1 (HTTPS_PROXY)"),
        ({"HTTP_PROXY": "http://a:1"}, None),
        ({"https_proxy": "", "HTTPS_PROXY": "http://a:1"}, "a:1 (HTTPS_PROXY)"),
        ({"https_proxy": "", "all_proxy": "", "ALL_PROXY": "a:1"}, "a:1 (ALL_PROXY)"),
        ({"HTTPS_PROXY": "http://a:1", "no_proxy": "", "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": ".twilio.com,x"}, None),
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

    assert way.proxy_name == (route and f"proxy {route}")
    assert bool(way.proxies) == bool(route)
    assert not re.search("p(@|%40)w", repr(way))


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8123", "http://127.9.9.9", "http://localhost", "https://[::1]:1/x"]
)
@pytest.mark.usefixtures("trusted")
def test_a_loopback_address_never_has_a_proxy(environ: pytest.MonkeyPatch, url: str) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        environ.setenv(name, "http://127.0.0.1:9")

    way = network.network_for(url)

    assert (way.proxies, way.proxy_name) == ({}, None)


PASSWORD = PROXY_PASSWORD.replace("/", "%2F")
FORM = r"Use http://[USER:PASSWORD@]HOST:PORT, with %2F %23 %3F %5B %5C %5D for / # ? [ \ ]"
STRAY = "contains a space, a backslash or a character that is not valid in a URL"
UNSENDABLE = "has a user name or password with a character that cannot be sent\nUse ASCII"
MALFORMED = {
    f"has no valid host or port\n{FORM}": (
        *("http://", "http://h:99999", "http://h:0", "http://a..b:1", "http://[::1"),
        *(f"u:{PROXY_PASSWORD}@h:1:2", f"http://u:{PROXY_PASSWORD}@h:1"),
    ),
    f"contains a path, a query or a fragment\n{FORM}": (
        *("http://h:1/x", "http://h:1?x", "http//h:80", f"http://u:7#{PROXY_PASSWORD}@h:1"),
    ),
    f"{STRAY}\n{FORM}": (" ", "\x1b[1m", rf"http://CORP\j:{PASSWORD}@h:1"),
    f"begins with ftp://, a scheme that requests does not know\n{FORM}": ("ftp://h:21",),
    UNSENDABLE: (f"http://u:{PASSWORD}%E4€@h:1", f"socks5h://u:{PASSWORD}\udce4@h:1"),
}


@pytest.mark.parametrize(
    ("value", "why"), [(value, why) for why in MALFORMED for value in MALFORMED[why]], ids=ascii
)
@pytest.mark.usefixtures("trusted")
def test_a_malformed_proxy_is_named_not_repeated(
    environ: pytest.MonkeyPatch, value: str, why: str
) -> None:
    for variable in ("HTTPS_PROXY", "ALL_PROXY"):
        environ.setenv(variable, value)
        reported = refusal()
        environ.delenv(variable)

        assert reported.startswith(f"{variable} {why}")
        assert reported.replace("\n", "").isprintable()
        assert shown(reported) == []


@pytest.mark.usefixtures("trusted")
def test_a_socks_proxy_that_cannot_be_used_is_refused(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("all_proxy", "socks://127.0.0.1:1080")
    assert refusal() == (
        "all_proxy begins with socks://, a scheme that requests does not know\n"
        "Write socks5h:// (the proxy resolves names) or socks5://."
    )
    environ.setenv("all_proxy", f"socks5://u:{PASSWORD}@h:1080")
    environ.setitem(sys.modules, "socks", None)
    assert refusal() == (
        "all_proxy is a SOCKS proxy, which needs the package PySocks\n"
        "Install it beside twbuild: pipx inject twbuild PySocks"
    )


def test_ssl_cert_file_counts_after_the_variables_of_requests(
    environ: pytest.MonkeyPatch, authority: Authority
) -> None:
    environ.setenv("SSL_CERT_FILE", authority.bundle)
    found = network.network_for(TWILIO).context
    assert found
    assert len(found.get_ca_certs()) == 1

    environ.setenv("SSL_CERT_FILE", "/no/such.pem")
    assert refusal().startswith("SSL_CERT_FILE cannot be used")
    assert network.network_for("http://127.0.0.1:1").context is None, "plain HTTP needs none"

    environ.setenv("CURL_CA_BUNDLE", authority.bundle)
    assert network.network_for(TWILIO).context


@pytest.mark.parametrize(
    ("url", "base_url"),
    [
        ("http://localhost:8123/", "http://localhost:8123"),
        ("http://LOCALHOST", "http://localhost"),
        ("http://[::1]:8123/v1//", "http://[::1]:8123"),
        ("HTTPS://Gateway.Example.Test:8443/A//", "https://gateway.example.test:8443/A"),
        ("https://[2001:db8::1]/x", "https://[2001:db8::1]/x"),
        ("https://serverless.twilio.com/v1", "https://serverless.twilio.com"),
        ("https://gateway.example.test/apiv1", "https://gateway.example.test/apiv1"),
        ("https://gateway.example.test/v1/x", "https://gateway.example.test/v1/x"),
        ("https://gateway.example.test/a.b/..c", "https://gateway.example.test/a.b/..c"),
    ],
)
def test_an_address_is_https_or_http_to_this_machine(url: str, base_url: str) -> None:
    assert network.checked_url(url) == base_url


REFUSED = {
    "would send credentials unencrypted to another machine": (
        *("http://hunter2.example", "http://127.0.0.1.hunter2.example", "http://localhost."),
        *("http://localhost.hunter2.example", "http://128.0.0.1", "http://0.0.0.0", "http://127.1"),
        *("http://2130706433", "http://[::ffff:127.0.0.1]", "http://[::1%25hunter2]"),
    ),
    "is not an http or https URL": (
        *("hunter2", "127.0.0.1:8123", "//hunter2.example", "ftp://hunter2.example", "https://"),
        "https://hunter2.example:0",
    ),
    "is not a valid URL": ("https://hunter2.example:99999", "https://[hunter2"),
    "has a host that is neither an address nor a valid DNS name": (
        *("https://.hunter2.example", "https://-hunter2.example", f"https://{'h' * 64}.example"),
    ),
    "contains a user name; credentials have variables of their own": (
        *("https://user:hunter2@api.example", "http://hunter2.example@127.0.0.1"),
    ),
    "contains a query or a fragment": (
        *("https://api.example?hunter2", "http://hunter2.example#127.0.0.1"),
    ),
    "contains a dot segment (. or ..) in its path": (
        *("https://api.example/a/./hunter2", "https://api.example/a/%2e%2E/hunter2"),
        "https://api.example/a/.%2e",
    ),
    STRAY: (
        *("http://hunter2.example\\@127.0.0.1/", "https://hunter2.example\r\nX-Header: 1"),
        *("https://hunter2ü.example", "https://h\x00", " ", '"https://hunter2.example"'),
        *("https://h/{hunter2}", "https://h/%hunter2"),
    ),
}


@pytest.mark.parametrize(("url", "why"), [(url, why) for why in REFUSED for url in REFUSED[why]])
def test_any_other_address_is_refused_and_not_repeated(url: str, why: str) -> None:
    form = "Use https://HOST[:PORT][/PATH], or http:// to this machine."

    assert refusal(url) == f"TWBUILD_API_URL {why}\n{form}"


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
