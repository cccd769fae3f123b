"""The arguments and options of the commands, as Typer declares them: types, values, help."""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from typing import Annotated

from twbuild import __version__
from twbuild.durations import DURATION_FORMS, parse_duration
from twbuild.errors import UsageError
from twbuild.output.stderr import PROGRESS_VARIABLE
from twbuild.text import quoted

# No `from __future__ import annotations`: Typer would compile each annotation twice.

PROGRESS = ("auto", "live", "plain")
OUTCOMES = ("completed", "failed")
HOUR, WEEK = 3600.0, 7 * 86400.0

_SAFE_NAME = "[A-Za-z0-9._-]+"  # shells split and evaluate what completion offers


@contextlib.contextmanager
def environment(**variables: str | None) -> Iterator[None]:
    """Set variables that Typer and rich read, None for unset, and restore them for COMMAND."""
    before = dict(os.environ)
    for name in variables:
        os.environ.pop(name, None)
    os.environ.update({name: value for name, value in variables.items() if value is not None})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


with environment(TYPER_USE_RICH=None):  # without rich Typer makes one paragraph of a table
    import typer as typer  # noqa: PLC0414 - cli takes it from here


def filled(name: str) -> Callable[[str], str]:
    """Any value but an empty one: an empty value is an unset variable, not an option left out."""

    def parse(value: str) -> str:
        if not value:
            raise UsageError(f"{name} is empty: is the variable set?")
        return value

    return parse


def _seconds(name: str, least: float, most: float) -> Callable[[str], float]:
    """A duration within bounds, in seconds."""

    def parse(value: str) -> float:
        try:
            found = parse_duration(filled(name)(value))
        except ValueError:
            raise UsageError(f"invalid {name} {quoted(value)}: use {DURATION_FORMS}") from None
        if not least <= found <= most:
            bounds = f"use {_typed(least)} to {_typed(most)}"
            raise UsageError(f"{name} {quoted(value)} is out of range: {bounds}")
        return found

    return parse


def _typed(seconds: float) -> str:
    """A bound in a form that the parser takes."""
    for size, unit in ((86400, "d"), (3600, "h")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds * 1000:.0f}ms" if seconds else "0"


def _one_of(name: str, choices: tuple[str, ...]) -> Callable[[str], str]:
    """One of several words."""

    def parse(value: str) -> str:
        if filled(name)(value) not in choices:
            *others, last = choices
            words = f"{', '.join(others)} or {last}"
            raise UsageError(f"invalid {name} {quoted(value)}: use {words}")
        return value

    return parse


def default_progress() -> str:
    """The value of `--progress` where it is not given. Raises UsageError for a bad variable."""
    return _one_of(PROGRESS_VARIABLE, PROGRESS)(os.environ.get(PROGRESS_VARIABLE) or "auto")


def _profile_names() -> list[str]:
    from twbuild.config import profiles

    return [name for name in profiles.names(os.environ) if re.fullmatch(_SAFE_NAME, name)]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"twbuild {__version__}")
        raise typer.Exit


ServiceArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[SERVICE]",
        help="Service SID (ZS...) or unique name."
        " Default: $TWBUILD_SERVICE, else .twiliodeployinfo.",
    ),
]
BuildArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[BUILD]",
        help="Build SID (ZB...). Default: the newest build.",
    ),
]
BuildsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[BUILD]...",
        help="Build SIDs (ZB...). Default: the newest build in progress.",
    ),
]
CommandArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[COMMAND]...",
        help="Program to run, with its arguments. Default: twbuild wait.",
    ),
]
ProfileOption = Annotated[
    str | None,
    typer.Option(
        "-p",
        "--profile",
        metavar="NAME",
        parser=filled("--profile"),
        autocompletion=_profile_names,
        help="Use the credentials of this twilio-cli profile. Default: TWILIO_API_KEY and "
        "TWILIO_API_SECRET, else TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, else the active "
        "profile.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object per build.")]
QuietOption = Annotated[
    bool, typer.Option("-q", "--quiet", help="Print only the result and errors.")
]
VerboseOption = Annotated[
    bool, typer.Option("-v", "--verbose", help="Print each request on stderr.")
]

IntervalOption = Annotated[
    float,
    typer.Option(
        "-i",
        "--interval",
        metavar="DURATION",
        parser=_seconds("--interval", 0.2, HOUR),
        help="Time between polls, 200ms to 1h. Default: 1s.",
        show_default=False,
    ),
]
TimeoutOption = Annotated[
    float,
    typer.Option(
        "-t",
        "--timeout",
        metavar="DURATION",
        parser=_seconds("--timeout", 0.0, WEEK),
        help="Time limit, at most 7d; 0: none. Default: 10m.",
        show_default=False,
    ),
]
ProgressOption = Annotated[
    str | None,
    typer.Option(
        metavar="|".join(PROGRESS),
        parser=_one_of("--progress", PROGRESS),
        autocompletion=lambda: list(PROGRESS),
        help=f"Live rows, plain lines, or automatic. Default: ${PROGRESS_VARIABLE}, else auto.",
    ),
]
OutcomeOption = Annotated[
    str,
    typer.Option(
        metavar="|".join(OUTCOMES),
        parser=_one_of("--outcome", OUTCOMES),
        autocompletion=lambda: list(OUTCOMES),
        help="How the sandbox's builds end. Default: completed.",
        show_default=False,
    ),
]
BuildTimeOption = Annotated[
    float,
    typer.Option(
        metavar="DURATION",
        parser=_seconds("--build-time", 0.0, WEEK),
        help="How long a build takes, at most 7d. Default: 5s.",
        show_default=False,
    ),
]
VersionOption = Annotated[
    bool,
    typer.Option(
        "-V", "--version", callback=_show_version, is_eager=True, help="Show the version."
    ),
]
