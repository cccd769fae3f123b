"""What a user at a terminal sees: the live rows, the plain lines, and what is left of both."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyte
import pytest
from werkzeug import Request, Response

from tests.support.command import BUILD, OTHER_BUILD, SERVICE, TOKEN, TWBUILD, run
from tests.support.moments import until, until_more
from tests.support.shim import shim
from tests.support.terminal import Terminal
from tests.support.twilio import Answer, Twilio, build_body, error, reply, status_body

HIDE_CURSOR = b"\x1b[?25l"
SHOW_CURSOR = b"\x1b[?25h"
ERASE = b"\x1b[J"
SIDS = [f"ZB{number:032x}" for number in range(100)]
AGENTS = ["AI_AGENT", "AGENT", "CLAUDECODE", "CURSOR_AGENT", "GEMINI_CLI", "CODEX_SANDBOX"]
DOTS = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
LINE = "-\\|/"

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


class _Screen(pyte.Screen):
    """Keeps what scrolls away, and erases as xterm does: a full row's cursor stands on its end."""

    def __init__(self, columns: int, rows: int) -> None:
        super().__init__(columns, rows)
        self.gone: list[str] = []

    def index(self) -> None:
        if self.cursor.y == self.lines - 1:
            self.gone.append(self.display[0].rstrip())
        super().index()

    def erase_in_line(self, how: int = 0, private: bool = False) -> None:
        self.cursor.x = min(self.cursor.x, self.columns - 1)
        super().erase_in_line(how, private)

    def erase_in_display(self, how: int = 0, *args: Any, **kwargs: Any) -> None:
        self.cursor.x = min(self.cursor.x, self.columns - 1)
        super().erase_in_display(how, *args, **kwargs)


class Xterm(Terminal):
    """A terminal that remembers what has scrolled away."""

    def __init__(
        self, words: list[str], env: Mapping[str, str], columns: int = 100, rows: int = 24
    ) -> None:
        super().__init__(words, {"TERM": "xterm", **env}, columns, rows)
        self.screen = self._scrolling = _Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)

    @property
    def everything(self) -> list[str]:
        """All lines since the start, those that have scrolled away too."""
        return [*self._scrolling.gone, *self.lines]

    @property
    def row(self) -> str:
        """The first live row: the cursor rests at its start."""
        return self.screen.display[self.screen.cursor.y].rstrip()

    def read(self, seconds: float) -> bool:
        """Take in all that has come: a look at the screen after each piece would fall behind."""
        found = super().read(seconds)
        for _ in range(16):
            if not super().read(0):
                break
        return found

    def end_unread(self, seconds: float = 30) -> int:
        """The code of the command, none of whose frames is read any more."""
        end = time.monotonic() + seconds
        while self.code is None:
            assert time.monotonic() < end, "still running"
            time.sleep(0.02)
            self._reap()
        return self.code

    def see_row(self, pattern: str) -> str:
        """The first live row, once the whole of it is like this."""
        self.see_that(lambda: re.fullmatch(pattern, self.row), pattern)
        return self.row

    def new_frame(self) -> None:
        """Read the next frame to its end, and one more, which is surely no older."""
        seen = self.raw.count(HIDE_CURSOR)
        self.see_that(lambda: self.raw.count(HIDE_CURSOR) > seen + 1, "a new frame")
        self.read(0.02)


def wait(*options: str) -> list[str]:
    """A wait for the one build, as typed."""
    return [TWBUILD, "wait", "-i", "200ms", *options, SERVICE, BUILD]


def asking(twilio: Twilio) -> str:
    """The line that tells where it asks."""
    return f"using {twilio.url}, not Twilio (TWBUILD_API_URL)"


def fits(row: str, whole: str, columns: int) -> bool:
    """Whether a row is as much of `whole` as fits into the window, but for its moving parts."""
    reported = re.sub("[0-9]:[0-9]{2}", "0:00", row[2:])
    reported = re.sub("retry(ing| in [0-9.]+s):", "retrying:", reported)
    return reported == whole[: columns - 2].rstrip()


