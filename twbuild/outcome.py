"""How a watch can end: one table of the outcomes, and the exit codes."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, IntEnum


class ExitCode(IntEnum):
    """The exit codes, each with one meaning that is never reused."""

    meaning: str

    COMPLETED = 0, "completed: the API said so, of this build"
    FAILED = 1, "failed: the API said so (sandbox: COMMAND's own code)"
    USAGE = 2, "usage: a bad argument, option, address, region or project file"
    UNAVAILABLE = 3, "the status is unknown, or the result could not be written"
    CREDENTIALS = 4, "credentials missing, incomplete, unreadable, or refused by Twilio"
    NOT_FOUND = 5, "no such service or build, or no build in progress"
    BUILDING = 8, "still building (status only)"
    BUG = 70, "a bug in twbuild, or a broken installation"
    TIMEOUT = 124, "wait ran into --timeout"
    HANGUP = 129, "hung up (SIGHUP)"
    INTERRUPTED = 130, "interrupted (SIGINT)"
    TERMINATED = 143, "terminated (SIGTERM)"

    def __new__(cls, value: int, meaning: str) -> ExitCode:  # noqa: D102 - how Enum asks for it
        code = int.__new__(cls, value)
        code._value_ = value
        code.meaning = meaning
        return code


class Outcome(str, Enum):
    """How watching a build ended; the value is the `outcome` of `--json`.

    The most urgent comes first. Of each: its exit code, its mark and style on the screen, and
    whether GitHub gets an annotation.
    """

    exit_code: ExitCode
    mark: str
    style: str
    is_annotated: bool

    # `signals` knows which signal interrupted, and so the exit code.
    INTERRUPTED = "interrupted", ExitCode.INTERRUPTED, "!", "problem", False
    FAILED = "failed", ExitCode.FAILED, "✗", "failed", True
    TIMEOUT = "timeout", ExitCode.TIMEOUT, "!", "problem", True
    UNAUTHORIZED = "unauthorized", ExitCode.CREDENTIALS, "!", "problem", True
    NOT_FOUND = "not_found", ExitCode.NOT_FOUND, "!", "problem", True
    UNAVAILABLE = "unavailable", ExitCode.UNAVAILABLE, "!", "problem", True
    BUILDING = "building", ExitCode.BUILDING, "•", "building", False
    COMPLETED = "completed", ExitCode.COMPLETED, "✓", "completed", False

    def __new__(  # noqa: D102 - how Enum asks for it
        cls, value: str, exit_code: ExitCode, mark: str, style: str, is_annotated: bool
    ) -> Outcome:
        outcome = str.__new__(cls, value)
        outcome._value_ = value
        outcome.exit_code = exit_code
        outcome.mark = mark
        outcome.style = style
        outcome.is_annotated = is_annotated
        return outcome

    @property
    def is_verdict(self) -> bool:
        """Whether it is a status that the API gave."""
        return self in (Outcome.COMPLETED, Outcome.FAILED, Outcome.BUILDING)

    @property
    def is_cut_short(self) -> bool:
        """Whether twbuild stopped watching while the build may still be running."""
        return self in (Outcome.TIMEOUT, Outcome.INTERRUPTED)


_BY_URGENCY = list(Outcome)


def most_urgent(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome that decides the exit code of several builds."""
    return min(outcomes, key=_BY_URGENCY.index)
