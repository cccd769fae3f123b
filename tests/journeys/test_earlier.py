"""Earlier builds of the service: when they are requested."""

from __future__ import annotations

import pytest

from tests.support.command import BUILD, SERVICE, run
from tests.support.twilio import Twilio, build_body, page

LIST, DETAILS = f"/v1/Services/{SERVICE}/Builds", f"/v1/Services/{SERVICE}/Builds/{BUILD}"


@pytest.mark.parametrize(
    ("words", "answers", "requested"),
    [
        (["wait", "-i", "200ms"], ["building", "building", "completed"], [LIST]),
        (["wait"], ["completed"], []),
        (["wait", "-q", "--json"], ["failed"], [DETAILS]),
        (["status"], ["failed"], [DETAILS, LIST]),
        (["status", "-q"], ["failed"], []),
    ],
    ids=str,
)
def test_earlier_builds_are_requested_once_and_only_where_they_are_shown(
    twilio: Twilio,
    environ: dict[str, str],
    words: list[str],
    answers: list[str],
    requested: list[str],
) -> None:
    twilio.says(*answers)
    twilio.describes("failed")
    twilio.lists(page(build_body()))

    ended = run(*words, SERVICE, BUILD, env=environ)

    code = {"completed": 0, "failed": 1, "building": 8}[answers[-1]]
    beside = [r for r in twilio.requests if not r.path.endswith("/Status")]
    assert (ended.code, sorted(r.path for r in beside)) == (code, sorted(requested))
    assert {r.query_string for r in beside if r.path == LIST} <= {b"PageSize=20"}
    assert len(twilio.polls()) == len(answers)


def test_a_list_that_the_newest_build_was_selected_from_is_not_requested_again(
    twilio: Twilio, environ: dict[str, str]
) -> None:
    twilio.lists({"builds": [build_body(status="building")], "meta": {}})
    twilio.says("building", "failed")
    twilio.describes("failed")

    ended = run("wait", "-i", "200ms", SERVICE, env=environ)

    assert ended.code == 1
    assert [r.path for r in twilio.requests].count(LIST) == 1
