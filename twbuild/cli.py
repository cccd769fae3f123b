"""The command line: what can be typed, and its help; each command becomes an action."""

import contextlib
import io
import os
import re
import sys
from collections.abc import Callable
from typing import Annotated, Any, cast

import typer

# No `from __future__ import annotations`: Typer would compile each annotation twice.
from twbuild import __version__, options, streams
from twbuild.errors import ExitCode, UnwritableError, UsageError
from twbuild.text import printable

EXIT_CODES = "Exit codes:\n\n" + "\n".join(f"{code.value:>3}  {code.meaning}" for code in ExitCode)

COMPLETION = ("--install-completion", "--show-completion")

# Run once Typer is out of the way: it would turn an error of the action's own into an exit of 1.
Action = Callable[[], int]

# Help stands in strings: docstrings are gone under PYTHONOPTIMIZE=2.
app = typer.Typer(
    help="Watch a Twilio Serverless Build until it is completed or failed.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)


def _profile_names() -> list[str]:
    from twbuild import credentials

    return credentials.profile_names(os.environ)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"twbuild {__version__}")
        raise typer.Exit


Service = Annotated[
    str | None,
    typer.Argument(
        metavar="[SERVICE]",
        help="Service SID (ZS...) or unique name; left out: $TWBUILD_SERVICE, .twiliodeployinfo.",
        show_default=False,
    ),
]
Build = Annotated[
    str | None,
    typer.Argument(
        metavar="[BUILD]",
        help="Build SID (ZB...); left out: the newest build.",
        show_default=False,
    ),
]
Builds = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[BUILD]...",
        help="Build SIDs (ZB...); left out: the newest build in progress.",
        show_default=False,
    ),
]
Command = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[COMMAND]...",
        help="What to run, with its arguments; left out: twbuild wait.",
        show_default=False,
    ),
]
Profile = Annotated[
    str | None,
    typer.Option(
        "-p",
        "--profile",
        metavar="NAME",
        parser=options.filled("--profile"),
        autocompletion=_profile_names,
        help="Credentials of this twilio-cli profile; left out: those in the environment "
        "(TWILIO_...), else the active profile's.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Write one JSON object a build to stdout.")]
Quiet = Annotated[
    bool, typer.Option("-q", "--quiet", help="No progress on stderr; errors still show.")
]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Tell each request on stderr.")]


Interval = Annotated[
    float,
    typer.Option(
        "-i",
        "--interval",
        metavar="DURATION",
        parser=options.seconds("--interval", 0.2, options.HOUR),
        help="From poll to poll.",
    ),
]
Timeout = Annotated[
    float,
    typer.Option(
        "-t",
        "--timeout",
        metavar="DURATION",
        parser=options.seconds("--timeout", 0.0, options.WEEK),
        help="For all builds; 0 for none.",
    ),
]
Progress = Annotated[
    str,
    typer.Option(
        metavar="|".join(options.PROGRESS),
        parser=options.one_of("--progress", options.PROGRESS),
        autocompletion=lambda: list(options.PROGRESS),
        help="A live screen, plain lines, or what suits stderr.",
    ),
]
Outcome = Annotated[
    str,
    typer.Option(
        metavar="|".join(options.OUTCOMES),
        parser=options.one_of("--outcome", options.OUTCOMES),
        autocompletion=lambda: list(options.OUTCOMES),
        help="What the sandbox's builds come to.",
    ),
]
BuildTime = Annotated[
    float,
    typer.Option(
        metavar="DURATION",
        parser=options.seconds("--build-time", 0.0, options.WEEK),
        help="How long a build takes, from first sight.",
    ),
]
Version = Annotated[
    bool,
    typer.Option("-V", "--version", callback=_version, is_eager=True, help="Show the version."),
]


@app.callback()
def _main(version: Version = False) -> None:
    pass


@app.command(
    "status", help="Look once: print the status, and exit with its code.", epilog=EXIT_CODES
)
def _status(
    service: Service = None,
    build: Build = None,
    profile: Profile = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> Action:
    wishes = {"profile": profile, "json": json, "quiet": quiet, "verbose": verbose}
    return lambda: _look([service, build], once=True, **wishes)


@app.command("wait", help="Wait until every named build is completed or failed.", epilog=EXIT_CODES)
def _wait(
    service: Service = None,
    builds: Builds = None,
    profile: Profile = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    progress: Progress = "auto",
    interval: Interval = "1s",  # type: ignore[assignment]
    timeout: Timeout = "10m",  # type: ignore[assignment]
) -> Action:
    wishes = {"profile": profile, "json": json, "quiet": quiet, "verbose": verbose}
    rhythm = {"interval_seconds": interval, "timeout_seconds": timeout}
    named = [service, *(builds or ())]
    return lambda: _look(named, once=False, progress=progress, **wishes, **rhythm)


@app.command(
    "sandbox",
    help="Rehearse against a make-believe Twilio on this machine, no account needed.",
    epilog=EXIT_CODES,
    context_settings={"allow_interspersed_args": False},
)
def _sandbox(
    command: Command = None,
    outcome: Outcome = "completed",
    build_time: BuildTime = "5s",  # type: ignore[assignment]
) -> Action:
    words = command or []
    if words:
        options.filled("COMMAND")(words[0])
    return lambda: _rehearse(words, outcome, build_time)


def _look(arguments: list[str | None], **wishes: Any) -> int:
    from twbuild import look

    return look.look([a for a in arguments if a is not None], look.Wishes(**wishes))


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
    for name in ("COLUMNS", "TERMINAL_WIDTH"):  # rich and Typer take them as they are
        if not re.fullmatch("[1-9][0-9]{0,4}", os.environ.get(name, "80")):
            del os.environ[name]
    try:
        if arguments[0] in COMPLETION:
            _complete(arguments)
            return None
        parsed = app(arguments, prog_name="twbuild", standalone_mode=False)
        sys.stdout.flush()
    except mistake as error:
        message = printable(error.format_message())  # type: ignore[attr-defined]
        path = getattr(getattr(error, "ctx", None), "command_path", "twbuild")
        raise UsageError(message, f"{path} --help tells what there is") from None
    except SystemExit:
        return None  # the reader of the help has gone, which rich and Typer end for
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
        raise UnwritableError(f"stdout cannot be written: {why}") from None
    return cast(Action, parsed) if callable(parsed) else None


def _complete(arguments: list[str]) -> None:
    """Install or show completion, Typer's way; but a mishap is never an exit of 1."""
    if os.environ.get("HOME") == "":
        raise UsageError("HOME is empty: is the variable set?")
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
            code = app(arguments, prog_name="twbuild", standalone_mode=False)
    except SystemExit as ended:
        code = ended.code
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
        raise UsageError(f"completion cannot be installed: {why}") from None
    if code:
        shells = "it knows bash, zsh, fish and PowerShell"
        raise UsageError("completion found no shell around it that it knows", shells)
    streams.tell(printed.getvalue().rstrip("\n"))
