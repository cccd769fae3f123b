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
from twbuild.api.models import Build, BuildStatus, Dependency, Status
from twbuild.errors import CredentialsError, TransientError, UnauthorizedError
from twbuild.outcome import Outcome
from twbuild.output import json_object
from twbuild.watch.earlier import Changes
from twbuild.watch.events import Details, Finished

URL = f"https://serverless.twilio.com/v1/Services/{SERVICE}/Builds/{BUILD}/Status"
ANSWER = BuildStatus(Status.BUILDING, BUILD, ACCOUNT, SERVICE, URL)
CREATED = datetime(2026, 11, 24, 14, 2, 11, tzinfo=timezone.utc)


def finished(outcome: Outcome, waited: float = 0.0, polls: int = 2, **more: Any) -> Finished:
    known = more.pop("answer", ANSWER)
    return Finished(more.pop("sid", BUILD), outcome, known, waited, polls, more.pop("error", None))


@pytest.mark.parametrize("outcome", Outcome)
def test_the_fields_and_their_order(outcome: Outcome) -> None:
    found = json.loads(json_object.line(finished(outcome, 12.34567, 4)))

    assert list(found) == [
        *("sid", "account_sid", "service_sid", "status", "url"),
        *("outcome", "waited_seconds", "polls", "error", "build"),
    ]
    assert found == {
        "sid": BUILD,
        "account_sid": ACCOUNT,
        "service_sid": SERVICE,
        "status": "building",
        "url": URL,
        "outcome": outcome.value,
        "waited_seconds": 12.346,
        "polls": 4,
        "error": None,
        "build": None,
    }


def test_what_is_unknown_is_null() -> None:
    unknown = {"account_sid": None, "service_sid": None, "status": None, "url": None}

    found = json.loads(json_object.line(finished(Outcome.TIMEOUT, answer=None)))
    assert unknown.items() <= found.items()
    assert found["sid"] == BUILD
    found = json.loads(json_object.line(finished(Outcome.TIMEOUT, answer=None, sid=None)))
    assert found["sid"] is None


def test_fields_are_as_sent_with_the_requested_sid() -> None:
    """Fields are as sent and the SID that was requested where none was."""
    shouted = BUILD.upper()
    answers = [BuildStatus(Status.FAILED, sid) for sid in (shouted, None)]

    found = [json.loads(json_object.line(finished(Outcome.FAILED, answer=a))) for a in answers]

    assert [(one["sid"], one["status"]) for one in found] == [
        (shouted, "failed"),
        (BUILD, "failed"),
    ]


@pytest.mark.parametrize(
    ("error", "reported"),
    [
        (CredentialsError("none", "hint"), {"message": "none"}),
        (TransientError("HTTP 503", "m", http_status=503), {"message": "m", "http_status": 503}),
        (
            UnauthorizedError("r", "m", http_status=401, code=20003, request_id="RQ1", detail="d"),
            {"message": "m", "http_status": 401, "code": 20003, "request_id": "RQ1", "detail": "d"},
        ),
        (
            TransientError("r", "m", http_status=500, code=0),
            {"message": "m", "http_status": 500, "code": 0},
        ),
    ],
)
def test_an_error_tells_what_is_known(error: Any, reported: dict[str, object]) -> None:
    assert (
        json.loads(json_object.line(finished(Outcome.UNAVAILABLE, error=error)))["error"]
        == reported
    )


def test_a_failed_build_comes_with_what_twilio_tells_of_it() -> None:
    build = Build(
        BUILD,
        "failed",
        created=CREATED,
        updated=CREATED + timedelta(seconds=36),
        runtime="node24",
        functions=("",) * 12,
        assets=(),
        dependencies=(Dependency("lodash", "4.17.21"), Dependency("odd")),
        request_id="RQ1",
    )

    assert json.loads(json_object.line(finished(Outcome.FAILED), Details(BUILD, build)))[
        "build"
    ] == {
        "runtime": "node24",
        "functions": 12,
        "assets": 0,
        "dependencies": [
            {"name": "lodash", "version": "4.17.21"},
            {"name": "odd", "version": None},
        ],
        "date_created": "2026-11-24T14:02:11Z",
        "date_updated": "2026-11-24T14:02:47Z",
        "last_completed": None,
    }


def test_what_twilio_omits_of_a_failed_build_is_null() -> None:
    found = json.loads(
        json_object.line(finished(Outcome.FAILED), Details(BUILD, Build(BUILD, "failed")))
    )

    assert found["build"] == {
        **dict.fromkeys(["runtime", "functions", "assets", "date_created", "date_updated"]),
        "dependencies": [],
        "last_completed": None,
    }


def test_the_last_completed_build_has_the_same_facts() -> None:
    last = Build(
        OTHER_BUILD,
        "completed",
        created=CREATED,
        runtime="node22",
        functions=("ZN1",),
        dependencies=(Dependency("lodash", "4.17.21"),),
    )
    details = Details(BUILD, Build(BUILD, "failed", runtime="node24"), Changes(last))

    found = json.loads(json_object.line(finished(Outcome.FAILED), details))

    assert found["build"]["runtime"] == "node24"
    assert found["build"]["last_completed"] == {
        "sid": OTHER_BUILD,
        "runtime": "node22",
        "functions": 1,
        "assets": None,
        "dependencies": [{"name": "lodash", "version": "4.17.21"}],
        "date_created": "2026-11-24T14:02:11Z",
        "date_updated": None,
    }


@example("\x7f##")
@example("\ud800")
@example("\ud83d\ude00")
@example("\\ud800")
@given(st.text(st.characters(exclude_categories=()) | st.sampled_from("#\n\r\x1b\x7f\ud800[]\\")))
def test_one_line_that_strict_parsers_read(foreign: str) -> None:
    """One line that no log obeys and that strict parsers read back."""
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
