"""What is asked of Twilio, what it answers, and what can happen while a build is watched.

Frozen values that every room shares; nothing here decides, asks or draws. Named tuples, because
each frozen dataclass costs a start about ten times as much.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import NamedTuple


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


class Question(NamedTuple):
    """One GET: the Status or the Build named `sid`, or the page of Builds at `query`."""

    kind: Kind
    sid: str = ""
    query: str = ""


class BuildStatus(NamedTuple):
    """The Build Status resource: the API's five fields as sent, all but `status` nullable."""

    status: Status
    sid: str | None = None
    account_sid: str | None = None
    service_sid: str | None = None
    url: str | None = None
    request_id: str | None = None


class Dependency(NamedTuple):
    """A package that a build installs; `version` is None where Twilio does not tell it."""

    name: str
    version: str | None = None


class Build(NamedTuple):
    """What the Build resource tells of a build beyond its status; None where it does not."""

    sid: str
    status: str
    created: datetime | None = None
    updated: datetime | None = None
    runtime: str | None = None
    functions: int | None = None
    assets: int | None = None
    dependencies: tuple[Dependency, ...] = ()
    request_id: str | None = None


class Page(NamedTuple):
    """One page of a service's Builds; `asked` is the server's own time of the answer."""

    builds: tuple[Build, ...]
    next_query: str | None
    asked: datetime
    request_id: str | None = None


class Note(NamedTuple):
    """Something worth knowing that no build brought about; some only with `-v`."""

    text: str
    verbose: bool = False


class Asked(NamedTuple):
    """One request has ended, with an HTTP status or with the reason why there is none."""

    url: str
    came: str
    seconds: float
    request_id: str | None


class Picked(NamedTuple):
    """The newest build was chosen, because none was named."""

    sid: str
    status: str
    created: datetime
    age_seconds: float
    others_in_progress: int


class Building(NamedTuple):
    """The build is in progress: its first good answer, or the first after trouble."""

    sid: str


class Trouble(NamedTuple):
    """A try came to nothing and the next one is at `next_at`, in the watch's seconds."""

    sid: str | None
    reason: str
    next_at: float


class Made(NamedTuple):
    """What a failed build was made of; None where Twilio did not tell in time."""

    sid: str
    build: Build | None


class Tick(NamedTuple):
    """Nothing happened: a moment to draw the next frame."""
