"""The Typer commands status, wait and sandbox, their help, and completion."""

import contextlib
import io
import os
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from twbuild import completion, help_texts, options
from twbuild.config import sids, target
from twbuild.durations import typed
from twbuild.errors import CommandHint, UsageError
from twbuild.invocation import program
from twbuild.options import environment, typer
from twbuild.outcome import ExitCode
from twbuild.output import streams
from twbuild.output.stdout import write_line
from twbuild.text import pasteable, printable, visible
from twbuild.watch_options import WatchOptions

# No `from __future__ import annotations`: Typer would compile each annotation twice.

# click's UsageError: Typer has no name for it.
_Mistake = cast(type[Exception], typer.BadParameter.__mro__[1])

COMMANDS = ("wait", "status", "sandbox")
MAX_COLUMNS = 100  # of help: longer lines are hard to read
# A URL, or a SID beside something: no service or build, as a character is in it that none has.
_TARGET = f"(?!-)(?=.*[^\\w-]).*(://|{sids.BUILD})"
_PRINTED = "--(help|version)|-[a-zA-Z]*[hV]"  # options that print a text and exit with 0


class Action(NamedTuple):
    """What to run once Typer is out of the way: it would turn its errors into an exit of 1."""

    run: Callable[[], int]
    verbose: bool = False
    arguments: Sequence[str] = ()  # of status and wait


# Help is in strings: PYTHONOPTIMIZE=2 removes docstrings.
app = typer.Typer(
    help="Watch a Twilio Serverless Build until it is completed or failed.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=help_texts.FIRST_STEPS,
)


@app.callback()
def _main(version: options.VersionOption = False) -> None:
    pass


@app.command(
    "wait",
    help="Wait until every named build is completed or failed.",
    epilog=help_texts.WAIT_EXAMPLES,
)
def _wait(
    service: options.ServiceArgument = None,
    builds: options.BuildsArgument = None,
    profile: options.ProfileOption = None,
    json: options.JsonOption = False,
    quiet: options.QuietOption = False,
    verbose: options.VerboseOption = False,
    progress: options.ProgressOption = None,
    interval: options.IntervalOption = "1s",  # type: ignore[assignment]
    timeout: options.TimeoutOption = "10m",  # type: ignore[assignment]
) -> Action:
    shows = progress or options.default_progress()
    asked = WatchOptions(
        profile, "json" if json else None, quiet, verbose, shows, interval, timeout
    )
    return _watch([service, *(builds or ())], asked)


@app.command(
    "status",
    help="Print a build's status and exit with a matching code.",
    epilog=help_texts.STATUS_EXAMPLES,
    context_settings={"allow_extra_args": True},  # `target` says what is wrong with more builds
)
def _status(
    context: typer.Context,
    service: options.ServiceArgument = None,
    build: options.BuildArgument = None,
    profile: options.ProfileOption = None,
    json: options.JsonOption = False,
    quiet: options.QuietOption = False,
    verbose: options.VerboseOption = False,
) -> Action:
    asked = WatchOptions(
        profile, "json" if json else None, quiet, verbose, options.default_progress(), once=True
    )
    return _watch([service, build, *context.args], asked)


@app.command(
    "sandbox",
    help="Run COMMAND against a local fake of Twilio's API, no account needed.",
    epilog=help_texts.SANDBOX_EXAMPLES,
    context_settings={"allow_interspersed_args": False},
)
def _sandbox(
    command: options.CommandArgument = None,
    outcome: options.OutcomeOption = "completed",
    build_time: options.BuildTimeOption = "5s",  # type: ignore[assignment]
) -> Action:
    words = command or []
    if words:
        options.filled("COMMAND")(words[0])
    if words and words[0] in COMMANDS:
        raise UsageError(
            f"'{words[0]}' is a command of twbuild, not a program",
            *_meant(["sandbox", *_sandbox_options(outcome, build_time), *program(), *words]),
            _usage("sandbox"),
        )
    return Action(lambda: _run_in_sandbox(words, outcome, build_time))


def _sandbox_options(outcome: str, build_seconds: float) -> list[str]:
    options = {"--outcome": outcome, "--build-time": typed(build_seconds)}
    defaults = {"--outcome": "completed", "--build-time": "5s"}
    return [w for option in options.items() if option not in defaults.items() for w in option]


def _watch(words: Sequence[str | None], asked: WatchOptions) -> Action:
    arguments = [word for word in words if word is not None]

    def run() -> int:
        from twbuild import app

        return app.run(arguments, asked)

    return Action(run, asked.verbose, arguments)


def _run_in_sandbox(command: list[str], outcome: str, build_seconds: float) -> int:
    from twbuild.sandbox import command as sandbox

    if command:
        return sandbox.run(command, outcome, build_seconds)
    return sandbox.demonstrate(
        lambda build: parse(["wait", sandbox.SERVICE, build]).run(), outcome, build_seconds
    )


