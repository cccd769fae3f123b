"""The options of status and wait as plain values."""

from __future__ import annotations

from typing import NamedTuple


class WatchOptions(NamedTuple):
    """The options of `status`, with `once`, and of `wait`. A timeout of 0 seconds is none."""

    profile: str | None
    json: bool
    quiet: bool
    verbose: bool
    progress: str = "auto"
    interval_seconds: float = 1.0
    timeout_seconds: float = 0.0
    once: bool = False
