"""Several builds in one wait: their codes, their order, and what each stream gets when."""

from __future__ import annotations

import json
import re
import subprocess
import threading

import pytest

from tests.support.command import BUILD, OTHER_BUILD, SERVICE, SIDS, WAIT
from tests.support.run import finish
from tests.support.twilio import Twilio, held

A, B, C = SIDS[:3]
ALL = (*WAIT[:-1], A, B, C)


@pytest.mark.parametrize(
    ("answers", "outcomes", "code"),
    [
        (["completed", "failed", 401], ["completed", "failed", "unauthorized"], 1),
        (["building", 401, 400], ["timeout", "unauthorized", "unavailable"], 124),
    ],
    ids=str,
)
def test_the_code_is_the_most_urgent_of_all_builds(
    twilio: Twilio, answers: list[str | int], outcomes: list[str], code: int
) -> None:
    """An error ends one build only."""
    for sid, answer in zip((A, B, C), answers, strict=True):
        twilio.says(answer, build=sid)
    ended = twilio.run(*ALL, "-q", "--json", "-t", "1s")

    reported = {o["sid"]: o["outcome"] for o in map(json.loads, ended.stdout.splitlines())}
    assert ended.code == code
    assert [reported[sid] for sid in (A, B, C)] == outcomes


def test_each_verdict_is_in_the_pipe_when_its_build_ends(twilio: Twilio) -> None:
    twilio.says("building", build=(A, B, C))
    twilio.describes("failed", build=B)
    process = twilio.start(*ALL)
    assert process.stdout
    for sid, status in ((B, "failed"), (C, "completed"), (A, "completed")):
        twilio.says(status, build=sid)
        assert process.stdout.readline() == f"{sid} {status}\n"
    ended = finish(process)

    assert (ended.code, ended.stdout) == (1, "")
    assert ended.is_plain
    for sid, status in ((B, "failed"), (C, "completed"), (A, "completed")):
        assert len(re.findall(rf" {status} +{sid}", ended.stderr)) == 1
    assert f"{B} was made of" in ended.stderr


def test_one_deadline_for_all_and_only_running_builds_are_resumed(twilio: Twilio) -> None:
    twilio.says("completed", build=A)
    twilio.says("building", build=B)
    twilio.says(503, build=C)
    ended = twilio.run(*ALL, "-t", "2s")

    assert (ended.code, ended.stdout) == (124, f"{A} completed\n")
    assert ended.seconds < 15
    assert ended.stderr.endswith(
        "twbuild:   1 still building at the API, the state of 1 unknown. To wait again:\n"
        f"twbuild:     twbuild wait {SERVICE} {B} {C}\n"
    )


def test_one_build_that_hangs_keeps_no_other_from_its_verdict(twilio: Twilio) -> None:
    finished = threading.Event()
    twilio.says(held(finished))
    twilio.says("building", "completed", build=OTHER_BUILD)
    process = twilio.start(*WAIT, OTHER_BUILD, "-t", "3s")
    assert process.stdout
    assert process.stdout.readline() == f"{OTHER_BUILD} completed\n"
    assert process.poll() is None
    assert finish(process).code == 124
    finished.set()


def test_githubs_annotation_names_every_build_that_did_not_complete(twilio: Twilio) -> None:
    """It says what is known of each."""
    twilio.says("completed", build=A)
    twilio.says("failed", build=B)
    twilio.describes("failed", build=B)
    twilio.says("building", build=C)
    ended = twilio.run(*ALL, "-t", "2s", env={"GITHUB_ACTIONS": "true"})

    assert ended.code == 1
    (reported,) = [line for line in ended.stderr.splitlines() if line.startswith("::")]
    lines = reported.split("%0A")
    assert [line for line in lines if f"failed {B}" in line]
    assert [line for line in lines if "still building after 2s" in line and C in line]
    assert [line for line in lines if "node18" in line]
    assert not [line for line in lines if A in line]
    assert f"    twbuild wait {SERVICE} {C}" in lines


def test_a_long_annotation_says_what_matters_below_the_plain_lines(twilio: Twilio) -> None:
    """One that is too long for GitHub stands below the whole of it."""
    failed, building = SIDS[:30], SIDS[30:60]
    for sid in failed:
        twilio.says("failed", build=sid)
        twilio.describes("failed", build=sid)
    twilio.says("building", build=building)
    words = ("wait", "-i", "1h", "-t", "5s", SERVICE, *SIDS[:60])  # no polls beside the details
    ended = twilio.run(*words, env={"GITHUB_ACTIONS": "true"})

    *plain, annotation = ended.stderr.splitlines()
    counts = "::error title=twbuild::60 builds: 30 failed, 30 still building (waited "
    assert annotation.startswith(counts)
    assert len(annotation) <= 4000
    assert [sid for sid in SIDS[:60] if sid not in annotation] == []
    assert "Compare with your last completed build" in annotation
    assert f"    twbuild wait {SERVICE} {' '.join(building)}%0A" in annotation
    assert all(line.startswith("twbuild: ") for line in plain)
    assert [sid for sid in failed if f"✗ failed     {sid}" not in ended.stderr] == []
    assert [sid for sid in building if f"! building   {sid}" not in ended.stderr] == []
    assert len([line for line in plain if "runtime       node18" in line]) == 30


@pytest.mark.usefixtures("jq")
def test_jq_reads_each_build_on_a_line_of_its_own(twilio: Twilio) -> None:
    twilio.says("failed")
    twilio.describes("failed")
    twilio.says("completed", build=OTHER_BUILD)
    ended = twilio.run(*WAIT, OTHER_BUILD, "--json")

    program = "[.sid, .outcome, .build.runtime, (.build.dependencies // [] | length)] | @tsv"
    read = subprocess.check_output(["jq", "-r", program], input=ended.stdout, text=True)

    assert sorted(line.split("\t") for line in read.splitlines()) == [
        [BUILD, "failed", "node18", "3"],
        [OTHER_BUILD, "completed", "", "0"],
    ]


def test_a_failed_builds_json_comes_within_its_5_seconds(twilio: Twilio) -> None:
    """Also where no request can start."""
    finished = threading.Event()
    twilio.says(held(finished), build=SIDS[1:12])
    twilio.says("failed", build=A)
    twilio.describes("failed", build=A)
    process = twilio.start("wait", "--json", "-t", "7s", SERVICE, *SIDS[:12])
    assert process.stdout
    found = json.loads(process.stdout.readline())
    ended = finish(process)
    finished.set()

    assert (found["sid"], found["outcome"], found["build"]) == (A, "failed", None)
    assert ended.seconds > 1  # the others went on
    assert ended.code == 1
