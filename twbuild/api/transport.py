"""One kept connection to the API: a request out, a whole answer back, cancelled at any moment.

Three things are done here because requests and urllib3 have no way to do them: a request is
cancelled from another thread, an answer is separated from whatever surrounds it on the connection,
and all connections share one SSLContext.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import socket
import ssl
import threading
import zlib
from collections.abc import Callable
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3
from urllib3.exceptions import HTTPError, NameResolutionError
from urllib3.util.connection import allowed_gai_family

from twbuild import __version__
from twbuild.api.models import Response
from twbuild.api.network import Network

CONNECT_SECONDS = 4  # to one address
READ_SECONDS = 15  # for one read; watch.state.REQUEST_SECONDS is for the whole request


# What requests, urllib3 and sockets raise.
_FAILURES = (requests.RequestException, HTTPError, OSError, ValueError, MemoryError)


class TransportError(Exception):
    """No answer, or none that is whole; its cause is what requests, urllib3 or a socket raised."""


class _DefectError(Exception):
    """A body that cannot be read; its text says why and contains nothing of it."""


class Session(requests.Session):
    """One kept connection along one network; reads nothing more from the environment.

    For one thread at a time; only `cancel` may be called from another.
    """

    def __init__(self, network: Network, auth: tuple[str, str]) -> None:
        super().__init__()
        self.auth = auth
        self.headers.update(
            {
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "Cache-Control": "no-cache",
                "User-Agent": f"twbuild/{__version__} {requests.utils.default_user_agent()}",
            }
        )
        self.is_cancelled = False
        self._network = network
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._answers = 0  # that the connection has carried
        self.trust_env = False  # `network_for` has read it, and .netrc is never read
        self.proxies.update(network.proxies)
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(self, network))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: requests would read the body and the Location even of a redirect not followed."""

    def cancel(self) -> None:
        """End the request under way, and any later one, from another thread."""
        with self._lock:
            self.is_cancelled = True
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def drop(self) -> None:
        """Close the connection; the next request opens another."""
        self.close()
        self._remember(None)

    def connected(self, connection: socket.socket) -> None:
        """Take note of the TCP connection that was just made, for `cancel` to reach it.

        The note is a second descriptor of it. Whatever wraps the first one, TLS once or twice,
        stays as it is when the connection is shut down: `SSLSocket.shutdown` would drop TLS while
        another thread is still sending. Raises OSError where the request is cancelled already.
        """
        self._remember(socket.socket(fileno=os.dup(connection.fileno())))
        self._answers = 0
        if self.is_cancelled:
            connection.close()
            raise ConnectionAbortedError

    def _remember(self, connection: socket.socket | None) -> None:
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            self._socket = connection

    def exchange(self, url: str, limit: int, error_limit: int) -> Response:
        """The final answer to one GET, its body decoded.

        The body may have `limit` bytes, or `error_limit` where the HTTP status is not 200. The
        connection is kept only where a next answer on it can be no other request's. Raises
        TransportError.
        """
        kept = False
        try:
            with self._get(url) as answer:
                self._answers += 1
                response = Response(answer.status_code, answer.headers, b"", self._answers == 1)
                body = _read(answer.raw, limit if response.status == 200 else error_limit)
            kept = answer.raw._original_response.is_last  # type: ignore[union-attr]  # noqa: SLF001
            return response._replace(body=body)
        except _DefectError as error:
            return response._replace(defect=str(error))
        except _FAILURES as error:
            raise TransportError from error
        finally:
            if not kept:
                self.drop()

    def _get(self, url: str) -> requests.Response:
        """One GET; once more where a kept connection proves to have been closed in between."""
        kept = self._socket is not None
        timeout = (CONNECT_SECONDS, READ_SECONDS)
        while True:
            try:
                return self.get(url, timeout=timeout, allow_redirects=False, stream=True)
            except requests.ConnectionError as error:
                self.drop()
                if not kept or self.is_cancelled or isinstance(error, requests.Timeout):
                    raise
                kept = False


def _read(raw: urllib3.HTTPResponse, limit: int) -> bytes:
    """The whole body; urllib3 says that it was cut short only to a second read."""
    body = bytearray()
    while chunk := raw.read(1 << 16, decode_content=False):
        body += chunk
        if len(body) > limit:
            raise _DefectError("the answer is larger than any that Twilio gives")
    encoding = raw.headers.get("Content-Encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return bytes(body)
    return _decompressed(bytes(body), encoding, limit)


def _decompressed(body: bytes, encoding: str, limit: int) -> bytes:
    """A body in an encoding that was not asked for, as some gateways send it all the same."""
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise _DefectError("the answer is encoded in a way that was not asked for")
    bare = encoding == "deflate" and (body[:1] or b"\0")[0] & 0x0F != 8  # no zlib header
    reader = zlib.decompressobj(-zlib.MAX_WBITS if bare else zlib.MAX_WBITS | 32)
    try:
        content = reader.decompress(body, limit + 1)
    except zlib.error:
        raise _DefectError("the answer is badly compressed") from None
    if len(content) > limit:
        raise _DefectError("the answer is larger than any that Twilio gives")
    if not reader.eof or reader.unused_data:
        raise _DefectError("the answer is badly compressed")
    return content


class _Adapter(requests.adapters.HTTPAdapter):
    """Makes every connection one of ours, whichever proxy it goes through."""

    def __init__(self, session: Session, network: Network) -> None:
        self._session = session
        self._network = network
        super().__init__()

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **options)
        if not hasattr(pool.ConnectionCls, "is_ours"):
            pool.ConnectionCls = _connection_class(pool.ConnectionCls, self._session, self._network)
        return pool

    def cert_verify(self, *_: Any) -> None:
        """Nothing: the context that all connections share has read the certificates."""


