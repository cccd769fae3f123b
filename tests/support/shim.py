"""Python that runs in the command before its own: faults that no server can bring about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

LOOK_UPS = """
import socket
_real, _calls = socket.getaddrinfo, []
def getaddrinfo(host, *more, **named):
    _calls.append(host)
    {fault}
    return _real("127.0.0.1", *more, **named)
socket.getaddrinfo = getaddrinfo
"""
FAILS_TWICE = LOOK_UPS.format(
    fault='if len(_calls) <= 2: raise socket.gaierror(socket.EAI_AGAIN, "try again")'
)
HANGS = LOOK_UPS.format(fault="import time; time.sleep(600)")

CLOCK_JUMPS = """
import time
_real, _start = time.time, time.monotonic()
time.time = lambda: _real() + (3600 * {hours} if time.monotonic() - _start > 0.7 else 0)
"""


def shimmed(environ: Mapping[str, str], folder: Path, code: str) -> dict[str, str]:
    """`environ`, in which every Python runs `code` at its start."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(code)
    return {**environ, "PYTHONPATH": str(folder)}
