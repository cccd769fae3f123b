"""Several builds in one wait: their codes, their order, and what each stream gets when."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time

import pytest
from werkzeug import Request, Response

from tests.support.command import BUILD, OTHER_BUILD, SERVICE, TWBUILD, run, start
from tests.support.terminal import Terminal
from tests.support.twilio import Twilio, reply, status_body

SIDS = [f"ZB{number:032x}" for number in range(100)]
A, B, C = SIDS[:3]


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        (["completed", "failed", 401], 1),
        (["building", 401, 400], 124),
        (["completed", 401, 400], 4),
        ([400, "completed", "completed"], 3),
    ],
    ids=str,
)
def test_the_code_is_the_most_urgent_of_all_builds(
    twilio: Twilio, environ: dict[str, str], answers: list[str | int], code: int
) -> None:
    """The code asks for what is most urgent and an error ends one build only."""
    for sid, answer in zip((A, B, C), answers, strict=True):
        twilio.says(answer, build=sid)
    words = ("wait", "-q", "--json", "-i", "500ms", "-t", "1s")
    ended = run(*words, SERVICE, A, B, C, env=environ)

    outcomes: dict[str | int, str | int] = {
        "building": "timeout",
        401: "unauthorized",
        400: "unavailable",
    }
    reported = {o["sid"]: o["outcome"] for o in map(json.loads, ended.stdout.splitlines())}
    assert ended.code == code
    assert reported == {
        sid: outcomes.get(answer, answer) for sid, answer in zip((A, B, C), answers, strict=True)
    }


def test_each_verdict_is_in_the_pipe_when_its_build_ends(
    twilio: Twilio, environ: dict[str, str]
) -> None:
    for sid in (A, B, C):
        twilio.says("building", build=sid)
    twilio.describes("failed", build=B)
    process = start("wait", "-i", "200ms", SERVICE, A, B, C, env=environ)
    assert process.stdout
    for sid, status in ((B, "failed"), (C, "completed"), (A, "completed")):
        twilio.says(status, build=sid)
        assert process.stdout.readline() == f"{sid} {status}\n"
    stdout, stderr = process.communicate(timeout=30)

    assert (process.returncode, stdout) == (1, "")
    lines = stderr.splitlines()
    assert all(line.startswith("twbuild: ") for line in lines)
    for sid, status in ((B, "failed"), (C, "completed"), (A, "completed")):
        assert len([line for line in lines if re.search(rf" {status} +{sid}", line)]) == 1
    assert f"{B} was made of" in stderr


def test_one_deadline_for_all_and_only_running_builds_are_resumed(
    twilio: Twilio, environ: dict[str, str]
) -> None:
    twilio.says("completed", build=A)
    twilio.says("building", build=B)
    twilio.says(503, build=C)
    ended = run("wait", "-t", "2s", SERVICE, A, B, C, env=environ)

    assert (ended.code, ended.stdout) == (124, f"{A} completed\n")
    assert ended.seconds < 15
    assert ended.stderr.endswith(
        "twbuild:   1 still building at the API, the state of 1 unknown. To wait again:\n"
        f"twbuild:     twbuild wait {SERVICE} {B} {C}\n"
    )


def test_at_a_terminal_verdicts_come_last_in_the_order_given(
    twilio: Twilio, environ: dict[str, str]
) -> None:
    for sid in (A, B, C):
        twilio.says("building", build=sid)
    env = {**environ, "TERM": "xterm"}
    with Terminal([TWBUILD, "wait", "-i", "200ms", SERVICE, C, A, B], env, 100) as terminal:
        terminal.see_that(lambda: terminal.text.count(" building ") == 3, "three rows")
        rows = [line[19:] for line in terminal.lines[1:-1]]
        assert rows == [C, A, B]
        twilio.says("completed", build=A)
        terminal.see_that(lambda: re.search(rf"✓ completed +0:0. +{A}", terminal.text), "a mark")
        assert "ready to deploy" not in terminal.text
        twilio.says("completed", build=B)
        twilio.says("completed", build=C)
        assert terminal.end() == 0
        *verdicts, summary = terminal.lines[1:]
        assert summary.startswith("3 builds: 3 completed (waited ")
        reported = [line.partition("  ready to deploy")[0] for line in verdicts]
        assert reported == [f"✓ completed  {sid}" for sid in (C, A, B)]


def test_one_build_that_hangs_keeps_no_other_from_its_verdict(
    twilio: Twilio, environ: dict[str, str]
) -> None:
    finished = threading.Event()

    def hang(_: Request) -> Response:
        finished.wait(60)
        return reply(status_body())

    twilio.says(hang)
    twilio.says("building", "completed", build=OTHER_BUILD)
    process: subprocess.Popen[str] = start(
        "wait", "-i", "200ms", "-t", "4s", SERVICE, BUILD, OTHER_BUILD, env=environ
    )
    assert process.stdout
    assert process.stdout.readline() == f"{OTHER_BUILD} completed\n"
    assert process.poll() is None
    process.communicate(timeout=30)
    finished.set()
    assert process.returncode == 124


def test_githubs_annotation_names_every_build_that_did_not_complete(
    twilio: Twilio, environ: dict[str, str]
) -> None:
    """GitHub's one annotation names every build that did not complete and what is known of it."""
    twilio.says("completed", build=A)
    twilio.says("failed", build=B)
    twilio.describes("failed", build=B)
    twilio.says("building", build=C)
    env = {**environ, "GITHUB_ACTIONS": "true"}
    for options in ([], ["-q"]):
        ended = run("wait", *options, "-t", "2s", SERVICE, A, B, C, env=env)

        assert ended.code == 1
        (reported,) = [line for line in ended.stderr.splitlines() if line.startswith("::")]
        lines = reported.split("%0A")
        assert [line for line in lines if f"failed {B}" in line]
        assert [line for line in lines if "still building after 2s" in line and C in line]
        assert not [line for line in lines if A in line]
        assert f"    twbuild wait {SERVICE} {C}" in lines
        assert [line for line in lines if "node18" in line] or options


