"""The storm itself: a seed repeats it, and its judge sees what is wrong."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.__main__ import judged, left_over
from tests.chaos.faulty import Said
from tests.chaos.judge import SECRETS, Happened
from tests.chaos.plan import Plan, Step, draw
from tests.support.run import Ended

BUILDING, COMPLETED = Said(0), Said(1, "completed")


def happened(said: Said, code: int, stdout: str = "", end: float = 1, **more: Any) -> Happened:
    """A wait with a timeout of 5 s that began at 0; `more` is of the plan, but `sent`, `stderr`."""
    sent, stderr = more.pop("sent", ()), more.pop("stderr", "")
    plan = Plan(("wait",), {}, 5, (), Step("plain"), (), live=False)._replace(**more)
    return Happened(plan, [said], [*sent], 0, end, Ended(code, stdout, stderr, end))


SENT: dict[str, Any] = {"sent": ((1, signal.SIGINT),)}
UNREAD: dict[str, Any] = {"unread": "stdout"}
BAD = {
    "completed, never said": happened(BUILDING, code=0, stdout="completed\n"),
    "failed, where it completed": happened(COMPLETED, code=1, stdout="failed\n"),
    "exit in place of death": happened(BUILDING, code=130, **SENT),
    "killed without a signal": happened(BUILDING, code=-15),
    "timeout before its time": happened(BUILDING, code=124, **SENT),
    "files enough": happened(COMPLETED, code=3, stderr="too many open files", starving="threads"),
    "unread, written all the same": happened(COMPLETED, code=0, end=1, **UNREAD),
    "unread, killed without a signal": happened(COMPLETED, code=-15, **UNREAD),
    "a bug": happened(BUILDING, code=70, end=5),
    "another word": happened(COMPLETED, code=0, stdout="failed\n"),
    "a word too many": happened(BUILDING, code=124, stdout="building\n", end=5),
    "a hidden cursor": happened(COMPLETED, code=0, stdout="completed\n", stderr="\x1b[?25l"),
    "late": happened(BUILDING, code=124, end=5.5),
    "late, unread": happened(COMPLETED, code=3, end=6.5, **UNREAD),
    **{s: happened(BUILDING, code=124, stderr=f"x{s}x", end=5) for s in SECRETS},
}


def test_a_seed_repeats_its_storm() -> None:
    assert [draw(1, n) for n in range(50)] == [draw(1, n) for n in range(50)]
    assert [draw(1, n) for n in range(50)] != [draw(2, n) for n in range(50)]


@pytest.mark.parametrize("one", BAD.values(), ids=BAD)
def test_the_judge_sees_what_the_contract_does_not_allow(one: Happened) -> None:
    """What it allows is seen by the storms themselves."""
    assert len(judged(one)) == 1


def test_what_waits_leave_behind_is_seen(tmp_path: Path) -> None:
    (tmp_path / "home" / "folder").mkdir(parents=True)
    with subprocess.Popen(["sleep", "300"]) as left:
        found = left_over(tmp_path)
        left.kill()

    assert found == [str(tmp_path / "home" / "folder"), f"process {left.pid}"]
