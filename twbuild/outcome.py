"""What watching a build came to, and the exit code that goes with it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, IntEnum


class Outcome(str, Enum):
    """What looking at a build came to; the `outcome` of `--json`."""

    COMPLETED = "completed"
    FAILED = "failed"
    BUILDING = "building"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"
    UNAUTHORIZED = "unauthorized"
    NOT_FOUND = "not_found"
    UNAVAILABLE = "unavailable"


class ExitCode(IntEnum):
    """The exit codes, each with one meaning that is never reused."""

    meaning: str

    COMPLETED = 0, "completed: the API said so, of this build"
    FAILED = 1, "failed: the API said so (sandbox: COMMAND's own code)"
    USAGE = 2, "usage: a bad argument, option, address, region or project file"
    UNAVAILABLE = 3, "the status could not be learned, or the result not be written"
    CREDENTIALS = 4, "credentials missing, incomplete, unreadable, or refused by Twilio"
    NOT_FOUND = 5, "no such service or build, or no build in progress"
    BUILDING = 8, "still building (status only)"
    BUG = 70, "a bug in twbuild"
    TIMEOUT = 124, "wait ran into --timeout; the build goes on"
    HANGUP = 129, "hung up (SIGHUP)"
    INTERRUPTED = 130, "interrupted (SIGINT)"
    TERMINATED = 143, "terminated (SIGTERM)"

    def __new__(cls, value: int, meaning: str) -> ExitCode:  # noqa: D102 - how Enum asks for it
        code = int.__new__(cls, value)
        code._value_ = value
        code.meaning = meaning
        return code


EXIT_CODES = {
    Outcome.COMPLETED: ExitCode.COMPLETED,
    Outcome.FAILED: ExitCode.FAILED,
    Outcome.BUILDING: ExitCode.BUILDING,
    Outcome.TIMEOUT: ExitCode.TIMEOUT,
    Outcome.UNAUTHORIZED: ExitCode.CREDENTIALS,
    Outcome.NOT_FOUND: ExitCode.NOT_FOUND,
    Outcome.UNAVAILABLE: ExitCode.UNAVAILABLE,
    Outcome.INTERRUPTED: ExitCode.INTERRUPTED,  # and of which signal, `signals` knows
}


# With several builds the code that asks most urgently for somebody's attention wins.
URGENCY = (
    Outcome.INTERRUPTED,
    Outcome.FAILED,
    Outcome.TIMEOUT,
    Outcome.UNAUTHORIZED,
    Outcome.NOT_FOUND,
    Outcome.UNAVAILABLE,
    Outcome.BUILDING,
    Outcome.COMPLETED,
)


def exit_code(outcomes: Iterable[Outcome]) -> ExitCode:
    """The code for what one or several builds came to."""
    return EXIT_CODES[min(outcomes, key=URGENCY.index)]
