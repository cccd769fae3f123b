"""Servers made of raw sockets on loopback, for what HTTP libraries refuse to do."""

from __future__ import annotations

import json
import re
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain, cycle
from typing import TYPE_CHECKING

from tests.support.command import BUILD

if TYPE_CHECKING:
    from typing_extensions import Self


def http(
    body: bytes = b"", status: str = "200 OK", *headers: str, length: int | None = None
) -> bytes:
    """A response as it goes over the wire; `length` replaces the true Content-Length."""
    lines = [f"HTTP/1.1 {status}", *headers]
    if not any(line.lower().startswith("content-type:") for line in headers):
        lines.append("Content-Type: application/json")
    if not any(line.lower().startswith("transfer-encoding:") for line in headers):
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def good(status: str = "building", *headers: str, sid: str = BUILD) -> bytes:
    """A good answer about a build."""
    return http(json.dumps({"sid": sid, "status": status}).encode(), "200 OK", *headers)


def chunked(*parts: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """A body in chunks; `end` is what stands after the last one."""
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + end


class Gone(Exception):
    """The client has closed the connection, or the server is to end."""


@dataclass
class Connection:
    """One accepted connection. Its methods raise Gone once the other end has gone."""

    socket: socket.socket
    number: int
    server: Server

    def request(self) -> bytes:
        """The next request's head."""
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.receive()
        self.server.took(head)
        return head

    def exactly(self, count: int) -> bytes:
        content = b""
        while len(content) < count:
            content += self.receive(count - len(content))
        return content

    def receive(self, most: int = 1 << 16) -> bytes:
        """What comes next. What TLS cannot read is noted."""
        while not _readable(self.socket):
            if self.server.ending.is_set():
                raise Gone
        with suppress(OSError):
            try:
                if content := self.socket.recv(most):
                    return content
            except ssl.SSLError as error:
                self.server.note_unreadable(error)
        raise Gone

    def send(self, content: bytes) -> None:
        try:
            self.socket.sendall(content)
        except OSError:
            raise Gone from None

    def pause(self, seconds: float) -> None:
        """Do nothing for a while."""
        if self.server.ending.wait(seconds):
            raise Gone

    def play(self, parts: Iterable[bytes | float]) -> None:
        """Send the parts of an answer, with pauses in seconds."""
        for part in parts:
            if isinstance(part, bytes):
                self.send(part)
            else:
                self.pause(part)

    def stay_silent(self) -> None:
        """Say nothing until the client goes or the server ends."""
        while True:
            self.receive()

    def reset(self) -> None:
        """Close with an RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


Handler = Callable[[Connection], None]


class Accepted(ssl.SSLSocket):
    """Closes itself: Python leaves it open where the client resets before the handshake."""

    def __del__(self) -> None:
        self.close()


@dataclass
class Server:
    """Hands each connection to `handle` in a thread of its own; closes it afterwards."""

    handle: Handler
    context: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    port: int = 0
    accepted: int = 0
    requests: list[bytes] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    open_now: int = 0
    unreadable: list[str] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        if self.context:
            self.context.sslsocket_class = Accepted
        self._listener = socket.create_server((self.host, self.port), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()

    @property
    def netloc(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """What TWBUILD_API_URL is to be."""
        return f"{'https' if self.context else 'http'}://{self.netloc}"

    def took(self, head: bytes) -> None:
        """Note a request."""
        with self._lock:
            self.requests.append(head)
            self.times.append(time.monotonic())

    def note_unreadable(self, error: ssl.SSLError) -> None:
        """Note an error of TLS, unless it is that the client has gone."""
        if not isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
            self.unreadable.append(error.reason)

    def _accept(self) -> None:
        with self._listener:
            while not self.ending.is_set():
                if _readable(self._listener):
                    accepted, _ = self._listener.accept()
                    self.accepted += 1
                    given = (accepted, self.accepted)
                    threading.Thread(target=self._serve, args=given, daemon=True).start()

    def _serve(self, accepted: socket.socket, number: int) -> None:
        with self._lock:
            self.open_now += 1
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self.context:
                accepted.settimeout(10)
                accepted = self.context.wrap_socket(accepted, server_side=True)
                accepted.settimeout(None)
            with suppress(Gone):
                self.handle(Connection(accepted, number, self))
        except ssl.SSLError as error:
            self.note_unreadable(error)
        except OSError:
            pass  # a handshake that the client broke off
        finally:
            accepted.close()
            with self._lock:
                self.open_now -= 1


def answering(*answers: bytes | Handler, close: bool = False) -> Handler:
    """Gives the answers in order over all connections, the last one for ever.

    `close` ends the connection after each. The list of earlier builds, which is requested beside
    polls, is always answered with 503.
    """
    left = list(answers)
    lock = threading.Lock()

    def handle(connection: Connection) -> None:
        while True:
            request = connection.request()
            is_beside = b"?PageSize=" in request and b"/Status" in connection.server.requests[0]
            with lock:
                answer = left.pop(0) if len(left) > 1 and not is_beside else left[0]
            if is_beside:
                answer = http(b"", "503 Busy")
            if callable(answer):
                answer(connection)
            else:
                connection.send(answer)
            if close:
                return

    return handle


def playing(*parts: bytes | float, forever: bool = False, reset: bool = False) -> Handler:
    """Sends parts of an answer with pauses in seconds; then closes or resets the connection.

    `forever` does so again and again, but for the first part.
    """

    def answer(connection: Connection) -> None:
        connection.play(chain(parts[:1], cycle(parts[1:])) if forever else parts)
        if reset:
            connection.reset()
        raise Gone

    return answer


def resetting(part: bytes = b"") -> Handler:
    return playing(part, 0.05, reset=True)  # for it to arrive: an RST throws away what is unread


def closing(part: bytes) -> Handler:
    return playing(part)


def endless(head: bytes, part: bytes, seconds: float = 0.0) -> Handler:
    """Sends `head`, then `part` again and again."""
    return playing(head, part, seconds, forever=True)


def trickling(content: bytes, seconds: float, head: bytes = b"") -> Handler:
    """Sends `head` at once and `content` a byte at a time."""
    parts: list[bytes | float] = []
    for byte in content:
        parts += [bytes([byte]), seconds]
    return playing(head, *parts)


silent: Handler = Connection.stay_silent


def proxying(to: tuple[str, int], answer: bytes = b"HTTP/1.1 200 Established\r\n\r\n") -> Handler:
    """A proxy that answers CONNECT with `answer`, and where that is a 200 leads `to` a server."""

    def handle(connection: Connection) -> None:
        connection.request()
        connection.send(answer)
        if re.search(rb"HTTP/1\.[01] 200 ", answer):
            _relay(connection, to, bytearray())

    return handle


def socks5(
    to: tuple[str, int], *, reply: int = 0, user: tuple[bytes, bytes] | None = None
) -> Handler:
    """A SOCKS5 proxy (RFC 1928) that leads `to` a server, or refuses with `reply`.

    With a `user` it wants this name and password (RFC 1929). What was requested is noted as a
    request: the name or address, and the port.
    """

    def handle(connection: Connection) -> None:
        took = connection.exactly
        methods = took(took(2)[1])
        method = b"\x02" if user else b"\0"
        connection.send(b"\5" + (method if method in methods else b"\xff"))
        if user:
            given = (took(took(2)[1]), took(took(1)[0]))
            connection.send(b"\1\0" if given == user else b"\1\1")
        kind = took(4)[3]
        host = took(took(1)[0] if kind == 3 else 4)
        connection.server.took(host + b":%d" % int.from_bytes(took(2), "big"))
        connection.send(b"\5" + bytes([reply]) + b"\0\1" + b"\0" * 6)
        if reply == 0:
            _relay(connection, to, bytearray())

    return handle


def recording(to: tuple[str, int], wire: bytearray) -> Handler:
    """Leads `to` a server; `wire` gets every byte that the client sends."""
    return lambda connection: _relay(connection, to, wire)


def _relay(connection: Connection, to: tuple[str, int], wire: bytearray) -> None:
    client = connection.socket
    with socket.create_connection(to) as upstream:
        while not connection.server.ending.is_set():
            for end in _readable(client, upstream):
                if end is client:
                    content = connection.receive()
                    wire += content
                    upstream.sendall(content)
                elif content := upstream.recv(1 << 16):
                    client.sendall(content)
                else:
                    return


def _readable(*ends: socket.socket) -> list[socket.socket]:
    """Those that have something to be read, after a short wait for it."""
    if pending := [end for end in ends if isinstance(end, ssl.SSLSocket) and end.pending()]:
        return [*pending]
    return select.select(ends, [], [], 0.05)[0]


def unused_port() -> int:
    """A port that refuses."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def deaf(host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """A port that answers no connection: its queue is full and is never emptied."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((host, port), backlog=1))
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        time.sleep(0.1)
        yield int(listener.getsockname()[1])