@pytest.mark.parametrize(
    ("status", "count", "counts"),
    [
        ("failed", 60, "60 builds: 60 failed"),
        ("building", 60, "60 builds: 60 still building"),
    ],
)
def test_a_long_annotation_says_what_matters_below_the_plain_lines(
    twilio: Twilio, environ: dict[str, str], status: str, count: int, counts: str
) -> None:
    """An annotation too long for GitHub tells what matters below the whole in plain lines."""
    for sid in SIDS[:count]:
        twilio.says(status, build=sid)
        twilio.describes("failed", build=sid)
    env = {**environ, "GITHUB_ACTIONS": "true"}
    ended = run("wait", "-q", "-t", "3s", SERVICE, *SIDS[:count], env=env)

    *plain, annotation = ended.stderr.splitlines()
    assert annotation.startswith(f"::error title=twbuild::{counts} (waited ")
    assert len(annotation) <= 4000
    assert [sid for sid in SIDS[:count] if sid not in annotation] == []
    assert all(line.startswith("twbuild: ") for line in plain)
    ends = {
        "failed": "✗ failed     {}",
        "building": "! building   {}  (still building after 3s: --timeout)",
    }
    assert [sid for sid in SIDS[:count] if ends[status].format(sid) not in ended.stderr] == []
    if status == "failed":
        assert "Compare with your last completed build" in annotation
        assert len([line for line in plain if "runtime       node18" in line]) == count
    else:
        assert f"    twbuild wait {SERVICE} {' '.join(SIDS[:count])}%0A" in annotation


@pytest.mark.usefixtures("jq")
def test_jq_reads_each_build_on_a_line_of_its_own(twilio: Twilio, environ: dict[str, str]) -> None:
    twilio.says("failed")
    twilio.describes("failed")
    twilio.says("completed", build=OTHER_BUILD)
    ended = run("wait", "--json", SERVICE, BUILD, OTHER_BUILD, env=environ)

    program = "[.sid, .outcome, .build.runtime, (.build.dependencies // [] | length)] | @tsv"
    read = subprocess.check_output(["jq", "-r", program], input=ended.stdout, text=True)

    assert sorted(line.split("\t") for line in read.splitlines()) == [
        [BUILD, "failed", "node18", "3"],
        [OTHER_BUILD, "completed", "", "0"],
    ]


def test_a_failed_builds_json_comes_within_its_5_seconds(
    twilio: Twilio, environ: dict[str, str]
) -> None:
    """A failed build's JSON is reported within its 5 seconds also where no request can start."""
    finished = threading.Event()

    def hang(_: Request) -> Response:
        finished.wait(60)
        return reply(status_body())

    for sid in SIDS[1:12]:
        twilio.says(hang, build=sid)
    twilio.says("failed", build=A)
    twilio.describes("failed", build=A)
    process = start("wait", "--json", "-t", "8s", SERVICE, *SIDS[:12], env=environ)
    assert process.stdout
    found, since = json.loads(process.stdout.readline()), time.monotonic()
    process.communicate(timeout=30)
    finished.set()

    assert (found["sid"], found["outcome"], found["build"]) == (A, "failed", None)
    assert time.monotonic() - since > 1.5  # the others went on
    assert process.returncode == 1
