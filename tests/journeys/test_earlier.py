"""Earlier builds of the service: when they are requested, and what is shown of them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.support.command import BUILD, SERVICE, TWBUILD, run
from tests.support.terminal import Terminal
from tests.support.twilio import Twilio, build_body, page

LIST, DETAILS = f"/v1/Services/{SERVICE}/Builds", f"/v1/Services/{SERVICE}/Builds/{BUILD}"


def completed(day: int, seconds: int = 60, **facts: Any) -> dict[str, Any]:
    """A build of an earlier day of the month."""
    day_and_hour = f"2026-11-{day:02}T14:0"
    dates = {"date_created": f"{day_and_hour}0:00Z", "date_updated": f"{day_and_hour}1:{seconds}Z"}
    return {**build_body(f"ZB{day:032x}", "completed"), **dates, **facts}


EARLIER = page(
    completed(19, 11),
    build_body(),
    completed(21, 10, runtime="node16"),
    completed(20, 12),
    next_page_url="https://serverless.twilio.com/v1/Services/x/Builds?PageSize=20&Page=1",
)


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
def test_earlier_builds_are_requested_once_where_they_are_shown(
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


def test_the_list_behind_the_newest_build_is_not_requested_again(
    twilio: Twilio, environ: dict[str, str]
) -> None:
    twilio.lists({"builds": [build_body(status="building")], "meta": {}})
    twilio.says("building", "failed")
    twilio.describes("failed")

    ended = run("wait", "-i", "200ms", SERVICE, env=environ)

    assert ended.code == 1
    assert [r.path for r in twilio.requests].count(LIST) == 1


def see(terminal: Terminal, row: str) -> None:
    terminal.see_that(lambda: re.search(f"^{row}$", terminal.text, re.MULTILINE), row)


def test_a_live_row_has_a_bar_beside_the_sid(twilio: Twilio, environ: dict[str, str]) -> None:
    """A live row has a bar beside the whole SID and a problem takes its place."""
    twilio.says("building", "building", "building", 503)
    twilio.lists(EARLIER)
    env = {**environ, "TERM": "xterm", "LC_ALL": "C.UTF-8"}

    with Terminal([TWBUILD, "wait", SERVICE, BUILD], env, 80) as terminal:
        see(terminal, rf". building   0:0[0-9]  {BUILD}  [━╸╺]{{12}} about 1m 11s")
        see(terminal, rf"! building   0:[0-9]+  {BUILD}  retry in .*: HTTP 503")


@pytest.mark.parametrize("github", [False, True])
def test_a_timeout_says_how_long_builds_usually_take(
    twilio: Twilio, environ: dict[str, str], github: bool
) -> None:
    twilio.says("building")
    twilio.lists(EARLIER)
    env = {**environ, "GITHUB_ACTIONS": "true"} if github else environ

    ended = run("wait", "-t", "1s", SERVICE, BUILD, env=env)

    assert ended.code == 124
    said = [line for line in ended.stderr.splitlines() if "usually" in line]
    assert len(said) == 1
    assert "  Builds of this service usually complete in about 1m 11s." in said[0]
    assert said[0].startswith("::error") is github


@pytest.mark.parametrize("github", [False, True])
def test_what_a_failed_build_changed_is_said_and_annotated_alike(
    twilio: Twilio, environ: dict[str, str], github: bool
) -> None:
    twilio.says("failed")
    twilio.describes({"runtime": "node20"})
    twilio.lists(EARLIER)
    env = {**environ, "GITHUB_ACTIONS": "true"} if github else environ

    ended = run("wait", SERVICE, BUILD, env=env)

    (whole,) = re.findall("(?:twbuild: |%0A) +Twilio gives.*", ended.stderr, re.DOTALL)
    lines = [" ".join(line.split()) for line in re.split("%0A|twbuild: ", whole)[1:]]
    assert ended.code == 1
    assert ended.stderr.count("::error") == github
    assert lines[0].startswith(
        f"Twilio gives no reason for a failed build. Since your last completed build (ZB{21:032x}, "
    )
    assert lines[1:] == [
        "runtime node20, was node16",
        "created 2026-11-24 14:02:11 UTC, failed after 36s",
        "To ask Twilio's support, give them the Build SID and the request ID RQ" + "d4" * 16 + ".",
    ]


FAILED = build_body()
LAST = completed(21, runtime="node16")
THOUSAND = [{"name": f"\x1b[2J\n::error::{n}" + "x" * 400, "version": "1"} for n in range(1000)]

LISTS: dict[str, tuple[list[dict[str, Any]], str]] = {
    "no other build": ([FAILED], "What it was made of:"),
    "not the failed build": ([LAST], "What it was made of:"),
    "only later builds": ([FAILED, completed(25)], "What it was made of:"),
    "a completed build without a date": (
        [FAILED, LAST, completed(20, date_created=None)],
        "What it was made of:",
    ),
    "a date that is none": ([FAILED, completed(21, date_created="soon")], "What it was made of:"),
    "the same": ([FAILED, completed(21)], "It has the same runtime and dependencies as"),
    "another zone": (
        [FAILED, completed(21, date_created="2026-11-24T16:00:00+02:00", runtime="node16")],
        "Since your last completed build",
    ),
    "no list of dependencies": (
        [FAILED, completed(21, dependencies={"lodash": "1"})],
        "What it was made of:",
    ),
    "no list, another runtime": (
        [FAILED, completed(21, dependencies=None, runtime="node16")],
        "Since your last completed build",
    ),
    "a thousand dependencies": (
        [FAILED, completed(21, dependencies=THOUSAND)],
        "and 993 more",
    ),
    "oldest first": (
        [completed(19, runtime="node14"), LAST, FAILED],
        "runtime       node18, was node16",
    ),
}


@pytest.mark.parametrize(("builds", "said"), LISTS.values(), ids=LISTS)
def test_nothing_unknown_is_said_of_a_failed_build(
    twilio: Twilio, environ: dict[str, str], builds: list[dict[str, Any]], said: str
) -> None:
    twilio.says("failed")
    twilio.describes({})
    twilio.lists(page(*builds))

    ended = run("status", SERVICE, BUILD, env=environ)

    assert (ended.code, ended.stdout) == (1, "failed\n")
    assert said in ended.stderr
    assert "\x1b" not in ended.stderr
    assert not [line for line in ended.stderr.splitlines() if line.lstrip().startswith("::")]
    assert len(ended.stderr) < 3000


def test_json_has_the_last_completed_build(twilio: Twilio, environ: dict[str, str]) -> None:
    twilio.says("failed")
    twilio.describes("failed")
    twilio.lists(EARLIER)

    found = json.loads(run("wait", "--json", SERVICE, BUILD, env=environ).stdout)

    last = found["build"].pop("last_completed")
    assert last.keys() == {"sid", *found["build"]}
    assert (last["sid"], last["runtime"], last["functions"]) == (f"ZB{21:032x}", "node16", 12)


def test_the_sandbox_shows_a_usual_time_and_changes(
    base: dict[str, str],
) -> None:
    """The sandbox shows a usual time and what a failed build changed."""
    words = [TWBUILD, "sandbox", "--outcome", "failed", "--build-time", "3s"]
    with Terminal(words, {**base, "TERM": "xterm", "LC_ALL": "C.UTF-8"}, 80) as terminal:
        see(terminal, r". building   0:0[0-9]  ZB[0-9a-f]{32}  [━╸╺]{12} about 3s")
        assert terminal.end() == 1
        assert "Since your last completed build" in terminal.text
        assert "dependencies  twilio 5.4.2, was 5.4.1" in terminal.text
