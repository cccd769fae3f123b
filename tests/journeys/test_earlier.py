"""Earlier builds of the service: when they are requested, and what is shown of them."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.command import BUILD, SERVICE, SIDS, STATUS, TWBUILD, WAIT
from tests.support.run import Env
from tests.support.terminal import Terminal
from tests.support.twilio import Twilio, build_body, page

LIST, DETAILS = f"/v1/Services/{SERVICE}/Builds", f"/v1/Services/{SERVICE}/Builds/{BUILD}"
EARLIER = [
    {
        **build_body(SIDS[day], "completed"),
        "runtime": "node16",
        "date_created": f"2026-11-{day}T14:00:00Z",
        "date_updated": f"2026-11-{day}T14:01:{day - 9}Z",
    }
    for day in (19, 21, 20)
]
LISTED = page(*EARLIER, build_body(), next_page_url="https://serverless.twilio.com/v1/x?Page=1")


@pytest.mark.parametrize(
    ("words", "answers", "requested"),
    [
        (WAIT, ["building", "building", "completed"], [LIST]),
        (WAIT, ["completed"], []),
        ((*WAIT, "-q", "--json"), ["failed"], [DETAILS]),
        ((*STATUS, "-q"), ["failed"], []),
        (WAIT[:-1], ["building", "failed"], [DETAILS, LIST]),  # which names the newest build, too
    ],
    ids=str,
)
def test_earlier_builds_are_requested_once_where_they_are_shown(
    twilio: Twilio, words: list[str], answers: list[str], requested: list[str]
) -> None:
    twilio.says(*answers)
    twilio.describes("failed")
    twilio.lists(page(build_body(status="building")))

    ended = twilio.run(*words)

    beside = [r for r in twilio.requests if not r.path.endswith("/Status")]
    assert ended.code == (answers[-1] == "failed")
    assert sorted(r.path for r in beside) == sorted(requested)
    assert {r.query_string for r in beside if r.path == LIST} <= {b"PageSize=20"}
    assert len(twilio.polls()) == len(answers)


def test_a_timeout_says_how_long_builds_usually_take(twilio: Twilio) -> None:
    twilio.says("building")
    twilio.lists(LISTED)

    ended = twilio.run(*WAIT, "-t", "1s", env={"GITHUB_ACTIONS": "true"})

    assert ended.code == 124
    (said,) = [line for line in ended.stderr.splitlines() if "usually" in line]
    assert said.startswith("::error")
    assert "  Builds of this service usually complete in about 1m 11s." in said


def test_what_a_failed_build_changed_is_annotated_and_in_json(twilio: Twilio) -> None:
    twilio.says("failed")
    twilio.describes({"runtime": "node20"})
    twilio.lists(LISTED)

    ended = twilio.run(*WAIT, "--json", env={"GITHUB_ACTIONS": "true"})

    (whole,) = re.findall("^::error .*", ended.stderr, re.MULTILINE)
    first, *changes = [" ".join(line.split()) for line in whole.split("%0A")[1:] if line]
    reason = "Twilio gives no reason for a failed build. Since your last completed build"
    assert ended.code == 1
    assert first.startswith(f"{reason} ({SIDS[21]}, ")
    assert changes == [
        "runtime node20, was node16",
        "created 2026-11-24 14:02:11 UTC, failed after 36s",
        f"To ask Twilio's support, give them the Build SID and the request ID RQ{'d4' * 16}.",
    ]
    build = json.loads(ended.stdout)["build"]
    last = build.pop("last_completed")
    assert last.keys() == {"sid", *build}
    assert (last["sid"], last["runtime"], last["functions"]) == (SIDS[21], "node16", 12)


def test_the_sandbox_shows_a_usual_time_and_changes(base: Env) -> None:
    """There is a bar beside the whole SID in a window of 80 columns."""
    words = [TWBUILD, "sandbox", "--outcome", "failed", "--build-time", "3s"]
    with Terminal(words, {**base, "LC_ALL": "C.UTF-8"}, 80) as terminal:
        terminal.see_row(r". building   0:0[0-9]  ZB[0-9a-f]{32}  [━╸╺]{12} about 3s")
        assert terminal.end() == 1
        assert "Since your last completed build" in terminal.text
        assert "dependencies  twilio 5.4.2, was 5.4.1" in terminal.text
