"""Waiting for something to be so, and code run inside the command before its own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sized
from contextlib import suppress
from pathlib import Path


def until(so: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Return as soon as `so()` is true."""
    end = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < end, f"never came: {what}"
        time.sleep(0.005)


def shim(folder: Path, code: str) -> str:
    """What PYTHONPATH is to be, so that every Python runs `code` before all else."""
    place = folder / "shim"
    place.mkdir()
    (place / "sitecustomize.py").write_text(code)
    return str(place)


def until_more(seen: Callable[[], Sized], more: int) -> None:
    """Return once `seen()` has grown by so many."""
    before = len(seen())
    until(lambda: len(seen()) >= before + more, f"{more} more")


def fill(pipe: int) -> None:
    """Fill the write end of a pipe that nobody reads."""
    os.set_blocking(pipe, False)
    with suppress(BlockingIOError):
        while True:
            os.write(pipe, b"x" * 4096)
    os.set_blocking(pipe, True)