def _connection_class(base: Any, session: Session, network: Network) -> Any:
    """`base`, one of urllib3's or of its SOCKS classes, with the shared context and `_Answer`."""

    class Connection(base):  # type: ignore[misc]
        response_class = _Answer
        is_ours = True

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **_with_context(options, network.context))

        def _new_conn(self) -> Any:
            connect = super()._new_conn
            by_name = not hasattr(self, "_socks_options")  # SOCKS resolves names by itself
            made = self._to_any_address(connect) if by_name else connect()
            session.connected(made)
            return made

        def _to_any_address(self, connect: Callable[[], Any]) -> Any:
            """Connect to the first address that answers, those that failed before tried last."""
            name = self._dns_host  # type: ignore[has-type]
            addresses = _addresses(self, name)
            addresses.sort(key=lambda address: network.failed.get(address, 0))
            try:
                for address in addresses:
                    network.failed[address] = network.failed.get(address, 0) + 1
                    self._dns_host = address
                    try:
                        connection = connect()
                    except (HTTPError, OSError):
                        if address == addresses[-1] or session.is_cancelled:
                            raise
                    else:
                        network.failed[address] = 0
                        return connection
            finally:
                self._dns_host = name

    return Connection


def _with_context(options: dict[str, Any], context: ssl.SSLContext | None) -> dict[str, Any]:
    """A connection's options, with `context` for its TLS and for that to an HTTPS proxy."""
    if context is None:
        return options
    options.update(ssl_context=context, cert_reqs=None, ca_certs=None, ca_cert_dir=None)
    if proxy_config := options.get("proxy_config"):
        options["proxy_config"] = proxy_config._replace(ssl_context=context)
    return options


def _addresses(connection: Any, name: str) -> list[str]:
    """The addresses of a host, each once; raises urllib3's NameResolutionError."""
    try:
        found = socket.getaddrinfo(
            name.strip("[]"), connection.port, allowed_gai_family(), socket.SOCK_STREAM
        )
    except socket.gaierror as error:
        raise NameResolutionError(connection.host, connection, error) from error
    return list(dict.fromkeys(str(address[4][0]) for address in found))


class _Answer(http.client.HTTPResponse):
    """One final answer; `is_last` once its body is read, if nothing is known to follow it.

    http.client takes every interim answer but 100 for a final one, and drops what follows.
    """

    is_last = False

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self._connection = sock

    def begin(self) -> None:
        super().begin()
        while 100 <= self.status < 200:
            self.headers = self.msg = None  # type: ignore[assignment]
            super().begin()

    def _read_next_chunk_size(self) -> int:
        # http.client reads it with int(), which takes signs, underscores and spaces.
        line = self.fp.readline(1 << 10)
        digits = line.partition(b";")[0].strip()
        if not line.endswith(b"\n") or not re.fullmatch(rb"[0-9a-fA-F]{1,15}", digits):
            raise ValueError("not a chunk size")
        return int(digits, 16)

    def _close_conn(self) -> None:
        self.is_last = self._is_framed() and self._is_quiet()
        super()._close_conn()  # type: ignore[misc]

    def _is_framed(self) -> bool:
        """Whether it is beyond doubt where the body ends, and the connection stays open."""
        if self.headers is None or self.will_close:
            return False
        if any("close" in value.lower() for value in self.headers.get_all("Connection", [])):
            return False
        lengths = self.headers.get_all("Content-Length", [])
        codings = self.headers.get_all("Transfer-Encoding", [])
        if codings:
            return not lengths and len(codings) == 1 and self.chunked
        return len(lengths) == 1 and bool(re.fullmatch("[0-9]+", lengths[0].strip()))

    def _is_quiet(self) -> bool:
        """Whether nothing has come behind the body."""
        try:
            timeout = self._connection.gettimeout()
            self._connection.settimeout(0)
            try:
                return not self.fp.peek(1)
            except ssl.SSLWantReadError:
                return True
            finally:
                self._connection.settimeout(timeout)
        except OSError:
            return False
