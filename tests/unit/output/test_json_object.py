"""The JSON object of one build: its fields, and one line that every strict parser reads."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.command import ACCOUNT, BUILD, OTHER_BUILD, SERVICE
from tests.unit.output.endings import ANSWER, URL, finished
from twbuild.api.models import Build, BuildStatus, Dependency, Status
from twbuild.errors import UnauthorizedError
from twbuild.outcome import Outcome
from twbuild.output import json_object
from twbuild.watch.earlier import Changes
from twbuild.watch.events import Details, Finished

CREATED = datetime(2026, 11, 24, 14, 2, 11, tzinfo=timezone.utc)
FAILED = finished(Outcome.FAILED)


def read(ending: Finished, details: Details | None = None) -> dict[str, Any]:
    """The object as a program reads it."""
    found: dict[str, Any] = json.loads(json_object.line(ending, details))
    return found


@pytest.mark.parametrize("outcome", Outcome)
def test_the_fields_and_their_order(outcome: Outcome) -> None:
    assert list(read(finished(outcome, 12.34567, 4)).items()) == [
        ("sid", BUILD),
        ("account_sid", ACCOUNT),
        ("service_sid", SERVICE),
        ("status", "building"),
        ("url", URL),
        ("outcome", outcome.value),
        ("waited_seconds", 12.346),
        ("polls", 4),
        ("error", None),
        ("build", None),
    ]


SHOUTED = ANSWER._replace(sid=BUILD.upper(), url=None)
FIELDS: list[tuple[str | None, BuildStatus | None, list[str | None]]] = [
    (BUILD, None, [BUILD, None, None, None, None]),
    (None, None, [None] * 5),
    (BUILD, BuildStatus(Status.FAILED, None), [BUILD, None, None, "failed", None]),
    (BUILD, SHOUTED, [BUILD.upper(), ACCOUNT, SERVICE, "building", None]),
]


@pytest.mark.parametrize(("sid", "answer", "fields"), FIELDS)
def test_fields_are_as_sent_and_null_where_unknown(
    sid: str | None, answer: BuildStatus | None, fields: list[str | None]
) -> None:
    found = read(finished(Outcome.TIMEOUT, sid=sid, answer=answer))

    assert list(found.values())[:5] == fields


KNOWN = {"http_status": 401, "code": 20003, "request_id": "RQ1", "detail": "d"}


@pytest.mark.parametrize("known", [KNOWN, {"http_status": 500, "code": 0}, {}])
def test_an_error_tells_what_is_known(known: dict[str, Any]) -> None:
    error = UnauthorizedError("r", "m", **known)

    assert read(finished(Outcome.UNAVAILABLE, error=error))["error"] == {"message": "m", **known}


def test_a_failed_build_comes_with_what_twilio_tells_of_it() -> None:
    build = Build(
        BUILD,
        "failed",
        created=CREATED,
        updated=CREATED + timedelta(seconds=36),
        runtime="node24",
        functions=("",) * 12,
        assets=(),
        dependencies=(Dependency("lodash", "4.17"), Dependency("odd")),
        request_id="RQ1",
    )
    last = build._replace(sid=OTHER_BUILD, runtime="node22", functions=None, assets=("ZN1",))
    facts = {
        "runtime": "node24",
        "functions": 12,
        "assets": 0,
        "dependencies": [{"name": "lodash", "version": "4.17"}, {"name": "odd", "version": None}],
        "date_created": "2026-11-24T14:02:11Z",
        "date_updated": "2026-11-24T14:02:47Z",
    }
    last_facts = {"sid": OTHER_BUILD, **facts, "runtime": "node22", "functions": None, "assets": 1}

    found = read(FAILED, Details(BUILD, build))["build"]
    assert found == {**facts, "last_completed": None}
    found = read(FAILED, Details(BUILD, build, Changes(last)))["build"]
    assert found == {**facts, "last_completed": last_facts}


def test_what_twilio_omits_of_a_failed_build_is_null() -> None:
    nulls = ["runtime", "functions", "assets", "date_created", "date_updated", "last_completed"]

    found = read(FAILED, Details(BUILD, Build(BUILD, "failed")))["build"]
    assert found == {**dict.fromkeys(nulls), "dependencies": []}
    assert read(FAILED, Details(BUILD, None))["build"] is None


@example("\x7f##")
@example("\ud800")
@example("\ud83d\ude00")
@example("\\ud800")
@given(st.text(st.characters(exclude_categories=()) | st.sampled_from("#\n\r\x1b\x7f\ud800[]\\")))
def test_one_line_that_strict_parsers_read(foreign: str) -> None:
    answer = BuildStatus(Status.FAILED, BUILD, foreign, None, f"##{foreign}##")
    build = Build(BUILD, "failed", runtime=foreign, dependencies=(Dependency(foreign, foreign),))
    line = json_object.line(finished(Outcome.FAILED, answer=answer), Details(BUILD, build))

    assert "##" not in line
    assert line.isascii()
    assert line.isprintable()
    sent = re.sub("[\ud800-\udfff]", "\ufffd", foreign)
    found = json.loads(line)
    assert (found["account_sid"], found["url"]) == (sent, f"##{sent}##")
    assert found["build"]["runtime"] == sent
    assert found["build"]["dependencies"] == [{"name": sent, "version": sent}]