LIMIT = "  time limit 10m"
ROW = f". building   0:0[0-9]  {BUILD}{LIMIT}"


@pytest.mark.parametrize("columns", [20, 40, 54, 80, 200])
def test_the_row_is_cropped_to_the_window_and_never_wraps(
    twilio: Twilio, environ: dict[str, str], columns: int
) -> None:
    twilio.says("building")
    terminal = Xterm(wait(), environ, columns)
    with terminal:
        whole = f"building   0:00  {BUILD}"
        terminal.see_that(lambda: fits(terminal.row, whole + LIMIT, columns), whole)
        assert terminal.row[0] in DOTS
        assert len(terminal.lines) == terminal.screen.cursor.y + 1, "one row"

        twilio.says(503)
        until_more(twilio.polls, 1)
        whole += "  retrying: HTTP 503"
        terminal.see_that(
            lambda: terminal.row[0] == "!" and fits(terminal.row, whole, columns), whole
        )
        assert len(terminal.lines) == terminal.screen.cursor.y + 1, "still one row"

        twilio.says("completed")
        assert terminal.end() == 0
        reported = f"✓completed{BUILD}readytodeploy(waited"  # wrapped where it does not fit
        assert "".join(terminal.text.split()).count(reported) == 1
        assert not terminal.cursor_hidden


def test_a_terminal_without_a_size_is_taken_for_80_columns(
    twilio: Twilio, environ: dict[str, str]
) -> None:
    twilio.says(503)
    words = ["sh", "-c", f"stty rows 0 cols 0; exec {' '.join(wait())}"]
    terminal = Xterm(words, environ, 200)
    with terminal:
        terminal.see_row(f"! asking     0:0[0-9]  {BUILD}  retry in [0-9.]+s: HTTP 503")
        assert len(terminal.row) <= 80
        twilio.says("completed")
        assert terminal.end() == 0


@pytest.mark.parametrize("lie", ["7", "0", "500", "wide"])
def test_the_windows_own_size_wins_over_columns(
    twilio: Twilio, environ: dict[str, str], lie: str
) -> None:
    twilio.says("building")
    terminal = Xterm(wait(), {**environ, "COLUMNS": lie, "LINES": "1"}, 80)
    with terminal:
        terminal.see_row(ROW)
        twilio.says("completed")
        assert terminal.end() == 0
        assert terminal.lines[1].startswith(f"✓ completed  {BUILD}  ready to deploy (waited ")


def when(ready: threading.Event, status: str, seconds: float = 20) -> Answer:
    """An answer that comes once the test is ready for it, or so many seconds later."""

    def answer(request: Request) -> Response:
        ready.wait(seconds)
        return reply(status_body(request.path.split("/")[-2], status))

    return answer


@pytest.mark.parametrize(
    ("around", "result"),
    [
        ("twbuild status {}", f"✓ completed  {BUILD}  ready to deploy"),
        ("twbuild status {} | cat; exit $PIPESTATUS", "completed"),
    ],
)
def test_status_shows_that_it_asks_until_the_answer_comes(
    twilio: Twilio, environ: dict[str, str], around: str, result: str
) -> None:
    seen = threading.Event()
    twilio.says(when(seen, "completed"))
    terminal = Xterm(["bash", "-c", around.format(f"{SERVICE} {BUILD}")], environ)
    with terminal:
        terminal.see_row(f". asking     0:0[1-9]  {BUILD}")
        seen.set()
        assert terminal.end() == 0
    assert terminal.lines == [asking(twilio), result]
    assert not terminal.cursor_hidden


def test_a_quiet_status_shows_nothing_while_it_asks(
    twilio: Twilio, environ: dict[str, str]
) -> None:
    twilio.says(when(threading.Event(), "completed", 1.5))
    with Terminal([TWBUILD, "status", "-q", SERVICE, BUILD], {**environ, "TERM": "xterm"}) as quiet:
        assert quiet.end() == 0
    assert HIDE_CURSOR not in quiet.raw
    assert quiet.text == f"✓ completed  {BUILD}  ready to deploy"


