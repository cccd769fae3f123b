"""What can happen while builds are watched. Nothing here decides, fetches or draws."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from twbuild.api.models import Build, BuildStatus
from twbuild.errors import TwbuildError
from twbuild.outcome import Outcome
from twbuild.watch.earlier import Changes


class Notice(NamedTuple):
    """Something worth knowing that is not about one build; some are shown with `-v` only."""

    text: str
    verbose: bool = False


class Started(NamedTuple):
    """A wait for these builds begins; for the newest build where none are given.

    A time limit of 0 seconds is none.
    """

    service: str
    sids: tuple[str, ...]
    limit_seconds: float


class RequestEnded(NamedTuple):
    """A request has ended. `result` is its HTTP status, or why there is none."""

    url: str
    result: str
    seconds: float
    request_id: str | None


class Selected(NamedTuple):
    """The newest build was selected, because no BUILD was given."""

    sid: str
    status: str
    created: datetime
    age_seconds: float
    others_in_progress: int
    builds: Collection[Build] = ()  # the newest of the list


class Building(NamedTuple):
    """The build is in progress: the first good answer, or the first after a problem."""

    sid: str


class Problem(NamedTuple):
    """A request failed; the next try is at `next_at`, in the watch's seconds.

    `short` is the reason in a word or two.
    """

    sid: str | None
    reason: str
    short: str
    next_at: float


class Finished(NamedTuple):
    """The watch of one build has ended: its last good answer, and the last error, if any."""

    sid: str | None
    outcome: Outcome
    answer: BuildStatus | None
    waited_seconds: float
    polls: int
    error: TwbuildError | None = None


class Details(NamedTuple):
    """What a failed build was made of, and what changed since the last completed build.

    None where Twilio did not say so in time, or it is not certain which build was the last.
    """

    sid: str
    build: Build | None
    changes: Changes | None = None


class Usual(NamedTuple):
    """How many seconds builds of the service usually take to complete."""

    seconds: float


class Tick(NamedTuple):
    """Nothing happened: time to draw the next frame.

    `unanswered`: the builds that are polled at the moment, and since when, in the watch's seconds.
    """

    unanswered: tuple[tuple[str | None, float], ...] = ()


BuildEvent = Selected | Building | Problem | Finished | Details | Usual
Event = BuildEvent | Notice | Started | RequestEnded | Tick
