"""The bodies of the API's answers: JSON into models."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from twbuild import strict_json
from twbuild.api import http_errors
from twbuild.api.models import (
    Answer,
    Build,
    BuildPage,
    BuildStatus,
    Dependency,
    Request,
    Resource,
    Response,
    Status,
)
from twbuild.config import sids
from twbuild.text import printable

BUILD_SID = re.compile(sids.BUILD)


def read(
    request: Request,
    response: Response,
    redacted: Callable[[Any], Any],
) -> Answer:
    """The model in a body; where there is none, raises ValueError of a reason and hints.

    `redacted` takes secrets out of what is shown; the status is read from what was sent.
    """
    try:
        sent = strict_json.parse(response.body)
    except strict_json.NotAnObjectError as error:
        raise ValueError(f"the answer is {error}") from None
    found = redacted(sent)
    request_id = http_errors.request_id(response)
    if request.resource is Resource.PAGE:
        return _page(sent, found, response, request_id)
    sid = _matching_sid(request.sid, sent, redacted)
    if request.resource is Resource.BUILD:
        return _build({**found, "sid": request.sid})._replace(request_id=request_id)
    status = sent.get("status")
    if not isinstance(status, str) or status not in [s.value for s in Status]:
        shown = printable(repr(redacted(status)), 60)
        raise ValueError(f"unknown build status {shown}", "Update twbuild, or report it.")
    account, service, url = (_text(found.get(n)) for n in ("account_sid", "service_sid", "url"))
    from_sandbox = response.headers.get("Server", "").startswith("twbuild-sandbox/")
    return BuildStatus(Status(status), sid, account, service, url, request_id, from_sandbox)


def is_named(answer: Answer) -> bool:
    """Whether the answer itself names its build."""
    return isinstance(answer, BuildStatus) and bool(answer.sid or _builds_in(answer.url))


def _matching_sid(asked: str, sent: dict[str, Any], redacted: Callable[[Any], Any]) -> str | None:
    """The sid as sent; ValueError where it, or a `url` in its place, is another build's."""
    sid = sent.get("sid")
    named = _builds_in(sent.get("url")) if sid is None else [sid]
    for name in named:
        if not isinstance(name, str) or not name.isascii() or name.lower() != asked.lower():
            raise ValueError(f"the answer is about {printable(redacted(name))}, not {asked}")
    return sid


def _builds_in(url: object) -> list[str]:
    return BUILD_SID.findall(url) if isinstance(url, str) else []


def _page(
    sent: dict[str, Any],
    found: dict[str, Any],
    response: Response,
    request_id: str | None,
) -> BuildPage:
    builds, meta = found.get("builds"), sent.get("meta")
    if not isinstance(builds, list) or not isinstance(meta, dict):
        raise ValueError("the answer is not a page of Builds")  # noqa: TRY004 - the answer's type, not ours
    if not all(isinstance(build, dict) and _is_listed(build) for build in builds):
        raise ValueError("the answer lists a Build without its SID or status")
    for build, as_sent in zip(builds, sent["builds"], strict=True):
        if as_sent["status"] in [s.value for s in Status]:
            build["status"] = as_sent["status"]
    next_url = meta.get("next_page_url")
    if next_url is not None and not isinstance(next_url, str):
        raise ValueError("the answer's next_page_url is not a text")
    query = next_url.partition("#")[0].partition("?")[2] if next_url else None
    date = http_errors.date_of(response) or datetime.now(timezone.utc)
    return BuildPage(tuple(map(_build, builds)), query, date, request_id)


def _is_listed(build: dict[str, Any]) -> bool:
    sid, status = build.get("sid"), build.get("status")
    return isinstance(sid, str) and bool(BUILD_SID.fullmatch(sid)) and isinstance(status, str)


def _build(found: dict[str, Any]) -> Build:
    listed = found.get("dependencies")
    dependencies = [d for d in listed if isinstance(d, dict)] if isinstance(listed, list) else []
    return Build(
        sid=found["sid"],
        status=_text(found.get("status")) or "",
        created=_time(found.get("date_created")),
        updated=_time(found.get("date_updated")),
        runtime=_text(found.get("runtime")),
        functions=_count(found.get("function_versions")),
        assets=_count(found.get("asset_versions")),
        dependencies=tuple(
            Dependency(name, _text(d.get("version")))
            for d in dependencies
            if (name := _text(d.get("name")))
        ),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: object) -> int | None:
    return len(value) if isinstance(value, list) else None


def _time(value: object) -> datetime | None:
    """An ISO 8601 time; Python 3.10 reads no Z."""
    try:
        found = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
        return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).astimezone(
            timezone.utc
        )
    except (ValueError, OverflowError):
        return None
