"""What the command is for: a status printed, a wait until the build is over, and their codes."""

from __future__ import annotations

import pytest

from tests.support.command import BUILD, SERVICE, run, run_words
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
def test_wait_continues_until_the_build_is_over(
    twilio: Twilio, environ: dict[str, str], status: str, code: int
) -> None:
    twilio.says("building", "building", status)
    twilio.describes("failed")

    ended = run("wait", "-i", "200ms", SERVICE, BUILD, env=environ)

    assert (ended.code, ended.stdout) == (code, f"{status}\n")
    assert len(twilio.polls()) == 3


NO_PAIR = """
import errno, socket
def socketpair(*_):
    raise OSError(errno.EMFILE, "too many")
socket.socketpair = socketpair
"""


def test_a_system_without_descriptors_left_leaves_the_status_unknown(
    twilio: Twilio, environ: dict[str, str]
) -> None:
    twilio.says("completed")
    sids = " ".join(f"ZB{number:032x}" for number in range(12))
    script = f"ulimit -n 8; exec twbuild wait -i 200ms -t 1s {SERVICE} {sids}"
    few = run_words(["bash", "-c", script], env=environ)
    none = run("status", SERVICE, BUILD, env=environ, first=NO_PAIR)

    assert few.code == 124, few
    assert "Last error: could not reach 127.0.0.1:" in few.stderr
    assert "too many open files" in few.stderr
    assert (none.code, none.stdout) == (3, "")
    assert none.stderr.endswith("error: could not open a pair of sockets: too many open files\n")
