"""Lines on stdout wait for their reader, and are never written twice."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from tests.support.moments import fill
from twbuild.errors import OutputError
from twbuild.output import stdout
from twbuild.output.stdout import Stdout


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A full pipe as stdout; the end that has not been read yet."""
    read_end, write_end = os.pipe()
    fill(write_end)
    monkeypatch.setattr(stdout, "STDOUT", write_end)
    monkeypatch.setattr(stdout, "LAST_SECONDS", 0.1)
    yield read_end
    os.close(write_end)
    os.close(read_end)


def put(text: str, *, is_verdict: bool) -> Stdout:
    out = Stdout()
    out.put(text, is_verdict=is_verdict)
    return out


def test_a_line_is_written_once(capfd: pytest.CaptureFixture[str]) -> None:
    out = put("completed", is_verdict=True)
    assert out.flush()
    out.finish(time.monotonic())

    assert capfd.readouterr().out == "completed\n"


def test_only_a_verdict_unread_by_the_deadline_is_an_error(unread: int) -> None:
    with pytest.raises(OutputError, match="nothing reads it"):
        put("completed", is_verdict=True).finish(time.monotonic())
    put("{}", is_verdict=False).finish(time.monotonic())


def test_a_line_that_waits_is_written_once_it_is_read(unread: int) -> None:
    out = put("completed", is_verdict=True)
    while not out.flush():
        os.read(unread, 1 << 12)

    assert os.read(unread, 1 << 20).endswith(b"xcompleted\n")
