"""What the installed command promises of one named build: codes and streams."""

from __future__ import annotations

import pytest

from tests.support.command import BUILD, SERVICE, run
from tests.support.twilio import Twilio


@pytest.mark.parametrize(("status", "code"), [("completed", 0), ("failed", 1), ("building", 8)])
def test_status_prints_the_status_and_exits_with_its_code(
    twilio: Twilio, environ: dict[str, str], status: str, code: int
) -> None:
    twilio.says(status)
    twilio.describes("failed")

    ended = run("status", SERVICE, BUILD, env=environ)

    assert (ended.code, ended.stdout) == (code, f"{status}\n")


@pytest.mark.parametrize(("status", "code"), [("completed", 0), ("failed", 1)])
def test_wait_goes_on_until_the_build_is_over(
    twilio: Twilio, environ: dict[str, str], status: str, code: int
) -> None:
    twilio.says("building", "building", status)
    twilio.describes("failed")

    ended = run("wait", "-i", "200ms", SERVICE, BUILD, env=environ)

    assert (ended.code, ended.stdout) == (code, f"{status}\n")
    assert len(twilio.polls()) == 3
