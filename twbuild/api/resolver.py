"""Names to addresses: one look-up of a name at a time, which outlives the request that began it."""

from __future__ import annotations

import errno
import os
import socket
import threading

# By name alone, as curl has it: a hosts file or a search domain may lead it anywhere.
# Source: https://www.rfc-editor.org/rfc/rfc6761#section-6.3
LOCALHOST = ("127.0.0.1", "::1")


def is_localhost(name: str) -> bool:
    """Whether `name` is this machine's own; no other name is surely loopback."""
    return name.lower() == "localhost"


class Resolver:
    """Looks names up for all connections of a run.

    A look-up may take longer than a request, as where the first of several name servers is
    silent: its answer serves the next try, which would otherwise begin from the start.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._look_ups: dict[str, _LookUp] = {}
        self._first: dict[str, str] = {}

    def addresses(self, name: str, family: int, seconds: float) -> list[str]:
        """The addresses of `name`, each once, in the order in which to try them.

        Raises TimeoutError after `seconds`, and the OSErrors of the look-up.
        """
        if is_localhost(name):
            found = list(LOCALHOST[:1] if family == socket.AF_INET else LOCALHOST)
        else:
            found = self._look_up(name, family, seconds)
        first = self._first.get(name)
        start = found.index(first) if first in found else 0
        return found[start:] + found[:start]

    def begin_with(self, name: str, address: str) -> None:
        """Make `address` the first one to try from now on."""
        self._first[name] = address

    def _look_up(self, name: str, family: int, seconds: float) -> list[str]:
        with self._lock:
            look_up = self._look_ups.get(name)
            if look_up is None or look_up.error:
                look_up = _LookUp(name, family)
                try:
                    look_up.start()
                except RuntimeError:  # the system's limit of threads
                    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from None
                self._look_ups[name] = look_up
        look_up.join(seconds)
        if look_up.is_alive():
            raise TimeoutError
        with self._lock:
            if self._look_ups.get(name) is look_up:
                del self._look_ups[name]
        if look_up.error:
            raise look_up.error
        return look_up.found


class _LookUp(threading.Thread):
    """One look-up. Nothing can end it: getaddrinfo has no time limit."""

    def __init__(self, host: str, family: int) -> None:
        super().__init__(name="look-up", daemon=True)
        self._host = host
        self._family = family
        self.found: list[str] = []
        self.error: OSError | None = None

    def run(self) -> None:
        numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
        try:
            found = socket.getaddrinfo(self._host, None, self._family, socket.SOCK_STREAM)
            # getnameinfo, because it keeps the zone of a link-local address, as in fe80::1%eth0.
            names = [socket.getnameinfo(one[4], numeric)[0] for one in found]
            self.found = list(dict.fromkeys(names))
        except OSError as error:
            self.error = error
