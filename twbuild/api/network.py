"""The network settings in the environment: proxy and CA certificates."""

from __future__ import annotations

import base64
import importlib.util
import os
import ssl
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote

import requests
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url
from urllib3.util.ssl_ import ALPN_PROTOCOLS, create_urllib3_context

from twbuild.config.endpoint import is_host, is_loopback
from twbuild.errors import CommandHint, UsageError
from twbuild.text import printable, strerror

_PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


class _TlsSocket(ssl.SSLSocket):
    """Closes itself: Python leaves it open where the peer resets before the handshake."""

    def __del__(self) -> None:
        self.close()


class Network(NamedTuple):
    """What requests is to use for one base URL.

    `context` is None for plain HTTP. `proxy_name` names the proxy and its variable, without its
    password; `secrets` are the forms in which a proxy may repeat that password. `failed` counts
    the attempts to connect to an address since the last that succeeded, over all connections.
    """

    proxies: Mapping[str, str]
    context: ssl.SSLContext | None
    proxy_name: str | None
    secrets: tuple[str, ...]
    failed: dict[str, int]

    def __repr__(self) -> str:
        """Everything but the proxy's password."""
        return f"Network({self.proxy_name!r})"


def network_for(base_url: str) -> Network:
    """Proxy and CA certificates for `base_url`, as requests documents them.

    SSL_CERT_FILE counts where requests' own variables are unset; loopback addresses never go
    through a proxy. Raises UsageError that names the variable where one cannot be used.
    Source: https://requests.readthedocs.io/en/latest/user/advanced/#proxies
    """
    url = parse_url(base_url)
    context = _context() if url.scheme == "https" else None
    if is_loopback(url.host or ""):
        return Network({}, context, None, (), {})
    found = requests.utils.get_environ_proxies(base_url)
    proxy = requests.utils.select_proxy(base_url, found)
    if not proxy:
        return Network({}, context, None, (), {})
    variable = _variable(f"{url.scheme}_proxy", proxy)
    parts = _checked_proxy(proxy, variable)
    proxy_name = f"proxy {printable(parts._replace(auth=None).netloc)} ({variable})"
    return Network({"all": proxy}, context, proxy_name, _proxy_secrets(parts, variable), {})


def _variable(name: str, value: str) -> str:
    candidates = [name, name.upper(), "all_proxy", "ALL_PROXY"]
    return next((n for n in candidates if os.environ.get(n) == value), "the system's settings")


def _checked_proxy(proxy: str, variable: str) -> Url:
    form = "Use http://[USER:PASSWORD@]HOST:PORT, with %2F %23 %3F for / # ?"
    try:
        parts = parse_url(proxy if "://" in proxy else f"http://{proxy}")
    except LocationParseError:
        raise UsageError(f"{variable} is not a valid proxy address", form) from None
    if parts.scheme == "socks":
        raise UsageError(
            f"{variable} begins with socks://, a scheme that requests does not know",
            "Write socks5h:// (the proxy resolves names) or socks5://.",
        )
    more = (parts.path or "/") != "/" or parts.query is not None or parts.fragment is not None
    usable = is_host(parts.host or "") and parts.port != 0 and parts.scheme in _PROXY_SCHEMES
    if more or not usable:
        raise UsageError(f"{variable} is not a valid proxy address", form)
    if str(parts.scheme).startswith("socks") and not importlib.util.find_spec("socks"):
        raise UsageError(
            f"{variable} is a SOCKS proxy, which needs the package PySocks",
            CommandHint("Install it beside twbuild: ", "pipx inject twbuild PySocks"),
        )
    return parts


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


def _context() -> ssl.SSLContext:
    """What every connection verifies with, exactly as strict as requests; read once.

    Reading the certificates takes about 30 ms and 1 MiB each time.
    """
    variable = next((name for name in _CA_VARIABLES if os.environ.get(name)), None)
    path = os.environ[variable] if variable else requests.utils.DEFAULT_CA_BUNDLE_PATH
    try:
        context = create_urllib3_context()
    except OSError:  # SSLKEYLOGFILE cannot be written; curl goes without it, too
        os.environ.pop("SSLKEYLOGFILE", None)
        context = create_urllib3_context()
    context.sslsocket_class = _TlsSocket
    folder = os.path.isdir(path)
    why = "contains no certificate"
    try:
        if not folder or os.listdir(path):
            context.load_verify_locations(*((None, path) if folder else (path, None)))
            why = ""
    except ssl.SSLError:
        pass
    except (OSError, ValueError) as error:
        why = strerror(getattr(error, "errno", None))
    if why:
        name = variable or "the CA bundle that requests brings"
        raise UsageError(f"{name} cannot be used: {printable(path)}: {why}")
    # urllib3 sets these again for each connection, which OpenSSL's other threads may be reading.
    context.set_alpn_protocols(ALPN_PROTOCOLS)
    context.set_alpn_protocols = lambda *_: None  # type: ignore[method-assign]
    return context
