"""What is asked of Twilio, what it answers, and what can happen while a build is watched.

Frozen values that every room shares; nothing here decides, asks or draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class Status(str, Enum):
    """A build's status, in the API's words.

    Source: https://www.twilio.com/docs/serverless/api/resource/build-status
    """

    BUILDING = "building"
    COMPLETED = "completed"
    FAILED = "failed"


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


class Kind(Enum):
    """Which of the API's resources a question is about."""

    STATUS = "status"
    BUILD = "build"
    PAGE = "page"


@dataclass(frozen=True)
class Question:
    """One GET: the Status or the Build named `sid`, or the page of Builds at `query`."""

    kind: Kind
    sid: str = ""
    query: str = ""


@dataclass(frozen=True)
class BuildStatus:
    """The Build Status resource: the API's five fields as sent, all but `status` nullable."""

    status: Status
    sid: str | None = None
    account_sid: str | None = None
    service_sid: str | None = None
    url: str | None = None
    request_id: str | None = None


@dataclass(frozen=True)
class Build:
    """What the Build resource tells of a build beyond its status; None where it does not."""

    sid: str
    status: str
    created: datetime | None = None
    updated: datetime | None = None
    runtime: str | None = None
    functions: int | None = None
    assets: int | None = None
    dependencies: tuple[str, ...] = ()
    request_id: str | None = None


@dataclass(frozen=True)
class Page:
    """One page of a service's Builds; `asked` is the server's own time of the answer."""

    builds: tuple[Build, ...]
    next_query: str | None
    asked: datetime
    request_id: str | None = None


@dataclass(frozen=True)
class Note:
    """Something worth knowing that no build brought about; some only with `-v`."""

    text: str
    verbose: bool = False


@dataclass(frozen=True)
class Asked:
    """One request has ended, with an HTTP status or with the reason why there is none."""

    url: str
    came: str
    seconds: float
    request_id: str | None


@dataclass(frozen=True)
class Picked:
    """The newest build was chosen, because none was named."""

    sid: str
    status: str
    created: datetime
    age_seconds: float
    others_in_progress: int


@dataclass(frozen=True)
class Building:
    """The build is in progress: its first good answer, or the first after trouble."""

    sid: str


@dataclass(frozen=True)
class Trouble:
    """A try came to nothing and the next one is at `next_at`, in the watch's seconds."""

    sid: str | None
    reason: str
    next_at: float


@dataclass(frozen=True)
class Made:
    """What a failed build was made of; None where Twilio did not tell in time."""

    sid: str
    build: Build | None


@dataclass(frozen=True)
class Tick:
    """Nothing happened: a moment to draw the next frame."""
