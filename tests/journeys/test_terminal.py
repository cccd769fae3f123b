"""What a user at a terminal sees: the live rows, the plain lines, and what is left of both."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import BUILD, OTHER_BUILD, SERVICE, SIDS, STATUS, TOKEN, TWBUILD, WAIT
from tests.support.moments import until
from tests.support.run import Env, shim
from tests.support.twilio import Twilio, held

DOTS = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
LIMIT = "  time limit 10m"
ROW = f". building   0:0[0-9]  {BUILD}{LIMIT}"
VERDICT = rf"✓ completed  {BUILD}  ready to deploy \(waited [0-9.]+s\)"
COLOUR = re.compile(rb"\x1b\[[0-9;]*(?:3[0-9]|4[0-9]|9[0-9]|10[0-9])[0-9;]*m")
# Terminals do not agree on the width of what is in it.
ODD = "👍🏽 क्षत्रिय e\u0301te\u0301 ｗｉｄｅ ✈️"
CRASH = f"""
import threading
began = threading.Thread.start
def start(self, made=[]):
    if made:
        raise LookupError("no thread for {TOKEN}")
    made.append(self)
    began(self)
threading.Thread.start = start
"""


def fits(row: str, whole: str, columns: int) -> bool:
    """Whether a row is as much of `whole` as fits into the window, but for its moving parts."""
    reported = re.sub("[0-9]:[0-9]{2}", "0:00", row[2:])
    reported = re.sub("retry(ing| in [0-9.]+s):", "retrying:", reported)
    return reported == whole[: columns - 2].rstrip()


def test_the_row_fits_the_window_before_and_after_a_resize(twilio: Twilio) -> None:
    """It is cropped, never wrapped, whatever COLUMNS says and the server sends."""
    twilio.says("building")
    with twilio.terminal(
        *WAIT, columns=80, rows=1, env={"COLUMNS": "7", "LINES": "\u00b2"}
    ) as terminal:
        terminal.see_row(ROW)
        assert terminal.row[0] in DOTS
        for status, mark, shown in (
            ("building", DOTS, LIMIT),
            (ODD, "!", "  retrying: bad answer"),
        ):
            twilio.says({"status": status})
            terminal.see(shown.split()[-1])
            for columns, rows in ((20, 24), (100, 24), (54, 24), (100, 24)):
                terminal.resize(columns, rows)
                terminal.see_frames()
                assert fits(terminal.row, f"building   0:00  {BUILD}{shown}", columns)
                assert terminal.row[0] in mark
                assert len(terminal.lines) == terminal.screen.cursor.y + 1, "one row"
        twilio.says("completed")
        assert terminal.end() == 0
        assert re.fullmatch(VERDICT, terminal.lines[-1])


def test_status_shows_that_it_waits_until_the_answer_comes(twilio: Twilio) -> None:
    """Its result in a pipe may lead to the same terminal."""
    seen = threading.Event()
    twilio.says(held(seen, "completed"))
    script = f"twbuild {shlex.join(STATUS)} | cat; exit $PIPESTATUS"
    with twilio.terminal(script=script) as terminal:
        terminal.see_row(f". asking     0:0[1-9]  {BUILD}")
        terminal.see_row(f"! asking     0:0[5-9]  {BUILD}  no answer for [5-9]s")
        seen.set()
        assert terminal.end() == 0
    assert terminal.lines == [twilio.notice, "completed"]
    assert not terminal.cursor_hidden


@pytest.mark.parametrize(
    ("options", "env"),
    [
        ([], {"NO_COLOR": "", "CI": "false"}),
        (["--progress", "live"], {"NO_COLOR": "1", "CI": "1", "TERM": "dumb"}),
    ],
)
def test_live_progress_is_a_row_that_vanishes(twilio: Twilio, options: list[str], env: Env) -> None:
    twilio.says("building", "building", "completed")
    with twilio.terminal(*WAIT, *options, env=env) as terminal:
        assert terminal.end() == 0

    assert terminal.frames > 1
    note, verdict = terminal.lines
    assert note == twilio.notice
    assert re.fullmatch(VERDICT, verdict)
    assert not terminal.cursor_hidden
    assert bool(COLOUR.search(terminal.raw)) is (not env["NO_COLOR"])


def test_plain_progress_is_lines_without_an_escape_code(twilio: Twilio) -> None:
    twilio.says("building", "building", "completed")
    # stdout goes elsewhere, so that the screen shows stderr alone
    script, env = f"twbuild {shlex.join(WAIT)} | cat >&2", {"CI": "1", "FORCE_COLOR": "1"}
    with twilio.terminal(script=script, env=env, columns=120) as terminal:
        assert terminal.end() == 0

    assert b"\x1b" not in terminal.raw
    assert terminal.lines[:3] == [
        f"twbuild: {twilio.notice}",
        f"twbuild: waiting for {BUILD} in {SERVICE}, at most 10m",
        f"twbuild: building  {BUILD}",
    ]
    result, last = sorted(terminal.lines[3:])  # two processes wrote them
    assert result == "completed"
    assert re.fullmatch(f"twbuild: {VERDICT}", last)


def test_a_terminal_of_unknown_kind_gets_no_escape_code(twilio: Twilio) -> None:
    twilio.says("completed")
    twilio.says(401, build=OTHER_BUILD)
    script = f"env -u TERM twbuild {shlex.join(STATUS)} && TERM=dumb twbuild wait {SERVICE} "
    with twilio.terminal(script=script + OTHER_BUILD, env={"COLORTERM": "truecolor"}) as terminal:
        assert terminal.end() == 4
    assert b"\x1b" not in terminal.raw
    assert "✓ completed" in terminal.text


def test_a_paused_terminal_delays_no_verdict_and_is_restored(twilio: Twilio) -> None:
    twilio.says("building")
    with twilio.terminal(*WAIT) as terminal:
        terminal.see("building ")
        terminal.type("\x13")  # Ctrl-S
        time.sleep(0.5)
        terminal.read(0.1)
        twilio.says("completed")
        since = time.monotonic()
        assert terminal.end_unread() == 0
        assert time.monotonic() - since < 2
        terminal.read(0.1)

        assert not terminal.cursor_hidden
        assert terminal.text.count("ready to deploy") == 1
        assert not [line for line in terminal.lines if line[0] in DOTS]


class Tmux:
    """A real tmux with one window, in which a command runs."""

    def __init__(self, folder: Path, command: str) -> None:
        self._words = ["tmux", "-S", str(folder / "tmux"), "-f", os.devnull]
        self("new-session", "-d", "-x", "80", "-y", "10", f"{command}; sleep 60")

    def __call__(self, *words: str) -> str:
        return subprocess.check_output([*self._words, *words], text=True, timeout=20)

    def reported(self, name: str) -> str:
        """What tmux says of itself."""
        return self("display", "-p", f"#{{{name}}}").strip()

    def lines(self) -> list[str]:
        """The window's lines that are not empty."""
        return [line for line in self("capture-pane", "-p").splitlines() if line.strip()]

    def row(self, columns: int) -> bool:
        """Whether exactly one live row stands there, as wide as it may be."""
        rows = [line for line in self.lines() if line[0] in DOTS]
        return len(rows) == 1 and fits(rows[0], f"building   0:00  {BUILD}{LIMIT}", columns)


