"""The command line: what can be typed, and its help; each command becomes an action."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Annotated, Any, Optional, cast

import typer

from twbuild import __version__
from twbuild.errors import ExitCode, UnwritableError, UsageError
from twbuild.text import DURATION_FORMS, duration, parse_duration, printable, quoted

PROGRESS = ("auto", "live", "plain")
WEEK = 7 * 86400.0

EXIT_CODES = "Exit codes:\n\n" + "\n".join(f"{code.value:>3}  {code.meaning}" for code in ExitCode)

# Run once Typer is out of the way: it would turn an error of the action's own into an exit of 1.
Action = Callable[[], int]

app = typer.Typer(
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)


def _filled(value: str, name: str) -> str:
    if not value:
        raise UsageError(f"{name} is empty: is the variable set?")
    return value


def _seconds(value: str, name: str, least: float, most: float) -> float:
    try:
        seconds = parse_duration(_filled(value, name))
    except ValueError:
        raise UsageError(
            f"{name} is no duration: {quoted(value)}", f"expected one like {DURATION_FORMS}"
        ) from None
    if not least <= seconds <= most:
        raise UsageError(
            f"{name} is out of range: {quoted(value)}",
            f"expected {duration(least)} to {duration(most)}",
        )
    return seconds


def _interval(value: str) -> float:
    return _seconds(value, "--interval", 0.2, 3600.0)


def _timeout(value: str) -> float:
    return _seconds(value, "--timeout", 0.0, WEEK)


def _build_time(value: str) -> float:
    return _seconds(value, "--build-time", 0.0, WEEK)


def _profile(value: str) -> str:
    return _filled(value, "--profile")


def _profile_names() -> list[str]:
    from twbuild import credentials

    return credentials.profile_names(os.environ)


def _one_of(value: str, name: str, choices: tuple[str, ...]) -> str:
    if _filled(value, name) not in choices:
        raise UsageError(f"{name} is {quoted(value)}", f"expected {', '.join(choices)}")
    return value


def _progress(value: str) -> str:
    return _one_of(value, "--progress", PROGRESS)


def _outcome(value: str) -> str:
    return _one_of(value, "--outcome", ("completed", "failed"))


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"twbuild {__version__}")
        raise typer.Exit


Service = Annotated[
    Optional[str],  # noqa: UP045 - typer before 0.26 on Python 3.10 reads no `str | None` here
    typer.Argument(
        metavar="[SERVICE]",
        help="Service SID (ZS...) or unique name; left out: $TWBUILD_SERVICE, .twiliodeployinfo.",
        show_default=False,
    ),
]
Profile = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "-p",
        "--profile",
        metavar="NAME",
        parser=_profile,
        autocompletion=_profile_names,
        help="Credentials of this twilio-cli profile.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Write one JSON object a build to stdout.")]
Quiet = Annotated[
    bool, typer.Option("-q", "--quiet", help="No progress on stderr; errors still show.")
]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Tell each request on stderr.")]


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("-V", "--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Watch a Twilio Serverless Build until it is completed or failed."""


@app.command(epilog=EXIT_CODES)
def status(
    service: Service = None,
    build: Annotated[
        Optional[str],  # noqa: UP045
        typer.Argument(
            metavar="[BUILD]",
            help="Build SID (ZB...); left out: the newest build.",
            show_default=False,
        ),
    ] = None,
    profile: Profile = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> Action:
    """Look once: print the status, and exit with its code."""
    wishes = {"profile": profile, "json": json, "quiet": quiet, "verbose": verbose}
    return lambda: _look([service, build], once=True, **wishes)


@app.command(epilog=EXIT_CODES)
def wait(
    service: Service = None,
    builds: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(
            metavar="[BUILD]...",
            help="Build SIDs (ZB...); left out: the newest build in progress.",
            show_default=False,
        ),
    ] = None,
    profile: Profile = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    progress: Annotated[
        str,
        typer.Option(
            metavar="|".join(PROGRESS),
            parser=_progress,
            autocompletion=lambda: list(PROGRESS),
            help="A live screen, plain lines, or what suits stderr.",
        ),
    ] = "auto",
    interval: Annotated[
        float,
        typer.Option(
            "-i", "--interval", metavar="DURATION", parser=_interval, help="From poll to poll."
        ),
    ] = "1s",  # type: ignore[assignment]
    timeout: Annotated[
        float,
        typer.Option(
            "-t",
            "--timeout",
            metavar="DURATION",
            parser=_timeout,
            help="For all builds; 0 for none.",
        ),
    ] = "10m",  # type: ignore[assignment]
) -> Action:
    """Wait until every named build is completed or failed."""
    wishes = {"profile": profile, "json": json, "quiet": quiet, "verbose": verbose}
    rhythm = {"interval_seconds": interval, "timeout_seconds": timeout}
    return lambda: _look(
        [service, *(builds or ())], once=False, progress=progress, **wishes, **rhythm
    )


def _look(arguments: list[str | None], **wishes: Any) -> int:
    from twbuild import look

    return look.look([a for a in arguments if a is not None], look.Wishes(**wishes))


@app.command(epilog=EXIT_CODES, context_settings={"allow_interspersed_args": False})
def sandbox(
    command: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(
            metavar="[COMMAND]...",
            help="What to run, with its arguments; left out: twbuild wait.",
            show_default=False,
        ),
    ] = None,
    outcome: Annotated[
        str,
        typer.Option(
            metavar="completed|failed", parser=_outcome, help="What the sandbox's builds come to."
        ),
    ] = "completed",
    build_time: Annotated[
        float,
        typer.Option(
            metavar="DURATION", parser=_build_time, help="How long a build takes, from first sight."
        ),
    ] = "5s",  # type: ignore[assignment]
) -> Action:
    """Rehearse against a make-believe Twilio on this machine, no account needed."""
    words = command or []
    if words:
        _filled(words[0], "COMMAND")
    return lambda: _rehearse(words, outcome, build_time)


def _rehearse(command: list[str], outcome: str, build_seconds: float) -> int:
    from twbuild import rehearsal

    return rehearsal.run(command, outcome, build_seconds)


def run(arguments: list[str]) -> int:
    """Run the command line; returns the exit code. Raises TwbuildError."""
    action = _parse(arguments or ["--help"])
    if action:
        return int(action())
    # Without arguments nothing was asked of the API, so that there is nothing to exit 0 for.
    return ExitCode.COMPLETED if arguments else ExitCode.USAGE


def _parse(arguments: list[str]) -> Action | None:
    """The action; None where Typer has printed help, the version or a completion."""
    # click's UsageError: Typer has no name for it.
    mistake = cast(type[Exception], typer.BadParameter.__mro__[1])
    stdout = sys.stdout
    try:
        parsed = app(arguments, prog_name="twbuild", standalone_mode=False)
        sys.stdout.flush()
    except mistake as error:
        message = printable(error.format_message())  # type: ignore[attr-defined]
        raise UsageError(message, "twbuild --help lists commands and options") from None
    except SystemExit as ended:
        reader_has_gone = sys.stdout is not stdout  # Typer has put a muffler in its place
        parsed = 0 if reader_has_gone else ended.code
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
        if "--install-completion" in arguments:
            raise UsageError(f"completion cannot be installed: {why}") from None
        raise UnwritableError(f"stdout cannot be written: {why}") from None
    if callable(parsed):
        return cast(Action, parsed)
    if parsed:
        raise UsageError("no shell that completion knows was found", "bash, zsh, fish, PowerShell")
    return None
