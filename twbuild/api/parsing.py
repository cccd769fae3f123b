"""The bodies of the API's answers: JSON into models."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import unquote

from twbuild import strict_json
from twbuild.api import http_errors
from twbuild.api.models import (
    Answer,
    Build,
    BuildPage,
    BuildStatus,
    Content,
    Dependency,
    Resource,
    Response,
    Status,
)
from twbuild.api.sent_request import MAX_TEXT, SentRequest
from twbuild.config import sids
from twbuild.text import MAX_CHARACTERS, printable

BUILD_SID, SERVICE_SID = re.compile(sids.BUILD), re.compile(sids.SERVICE)

# A build has at most 1,000 versions of assets, each of 8 members, and 50 of functions, of 10; a
# page has 20 builds. Source: https://www.twilio.com/docs/serverless/api/resource/build
MAX_VALUES = {Resource.STATUS: 1_000, Resource.BUILD: 20_000, Resource.PAGE: 220_000}

# All that is read of an answer, wherever in it.
_OF_A_STATUS = ("sid", "account_sid", "service_sid", "url", "status")
_OF_A_BUILD = ("date_created", "date_updated", "runtime", "dependencies", "name", "version")
_OF_A_PAGE = ("builds", "function_versions", "asset_versions", "meta", "next_page_url")
_OF_AN_ERROR = ("code", "message", "more_info", "moreInfo", "type", "title", "detail")
_NAMES = frozenset((*_OF_A_STATUS, *_OF_A_BUILD, *_OF_A_PAGE, *_OF_AN_ERROR))

# Twilio's have about 200 characters. What is sent to it and redacted with each request is short.
MAX_NEXT_URL = 2_000

_SIDS_IN_URL = re.compile("Z[BS][0-9a-f]{32,}", re.ASCII | re.IGNORECASE)
_TIME = re.compile(
    "([0-9]{4})-?([0-9]{2})-?([0-9]{2})T([0-9]{2}):?([0-9]{2})(?::?([0-9]{2})(?:[.,]([0-9]+))?)?"
    "(?:Z|([+-][0-9]{2})(?::?([0-9]{2}))?)?"
)


def content(response: Response, resource: Resource) -> Content:
    """The JSON in a body, which is emptied."""
    size, start = len(response.body), bytes(response.body[:100]).lstrip(b"\xef\xbb\xbf \t\r\n")
    most = MAX_VALUES[resource if response.status == 200 else Resource.STATUS]
    if response.defect:
        return Content({}, size, defect=response.defect)
    try:
        return Content(strict_json.parse(response.body, most, _NAMES), size)
    except strict_json.NotAnObjectError as error:
        kind = ""
        if start and start[:1] not in b"{[":
            is_typed = "html" in response.headers.get("Content-Type", "").lower()
            is_html = start[:1] == b"<" or is_typed
            kind = "HTML" if is_html else "text" if str(error) == "not JSON" else ""
        return Content({}, size, kind, f"the answer is {error}")


def read(sent: SentRequest, response: Response, found: dict[str, Any]) -> tuple[Answer, bool]:
    """The model in a body, and whether the body names its build.

    Raises ValueError of a reason and hints where there is none. Secrets are removed from what is
    given on; statuses and names are compared as they were sent.
    """
    request_id = http_errors.request_id(sent, response)
    if sent.request.resource is Resource.PAGE:
        date = http_errors.date_of(response) or datetime.now(timezone.utc)
        page = _page(sent, found, date)
        return page._replace(request_id=request_id), bool(page.builds)
    is_named = names_build(sent, found, sent.request.sid)
    if sent.request.resource is Resource.BUILD:
        build = _build(sent, {**found, "sid": sent.request.sid})
        return build._replace(request_id=request_id), is_named
    status = found.get("status")
    if not isinstance(status, str):
        raise ValueError("the answer has no build status", http_errors.PORTAL)  # noqa: TRY004
    if status not in list(Status):
        shown = printable(repr(sent.text(status)), 60)
        raise ValueError(f"unknown build status {shown}", "Update twbuild, or report it.")
    account, service, url = (sent.text(found.get(n)) for n in ("account_sid", "service_sid", "url"))
    server = response.headers.get("Server", "")
    from_sandbox = server.startswith("twbuild-sandbox/")
    ends_with_run = from_sandbox and not server.endswith("(shell)")
    return BuildStatus(
        Status(status),
        found.get("sid"),
        account,
        service,
        url,
        request_id,
        from_sandbox,
        ends_with_run,
    ), is_named


def names_build(sent: SentRequest, found: dict[str, Any], sid: str) -> bool:
    """Whether a Status or Build says that it is about the build `sid`.

    Raises ValueError where anything in it names another build or, where the service was given as
    a SID, another service.
    """
    own, service, url = named = [found.get(key) for key in ("sid", "service_sid", "url")]
    if not all(isinstance(value, str | None) for value in named):
        raise ValueError("the answer has a sid, service_sid or url that is neither null nor text")
    if url and len(url) > MAX_TEXT:
        raise ValueError(f"the answer has a URL of over {MAX_TEXT:,} characters")
    in_url = _SIDS_IN_URL.findall(unquote(unquote(url or "")))
    builds = [own, *(name for name in in_url if name[1] in "Bb")]
    _check(sent, "", builds, sid)
    if SERVICE_SID.fullmatch(sent.service):
        services = [service, *(name for name in in_url if name[1] in "Ss")]
        _check(sent, "service ", services, sent.service)
    return any(builds)


def _check(sent: SentRequest, kind: str, names: list[str | None], asked: str) -> None:
    for name in names:
        if name is not None and (not name.isascii() or name.lower() != asked.lower()):
            raise ValueError(f"the answer is about {kind}{sent.shown(name)}, not {asked}")


def _page(sent: SentRequest, found: dict[str, Any], date: datetime) -> BuildPage:
    builds, meta = found.get("builds"), found.get("meta")
    if not isinstance(builds, list) or not isinstance(meta, dict):
        raise ValueError("the answer is not a page of Builds")  # noqa: TRY004 - the answer's type, not ours
    for build in builds:
        if not isinstance(build, dict) or not _is_listed(sent, build):
            raise ValueError("the answer lists a Build without its SID or status")
        names_build(sent, build, build["sid"])
    next_url = meta.get("next_page_url", "")  # only null says that this page is the last
    query = None
    if next_url is not None:
        is_short = isinstance(next_url, str) and len(next_url) <= MAX_NEXT_URL
        path, _, query = next_url.partition("#")[0].partition("?") if is_short else ("", "", "")
        if not query:
            usable = f"a URL of at most {MAX_NEXT_URL:,} characters with a query"
            raise ValueError(f"the answer's next_page_url is neither null nor {usable}")
        names_build(sent, {"url": path}, "")
    listed = tuple(_build(sent, build) for build in builds)
    return BuildPage(listed, query, date, None, sent.service, sent.identity)


def _is_listed(sent: SentRequest, build: dict[str, Any]) -> bool:
    sid = sent.text(build.get("sid"))
    return bool(sid and BUILD_SID.fullmatch(sid)) and isinstance(build.get("status"), str)


def _build(sent: SentRequest, found: dict[str, Any]) -> Build:
    listed = found.get("dependencies")
    dependencies = [d for d in listed if isinstance(d, dict)] if isinstance(listed, list) else None
    status = found.get("status")
    return Build(
        sid=found["sid"],
        status=status if status in list(Status) else sent.text(status) or "",
        created=_time(found.get("date_created")),
        updated=_time(found.get("date_updated")),
        runtime=sent.text(found.get("runtime"), MAX_CHARACTERS),
        functions=_versions(found.get("function_versions")),
        assets=_versions(found.get("asset_versions")),
        dependencies=None
        if dependencies is None
        else tuple(
            Dependency(name, sent.text(d.get("version"), MAX_CHARACTERS))
            for d in dependencies
            if (name := sent.text(d.get("name"), MAX_CHARACTERS))
        ),
    )


def _versions(value: object) -> tuple[str, ...] | None:
    """The SIDs of versions of functions or assets, which are compared and never shown."""
    if not isinstance(value, list):
        return None
    sids = (version.get("sid") if isinstance(version, dict) else None for version in value)
    return tuple(sid if isinstance(sid, str) else "" for sid in sids)


def _time(value: object) -> datetime | None:
    """An ISO 8601 date with a time; what fromisoformat reads is another in each Python."""
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if not match:
        return None
    *numbers, fraction, hours, minutes = match.groups(default="0")
    offset = timedelta(hours=int(hours), minutes=int(hours[0] + minutes))
    try:
        found = datetime(*map(int, numbers), tzinfo=timezone(offset))  # type: ignore[misc,arg-type]
        return found.replace(microsecond=int(f"{fraction:0<6}"[:6])).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
