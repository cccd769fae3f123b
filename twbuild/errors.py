"""Everything that can go wrong, and the exit code that each ending has."""

from __future__ import annotations

from twbuild.outcome import ExitCode, Outcome
from twbuild.text import Line


class TwbuildError(Exception):
    """An error that the user is told: one line, then hints of what to do next.

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
