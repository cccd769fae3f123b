"""How a connection comes about: one at a time, within limits of time, cancelled at any moment."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from twbuild.api.models import REQUEST_SECONDS
from twbuild.api.resolver import Resolver

# For TCP to one address. A lost SYN is sent again after 1 s and 3 s, which leaves time for both.
# Source: https://www.rfc-editor.org/rfc/rfc6298#section-2
CONNECT_SECONDS = 4.0
_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH)  # says less than what another address did
_SOCKS4 = 1  # PySocks' number for it
SOCKS_PORT = 1080  # where none is named. Source: https://www.rfc-editor.org/rfc/rfc1928#section-3


@functools.cache
def _socks_socket() -> Any:
    """PySocks' socket for a connection to a proxy that was made before: it only negotiates."""
    import socks  # type: ignore[import-untyped]

    class Connected(socket.socket):
        def connect(self, _: Any) -> None:
            """Nothing: PySocks' own `connect` calls this to reach the proxy."""

    class Negotiating(socks.socksocket, Connected):  # type: ignore[misc]
        pass

    return Negotiating


class Phase(Enum):
    """What a request is waiting for."""

    NAME = "the address of the API, or of the proxy that leads to it"
    NAME_FOR_PROXY = "the address of the API, for a SOCKS proxy that is given no names"
    CONNECTION = "the TCP connection"
    PROXY = "the proxy's answer to CONNECT or to SOCKS"
    PROXY_TLS = "the TLS handshake with the proxy"
    TLS = "the TLS handshake with the API"
    ANSWER = "the answer"


class Connector:
    """Makes connections for one thread, one after the other; `cancel` is for any other thread.

    `phase` is where the request stands; `is_new` says that its connection was made for it.
    """

    def __init__(self, resolver: Resolver) -> None:
        self.phase = Phase.NAME
        self.is_new = True
        self.is_cancelled = False
        self._resolver = resolver
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def begin(self) -> None:
        """Count a request's time from now."""
        self._began = time.monotonic()
        self.is_new = self._socket is None
        self.phase = Phase.NAME if self.is_new else Phase.ANSWER

    def cancel(self) -> None:
        """End the connection, and any later one, from another thread."""
        with self._lock:
            self.is_cancelled = True
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        """Let go of the connection, which is closed."""
        self._remember(None)

    def connect(
        self, host: str, port: int, family: int, options: Sequence[Any] | None
    ) -> socket.socket:
        """A TCP connection to the first address of `host` that answers.

        Its time limit for each step is what is left of the request's time. Raises OSError.
        """
        self.forget()
        self.is_new = True
        addresses = self._look_up(Phase.NAME, host, family)
        self.phase = Phase.CONNECTION
        refused: OSError | None = None
        for address in addresses:
            self._resolver.begin_with(host, address)  # also the next request, if this one ends here
            seconds = min(CONNECT_SECONDS, self._seconds_left())
            try:
                made = socket.create_connection((address, port), seconds)
                break
            except OSError as error:
                refused = refused if refused and error.errno in _NO_ROUTE else error
                if address == addresses[-1] or self.is_cancelled:
                    raise refused from None
        self._remember(socket.socket(fileno=os.dup(made.fileno())))
        try:
            if self.is_cancelled:
                raise ConnectionAbortedError
            for option in options or ():
                made.setsockopt(*option)
            made.settimeout(self._seconds_left())
        except OSError:
            made.close()
            raise
        self.phase = Phase.TLS
        return made

    def connect_through_socks(
        self,
        proxy: Mapping[str, Any],
        host: str,
        port: int,
        family: int,
        options: Sequence[Any] | None,
    ) -> Any:
        """A connection to `host` through a SOCKS proxy; `proxy` is what urllib3 knows of it.

        PySocks by itself would connect to the proxy, too, out of the reach of `cancel`, and look
        names up without a limit. Raises OSError.
        """
        version, rdns = proxy["socks_version"], proxy["rdns"]
        if not rdns:
            known = socket.AF_INET if version == _SOCKS4 else family  # it has no IPv6
            host = self._look_up(Phase.NAME_FOR_PROXY, host, known)[0]
        proxy_port = proxy["proxy_port"] or SOCKS_PORT
        tcp = self.connect(proxy["proxy_host"], proxy_port, family, options)
        self.phase = Phase.PROXY
        made = _socks_socket()(tcp.family, tcp.type, tcp.proto, tcp.detach())
        made.settimeout(self._seconds_left())
        made.set_proxy(version, "", proxy_port, rdns, proxy["username"], proxy["password"])
        made.connect((host, port))
        self.phase = Phase.TLS
        return made

    def _look_up(self, phase: Phase, host: str, family: int) -> list[str]:
        self.phase = phase
        return self._resolver.addresses(host.strip("[]"), family, self._seconds_left())

    def _seconds_left(self) -> float:
        left = self._began + REQUEST_SECONDS - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _remember(self, connection: socket.socket | None) -> None:
        """Keep a second descriptor of a connection, for `cancel`.

        Whatever wraps the first one, TLS once or twice, stays as it is when the connection is shut
        down: `SSLSocket.shutdown` would drop TLS while another thread is still sending.
        """
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            self._socket = connection