@pytest.fixture
def tmux(twilio: Twilio, tmp_path: Path) -> Iterator[Tmux]:
    """A wait in a window of 80 columns; tmux itself comes from `apt-get install tmux`."""
    twilio.says("building")
    given = " ".join(shlex.quote(f"{name}={value}") for name, value in twilio.environ.items())
    tmux = Tmux(tmp_path, f"env -i TERM=screen {given} {TWBUILD} {shlex.join(WAIT)}")
    until(lambda: tmux.row(80), "a row")
    yield tmux
    tmux("kill-server")


def test_no_frame_on_the_top_line_reaches_tmuxs_scrollback(twilio: Twilio, tmux: Tmux) -> None:
    Path(tmux.reported("pane_tty")).write_text("\x1b[2J\x1b[H")  # now nothing is above the row
    until(lambda: tmux.reported("cursor_y") == "0" and tmux.row(80), "the row on the top line")
    tmux("clear-history")
    time.sleep(1.5)
    assert tmux.reported("history_size") == "0"

    twilio.says("completed")
    until(lambda: "ready to deploy" in "".join(tmux.lines()), "the verdict")
    assert tmux.reported("history_size") == "0"
    assert tmux.reported("cursor_flag") == "1"


def test_tmux_made_narrower_and_wider_has_exactly_one_row_left(twilio: Twilio, tmux: Tmux) -> None:
    for columns in (40, 100, 54):
        tmux("resize-window", "-x", str(columns), "-y", "10")
        until(lambda: tmux.row(columns), f"one row of {columns} columns")  # noqa: B023
    tmux("resize-window", "-x", "100", "-y", "10")
    twilio.says("completed")
    # Where tmux is slow to widen the window, the line is wrapped.
    until(lambda: "readytodeploy" in "".join("".join(tmux.lines()).split()), "the verdict")
    assert not [line for line in tmux.lines() if line[0] in DOTS]


