"""The options of status and wait as plain values."""

from __future__ import annotations

from typing import NamedTuple

from twbuild.durations import typed

INTERVAL_SECONDS = 1.0  # Twilio's own advice
TIMEOUT_SECONDS = 600.0  # of wait


class WatchOptions(NamedTuple):
    """The options of `status`, with `once`, and of `wait`.

    `format` is a name in report.FORMATS, None for the human-readable one. A timeout of 0 seconds
    is none.
    """

    profile: str | None
    format: str | None
    quiet: bool
    verbose: bool
    progress: str = "auto"
    interval_seconds: float = INTERVAL_SECONDS
    timeout_seconds: float = 0.0
    once: bool = False

    @property
    def command(self) -> str:
        """The command that has these options."""
        return "status" if self.once else "wait"

    @property
    def words(self) -> list[str]:
        """The options that differ from their defaults, as words of a command."""
        words = ["-p", self.profile] if self.profile else []
        flags = {f"--{self.format}": self.format, "-q": self.quiet, "-v": self.verbose}
        words += [flag for flag, is_set in flags.items() if is_set]
        if self.once:
            return words
        words += ["--progress", self.progress] if self.progress != "auto" else []
        for option, seconds, default in (
            ("-i", self.interval_seconds, INTERVAL_SECONDS),
            ("-t", self.timeout_seconds, TIMEOUT_SECONDS),
        ):
            words += [option, typed(seconds)] if seconds != default else []
        return words
