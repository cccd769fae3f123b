"""Lines on stdout wait for their reader, but not for ever."""

from __future__ import annotations

import os
import time

import pytest

from tests.support.moments import fill
from twbuild.errors import OutputError
from twbuild.output import stdout
from twbuild.output.stdout import Stdout


def test_only_a_verdict_unread_by_the_deadline_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = os.pipe()
    fill(write_end)
    monkeypatch.setattr(stdout, "STDOUT", write_end)
    monkeypatch.setattr(stdout, "LAST_SECONDS", 0.1)
    verdict, other = Stdout(), Stdout()
    verdict.put("completed", is_verdict=True)
    other.put("{}", is_verdict=False)

    with pytest.raises(OutputError, match="nothing reads it"):
        verdict.finish(time.monotonic())
    other.finish(time.monotonic())
    while not verdict.flush():
        os.read(read_end, 1 << 12)
    assert os.read(read_end, 1 << 20).endswith(b"xcompleted\n")
    os.close(write_end)
    os.close(read_end)
