"""How a request leaves this machine: proxy and CA bundle from the environment, checked once."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import urllib3
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from twbuild.errors import UsageError
from twbuild.leanrequests import requests
from twbuild.settings import is_host, is_loopback
from twbuild.text import printable

_PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")


class Network(NamedTuple):
    """What requests is to use for one base URL.

    `route` names the proxy and its variable for people, without its password.
    """

    proxies: Mapping[str, str]
    verify: bool | str = True
    route: str | None = None

    def __repr__(self) -> str:
        """Everything but the proxy's password."""
        return f"Network({self.route!r})"


def of(base_url: str) -> Network:
    """Proxy and CA bundle for `base_url`, as requests documents them; never a proxy to loopback.

    Raises UsageError that names the variable where one cannot be used.
    Source: https://requests.readthedocs.io/en/latest/user/advanced/#proxies
    """
    url = parse_url(base_url)
    with requests.Session() as session:
        found = session.merge_environment_settings(base_url, {}, None, None, None)
    verify = found["verify"] if url.scheme == "https" and found["verify"] else True
    if isinstance(verify, str):
        _check_bundle(verify)
    proxy = None if is_loopback(url.host or "") else _proxy(base_url, found["proxies"])
    if not proxy:
        return Network({}, verify)
    variable = _variable(f"{url.scheme}_proxy", proxy)
    parts = _checked_proxy(proxy, variable)
    return Network({"all": proxy}, verify, f"proxy {printable(parts.netloc)} ({variable})")


def _proxy(base_url: str, proxies: Mapping[str, str]) -> str | None:
    return requests.utils.select_proxy(base_url, proxies) or None


def _variable(name: str, value: str) -> str:
    candidates = [name, name.upper(), "all_proxy", "ALL_PROXY"]
    return next((n for n in candidates if os.environ.get(n) == value), "the system's settings")


def _checked_proxy(proxy: str, variable: str) -> Url:
    def refused(why: str) -> UsageError:
        return UsageError(
            f"{variable} {why}",
            "expected http://[USER:PASSWORD@]HOST:PORT, with %2F %23 %3F for / # ?",
        )

    try:
        parts = parse_url(proxy if "://" in proxy else f"http://{proxy}")
    except LocationParseError:
        raise refused("is no proxy address") from None
    more = (parts.path or "/") != "/" or parts.query is not None or parts.fragment is not None
    usable = is_host(parts.host or "") and parts.port != 0 and parts.scheme in _PROXY_SCHEMES
    if more or not usable:
        raise refused("is no proxy address")
    if str(parts.scheme).startswith("socks") and not importlib.util.find_spec("socks"):
        raise refused("is a SOCKS proxy, which needs the package PySocks")
    return parts._replace(auth=None)


def _check_bundle(path: str) -> None:
    variable = next(
        (n for n in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") if os.environ.get(n)),
        "the CA bundle",
    )
    try:
        if not os.path.isdir(path):
            ssl.create_default_context(cafile=path)
            return
        if os.listdir(path):
            return
        why = "holds no certificate"
    except ssl.SSLError:
        why = "holds no certificate"
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
    raise UsageError(f"{variable} cannot be used: {printable(path)}: {why}")


class Session(requests.Session):
    """One kept connection along one network; reads nothing more from the environment."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self._connected: socket.socket | None = None
        self.is_cut = False
        self.trust_env = False  # `of` has read it, and .netrc is never to be read
        self.proxies.update(network.proxies)
        self.verify = network.verify
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(self._connect))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: requests would read the body and the Location even of a redirect not followed."""

    def cut(self) -> None:
        """End the request under way, and any later one, from another thread.

        requests itself gives no way to.
        """
        self.is_cut = True
        if self._connected is not None:
            with contextlib.suppress(OSError):
                self._connected.shutdown(socket.SHUT_RDWR)

    def _connect(self, connected: socket.socket) -> None:
        self._connected = connected
        if self.is_cut:
            connected.close()
            raise ConnectionAbortedError


class _Adapter(requests.adapters.HTTPAdapter):
    """Tells of each new connection's socket."""

    def __init__(self, connect: Callable[[socket.socket], None]) -> None:
        self._pools = {
            "http": _telling(urllib3.HTTPConnectionPool, connect),
            "https": _telling(urllib3.HTTPSConnectionPool, connect),
        }
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _telling(pool: type[Any], connect: Callable[[socket.socket], None]) -> type[Any]:
    class Connection(pool.ConnectionCls):  # type: ignore[misc, name-defined]
        def connect(self) -> None:
            super().connect()
            connect(self.sock)

    return type("Pool", (pool,), {"ConnectionCls": Connection})
