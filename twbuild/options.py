"""What the value of an option may be; each parser raises UsageError that names the option."""

from __future__ import annotations

from collections.abc import Callable

from twbuild.errors import UsageError
from twbuild.text import DURATION_FORMS, parse_duration, quoted

PROGRESS = ("auto", "live", "plain")
OUTCOMES = ("completed", "failed")
HOUR, WEEK = 3600.0, 7 * 86400.0


def filled(name: str) -> Callable[[str], str]:
    """Any value but an empty one: that is an unset variable, never a value left out."""

    def parse(value: str) -> str:
        if not value:
            raise UsageError(f"{name} is empty: is the variable set?")
        return value

    return parse


def seconds(name: str, least: float, most: float) -> Callable[[str], float]:
    """A duration within bounds, in seconds."""
    bounds = f"expected {_typed(least)} to {_typed(most)}"

    def parse(value: str) -> float:
        try:
            found = parse_duration(filled(name)(value))
        except ValueError:
            shown = f"{name} is no duration: {quoted(value)}"
            raise UsageError(shown, f"expected one like {DURATION_FORMS}") from None
        if not least <= found <= most:
            raise UsageError(f"{name} is out of range: {quoted(value)}", bounds)
        return found

    return parse


def _typed(seconds: float) -> str:
    """A bound in a form that the parser takes."""
    hours, minutes = divmod(seconds, 3600)
    whole_hours = hours > 0 and minutes == 0
    return f"{hours:.0f}h" if whole_hours else f"{seconds * 1000:.0f}ms" if seconds else "0"


def one_of(name: str, choices: tuple[str, ...]) -> Callable[[str], str]:
    """One of several words."""

    def parse(value: str) -> str:
        if filled(name)(value) not in choices:
            raise UsageError(f"{name} is none of {', '.join(choices)}: {quoted(value)}")
        return value

    return parse
