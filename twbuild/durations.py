"""Durations and times, read and written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

DURATION_FORMS = "90 (seconds), 90s, 1.5s, 500ms, 5m, 1h30m, 1d"

_DURATION = (
    r"(?P<bare>[0-9]+)"
    r"|(?=[0-9])(?:(?P<d>[0-9]+)d)?(?:(?P<h>[0-9]+)h)?(?:(?P<m>[0-9]+)m)?"
    r"(?:(?P<s>[0-9]+(?:\.[0-9]+)?)s)?"
    r"|(?P<ms>[0-9]+)ms"
)
_SECONDS = {"bare": 1.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def parse_duration(text: str) -> float:
    """Seconds in one of `DURATION_FORMS`; raises ValueError for anything else."""
    match = re.fullmatch(_DURATION, text)
    if not match:
        raise ValueError(text)
    return sum(float(n) * _SECONDS[unit] for unit, n in match.groupdict().items() if n)


def duration(seconds: float) -> str:
    """Seconds as at most two units: `0.5s`, `38s`, `1m 12s`, `10m`, `2h 5m`, `3d`."""
    if seconds < 9.95 and round(seconds, 1) % 1:
        return f"{seconds:.1f}s"
    rest = round(seconds)
    parts: list[str] = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, rest = divmod(rest, size)
        if parts:
            return f"{parts[0]} {count}{unit}" if count else parts[0]
        if count or unit == "s":
            parts.append(f"{count}{unit}")
    return parts[0]


def typed(seconds: float) -> str:
    """Seconds as `parse_duration` reads them, exactly: `0.25s`, `1800s`."""
    number = f"{seconds:f}".rstrip("0").rstrip(".")
    return f"{number}s"


def clock(seconds: float) -> str:
    """Seconds as a running clock: `0:46`, `12:05`, `1:02:03`."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def utc_time(time: datetime, now: datetime) -> str:
    """A time in UTC, with the date unless it is the date of `now`: `14:02:11 UTC`."""
    form = "%H:%M:%S" if time.date() == now.date() else "%Y-%m-%d %H:%M:%S"
    return f"{time:{form}} UTC"


def age(seconds: float) -> str:
    """How long ago something was: `12s ago`, `3d ago`."""
    return f"{duration(max(0, round(seconds)))} ago"
