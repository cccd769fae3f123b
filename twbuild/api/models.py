"""Requests to Twilio's API, and what it answers.

Named tuples: each frozen dataclass costs a start about ten times as much.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

REQUEST_SECONDS = 15.0  # for one request as a whole, and so for each read


class Status(str, Enum):
    """A build's status, in the API's words.

    Source: https://www.twilio.com/docs/serverless/api/resource/build-status
    """

    BUILDING = "building"
    COMPLETED = "completed"
    FAILED = "failed"


class Resource(Enum):
    """Which of the API's resources a request is for."""

    STATUS = "status"
    BUILD = "build"
    PAGE = "page"


class Request(NamedTuple):
    """One GET: the Status or the Build of `sid`, or the page of Builds at `query`."""

    resource: Resource
    sid: str = ""
    query: str = ""


class Response(NamedTuple):
    """The final answer to one request; header names are looked up without regard to case.

    `is_first`: the connection carried no request before this one, so that this is no late answer
    to another. `defect` says why the body cannot be read, and then `body` is empty.
    """

    status: int
    headers: Mapping[str, str]
    body: bytearray
    is_first: bool
    defect: str = ""


class Content(NamedTuple):
    """A body as it was read, once: the JSON object in it, or {} and why there is none.

    `kind` is "HTML" or "text" where the body is no JSON at all, else "".
    """

    found: dict[str, Any]
    size: int
    kind: str = ""
    defect: str = ""


class BuildStatus(NamedTuple):
    """The Build Status resource: the API's five fields as sent, all but `status` nullable."""

    status: Status
    sid: str | None = None
    account_sid: str | None = None
    service_sid: str | None = None
    url: str | None = None
    request_id: str | None = None
    from_sandbox: bool = False
    ends_with_run: bool = False  # the sandbox, and with it the build, ends when this run does


class Dependency(NamedTuple):
    """A package that a build installs; `version` is None where Twilio gives none."""

    name: str
    version: str | None = None


class Build(NamedTuple):
    """What the Build resource says of a build; None where it says nothing.

    `functions` and `assets` are the SIDs of their versions, "" for one without.
    Source: https://www.twilio.com/docs/serverless/api/resource/build
    """

    sid: str
    status: str
    created: datetime | None = None
    updated: datetime | None = None
    runtime: str | None = None
    functions: tuple[str, ...] | None = None
    assets: tuple[str, ...] | None = None
    dependencies: tuple[Dependency, ...] | None = None
    request_id: str | None = None


class BuildPage(NamedTuple):
    """One page of a service's Builds; `date` is the server's own time of the answer.

    `service` is as it was asked for, `identity` says with which account.
    """

    builds: tuple[Build, ...]
    next_query: str | None
    date: datetime
    request_id: str | None = None
    service: str = ""
    identity: str = ""


Answer = BuildStatus | Build | BuildPage
