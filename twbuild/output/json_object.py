"""The JSON object of one build, as `--json` prints it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from twbuild.api.models import Build
from twbuild.errors import TwbuildError
from twbuild.watch.earlier import Changes
from twbuild.watch.events import Details, Finished

# What is known of an error that the API answered with.
KNOWN_OF_ERRORS = ("http_status", "code", "request_id", "detail")


def line(finished: Finished, details: Details | None = None) -> str:
    """One object on one line of ASCII that strict parsers read; `details` are a failed build's.

    There is no `##` in it, which GitHub and Azure obey anywhere in a line. A lone surrogate is
    U+FFFD: RFC 8259, section 8.2, lets parsers refuse it.
    """
    answer = finished.answer
    found: dict[str, Any] = {
        "sid": (answer and answer.sid) or finished.sid,
        "account_sid": answer and answer.account_sid,
        "service_sid": answer and answer.service_sid,
        "status": answer and answer.status.value,
        "url": answer and answer.url,
        "outcome": finished.outcome.value,
        "waited_seconds": round(finished.waited_seconds, 3),
        "polls": finished.polls,
        "error": _error(finished.error),
        "build": details and details.build and _failed_build(details.build, details.changes),
    }
    text = re.sub("[\ud800-\udfff]", "\ufffd", json.dumps(found, ensure_ascii=False))
    return json.dumps(json.loads(text)).replace("##", "#\\u0023")


def _failed_build(build: Build, changes: Changes | None) -> Mapping[str, Any]:
    last = changes and {"sid": changes.since.sid, **_build_facts(changes.since)}
    return {**_build_facts(build), "last_completed": last}


def _build_facts(build: Build) -> Mapping[str, Any]:
    return {
        "runtime": build.runtime,
        "functions": None if build.functions is None else len(build.functions),
        "assets": None if build.assets is None else len(build.assets),
        "dependencies": [dependency._asdict() for dependency in build.dependencies or ()],
        "date_created": build.created and _iso(build.created),
        "date_updated": build.updated and _iso(build.updated),
    }


def _iso(time: datetime) -> str:
    """A time in UTC as Twilio writes it."""
    return time.isoformat().replace("+00:00", "Z")


def _error(error: TwbuildError | None) -> Mapping[str, Any] | None:
    if error is None:
        return None
    known = {n: getattr(error, n, None) for n in KNOWN_OF_ERRORS}
    return {
        "message": error.message,
        **{n: value for n, value in known.items() if value is not None},
    }