def test_a_background_job_in_a_namespace_draws_no_rows(twilio: Twilio) -> None:
    """The terminal's group has no number in a namespace of processes."""
    twilio.says("building", 503, "completed")
    apart = f"unshare {'' if os.geteuid() == 0 else '-r'} -pf --mount-proc {TWBUILD}"
    with twilio.terminal(script=f"set -m; {apart} {shlex.join(WAIT)} & wait $!") as terminal:
        assert terminal.end() == 0
    assert not terminal.frames
    assert "HTTP 503, retrying in" in terminal.text
    assert "ready to deploy" in terminal.text


def test_a_crash_gives_the_cursor_back_and_tells_no_secret(twilio: Twilio, tmp_path: Path) -> None:
    twilio.says("building")
    with twilio.terminal(*WAIT, env={"PYTHONPATH": shim(tmp_path, CRASH)}) as terminal:
        assert terminal.end() == 70
    assert terminal.frames
    assert not terminal.cursor_hidden
    _, bug, advice = terminal.lines
    assert re.fullmatch("error: a bug in twbuild .*: LookupError", bug)
    assert "Please report it" in advice
    assert TOKEN.encode() not in terminal.raw


def test_sixty_builds_never_outgrow_the_window(twilio: Twilio) -> None:
    """Nor does it scroll; what was not read for a while is whole again; verdicts come as given."""
    sids = SIDS[:60]
    given = sids[::-1]
    twilio.says("building", build=sids)
    script = f"seq 50; exec twbuild wait -i 1s {SERVICE} {' '.join(given)}"
    with twilio.terminal(script=script, columns=90, rows=40) as terminal:
        terminal.see("0 of 60")
        terminal.see(" building ", 38)
        history = len(terminal.screen.gone)
        for first, last, rows in ((0, 20, 38), (20, 50, 10)):
            twilio.says("completed", build=sids[first:last])
            terminal.see(f"{last} of 60")
            terminal.see_that(lambda: terminal.text.count(" building ") == rows, "rows")  # noqa: B023
            assert len(terminal.screen.gone) == history
            assert "ready to deploy" not in terminal.text, "verdicts come at the end"
        time.sleep(4)  # more frames than the kernel keeps for a terminal
        twilio.says("completed", build=sids[50:])
        assert terminal.end() == 0
        everything = [*terminal.screen.gone, *terminal.lines]
        assert everything[:51] == [*map(str, range(1, 51)), twilio.notice]
        *reported, summary = everything[51:]
        assert summary.startswith("60 builds: 60 completed (waited ")
        assert [line[: 13 + 34] for line in reported] == [f"✓ completed  {sid}" for sid in given]
        assert not terminal.cursor_hidden
