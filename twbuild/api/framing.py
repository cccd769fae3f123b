"""Where an answer begins and ends on its connection."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from typing import Any, BinaryIO

MAX_HEAD_BYTES = 64 << 10  # with the interim answers before it; http.client's limit for a line


class _Head:
    """The lines of a head, and of the interim ones before it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._left = MAX_HEAD_BYTES

    def readline(self, limit: int) -> bytes:
        line = self._stream.readline(min(limit, self._left + 1))
        self._left -= len(line)
        if self._left < 0:
            raise http.client.LineTooLong("head")
        return re.sub(rb"(?<=\S)[ \t]+(?=\r?\n\Z)", b"", line)  # RFC 9110, section 5.5

    def close(self) -> None:
        self._stream.close()


class Answer(http.client.HTTPResponse):
    """One final answer; `is_last` once its body is read, if nothing is known to follow it.

    http.client takes every interim answer but 100 for a final one, and drops what follows.
    """

    is_last = False

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self._connection = sock

    def begin(self) -> None:
        """Read the head; no interim answer, and no cookie, gets any further."""
        body, self.fp = self.fp, _Head(self.fp)  # type: ignore[assignment]
        try:
            super().begin()
        finally:
            self.fp = body
        for name in ("Set-Cookie", "Set-Cookie2"):
            del self.headers[name]

    def _read_status(self) -> tuple[str, int, str]:
        """The status line of the final answer, a proxy's to CONNECT among them."""
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 100 <= status < 200:
                return version, status, reason
            http.client.parse_headers(self.fp)

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
