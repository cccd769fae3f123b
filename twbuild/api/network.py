"""The network settings in the environment: the API's URL, proxy and CA certificates."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import ipaddress
import os
import re
import ssl
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote, unquote

import requests
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url
from urllib3.util.ssl_ import ALPN_PROTOCOLS, create_urllib3_context

from twbuild.api import certificates
from twbuild.api.resolver import Resolver, is_localhost
from twbuild.errors import CommandHint, UsageError
from twbuild.text import printable

# Source: https://requests.readthedocs.io/en/latest/user/advanced/#socks
_PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
# What other tools read in their place: Twilio's own, Node.js, OpenSSL.
_OTHER_CA_VARIABLES = ("TWILIO_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "SSL_CERT_DIR")
_NOT_IN_URLS = r"[^!-~]|[\\\"<>^`{|}]|%(?![0-9a-fA-F]{2})"
_STRAY = "contains a space, a backslash or a character that is not valid in a URL"
# Source: https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4; some names have a low line.
_DNS_LABEL = r"[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?"


class _TlsSocket(ssl.SSLSocket):
    """Closes itself: Python leaves it open where the peer resets before the handshake."""

    def __del__(self) -> None:
        self.close()


class Network(NamedTuple):
    """What requests is to use for one API.

    `base_url` has no slash at its end. `context` is None for plain HTTP. `proxy_name` names the
    proxy and its variable, without its password; `secrets` are the forms in which a proxy may
    repeat that password. `proxy_hint` points out a proxy variable that is set but has no effect,
    `authority_hints` what to do where an authority is unknown.
    """

    base_url: str
    proxies: Mapping[str, str]
    context: ssl.SSLContext | None
    proxy_name: str | None
    secrets: tuple[str, ...]
    resolver: Resolver
    proxy_hint: str
    authority_hints: tuple[str, ...]

    def __repr__(self) -> str:
        """Everything but the proxy's password."""
        return f"Network({self.proxy_name!r})"


def network_for(api_url: str) -> Network:
    """URL, proxy and CA certificates for `api_url`, as requests documents them.

    SSL_CERT_FILE counts where requests' own variables are unset; loopback addresses never go
    through a proxy. Raises UsageError that names the variable where one cannot be used.
    Source: https://requests.readthedocs.io/en/latest/user/advanced/#proxies
    """
    base_url = checked_url(api_url)
    url = parse_url(base_url)
    context, authority_hints = _context() if url.scheme == "https" else (None, ())
    network = Network(base_url, {}, context, None, (), Resolver(), "", authority_hints)
    if is_loopback(url.host or ""):
        return network
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        if not os.environ[name]:
            del os.environ[name]  # urllib would drop HTTPS_PROXY where https_proxy is empty
    found = requests.utils.get_environ_proxies(base_url)
    proxy = requests.utils.select_proxy(base_url, found)
    if not proxy:
        near = ("http_proxy", "HTTP_PROXY") if "http" in found else ()
        return network._replace(proxy_hint=_near_miss(near, "HTTPS_PROXY"))
    variable = _variable(f"{url.scheme}_proxy", proxy)
    parts = _checked_proxy(proxy, variable)
    return network._replace(
        proxies={"all": _encoded(parts)},
        proxy_name=f"proxy {printable(parts._replace(auth=None).netloc)} ({variable})",
        secrets=_proxy_secrets(parts, variable),
    )


def checked_url(url: str) -> str:
    """The base URL in `url`, read by the parser that makes the request.

    Only TWBUILD_API_URL can be refused: other hosts are made of DNS labels.
    """

    def refused(why: str) -> UsageError:
        return UsageError(
            f"TWBUILD_API_URL {why}",
            "Use https://HOST[:PORT][/PATH], or http:// to this machine.",
        )

    if re.search(_NOT_IN_URLS, url):
        raise refused(_STRAY)
    try:
        parts = parse_url(url)
    except LocationParseError:
        raise refused("is not a valid URL") from None
    if parts.scheme not in ("http", "https") or not parts.host or parts.port == 0:
        raise refused("is not an http or https URL")
    if "@" in url:
        raise refused("contains a user name; credentials have variables of their own")
    if "?" in url or "#" in url:
        raise refused("contains a query or a fragment")
    if re.search(r"/(\.|%2e){1,2}(/|$)", url, re.IGNORECASE):
        raise refused("contains a dot segment (. or ..) in its path")
    if not _is_host(parts.host):
        raise refused("has a host that is neither an address nor a valid DNS name")
    if parts.scheme == "http" and not is_loopback(parts.host):
        raise refused("would send credentials unencrypted to another machine")
    # Twilio's pages write the version as a part of the base URL.
    path = (parts.path or "").rstrip("/").removesuffix("/v1").rstrip("/")
    return parts._replace(path=path or None).url


