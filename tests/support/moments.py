"""Waiting for something to be so, and streams that are full."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager, suppress


def until(so: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Return as soon as `so()` is true."""
    end = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < end, f"never came: {what}"
        time.sleep(0.005)


def until_more(seen: Callable[[], Sized], more: int) -> None:
    """Return once `seen()` has grown by so many."""
    before = len(seen())
    until(lambda: len(seen()) >= before + more, f"{more} more")


def fill(stream: int, piece: int = 4096) -> None:
    """Fill the write end of a pipe or a terminal that is not read, so many bytes at a time."""
    os.set_blocking(stream, False)
    found_space = True
    while found_space:
        found_space = False
        with suppress(BlockingIOError):
            while os.write(stream, b"x" * piece):
                found_space = True
        time.sleep(0.02)  # the system makes space as it moves bytes to a terminal's other end
    os.set_blocking(stream, True)


@contextmanager
def disk_full() -> Iterator[int]:
    """A descriptor that nothing can be written to, though its reader has not gone."""
    if os.path.exists("/dev/full"):
        descriptor = os.open("/dev/full", os.O_WRONLY)
    else:  # macOS: a datagram that is not received comes close
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        theirs.close()
        descriptor = ours.detach()
    yield descriptor
    os.close(descriptor)