def parse(arguments: list[str]) -> Action:
    """What the command line asks for. Raises UsageError."""
    instruction = os.environ.get("_TWBUILD_COMPLETE", "")
    # A shell that completes passes no arguments; Typer would always complete, and exit 0 or 1.
    if not arguments and instruction.startswith(("complete_", "source_")):
        return Action(lambda: completion.complete(_call))
    os.environ.pop("_TWBUILD_COMPLETE", None)
    if arguments and arguments[0] in completion.OPTIONS:
        return Action(lambda: completion.show_or_install(_call, *arguments))
    if arguments and re.match(_TARGET, arguments[0]):
        arguments = ["wait", *arguments]  # says what is wrong, and repeats no password of a URL
    parsed, printed = _parse(_expanded(arguments) or ["--help"])
    if isinstance(parsed, Action):
        return parsed
    if arguments and arguments[0] != "help" and not any(re.match(_PRINTED, w) for w in arguments):
        raise ImportError(name="typer", path=typer.__file__)  # one that takes options for given
    # Without arguments no request was made, so that 0 would be wrong.
    code = ExitCode.COMPLETED if arguments else ExitCode.USAGE
    return Action(lambda: _print(printed, code))


def _print(text: str, code: ExitCode) -> int:
    if text:
        write_line(text)
    return code


def _parse(arguments: list[str]) -> tuple[object, str]:
    """What Typer makes of the arguments, and what it prints. Raises UsageError."""
    if any(re.match("-[a-z]{3}", word) for word in arguments):
        _check_dashes(arguments)
    try:
        return _typer(arguments)
    except _Mistake as error:
        usage = cast(Any, error)
        meant = _suggestion(arguments, getattr(error, "option_name", None))
        message = usage.message if meant else usage.format_message()
        # Typer offers all that is a little like it.
        message = re.split(r" Did you| \(Possible", message)[0]
        sentence = printable(message[:1].lower() + message[1:]).rstrip(".")
        raise UsageError(sentence, *meant, _usage(*arguments[:1])) from None


def _check_dashes(arguments: Sequence[str]) -> None:
    """Refuse `-timeout`, which Typer takes for `-t imeout`."""
    from twbuild import suggestions

    if meant := suggestions.with_two_dashes(arguments, _options()):
        raise UsageError(
            "a long option begins with two dashes", *_meant(meant), _usage(*arguments[:1])
        )


def _typer(arguments: Sequence[str]) -> tuple[object, str]:
    """What Typer makes of the arguments, and what it prints, as it suits stdout."""
    encoding = streams.encoding(streams.STDOUT)
    printed = io.TextIOWrapper(io.BytesIO(), encoding, errors="backslashreplace")
    to_terminal = os.isatty(streams.STDOUT)
    styled = to_terminal and streams.speaks_escapes()
    variables = {
        "TERMINAL_WIDTH": str(min(streams.columns_of_help(), MAX_COLUMNS)),
        "FORCE_COLOR": "1" if styled else None,
        "_TYPER_FORCE_DISABLE_TERMINAL": None if styled else "1",
        **dict.fromkeys(("COLUMNS", "LINES")),  # of which rich takes what is no number
    }
    with environment(**variables), contextlib.redirect_stdout(printed):
        parsed = _call(arguments)
    printed.seek(0)
    lines = [line.rstrip() for line in printed.read().splitlines()]
    return parsed, "\n".join(lines).strip("\n")


def _suggestion(arguments: Sequence[str], option: str | None) -> list[str]:
    """What was probably meant by an unknown command or option; a hint, or none."""
    from twbuild import suggestions

    known = _options()
    first = arguments[0]
    if option is None:
        if first in COMMANDS:
            return []
        words = suggestions.for_command(arguments, known)
        return _meant(words, names_service=first in words)
    if option in known.get(first, ()):
        return []  # it has the option: another mistake
    words = suggestions.for_option(arguments, option, known)
    return _meant(words) or suggestions.in_words(option, known)


def _options() -> dict[str, list[str]]:
    """The options of each command, as they are typed."""
    group = cast(Any, typer.main.get_command(app))
    return {
        name: [word for parameter in group.commands[name].params for word in parameter.opts]
        for name in COMMANDS
    }


def _meant(words: Sequence[str], *, names_service: bool = True) -> list[str]:
    """The hint with a command to paste; none where it would not do, or cannot be seen whole.

    Without `names_service` a word is left out that may be the service.
    """
    if not words or any(word != visible(word) for word in words):
        return []
    try:
        parsed, _ = _typer(_expanded(words))
        arguments = parsed.arguments if isinstance(parsed, Action) else ()
        named = target.parse(arguments)
    except (_Mistake, UsageError):
        return []
    is_left_out = not names_service and named.builds and not named.service
    if is_left_out or (arguments and target.lacks_service(arguments, os.environ)):
        words = (words[0], "SERVICE", *words[1:])
    return [CommandHint("Did you mean: ", pasteable([*program(), *words]))]


def _usage(*words: str) -> CommandHint:
    command = [word for word in words if word in COMMANDS]
    return CommandHint("For usage: ", pasteable([*program(), *command, "--help"]))


def _expanded(arguments: Sequence[str]) -> list[str]:
    """The arguments, with `help COMMAND` as `COMMAND --help`."""
    is_help = len(arguments) > 0 and arguments[0] == "help"
    return [*arguments[1:], "--help"] if is_help else [*arguments]


def _call(arguments: Sequence[str]) -> object:
    return app(list(arguments), prog_name="twbuild", standalone_mode=False)
