"""Several builds in one wait: what each stream gets when, and how a machine reads it."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.support.command import BUILD, OTHER_BUILD, SERVICE, SIDS, WAIT
from tests.support.run import finish
from tests.support.twilio import Twilio, build_body, page

A, B, C = SIDS[:3]


def test_each_verdict_is_in_the_pipe_when_its_build_ends(twilio: Twilio) -> None:
    twilio.says("building", build=(A, B, C))
    twilio.describes("failed", build=B)
    process = twilio.start(*WAIT[:-1], A, B, C)
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
    earlier = {**build_body(A, "completed"), "date_created": "2026-11-23T14:02:11Z"}
    twilio.lists(page(earlier, build_body()))
    twilio.says("completed", build=OTHER_BUILD)
    ended = twilio.run(*WAIT, OTHER_BUILD, "--json")

    facts = ".runtime, (.dependencies | length), .last_completed.sid"
    program = f"[.sid, .outcome, (.build | values | {facts})] | @tsv"
    read = subprocess.check_output(["jq", "-r", program], input=ended.stdout, text=True)

    assert sorted(line.split("\t") for line in read.splitlines()) == [
        [BUILD, "failed", "node18", "3", A],
        [OTHER_BUILD, "completed"],
    ]