def test_a_request_without_an_answer_for_5_seconds_shows(
    twilio: Twilio, environ: dict[str, str]
) -> None:
    seen = threading.Event()
    twilio.says("building", when(seen, "building"))
    twilio.says(when(seen, "building"), build=OTHER_BUILD)
    terminal = Xterm(wait(), environ)
    status = Terminal([TWBUILD, "status", SERVICE, OTHER_BUILD], {**environ, "CI": "1"})
    with terminal, status:
        terminal.see_row(f"! building   0:0[5-9]  {BUILD}  no answer for [5-9]s")
        status.see(f"twbuild: asking  {OTHER_BUILD}  (5s)")
        seen.set()
        terminal.see_row(ROW)
        twilio.says("completed")
        assert (terminal.end(), status.end()) == (0, 8)


def test_after_a_resize_the_next_frame_fits(twilio: Twilio, environ: dict[str, str]) -> None:
    twilio.says("building")
    terminal = Xterm(wait(), environ, 80)
    with terminal:
        terminal.see_row(ROW)
        for columns in (30, 100, 54):
            terminal.resize(columns, 24)
            terminal.new_frame()
            assert fits(terminal.row, f"building   0:00  {BUILD}{LIMIT}", columns)
            assert [line for line in terminal.lines if "building" in line] == [terminal.row]
        terminal.resize(100, 24)
        twilio.says("completed")
        assert terminal.end() == 0
        assert len(terminal.lines) == 2
        assert terminal.lines[1].startswith(f"✓ completed  {BUILD}  ready to deploy (waited ")


