"""The command line: what can be typed, and its help; each command becomes an action."""

import contextlib
import io
import os
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, cast

from twbuild import __version__, options
from twbuild.errors import UsageError
from twbuild.outcome import ExitCode
from twbuild.output import terminal
from twbuild.text import DURATION_FORMS, printable

# No `from __future__ import annotations`: Typer would compile each annotation twice.


@contextlib.contextmanager
def _environment(**ours: str | None) -> Iterator[None]:
    """Variables that Typer and rich read, as we want them read; COMMAND gets them as they were."""
    theirs = {name: os.environ.pop(name, None) for name in ours}
    _set(ours)
    try:
        yield
    finally:
        _set(theirs)


def _set(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


with _environment(TYPER_USE_RICH=None):  # without rich Typer makes one paragraph of a table
    import typer

EXIT_CODES = "Exit codes:\n\n" + "\n".join(f"{code.value:>3}  {code.meaning}" for code in ExitCode)
ENDINGS = "twbuild --help lists all exit codes."
WAIT_EXAMPLES = f"""Examples:

  twbuild wait my-service ZB...        one build
  twbuild wait -t 30m ZB... ZB...      several, of $TWBUILD_SERVICE
  twbuild wait -p dev my-service       the newest one in progress

DURATION is one of {DURATION_FORMS}.
Exit codes: 0 completed, 1 failed, 124 timeout. {ENDINGS}"""
STATUS_EXAMPLES = f"""Examples:

  twbuild status my-service ZB...      one build
  twbuild status --json my-service     the newest one, as JSON

Exit codes: 0 completed, 1 failed, 8 still building. {ENDINGS}"""
SANDBOX_EXAMPLES = f"""Examples:

  twbuild sandbox                                       watch a build
  twbuild sandbox --outcome failed git push --dry-run   try a pre-push hook

DURATION is one of {DURATION_FORMS}.
Exit codes: COMMAND's own, 127 not found, 126 not executable. {ENDINGS}"""

COMPLETION = ("--install-completion", "--show-completion")
COMMANDS = ("status", "wait", "sandbox")
MOST_COLUMNS = 100  # of help: longer lines are hard to read
SAFE_NAME = re.compile("[A-Za-z0-9._ -]+")  # shells evaluate what completion offers

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

    from twbuild.config import credentials

    return [name for name in credentials.profile_names(os.environ) if SAFE_NAME.fullmatch(name)]


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
    "status", help="Print a build's status and exit with a matching code.", epilog=STATUS_EXAMPLES
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


@app.command(
    "wait", help="Wait until every named build is completed or failed.", epilog=WAIT_EXAMPLES
)
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
    help="Run COMMAND against a local fake of Twilio's API, no account needed.",
    epilog=SANDBOX_EXAMPLES,
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
    if words and words[0] in COMMANDS:
        raise UsageError(
            f"'{words[0]}' is a command of twbuild, not a program",
            *_meant("sandbox", "twbuild", *words),
            _usage("twbuild sandbox"),
        )
    return lambda: _rehearse(words, outcome, build_time)


def _look(arguments: list[str | None], **wishes: Any) -> int:
    from twbuild import app

    return app.look([a for a in arguments if a is not None], app.Wishes(**wishes))


def _rehearse(command: list[str], outcome: str, build_seconds: float) -> int:
    from twbuild.sandbox import command as sandbox

    return sandbox.run(command, outcome, build_seconds)


def run(arguments: list[str]) -> int:
    """Run the command line; returns the exit code. Raises TwbuildError."""
    instruction = os.environ.get("_TWBUILD_COMPLETE", "")
    # A shell that completes passes no arguments; Typer would always complete, and exit 0 or 1.
    if not arguments and instruction.startswith(("complete_", "source_")):
        return _complete_words()
    os.environ.pop("_TWBUILD_COMPLETE", None)
    if arguments and arguments[0] in COMPLETION:
        return _install_completion(arguments)
    action, printed = _parse(arguments or ["--help"])
    if action:
        return int(action())
    if printed:
        terminal.tell(printed)
    # Without arguments nothing was asked of the API, so that there is nothing to exit 0 for.
    return ExitCode.COMPLETED if arguments else ExitCode.USAGE


def _parse(arguments: list[str]) -> tuple[Action | None, str]:
    """The action; None where Typer has printed help or the version, and what it has printed."""
    # click's UsageError: Typer has no name for it.
    mistake = cast(type[Exception], typer.BadParameter.__mro__[1])
    try:
        parsed, printed = _typer(arguments)
    except mistake as error:
        told = cast(Any, error)
        path = getattr(getattr(error, "ctx", None), "command_path", "twbuild")
        meant = _suggestion(arguments, getattr(error, "option_name", None))
        message = told.message if meant else told.format_message()  # which guesses, too
        raise UsageError(printable(message), *meant, _usage(path)) from None
    return cast(Action, parsed) if callable(parsed) else None, printed


def _typer(arguments: Sequence[str]) -> tuple[object, str]:
    """What Typer makes of the arguments, and what it prints, as it suits stdout."""
    encoding = terminal.encoding(terminal.STDOUT)
    printed = io.TextIOWrapper(io.BytesIO(), encoding, errors="backslashreplace")
    to_terminal = terminal.is_terminal(terminal.STDOUT)
    styled = to_terminal and terminal.speaks_escapes()
    variables = {
        "TERMINAL_WIDTH": str(min(_columns(), MOST_COLUMNS)),
        "FORCE_COLOR": "1" if styled else None,
        "_TYPER_FORCE_DISABLE_TERMINAL": None if styled else "1",
    }
    with _environment(**variables), contextlib.redirect_stdout(printed):
        parsed = app(list(arguments), prog_name="twbuild", standalone_mode=False)
    printed.seek(0)
    lines = [line.rstrip() for line in printed.read().splitlines()]
    return parsed, "\n".join(lines).strip("\n")


def _columns() -> int:
    """The window's own width, wherever it is seen; else what COLUMNS says, else 80."""
    for descriptor in (terminal.STDOUT, terminal.STDERR, terminal.STDIN):
        with contextlib.suppress(OSError):
            return os.get_terminal_size(descriptor).columns or 80
    told = os.environ.get("COLUMNS", "")
    return int(told) if re.fullmatch("[1-9][0-9]{0,4}", told) else 80


def _suggestion(arguments: Sequence[str], option: str | None) -> list[str]:
    """What was probably meant by a command or an option that there is not."""
    first, *rest = arguments
    named = next((word for word in arguments if word in COMMANDS), None)
    if option:
        if option.lstrip("-") in COMMANDS:
            others = [word for word in arguments if word not in (option, named)]
            return _meant(option.lstrip("-"), *others)
        owners = [name for name in COMMANDS if option in _options(name)]
        if first in COMMANDS:
            return [f"{option} is an option of twbuild {name}" for name in owners]
        if owners:
            others = [word for word in arguments if word != named]
            return _meant(named or ("wait" if "wait" in owners else owners[0]), *others)
    elif first == "help":
        return _meant(*(word for word in rest if word in COMMANDS), "--help")
    elif first.lstrip("-") in ("version", "help"):
        return _meant(f"--{first}")
    elif first not in COMMANDS and any(word[:2].upper() in ("ZS", "ZB") for word in arguments):
        return _meant("wait", *(word for word in arguments if word != named))
    return []


def _options(command: str) -> list[str]:
    """The options of a command, as they are typed."""
    group = cast(Any, typer.main.get_command(app))
    return [name for parameter in group.commands[command].params for name in parameter.opts]


def _meant(*words: str) -> list[str]:
    """The hint that gives a command to type, unless it cannot be shown as it must be typed."""
    typed = shlex.join(["twbuild", *words])
    return [f"did you mean: {typed}"] if printable(typed) == typed else []


def _usage(path: str) -> str:
    return f"run '{path} --help' for usage"


def _complete_words() -> int:
    """What a shell asks for at Tab. Errors are not shown there, and no code is 1."""
    terminal.open_nowhere(terminal.STDERR)
    code, words = _completion([])
    terminal.tell(words)
    return ExitCode.USAGE if code else ExitCode.COMPLETED


def _install_completion(arguments: Sequence[str]) -> int:
    """Install or show completion, Typer's way; but what goes wrong is never an exit of 1."""
    import subprocess

    option, *others = arguments
    if others:
        raise UsageError(f"{option} takes no argument: {printable(shlex.join(others))}")
    home = os.environ.get("HOME", os.path.expanduser("~"))
    if option == COMPLETION[0] and not os.path.isabs(home):
        raise UsageError("completion cannot be installed: HOME is not set to an absolute path")
    try:
        code, told = _completion(arguments)
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
        raise UsageError(f"completion cannot be installed: {why}") from None
    except (ValueError, subprocess.SubprocessError) as error:  # a .bashrc that is not UTF-8
        raise UsageError(f"completion cannot be installed: {type(error).__name__}") from None
    if code:
        shells = "run it in bash, zsh, fish or PowerShell"
        raise UsageError("completion found no shell around it that it knows", shells)
    terminal.tell(told)
    return ExitCode.COMPLETED


def _completion(arguments: Sequence[str]) -> tuple[object, str]:
    """Typer's exit code and what it prints."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
            code: object = app(list(arguments), prog_name="twbuild", standalone_mode=False)
    except SystemExit as ended:
        trace = ended.__traceback__
        while trace and trace.tb_next:
            trace = trace.tb_next
        if not trace or trace.tb_frame.f_globals["__name__"].partition(".")[0] != "typer":
            raise
        code = ended.code
    return code, printed.getvalue().rstrip("\n")
