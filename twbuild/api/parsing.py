"""What the API's bodies say: JSON of Twilio's shapes into values, or a ValueError for people."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from twbuild import strict_json
from twbuild.api import http_errors
from twbuild.api.models import Build, BuildStatus, Dependency, Kind, Page, Question, Status
from twbuild.api.requests_ import requests
from twbuild.text import printable

BUILD_SID = re.compile("ZB[0-9a-fA-F]{32}")

Answer = BuildStatus | Build | Page


def read(
    question: Question,
    response: requests.Response,
    body: bytes,
    redacted: Callable[[Any], Any],
) -> Answer:
    """What the body says; raises ValueError, its text for people, where that makes no sense.

    `redacted` takes secrets out of what is shown; verdicts are read from what was sent.
    """
    try:
        sent = strict_json.parse(body)
    except strict_json.NotAnObjectError as error:
        raise ValueError(f"the answer is {error}") from None
    found = redacted(sent)
    request_id = http_errors.request_id(response)
    if question.kind is Kind.PAGE:
        return _page(sent, found, response, request_id)
    sid = _asked_sid(question.sid, sent, redacted)
    if question.kind is Kind.BUILD:
        return _build({**found, "sid": question.sid})._replace(request_id=request_id)
    status = sent.get("status")
    if not isinstance(status, str) or status not in [s.value for s in Status]:
        raise ValueError(f"the answer's status is {printable(repr(redacted(status)), 60)}")
    account, service, url = (_text(found.get(n)) for n in ("account_sid", "service_sid", "url"))
    return BuildStatus(Status(status), sid, account, service, url, request_id)


def is_named(answer: Answer) -> bool:
    """Whether the answer says itself which build it is about."""
    return isinstance(answer, BuildStatus) and bool(answer.sid or _builds_in(answer.url))


def _asked_sid(asked: str, sent: dict[str, Any], redacted: Callable[[Any], Any]) -> str | None:
    """The sid as sent; ValueError where it, or a `url` in its place, is another build's."""
    sid = sent.get("sid")
    named = _builds_in(sent.get("url")) if sid is None else [sid]
    for name in named:
        if not isinstance(name, str) or not name.isascii() or name.lower() != asked.lower():
            told = printable(redacted(name))
            raise ValueError(f"asked for {asked}, the answer is about {told}")
    return sid


def _builds_in(url: object) -> list[str]:
    return BUILD_SID.findall(url) if isinstance(url, str) else []


def _page(
    sent: dict[str, Any],
    found: dict[str, Any],
    response: requests.Response,
    request_id: str | None,
) -> Page:
    builds, meta = found.get("builds"), sent.get("meta")
    if not isinstance(builds, list) or not isinstance(meta, dict):
        raise ValueError("the answer is no page of Builds")  # noqa: TRY004 - of what came, not of ours
    if not all(isinstance(build, dict) and _is_listed(build) for build in builds):
        raise ValueError("the answer lists a Build without its SID or status")
    for build, as_sent in zip(builds, sent["builds"], strict=True):
        if as_sent["status"] in [s.value for s in Status]:
            build["status"] = as_sent["status"]
    next_url = meta.get("next_page_url")
    if next_url is not None and not isinstance(next_url, str):
        raise ValueError("the answer's next_page_url is not a text")
    query = next_url.partition("#")[0].partition("?")[2] if next_url else None
    asked = http_errors.sent(response) or datetime.now(timezone.utc)
    return Page(tuple(map(_build, builds)), query, asked, request_id)


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
