"""One kept connection to the API: a request out, a whole answer back, cancelled at any moment.

Three things are done here because requests and urllib3 have no way to do them: a request is
cancelled from another thread, an answer is separated from whatever surrounds it on the connection,
and all connections share one SSLContext.
"""

from __future__ import annotations

import ssl
import time
import zlib
from typing import Any

import requests
import urllib3
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.util.connection import allowed_gai_family

from twbuild import __version__
from twbuild.api.connector import Connector, Phase
from twbuild.api.framing import Answer
from twbuild.api.models import REQUEST_SECONDS, Response
from twbuild.api.network import Network

# What is between may forget a kept connection that is idle for longer, and say nothing.
# Amazon's load balancers close after 60 s, NAT gateways of clouds after 4 to 6 minutes. Source:
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html
IDLE_SECONDS = 60.0

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
        self._connector = Connector(network.resolver)
        self._last_used = time.monotonic()
        self.trust_env = False  # `network_for` has read it, and .netrc is never read
        self.proxies.update(network.proxies)
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(self._connector, network.context))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: requests would read the body and the Location even of a redirect not followed."""

    def cancel(self) -> None:
        """End the request under way, and any later one, from another thread."""
        self._connector.cancel()

    @property
    def phase(self) -> Phase:
        """What the request under way, or the last one, waited for."""
        return self._connector.phase

    def drop(self) -> None:
        """Close the connection; the next request opens another."""
        self.close()
        self._connector.forget()

    def exchange(self, url: str, limit: int, error_limit: int) -> Response:
        """The final answer to one GET, its body decoded.

        The body may have `limit` bytes, or `error_limit` where the HTTP status is not 200. The
        connection is kept only where a next answer on it can be no other request's. Raises
        TransportError.
        """
        kept = False
        try:
            with self._get(url) as answer:
                is_first = self._connector.is_new
                response = Response(answer.status_code, answer.headers, bytearray(), is_first)
                body = _read(answer.raw, limit if response.status == 200 else error_limit)
            kept = answer.raw._original_response.is_last  # type: ignore[union-attr]  # noqa: SLF001
            return response._replace(body=body)
        except _DefectError as error:
            return response._replace(defect=str(error))
        except _FAILURES as error:
            raise TransportError from error
        finally:
            self._last_used = time.monotonic()
            if not kept:
                self.drop()

    def _get(self, url: str) -> requests.Response:
        """One GET; once more where a kept connection proves to have been closed in between."""
        connector = self._connector
        if time.monotonic() - self._last_used > IDLE_SECONDS:
            self.drop()
        while True:
            connector.begin()
            try:
                return self.get(url, timeout=REQUEST_SECONDS, allow_redirects=False, stream=True)
            except requests.ConnectionError as error:
                self.drop()
                is_over = connector.is_new or connector.is_cancelled
                if is_over or isinstance(error, requests.Timeout):
                    raise


def _read(raw: urllib3.HTTPResponse, limit: int) -> bytearray:
    """The whole body; urllib3 says that it was cut short only to a second read."""
    body = bytearray()
    while chunk := raw.read(1 << 16, decode_content=False):
        body += chunk
        if len(body) > limit:
            raise _DefectError("the answer is larger than any that Twilio gives")
    encoding = raw.headers.get("Content-Encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return body
    return bytearray(_decompressed(body, encoding, limit))


def _decompressed(body: bytearray, encoding: str, limit: int) -> bytes:
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

    def __init__(self, connector: Connector, context: ssl.SSLContext | None) -> None:
        self._ours = (connector, context)
        super().__init__()

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **options)
        if not hasattr(pool.ConnectionCls, "is_ours"):
            pool.ConnectionCls = _connection_class(pool.ConnectionCls, *self._ours)
        return pool

    def cert_verify(self, *_: Any) -> None:
        """Nothing: the context that all connections share has read the certificates."""


def _connection_class(base: Any, connector: Connector, context: ssl.SSLContext | None) -> Any:
    """`base`, one of urllib3's or of its SOCKS classes, with the shared context and `Answer`."""

    class Connection(base):  # type: ignore[misc]
        response_class = Answer
        is_ours = True

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **_with_context(options, context))

        def connect(self) -> None:
            super().connect()
            connector.phase = Phase.ANSWER

        def _new_conn(self) -> Any:
            how = (allowed_gai_family(), self.socket_options)
            proxy = getattr(self, "_socks_options", None)
            try:
                if proxy:
                    return connector.connect_through_socks(proxy, self.host, self.port, *how)
                return connector.connect(self._dns_host, self.port, *how)
            except OSError as error:
                raise NewConnectionError(self, "no connection") from error

        def _tunnel(self) -> None:
            connector.phase = Phase.PROXY
            super()._tunnel()
            connector.phase = Phase.TLS

        def _connect_tls_proxy(self, *args: Any) -> Any:
            connector.phase = Phase.PROXY_TLS
            return super()._connect_tls_proxy(*args)

    return Connection


def _with_context(options: dict[str, Any], context: ssl.SSLContext | None) -> dict[str, Any]:
    """A connection's options, with `context` for its TLS and for that to an HTTPS proxy."""
    if context is None:
        return options
    options.update(ssl_context=context, cert_reqs=None, ca_certs=None, ca_cert_dir=None)
    if proxy_config := options.get("proxy_config"):
        options["proxy_config"] = proxy_config._replace(ssl_context=context)
    return options
