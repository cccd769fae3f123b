"""How builds ended, for what is said of it."""

from __future__ import annotations

from tests.support.command import ACCOUNT, BUILD, OTHER_BUILD, SERVICE
from twbuild.api.models import BuildStatus, Status
from twbuild.errors import TransientError, TwbuildError
from twbuild.outcome import Outcome
from twbuild.watch.events import Finished

URL = f"https://serverless.twilio.com/v1/Services/{SERVICE}/Builds/{BUILD}/Status"
ANSWER = BuildStatus(Status.BUILDING, BUILD, ACCOUNT, SERVICE, URL)
ERROR = TransientError("HTTP 503", "HTTP 503", "Try again later.", details=["request RQ1"])


def finished(
    outcome: Outcome,
    waited: float = 0.0,
    polls: int = 2,
    *,
    sid: str | None = BUILD,
    answer: BuildStatus | None = ANSWER,
    error: TwbuildError | None = None,
) -> Finished:
    """An ending whose last answer was `building`."""
    return Finished(sid, outcome, answer, waited, polls, error)


COMPLETED = finished(Outcome.COMPLETED, 5, answer=None)
FAILED = finished(Outcome.FAILED, 6, sid=OTHER_BUILD, answer=None)
TIMEOUT = finished(Outcome.TIMEOUT, 5, answer=None)
UNAVAILABLE = finished(Outcome.UNAVAILABLE, 120, 9, answer=None, error=ERROR)
