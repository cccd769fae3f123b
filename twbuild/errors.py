"""The exceptions, each with the exit code that it leads to.

TwbuildError                  3, as all of them without a code of their own
  UsageError                  2
  CredentialsError            4
  OutputError
  FetchError
    TransientError
    PermanentError
    UnauthorizedError         4, by its outcome
    NotFoundError             5, by its outcome
"""

from __future__ import annotations

from collections.abc import Sequence

from twbuild.outcome import ExitCode, Outcome
from twbuild.text import Line


class CommandHint(str):
    """A hint with a command to paste."""

    __slots__ = ("spans",)
    spans: Line

    def __new__(cls, words: str, command: str, rest: str = "") -> CommandHint:  # noqa: D102 - as str asks for it
        hint = super().__new__(cls, words + command + rest)
        hint.spans = ((words, ""), (command, "command"), *([(rest, "")] if rest else []))
        return hint


def _hint_line(hint: str) -> Line:
    spans = hint.spans if isinstance(hint, CommandHint) else ((hint, ""),)
    return (("  ", ""), *spans)


class TwbuildError(Exception):
    """What happened in one line, then hints: what to do next; then details of the request."""

    exit_code = ExitCode.UNAVAILABLE

    def __init__(self, message: str, *hints: str, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hints = hints
        self.details = details

    @property
    def headline(self) -> Line:
        """What happened."""
        return (("error:", "failed"), (f" {self.message}", ""))

    @property
    def hint_lines(self) -> list[Line]:
        """What to do next."""
        return [_hint_line(hint) for hint in self.hints]

    @property
    def detail_lines(self) -> list[Line]:
        """The request that failed."""
        return [(("  ", ""), (detail, "detail")) for detail in self.details]

    @property
    def lines(self) -> list[Line]:
        """All of these."""
        return [self.headline, *self.hint_lines, *self.detail_lines]


class UsageError(TwbuildError):
    """The command line, an address, a region or a project file is not valid; nothing was sent."""

    exit_code = ExitCode.USAGE


class CredentialsError(TwbuildError):
    """No usable credentials; nothing was sent."""

    exit_code = ExitCode.CREDENTIALS


class OutputError(TwbuildError):
    """The result could not be written."""


class FetchError(TwbuildError):
    """A request without a good answer, and what the HTTP response contained, if one came.

    `reason` is what happened without details; `short` is that in a word or two, for a row of the
    live screen. `detail` is Twilio's own text. `retry_after` is in seconds, 0 where the server
    asked for none.
    """

    outcome = Outcome.UNAVAILABLE

    def __init__(
        self,
        reason: str,
        message: str,
        *hints: str,
        short: str = "",
        http_status: int | None = None,
        code: int | None = None,
        request_id: str | None = None,
        retry_after: float = 0,
        detail: str | None = None,
        details: Sequence[str] = (),
    ) -> None:
        super().__init__(message, *hints, details=details)
        self.detail = detail
        self.reason = reason
        self.short = short or reason
        self.http_status = http_status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after


class TransientError(FetchError):
    """A failure that may pass: it is retried."""


class PermanentError(FetchError):
    """A failure that no retry would mend."""


class UnauthorizedError(FetchError):
    """Twilio refused the credentials."""

    outcome = Outcome.UNAUTHORIZED


class NotFoundError(FetchError):
    """No such service or build, or none to select."""

    outcome = Outcome.NOT_FOUND
