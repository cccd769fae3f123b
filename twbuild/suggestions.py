"""What was probably meant by a command or an option that does not exist."""

from __future__ import annotations

import difflib
from collections import deque
from collections.abc import Mapping, Sequence

# Options of other tools, twilio-cli among them, by what twbuild has in their place.
WAITS = ("--watch", "-w", "--follow", "-f")
FORMATS = ("--output", "-o", "--format")
SERVICES = ("--service", "--service-sid")
BUILDS = ("--build", "--build-sid", "--sid")
VARIABLES = {"--region": "TWILIO_REGION", "--edge": "TWILIO_EDGE"}

Options = Mapping[str, Sequence[str]]  # those of each command, as they are typed

_CLOSE = 0.75  # as difflib measures it; more than --timeout and --quiet have in common


def for_command(arguments: Sequence[str], known: Options) -> list[str]:
    """The words after `twbuild` that were meant where the first is no command; [] for no idea."""
    first, *rest = arguments
    has_sid = any(word[:2].upper() in ("ZS", "ZB") for word in arguments)
    if first == "version":
        return ["--version"]
    commands = ("wait", "status") if has_sid else (*known, "help")
    if close := difflib.get_close_matches(first.lower(), commands, 1):
        return [*close, *rest]
    if first not in known and has_sid:
        return ["wait", *(word for word in arguments if word not in known)]
    return []


def for_option(arguments: Sequence[str], option: str, known: Options) -> list[str]:
    """The words after `twbuild` that were meant where there is no such option; [] for no idea."""
    commands = [word for word in arguments if word in known]
    if len(commands) > 1:
        return []  # any of them may be a value
    command = next(iter(commands), None)
    words = [part for word in arguments if word != command for part in _split(word, option)]
    if option == "--version":
        return [option]
    is_ours = command != "sandbox"  # else it may be COMMAND's
    if is_ours and (option in WAITS or option[2:] in known):
        command = "wait" if option in WAITS else option[2:]
        return [command, *(word for word in words if word != option)]
    command = command or next((name for name in known if option in known[name]), "wait")
    if option in known[command]:
        return [command, *words]
    if is_ours and option in (*SERVICES, *BUILDS):
        found = _as_arguments(words)
        return [command, *found] if found else []
    at = words.index(option) if option in words else len(words)
    before, value, after = words[:at], "".join(words[at + 1 : at + 2]), words[at + 1 :]
    if is_ours and option in FORMATS:
        return [command, *before, f"--{value}", *after[1:]] if value else []
    close = difflib.get_close_matches(option, known[command], 1, _CLOSE)
    return [command, *before, *close, *after] if close else []


def with_two_dashes(arguments: Sequence[str], known: Options) -> list[str]:
    """The words that were meant where options have one dash, as `-timeout`; [] where none has."""
    command = arguments[0]
    if command == "sandbox":
        return []  # they may be COMMAND's
    end = arguments.index("--") if "--" in arguments else len(arguments)
    long = (*known.get(command, ()), "--help", "--version")
    meant = [f"-{w}" if f"-{w.partition('=')[0]}" in long else w for w in arguments[:end]]
    return [*meant, *arguments[end:]] if meant != list(arguments[:end]) else []


def in_words(option: str, known: Options) -> list[str]:
    """What to do in place of an option that no command here has, as a sentence; [] for no idea."""
    if option in VARIABLES:
        return [f"Set {VARIABLES[option]}, or use a profile that has it: -p NAME."]
    return [f"{option} is an option of twbuild {name}" for name in known if option in known[name]]


def _split(word: str, option: str) -> list[str]:
    """An option and its value, where `word` is both."""
    name, equals, value = word.partition("=")
    if equals and name in (option, *SERVICES, *BUILDS):
        return [name] if name in WAITS else [name, value]
    is_joined = option == "-o" and word.startswith(option) and word != option
    return [option, word[2:]] if is_joined else [word]


def _as_arguments(words: Sequence[str]) -> list[str]:
    """The words with services and builds as arguments, not as options."""
    services: list[str] = []
    builds: list[str] = []
    others: list[str] = []
    waiting = deque(words)
    while waiting:
        word = waiting.popleft()
        values = services if word in SERVICES else builds if word in BUILDS else None
        if values is None:
            others.append(word)
        elif not waiting:
            return []  # the value is missing
        else:
            values.append(waiting.popleft())
    return [*services, *others, *builds]
