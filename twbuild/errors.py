"""Everything that can go wrong, and the exit code that each ending has."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from twbuild.text import Line
from twbuild.watch.events import Outcome


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


class TwbuildError(Exception):
    """A mishap that people are told of: one line, then hints of what to do next.

    `progress` is how they asked to be told.
    """

    exit_code = ExitCode.UNAVAILABLE
    progress = "auto"

    def __init__(self, message: str, *hints: str) -> None:
        super().__init__(message)
        self.message = message
        self.hints = hints

    @property
    def lines(self) -> list[Line]:
        """For people: what is wrong, then what to do."""
        head: Line = [("error:", "failed"), (f" {self.message}", "")]
        return [head, *([(f"  {hint}", "hint")] for hint in self.hints)]


class UsageError(TwbuildError):
    """The command line, an address, a region or a project file is wrong; nothing was sent."""

    exit_code = ExitCode.USAGE


class CredentialsError(TwbuildError):
    """No usable credentials; nothing was sent."""

    exit_code = ExitCode.CREDENTIALS


class BugError(TwbuildError):
    """Something that twbuild did not expect of itself."""

    exit_code = ExitCode.BUG


class UnwritableError(TwbuildError):
    """The result could not be written."""


class FetchError(TwbuildError):
    """A question that brought no good answer, and what its HTTP response told, if any came.

    `reason` is short enough for a row of the live screen. `retry_after` is in seconds, 0 where
    the server asked for none.
    """

    outcome = Outcome.UNAVAILABLE

    def __init__(
        self,
        reason: str,
        message: str,
        *hints: str,
        http_status: int | None = None,
        code: int | None = None,
        request_id: str | None = None,
        retry_after: float = 0,
    ) -> None:
        super().__init__(message, *hints)
        self.reason = reason
        self.http_status = http_status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after


class PassingError(FetchError):
    """Trouble that may pass: worth another try."""


class FatalError(FetchError):
    """Trouble that no further try would mend."""


class UnauthorizedError(FetchError):
    """Twilio refused the credentials."""

    outcome = Outcome.UNAUTHORIZED


class NotFoundError(FetchError):
    """No such service or build, or none that could be picked."""

    outcome = Outcome.NOT_FOUND