LIVE = [{"TERM": "xterm-256color"}, {"CI": "false"}, dict.fromkeys(AGENTS, "0")]
PLAIN: list[dict[str, str]] = [
    {"TERM": ""},
    {"CI": "1", "TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "1"},
    {"CLAUDECODE": "1", "FORCE_COLOR": "1"},
]


def shown(twilio: Twilio, words: list[str], env: Mapping[str, str], columns: int = 100) -> Xterm:
    """The screen after a wait: building, then completed."""
    twilio.says("building", "building", "completed")
    terminal = Xterm(words, env, columns)
    with terminal:
        assert terminal.end() == 0
    assert terminal.text.count("ready to deploy") == 1, "said once"
    assert not terminal.cursor_hidden
    return terminal


@pytest.mark.parametrize(
    ("options", "env"),
    [
        *(([], env) for env in LIVE),
        (["--progress", "live"], {"CI": "1", "TERM": "dumb"}),
        (["--progress=auto"], {"TWBUILD_PROGRESS": "plain"}),
    ],
    ids=str,
)
def test_live_progress_is_a_row_that_vanishes(
    twilio: Twilio, environ: dict[str, str], options: list[str], env: dict[str, str]
) -> None:
    terminal = shown(twilio, wait(*options), {**environ, **env})

    assert terminal.raw.count(HIDE_CURSOR) > 1
    assert terminal.lines[0] == asking(twilio)
    assert re.fullmatch(
        rf"✓ completed  {BUILD}  ready to deploy \(waited [0-9.]+s\)", terminal.lines[1]
    )
    assert len(terminal.lines) == 2


@pytest.mark.parametrize(
    ("options", "env"),
    [
        *(([], env) for env in PLAIN),
        (["--progress", "plain"], {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1"}),
    ],
    ids=str,
)
def test_plain_progress_is_lines_without_an_escape_code(
    twilio: Twilio, environ: dict[str, str], options: list[str], env: dict[str, str]
) -> None:
    # stdout goes elsewhere, so that the screen shows stderr alone
    words = ["sh", "-c", f"{' '.join(wait(*options))} | cat >&2"]
    terminal = shown(twilio, words, {**environ, **env}, 120)

    assert b"\x1b" not in terminal.raw
    closing = re.compile(rf"twbuild: ✓ completed  {BUILD}  ready to deploy \(waited [0-9.]+s\)")
    *first, _, _ = terminal.lines
    assert first == [
        f"twbuild: {asking(twilio)}",
        f"twbuild: waiting for {BUILD} in {SERVICE}, at most 10m",
        f"twbuild: building  {BUILD}",
    ]
    result, last = sorted(terminal.lines[3:])  # two processes wrote them
    assert result == "completed"
    assert closing.fullmatch(last)


def test_progress_into_a_file_has_no_escape_code(twilio: Twilio, environ: dict[str, str]) -> None:
    twilio.says("building", "completed")
    forced = {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "1", "TERM": "xterm"}
    ended = run(*wait("--progress", "live")[1:], env={**environ, **forced})

    assert (ended.code, ended.stdout) == (0, "completed\n")
    assert "\x1b" not in ended.stderr
    assert all(line.startswith("twbuild: ") for line in ended.stderr.splitlines())


def test_stdout_and_stderr_each_get_what_they_are_for(
    twilio: Twilio, environ: dict[str, str], tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    terminal = shown(twilio, ["sh", "-c", f"{' '.join(wait())} 2>{kept}"], environ)
    assert re.fullmatch(
        rf"✓ completed  {BUILD}  ready to deploy \(waited [0-9.]+s\)", terminal.text
    )
    assert all(line.startswith("twbuild: ") for line in kept.read_text().splitlines())

    twilio.says("building", "building", "completed")
    other = Xterm(["sh", "-c", f"{' '.join(wait())} >{kept}"], environ)
    with other:
        assert other.end() == 0
    assert HIDE_CURSOR in other.raw
    assert kept.read_text() == "completed\n"
    assert re.fullmatch(
        rf"✓ completed  {BUILD}  ready to deploy \(waited [0-9.]+s\)", other.lines[1]
    )


@pytest.mark.parametrize(
    ("words", "answer", "code", "term"),
    [(["status"], "completed", 0, {}), (["wait"], 401, 4, {"TERM": "dumb"})],
)
def test_a_terminal_of_unknown_kind_gets_no_escape_code(
    twilio: Twilio,
    environ: dict[str, str],
    words: list[str],
    answer: str | int,
    code: int,
    term: dict[str, str],
) -> None:
    twilio.says(answer)
    env = {**environ, "COLORTERM": "truecolor", **term}
    with Terminal([TWBUILD, *words, SERVICE, BUILD], env) as terminal:
        assert terminal.end() == code
    assert b"\x1b" not in terminal.raw
    assert ("✓ completed" in terminal.text) is (code == 0)


@pytest.mark.parametrize("options", [["--progress", "plain"], ["--progress", "live"], ["--json"]])
def test_where_both_streams_are_terminals_the_result_is_reported_once(
    twilio: Twilio, environ: dict[str, str], options: list[str]
) -> None:
    for sid in SIDS[:3]:
        twilio.says("building", "completed", build=sid)
    words = [TWBUILD, "wait", "-i", "200ms", *options, SERVICE, *SIDS[:3]]
    terminal = Xterm(words, environ, 400)
    with terminal:
        assert terminal.end() == 0
    for sid in SIDS[:3]:
        reported = [line for line in terminal.lines if sid in line and "completed" in line]
        assert len(reported) == 1, reported


def test_a_screen_is_erased_for_a_line_above_it(twilio: Twilio, environ: dict[str, str]) -> None:
    """A screen is erased for a line above it and at the end and else changed in place."""
    terminal = shown(twilio, wait("-v"), environ, 250)

    *above, _ = terminal.lines
    assert len([line for line in above if "  GET " in line]) == 4
    before_the_result = at_the_end = 1
    at_the_start = 1
    erased = at_the_start + 2 * len(above[1:]) + before_the_result + at_the_end
    assert terminal.raw.count(ERASE) == erased
    assert terminal.raw.count(SHOW_CURSOR) == 1


@pytest.mark.parametrize("status", ["👍🏽 thumbs", "क्षत्रिय", "e\u0301te\u0301", "ｗｉｄｅ", "✈️✈️✈️"])
def test_a_row_has_only_characters_of_certain_width(
    twilio: Twilio, environ: dict[str, str], status: str
) -> None:
    twilio.says({"status": status})
    terminal = Xterm(wait(), environ, 160)
    with terminal:
        row = terminal.see_row(rf"! asking     0:0[0-9]  {BUILD}  retry in [0-9.]+s: bad answer")
        assert row.isascii()


@pytest.mark.parametrize("options", [[], ["--progress", "plain"]], ids=["live", "plain"])
def test_a_paused_terminal_delays_no_verdict_and_is_restored(
    twilio: Twilio, environ: dict[str, str], options: list[str]
) -> None:
    twilio.says("building")
    terminal = Xterm(wait(*options), environ)
    with terminal:
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


def test_a_window_of_one_row_shows_the_row(twilio: Twilio, environ: dict[str, str]) -> None:
    twilio.says("building")
    terminal = Xterm(wait(), environ, 80, 1)
    with terminal:
        terminal.see_row(ROW)
        twilio.says("completed")
        assert terminal.end() == 0


@pytest.mark.parametrize("columns", [30, 50])
def test_human_readable_lines_wrap_between_words_but_not_within_commands(
    twilio: Twilio, environ: dict[str, str], columns: int
) -> None:
    twilio.says("building")
    terminal = Xterm(wait("-t", "1s"), environ, columns)
    with terminal:
        assert terminal.end() == 124
    said = terminal.raw.rpartition(SHOW_CURSOR)[2].decode()
    lines = re.sub(r"\x1b\[[0-9;]*m", "", said).split("\r\n")
    assert f"    twbuild wait {SERVICE} {BUILD}" in lines, "a command is one line"
    others = [line for line in lines if "twbuild wait" not in line]
    assert len(others) == {30: 7, 50: 4}[columns]
    assert [line for line in others if len(line) > columns] in ([], [f"  {BUILD}"])
    said = " ".join(" ".join(others).split())
    reported = rf"! building {BUILD} \(still building after 1(\.\d)?s: --timeout\)"
    assert re.match(rf"{reported} The build continues at the API\. To wait again:", said)


class Tmux:
    """A real tmux with one window, in which a command runs."""

    def __init__(self, folder: Path, command: str, columns: int, rows: int) -> None:
        self._words = ["tmux", "-S", str(folder / "tmux"), "-f", os.devnull]
        self("new-session", "-d", "-x", str(columns), "-y", str(rows), f"{command}; sleep 60")

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
def tmux(twilio: Twilio, environ: dict[str, str], tmp_path: Path) -> Iterator[Tmux]:
    """A wait in a window of 80 columns; tmux itself comes from `apt-get install tmux`."""
    twilio.says("building")
    given = " ".join(shlex.quote(f"{name}={value}") for name, value in environ.items())
    tmux = Tmux(tmp_path, f"env -i TERM=screen {given} {' '.join(wait())}", 80, 10)
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


COLOUR = re.compile(rb"\x1b\[[0-9;]*(?:3[0-9]|4[0-9]|9[0-9]|10[0-9])[0-9;]*m")


@pytest.mark.parametrize(("no_color", "coloured"), [("1", False), ("", True)])
def test_no_color_takes_the_colours_and_nothing_else(
    twilio: Twilio, environ: dict[str, str], no_color: str, coloured: bool
) -> None:
    terminal = shown(twilio, wait(), {**environ, "NO_COLOR": no_color})

    assert bool(COLOUR.search(terminal.raw)) is coloured
    assert HIDE_CURSOR in terminal.raw


@pytest.mark.parametrize(
    ("env", "frames", "mark"),
    [
        ({"PYTHONIOENCODING": "utf-8"}, DOTS, "✓"),
        ({"PYTHONIOENCODING": "cp1252"}, LINE, "+"),
        ({"LC_ALL": "C", "PYTHONUTF8": "0"}, LINE, "+"),
    ],
    ids=str,
)
def test_marks_and_frames_are_what_the_encoding_has(
    twilio: Twilio, environ: dict[str, str], env: dict[str, str], frames: str, mark: str
) -> None:
    twilio.says("building")
    terminal = Xterm(wait(), {**environ, **env})
    with terminal:
        terminal.see_row(ROW)
        assert terminal.row[0] in frames
        twilio.says("completed")
        assert terminal.end() == 0
        assert terminal.lines[1].startswith(f"{mark} completed  {BUILD}")


def test_a_failed_build_shows_what_it_was_made_of(twilio: Twilio, environ: dict[str, str]) -> None:
    twilio.says("building", "failed")
    twilio.describes(build_body())
    terminal = Xterm(wait(), environ, 80)
    with terminal:
        assert terminal.end() == 1
    lines = [re.sub(r"waited [0-9.]+s", "waited 38s", line) for line in terminal.lines]
    reported = f"""\
✗ failed     {BUILD}  (waited 38s)

  Twilio gives no reason for a failed build. What it was made of:
    runtime       node18
    contents      12 functions, 4 assets
    dependencies  @twilio/runtime-handler 1.3.0, lodash 4.17.21, twilio 4.23.0
    created       2026-11-24 14:02:11 UTC, failed after 36s"""
    assert lines[1 : len(reported.splitlines()) + 1] == reported.splitlines()
    assert lines[8:] == [
        "  Compare with your last completed build.",
        "  To ask Twilio's support, give them the Build SID and the request ID",
        f"  RQ{'d4' * 16}.",
    ]


@pytest.mark.parametrize(
    ("options", "more", "first"),
    [
        (["--progress", "plain"], {"GITHUB_ACTIONS": "true"}, "::error title=twbuild::no"),
        ([], {"CI": "true"}, "twbuild: error: no credentials found"),
        (
            ["--progress", "live"],
            {"CI": "true", "GITHUB_ACTIONS": "true"},
            "error: no credentials found",
        ),
    ],
)
def test_an_error_is_reported_as_progress_would_have_been(
    base: dict[str, str], options: list[str], more: dict[str, str], first: str
) -> None:
    terminal = Xterm(wait(*options), {**base, "TERM": "xterm", **more})
    with terminal:
        assert terminal.end() == 4
    assert terminal.lines[0].startswith(first)
    assert (b"\x1b[" in terminal.raw) == (first.startswith("error"))


def test_a_background_job_in_a_namespace_draws_no_rows(
    twilio: Twilio, environ: dict[str, str]
) -> None:
    """A job in the background of a namespace without its group draws no rows."""
    twilio.says("building", 503, "completed")
    apart = f"unshare {'' if os.geteuid() == 0 else '-r'} -pf --mount-proc {shlex.join(wait())}"
    with Xterm(["bash", "-c", f"set -m; {apart} & wait $!"], environ) as terminal:
        assert terminal.end() == 0
    assert HIDE_CURSOR not in terminal.raw
    assert "HTTP 503, retrying in" in terminal.text
    assert "ready to deploy" in terminal.text


@pytest.mark.parametrize("columns", [20, 40, 60, 100])
def test_no_line_on_a_live_screen_is_a_ci_command(
    twilio: Twilio, environ: dict[str, str], columns: int
) -> None:
    twilio.says("failed")
    names = [{"name": f"::error::{number}", "version": "::notice::x"} for number in range(9)]
    twilio.describes({"dependencies": names, "runtime": "::stop-commands::x"})
    on_github = {**environ, "GITHUB_ACTIONS": "true", "NO_COLOR": "1"}
    with Xterm([*wait("--progress", "live"), OTHER_BUILD], on_github, columns, 200) as terminal:
        twilio.says(error(401, "no " + "::add-mask::x +++ ~~~ --- " * 9), build=OTHER_BUILD)
        assert terminal.end() == 1

    assert "stop-commands" in terminal.text
    assert "add-mask" in terminal.text
    lines = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", terminal.raw).splitlines()
    assert not [line for line in lines if line.strip().startswith(b"::")]
    assert not [line for line in lines if line.startswith((b"+++", b"~~~", b"---"))]


def test_quiet_shows_the_result_alone(twilio: Twilio, environ: dict[str, str]) -> None:
    terminal = shown(twilio, wait("-q"), environ)

    assert len(terminal.lines) == 1
    assert HIDE_CURSOR not in terminal.raw


def test_a_crash_gives_the_cursor_back_and_tells_no_secret(
    twilio: Twilio, environ: dict[str, str], tmp_path: Path
) -> None:
    twilio.says("building")
    terminal = Xterm(wait(), {**environ, "PYTHONPATH": shim(tmp_path, CRASH)})
    with terminal:
        assert terminal.end() == 70
    assert HIDE_CURSOR in terminal.raw
    assert not terminal.cursor_hidden
    assert re.fullmatch("error: a bug in twbuild .*: LookupError", terminal.lines[1])
    assert "Please report it" in terminal.lines[2]
    assert len(terminal.lines) == 3
    assert TOKEN.encode() not in terminal.raw


def test_a_hundred_builds_never_outgrow_the_window(twilio: Twilio, environ: dict[str, str]) -> None:
    for sid in SIDS:
        twilio.says("building", build=sid)
    script = f"seq 30; exec {TWBUILD} wait -i 2s {SERVICE} {' '.join(SIDS)}"
    terminal = Xterm(["sh", "-c", script], environ, 80, 24)
    with terminal:
        terminal.see("0 of 100")
        terminal.see_that(lambda: terminal.text.count(" building ") == 22, "22 rows")
        history = len(terminal.everything)
        for sid in SIDS[:60]:
            twilio.says("completed", build=sid)
        terminal.see("60 of 100")
        terminal.see_that(lambda: terminal.text.count(" building ") == 22, "22 rows")
        assert len(terminal.everything) == history, "no frame made the screen scroll"

        for sid in SIDS[60:90]:
            twilio.says("completed", build=sid)
        terminal.see("90 of 100")
        terminal.see_that(lambda: terminal.text.count(" building ") == 10, "10 rows alone")

        for sid in SIDS[90:]:
            twilio.says("completed", build=sid)
        assert terminal.end() == 0
        *numbers, note = terminal.everything[:31]
        assert [*map(int, numbers)] == [*range(1, 31)]
        assert note == asking(twilio)
        *reported, summary = terminal.everything[31:]
        assert summary.startswith("100 builds: 100 completed (waited ")
        assert [line[: 13 + 34] for line in reported] == [f"✓ completed  {sid}" for sid in SIDS]
        assert not terminal.cursor_hidden


@pytest.mark.parametrize(("rows", "builds_shown"), [(3, 1), (2, 0), (1, 0)])
def test_a_low_window_shows_builds_that_fit_and_a_count(
    twilio: Twilio, environ: dict[str, str], rows: int, builds_shown: int
) -> None:
    for sid in SIDS[:3]:
        twilio.says("building", build=sid)
    terminal = Xterm([TWBUILD, "wait", "-i", "200ms", SERVICE, *SIDS[:3]], environ, 80, rows)
    with terminal:
        terminal.see("0 of 3")
        terminal.see_that(lambda: terminal.text.count(" building ") == builds_shown, "its builds")

        terminal.resize(80, 10)
        terminal.see_that(lambda: terminal.text.count(" building ") == 3, "all builds")
        terminal.see_that(lambda: terminal.lines[-1] == "  0 of 3 finished; time limit 10m", "all")
        for sid in SIDS[:3]:
            twilio.says("completed", build=sid)
        assert terminal.end() == 0
        assert terminal.text.count("ready to deploy") == 3


def test_a_terminal_that_was_not_read_is_whole_again(
    twilio: Twilio, environ: dict[str, str]
) -> None:
    sids = SIDS[:45]
    for sid in sids:
        twilio.says("building", build=sid)
    terminal = Xterm([TWBUILD, "wait", "-i", "2s", SERVICE, *sids], environ, 90, 40)
    with terminal:
        terminal.see_that(lambda: terminal.text.count(" building ") == 38, "38 rows")
        time.sleep(4)  # more frames than the kernel keeps for a terminal
        for sid in sids:
            twilio.says("completed", build=sid)
        assert terminal.end() == 0
        assert terminal.everything[0] == asking(twilio)
        *reported, summary = terminal.everything[1:]
        assert summary.startswith("45 builds: 45 completed (waited ")
        assert [line[: 13 + 34] for line in reported] == [f"✓ completed  {sid}" for sid in sids]