def _is_host(host: str) -> bool:
    """Whether `host`, as in a URL, is an address or can be a name in the DNS."""
    labels = host.removesuffix(".").split(".")
    return host.startswith("[") or all(re.fullmatch(_DNS_LABEL, label) for label in labels)


def is_loopback(host: str) -> bool:
    """Whether `host`, as in a URL, is surely this machine."""
    if is_localhost(host):
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return address in ipaddress.ip_network("127.0.0.0/8") or address == ipaddress.ip_address("::1")


def _near_miss(names: Sequence[str], counts: str) -> str:
    name = next((name for name in names if os.environ.get(name)), None)
    return f"{name} is set, but has no effect here. Set {counts} to the same value." if name else ""


def _variable(name: str, value: str) -> str:
    candidates = [name, name.upper(), "all_proxy", "ALL_PROXY"]
    return next((n for n in candidates if os.environ.get(n) == value), "the system's settings")


def _checked_proxy(proxy: str, variable: str) -> Url:
    form = r"Use http://[USER:PASSWORD@]HOST:PORT, with %2F %23 %3F %5B %5C %5D for / # ? [ \ ]"
    try:
        parts = parse_url(proxy if "://" in proxy else f"http://{proxy}")
    except LocationParseError:
        parts = Url()
    if parts.scheme and parts.scheme not in _PROXY_SCHEMES:
        socks = "Write socks5h:// (the proxy resolves names) or socks5://."
        raise UsageError(
            f"{variable} begins with {parts.scheme}://, a scheme that requests does not know",
            socks if parts.scheme.startswith("socks") else form,
        )
    more = (parts.path or "/") != "/" or parts.query is not None or parts.fragment is not None
    if more or not _is_host(parts.host or "") or parts.port == 0:
        why = "contains a path, a query or a fragment" if more else "has no valid host or port"
        raise UsageError(f"{variable} {_STRAY if re.search(_NOT_IN_URLS, proxy) else why}", form)
    if str(parts.scheme).startswith("socks") and not importlib.util.find_spec("socks"):
        raise UsageError(
            f"{variable} is a SOCKS proxy, which needs the package PySocks",
            CommandHint("Install it beside twbuild: ", "pipx inject twbuild PySocks"),
        )
    return parts


def _encoded(proxy: Url) -> str:
    """A proxy's URL without brackets in its password, at which urlsplit, and so requests, fails."""
    auth = proxy.auth and quote(proxy.auth, safe="%:!$&'()*+,;=", errors="surrogateescape")
    return proxy._replace(auth=auth).url


def _proxy_secrets(parts: Url, variable: str) -> tuple[str, ...]:
    """The forms of the proxy's password. Raises UsageError where it cannot be sent."""
    if not parts.auth:
        return ()
    password = parts.auth.partition(":")[2]
    encoding = "utf-8" if str(parts.scheme).startswith("socks") else "latin-1"  # as requests does
    try:
        basic = base64.b64encode(unquote(parts.auth).encode(encoding)).decode()
    except UnicodeEncodeError:
        raise UsageError(
            f"{variable} has a user name or password with a character that cannot be sent",
            "Use ASCII characters only, or ask for another password.",
        ) from None
    return tuple(secret for secret in (password, unquote(password), basic) if secret)


def _context() -> tuple[ssl.SSLContext, tuple[str, ...]]:
    """What every connection verifies with, exactly as strict as requests; `authority_hints`.

    Reading the certificates takes about 30 ms and 1 MiB each time.
    """
    key_log = os.environ.pop("SSLKEYLOGFILE", "")  # urllib3 would raise, or wait for a reader
    context = create_urllib3_context()
    if key_log and not certificates.is_special(key_log):
        with contextlib.suppress(OSError):  # curl goes without it, too
            context.keylog_filename = key_log
    context.sslsocket_class = _TlsSocket
    variable = next((name for name in _CA_VARIABLES if os.environ.get(name)), None)
    path = os.environ[variable] if variable else requests.utils.DEFAULT_CA_BUNDLE_PATH
    certificates.trust(context, variable or "the CA bundle that requests brings", path)
    # urllib3 sets these again for each connection, which OpenSSL's other threads may be reading.
    context.set_alpn_protocols(ALPN_PROTOCOLS)
    context.set_alpn_protocols = lambda *_: None  # type: ignore[method-assign]
    near = "" if variable else _near_miss(_OTHER_CA_VARIABLES, "REQUESTS_CA_BUNDLE")
    hint = certificates.authority_hint(variable, path)
    return context, (near, hint) if near else (hint,)
