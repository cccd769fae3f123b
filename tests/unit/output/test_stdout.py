"""Lines on stdout wait for their reader, and are never written twice."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from twbuild.errors import OutputError
from twbuild.output import stdout
from twbuild.output.stdout import Stdout


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A full pipe as stdout; the end that has not been read yet."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    while True:
        try:
            os.write(write_end, bytes(1 << 16))
        except BlockingIOError:
            break
    os.set_blocking(write_end, True)
    monkeypatch.setattr(stdout, "STDOUT", write_end)
    monkeypatch.setattr(stdout, "LAST_SECONDS", 0.1)
    yield read_end
    os.close(write_end)
    os.close(read_end)


def test_a_line_is_written_once(capfd: pytest.CaptureFixture[str]) -> None:
    out = Stdout()
    out.put("completed", is_verdict=True)
    assert out.flush()
    out.finish(time.monotonic())

    assert capfd.readouterr().out == "completed\n"


def test_a_verdict_unread_by_the_deadline_is_an_error(unread: int) -> None:
    out = Stdout()
    out.put("completed", is_verdict=True)
    assert not out.flush()

    with pytest.raises(OutputError, match="nothing reads it"):
        out.finish(time.monotonic())


def test_what_is_no_verdict_may_stay_unread(unread: int) -> None:
    out = Stdout()
    out.put("{}", is_verdict=False)

    out.finish(time.monotonic())


def test_a_line_that_waits_is_written_once_it_is_read(unread: int) -> None:
    out = Stdout()
    out.put("completed", is_verdict=True)
    while not out.flush():
        os.read(unread, 1 << 12)

    assert os.read(unread, 1 << 20).endswith(b"\0completed\n")
