"""What the command does with streams that are closed, full, never read, or read by a machine."""

from __future__ import annotations

import fcntl
import os
import select
import shlex
import socket
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyte
import pytest

from tests.support.command import BUILD, OTHER_BUILD, SERVICE, SIDS, STATUS, TWBUILD, WAIT
from tests.support.moments import disk_full, fill, until, until_more
from tests.support.run import Ended, Env, finish, run_words, shim, start_words
from tests.support.twilio import Twilio, held

WARNS = """
import threading, warnings
begin = threading.Thread.start
def start(self):
    warnings.warn("old \\x1b[31mthread", DeprecationWarning)
    begin(self)
threading.Thread.start = start
"""


@contextmanager
def gone_reader() -> Iterator[int]:
    """The write end of a pipe whose reader has gone."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    yield write_end
    os.close(write_end)


@pytest.mark.parametrize(
    ("closed", "status", "code"),
    [
        (">&-", "failed", 1),  # the one that writes the most and asks twice
        ("2>&-", "building", 8),
        ("<&- >&- 2>&-", "completed", 0),
    ],
)
def test_closed_streams_change_nothing(twilio: Twilio, closed: str, status: str, code: int) -> None:
    twilio.describes("failed")
    twilio.says(status)
    script = f"exec twbuild {shlex.join(STATUS)} {closed}"
    ended = run_words(["sh", "-c", script], env=twilio.environ)

    assert (ended.code, ended.stdout) == (code, "" if " >&-" in f" {closed}" else f"{status}\n")
    assert ended.is_plain
    # A socket with the number of a closed stream would have been written to.
    assert {request.method for request in twilio.requests} == {"GET"}


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["words", "json"])
def test_a_reader_that_has_gone_changes_nothing(twilio: Twilio, options: list[str]) -> None:
    twilio.describes("failed")
    twilio.says("building", "failed")
    with gone_reader() as stdout:
        ended = twilio.run(*WAIT, *options, stdout=stdout)
    assert ended.code == 1
    assert ended.is_plain
    assert "pipe" not in ended.stderr


def test_a_reset_socket_is_a_reader_that_has_gone(twilio: Twilio) -> None:
    twilio.says("completed")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    theirs.close()
    ended = twilio.run(*WAIT, stdout=ours.fileno())
    ours.close()

    assert ended.code == 0
    assert "error" not in ended.stderr


def test_a_result_that_cannot_be_written_is_3(twilio: Twilio) -> None:
    """The closing lines say all the same how each build ended."""
    twilio.says("failed")
    with disk_full() as full:
        failed = twilio.run(*WAIT, "-q", stdout=full, env={"GITHUB_ACTIONS": "true"})
    assert failed.code == 3
    (annotation,) = failed.stderr.splitlines()
    assert f"failed {BUILD}" in annotation
    assert "could not write the result to stdout: no space left" in annotation
    assert "To ask Twilio's support" in annotation

    twilio.says("completed")
    with disk_full() as full:
        ended = twilio.run(*STATUS, stdout=full)
        unheard = twilio.run(*WAIT, "--json", stdout=full, stderr=full)
        heard_not = twilio.run(*WAIT, stderr=full)
    assert ended.code == 3
    assert "error: could not write the result to stdout: " in ended.stderr
    assert f"completed  {BUILD}" in ended.stderr
    assert ended.is_plain
    assert unheard.code == 3
    assert (heard_not.code, heard_not.stdout) == (0, "completed\n")


@pytest.mark.parametrize(("words", "code"), [("--version", 0), ("", 2), ("--show-completion", 0)])
def test_help_and_version_cope_with_a_closed_or_full_stream(
    base: Env, words: str, code: int
) -> None:
    def ended(**streams: Any) -> Ended:
        # The completion looks for a shell that is its parent.
        return run_words(["bash", "-c", f"twbuild {words}; exit $?"], env=base, **streams)

    with gone_reader() as gone, disk_full() as full:
        left, unwritten, unheard = ended(stdout=gone), ended(stdout=full), ended(stderr=full)
    assert (left.code, left.stderr) == (code, "")
    assert unwritten.code == 3
    assert unwritten.is_plain
    assert unheard.code == code
    assert unheard.stdout


ROOT = os.geteuid() == 0
# Root may open any file, but for these two capabilities; anyone else may mount in a namespace.
AS_OTHERS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if ROOT else []
MOUNTED_OVER = ["unshare", "-m" if ROOT else "-rm", "sh", "-c"]
MOUNTED_OVER += ['mount -t tmpfs none /dev/pts && exec "$@"', "sh"]
BAUD_9600 = 960  # bytes a second


class Unread:
    """A stream that is full from the start, or that is read with 9600 baud."""

    def __init__(self, kind: str) -> None:
        self.start: list[str] = MOUNTED_OVER if "without a name" in kind else []
        self.content = b""
        self.rate = BAUD_9600 if "slow" in kind else 0
        self._since = time.monotonic()
        if kind == "pipe":
            self._ours, self.end = os.pipe()
        else:
            self._ours, self.end = os.openpty()
            fcntl.ioctl(self.end, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        if "another user" in kind:
            os.fchmod(self.end, 0)
            self.start = AS_OTHERS
        if not self.rate:
            fill(self.end, 4096 if kind == "pipe" else 64)

    def read(self, count: int = 0) -> None:
        """Take so many bytes, or as many as the line has carried until now."""
        count = count or int(self.rate * (time.monotonic() - self._since)) - len(self.content)
        if count > 0 and select.select([self._ours], [], [], 0)[0]:
            self.content += os.read(self._ours, count)

    def until(self, so: Callable[[], object], what: str) -> None:
        """Return as soon as `so()` is true; meanwhile it is read as a line carries it."""

        def is_so() -> object:
            self.read()
            return so()

        until(is_so, what)

    def close(self) -> None:
        """It cannot be read any more."""
        os.close(self._ours)
        os.close(self.end)


@pytest.mark.parametrize(
    ("kind", "moment"),
    [
        ("pipe", "signal"),
        ("pipe", "deadline"),
        ("another user's terminal", "verdict"),
        ("terminal without a name", "deadline"),
        ("slow terminal", "verdict"),
        ("slow terminal", "deadline"),
        ("another user's slow terminal", "signal"),
    ],
)
def test_a_stream_not_read_or_read_slowly_delays_nothing(
    twilio: Twilio, tmp_path: Path, kind: str, moment: str
) -> None:
    sids = SIDS[:10]
    twilio.says("building", build=sids)
    limit = 4.0 if moment == "deadline" else 60.0
    words = [TWBUILD, "wait", "-i", "500ms", "-t", f"{limit}s", SERVICE, *sids]
    env = {**twilio.environ, "TERM": "xterm"}
    with closing(Unread(kind)) as stream, (tmp_path / "reported").open("wb") as stdout:
        process = start_words([*stream.start, *words], env=env, stdout=stdout, stderr=stream.end)
        for _ in range(5):  # a start, and frames, for which there is never space enough
            more = len(twilio.times) + 10
            stream.until(lambda: len(twilio.times) >= more, "polls")  # noqa: B023
            stream.read(0 if stream.rate else 700)
        due = twilio.times[0] + limit
        if moment != "deadline":
            due = time.monotonic()
        if moment == "signal":
            process.terminate()
        twilio.says("completed", build=sids if moment == "verdict" else ())
        stream.until(lambda: process.poll() is not None, "the end")
        seconds, at_the_end = time.monotonic() - due, len(stream.content)
        for _ in range(9):
            stream.read(1 << 16)
    assert process.returncode == {"verdict": 0, "signal": -15, "deadline": 124}[moment]
    assert seconds < (2 if moment == "verdict" else 1.5), "on a busy machine"
    assert max(b - a for a, b in pairwise(twilio.times)) < 1.5, "no poll waits"
    reported = [f"{sid} completed" for sid in sids] if moment == "verdict" else []
    assert sorted((tmp_path / "reported").read_text().splitlines()) == reported
    if "slow" in kind:
        screen = pyte.Screen(80, 40)
        pyte.ByteStream(screen).feed(stream.content)
        assert not screen.cursor.hidden
        assert "10 builds: " in "".join(screen.display)
        assert len(stream.content) - at_the_end <= 2 * BAUD_9600


def test_a_full_stdout_delays_no_poll_of_other_builds(twilio: Twilio) -> None:
    """It gets its lines when it is read."""
    twilio.says("building", "completed")
    twilio.says("building", build=OTHER_BUILD)
    read_end, write_end = os.pipe()
    fill(write_end)
    process = twilio.start(*WAIT, OTHER_BUILD, stdout=write_end)
    os.close(write_end)
    until(lambda: len(twilio.polls()) == 2, "the verdict")
    until_more(lambda: twilio.polls(OTHER_BUILD), 5)
    with open(read_end, "rb") as stdout:
        reported = (line.lstrip(b"x") for line in stdout)
        assert next(reported) == f"{BUILD} completed\n".encode()
        assert process.poll() is None
        twilio.says("completed", build=OTHER_BUILD)
        assert [*reported] == [f"{OTHER_BUILD} completed\n".encode()]
    assert finish(process).code == 0


FORCED = {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "1", "TERM": "xterm"}


@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONWARNINGS": "error", "PYTHONSAFEPATH": "1", "TWBUILD_PROGRESS": "live", **FORCED},
        {"PYTHONOPTIMIZE": "2", "PYTHONIOENCODING": "ascii:strict"},
        {"PYTHONDEVMODE": "1", "PYTHONIOENCODING": "undefined"},
    ],
    ids=str,
)
def test_pythons_own_switches_change_no_code_and_no_line(twilio: Twilio, env: Env) -> None:
    twilio.says("building", "completed")
    ended = twilio.run(*WAIT, env=env)

    assert (ended.code, ended.stdout) == (0, "completed\n")
    *said, last = ended.stderr.splitlines()
    assert said == [
        f"twbuild: {twilio.notice}",
        f"twbuild: waiting for {BUILD} in {SERVICE}, at most 10m",
        f"twbuild: building  {BUILD}",
    ]
    assert f" completed  {BUILD}  ready to deploy (waited " in last
    assert "\x1b" not in last


def test_warnings_of_libraries_are_for_v_alone(twilio: Twilio, tmp_path: Path) -> None:
    twilio.says("completed")
    place = shim(tmp_path, WARNS)
    (tmp_path / "shim" / "chardet").mkdir()  # requests warns of such a version
    (tmp_path / "shim" / "chardet" / "__init__.py").write_text('__version__ = "9.0.0"\n')
    env = {"PYTHONPATH": place, "PYTHONWARNINGS": "always"}

    quiet, usual, verbose = (twilio.run(*WAIT, *opts, env=env) for opts in (["-q"], [], ["-v"]))
    assert (quiet.code, quiet.stderr) == (0, "")
    assert usual.is_plain
    assert "Warning" not in usual.stderr
    assert verbose.is_plain
    assert "twbuild: DeprecationWarning: old \\x1b[31mthread" in verbose.stderr


def test_the_first_line_comes_before_the_first_answer(twilio: Twilio) -> None:
    read = threading.Event()
    twilio.says(held(read, "completed"))
    process = twilio.start(*WAIT)
    assert process.stderr
    lines = [process.stderr.readline() for _ in range(2)]
    read.set()

    assert lines[1] == f"twbuild: waiting for {BUILD} in {SERVICE}, at most 10m\n"
    assert finish(process).code == 0


def test_a_stdin_with_something_in_it_is_never_read(twilio: Twilio) -> None:
    twilio.says("completed")
    read_end, write_end = os.pipe()
    os.write(write_end, b"refs/heads/main\n")
    os.close(write_end)

    assert twilio.run(*WAIT, stdin=read_end).code == 0
    assert os.read(read_end, 100) == b"refs/heads/main\n"
    os.close(read_end)


def test_a_sigpipe_at_its_default_kills_nothing(twilio: Twilio) -> None:
    twilio.says("completed")
    script = f"trap - PIPE; twbuild {shlex.join(WAIT)} | true; exit ${{PIPESTATUS[0]}}"
    assert run_words(["bash", "-c", script], env=twilio.environ).code == 0


def test_no_null_device_changes_nothing(twilio: Twilio, tmp_path: Path) -> None:
    twilio.says("failed")
    no_device = shim(tmp_path, "import os\nos.devnull = '/no/such/device'")
    env = {**twilio.environ, "PYTHONPATH": no_device}
    for words in (shlex.join(STATUS), "sandbox --build-time 0s --outcome failed"):
        assert run_words(["sh", "-c", f"twbuild {words} <&- >&- 2>&-"], env=env).code == 1
