"""Signals and job control: the last words, the terminal as before, and a death that shells see."""

from __future__ import annotations

import json
import os
import resource
import select
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.command import BUILD, OTHER_BUILD, SERVICE, WAIT
from tests.support.moments import disk_full, fill, until, until_more
from tests.support.run import Ended, finish, start_words
from tests.support.terminal import Shell
from tests.support.twilio import Twilio, held
from twbuild.output.live import ERASE

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]
resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
Begin = Callable[[Twilio], subprocess.Popen[str]]
ONE = ("wait", SERVICE, BUILD)
TYPED = f"twbuild {shlex.join(WAIT)}"
RESUME = f"To wait again:\ntwbuild:     twbuild wait {SERVICE} {BUILD}\n"

# Sends the process a signal when it asks for its MOMENT-th module after `signal`.
AT_AN_IMPORT = """
import os, sys
seen = []
def hook(event, args):
    if event == "import" and "twbuild.signals" in sys.modules:
        if "signal" in sys.modules:
            seen.append(args[0])
            if len(seen) == int(os.environ["MOMENT"]):
                os.kill(os.getpid(), int(os.environ["SIGNAL"]))
sys.addaudithook(hook)
"""

# Sends the process a signal at the MOMENT-th line that it runs after its first answer has come.
AFTER_THE_ANSWER = """
import os, sys
from twbuild.watch.runner import Runner
left = int(os.environ["MOMENT"])
def trace(frame, event, arg):
    global left
    left -= 1
    if left == 0:
        sys.settrace(None)
        os.kill(os.getpid(), int(os.environ["SIGNAL"]))
    return trace if left > 0 else None
wait = Runner._wait
def _wait(self, seconds):
    wait(self, seconds)
    frame = sys._getframe(0)
    if self._results:
        sys.settrace(trace)
    while self._results and frame:
        frame.f_trace = trace
        frame = frame.f_back
Runner._wait = _wait
"""


def ended_by(process: subprocess.Popen[str], *signums: int) -> Ended:
    """How a process ends that gets these signals."""
    for signum in signums:
        process.send_signal(signum)
    return finish(process)


def in_a_sleep(twilio: Twilio) -> subprocess.Popen[str]:
    twilio.says("building")
    process = twilio.start("wait", "-i", "1h", SERVICE, BUILD)
    assert process.stderr
    while "building" not in process.stderr.readline():
        pass
    return process


def in_a_request(twilio: Twilio) -> subprocess.Popen[str]:
    twilio.says(held(threading.Event(), seconds=20))
    process = twilio.start(*ONE)
    until_more(twilio.polls, 1)
    return process


@pytest.mark.parametrize("begin", [in_a_sleep, in_a_request])
def test_a_signal_ends_it_within_a_moment_with_last_words(twilio: Twilio, begin: Begin) -> None:
    seconds = []
    for signum in SIGNALS:
        ended = ended_by(begin(twilio), signum)
        seconds.append(ended.seconds)

        assert (ended.code, ended.stdout) == (-signum, "")
        assert "interrupted after" in ended.stderr
        known = "continues at the API" if begin == in_a_sleep else "is unknown"
        assert f"{known}. {RESUME}" in ended.stderr
        assert ended.stderr.endswith(RESUME)
        assert ended.is_plain
    assert min(seconds) < 0.2  # the best of several: the machine may be busy with others


def test_more_signals_do_not_cut_the_last_words_short(twilio: Twilio) -> None:
    """Every build has its JSON, and those that are not over are resumed."""
    twilio.says("completed")
    twilio.says("building", build=OTHER_BUILD)
    process = twilio.start(*ONE, OTHER_BUILD, "--json")
    assert process.stdout
    first = process.stdout.readline()
    until(lambda: len(twilio.polls(OTHER_BUILD)) > 1, "a second poll")
    ended = ended_by(process, *SIGNALS)

    # Which of two pending signals a process sees first is the kernel's to say.
    assert -ended.code in SIGNALS
    found = {o["sid"]: o["outcome"] for o in map(json.loads, [first, *ended.stdout.splitlines()])}
    assert found == {BUILD: "completed", OTHER_BUILD: "interrupted"}
    assert ended.stderr.count(". To wait again:") == 1
    assert ended.stderr.endswith(f"    twbuild wait {SERVICE} {OTHER_BUILD}\n")


@pytest.fixture
def unread() -> Iterator[tuple[int, int]]:
    """Both ends of a full pipe that is not read."""
    read_end, write_end = os.pipe()
    fill(write_end)
    yield read_end, write_end
    os.close(read_end)
    os.close(write_end)


@pytest.mark.parametrize(
    ("status", "options", "code", "said"),
    [
        ("building", ["--json"], -signal.SIGTERM, RESUME),
        ("completed", [], -signal.SIGTERM, " completed "),
        ("building", ["--json", "-t", "1s"], 124, RESUME),
        ("completed", ["-t", "1s"], 3, "could not write the result to stdout: nothing reads it\n"),
    ],
)
def test_an_unread_stdout_delays_signal_and_deadline_by_1_second(
    twilio: Twilio,
    unread: tuple[int, int],
    status: str,
    options: list[str],
    code: int,
    said: str,
) -> None:
    twilio.says(status)
    process = twilio.start(*ONE, *options, stdout=unread[1])
    until(twilio.polls, "a poll")
    time.sleep(0.5)
    ended = ended_by(process, *[signal.SIGTERM] * (code < 0))

    assert ended.code == code
    assert said in ended.stderr
    assert 0.9 < ended.seconds < 3


def test_a_signal_acts_after_the_result_that_waits(twilio: Twilio, unread: tuple[int, int]) -> None:
    read_end, write_end = unread
    twilio.says({"status": "completed", "url": "x" * 6000})  # more than one page of the pipe
    process = twilio.start(*ONE, "--json", stdout=write_end)
    until(twilio.polls, "a poll")
    time.sleep(0.5)
    found = os.read(read_end, 4096)  # the first part fits
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    while process.poll() is None or select.select([read_end], [], [], 0)[0]:
        if select.select([read_end], [], [], 0.05)[0]:
            found += os.read(read_end, 1 << 16)

    assert finish(process).code == -signal.SIGINT
    (reported,) = found.lstrip(b"x").splitlines()
    assert json.loads(reported)["outcome"] == "completed"


@pytest.mark.measured
@pytest.mark.parametrize("options", [[], ["--json"]], ids=["word", "json"])
def test_a_reached_verdict_is_reported_whatever_moment_a_signal_comes(
    twilio: Twilio, options: list[str]
) -> None:
    twilio.says("completed")
    moments = [*range(1, 24, 7), *range(25, 200, 60), *range(200, 900, 180)]
    codes = set()
    for number, moment in enumerate(moments):
        signum = SIGNALS[number % 4]
        env = {"MOMENT": str(moment), "SIGNAL": str(int(signum))}
        ended = twilio.run(*ONE, *options, env=env, first=AFTER_THE_ANSWER)
        reported = json.loads(ended.stdout)["outcome"] if options else ended.stdout.strip()

        assert reported == "completed", (moment, ended)
        assert ended.code in (0, -signum), moment
        codes.add(ended.code)
    assert len(codes) > 3, "the moments reach from before the verdict to the end"


@pytest.mark.measured
def test_a_signal_during_start_up_ends_it_without_a_traceback(twilio: Twilio) -> None:
    twilio.says("building")
    for number, moment in enumerate([1, 2, 5, 13, 34, 80, 140, 240]):
        signum = SIGNALS[number % 4] if number > 1 else signal.SIGINT
        env = {"MOMENT": str(moment), "SIGNAL": str(int(signum))}
        ended = twilio.run(*ONE, "-t", "2s", env=env, first=AT_AN_IMPORT)

        assert (ended.code, ended.stdout) == (-signum, ""), (moment, ended)
        assert ended.is_plain, moment


def test_ctrl_c_stops_the_script_around_it_too(twilio: Twilio) -> None:
    twilio.says("building")
    with twilio.terminal(script=f"{TYPED}; echo the script went on") as terminal:
        terminal.see("building")
        terminal.type("\x03")

        assert terminal.end() == -signal.SIGINT
        assert "went on" not in terminal.text
        assert f"twbuild wait {SERVICE} {BUILD}" in terminal.text


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGQUIT, signal.SIGALRM])
def test_the_screen_is_gone_before_the_last_words(twilio: Twilio, signum: int) -> None:
    twilio.says("building")
    with twilio.terminal(*ONE, columns=120) as terminal:
        terminal.see("building")
        until(lambda: terminal.read(0.1) and terminal.cursor_hidden, "a frame")
        os.kill(terminal.pid, signum)

        assert terminal.end() == -signum
        assert not terminal.cursor_hidden
        assert terminal.lines[1].startswith("! building ")
        assert terminal.lines[2:] == [
            "  The build continues at the API. To wait again:",
            f"    twbuild wait {SERVICE} {BUILD}",
        ]


@pytest.mark.parametrize(("ignoring", "code"), [("", -signal.SIGHUP), ("trap '' HUP;", 0)])
def test_a_terminal_taken_away_hangs_it_up(twilio: Twilio, ignoring: str, code: int) -> None:
    twilio.says("building")
    with twilio.terminal(script=f"{ignoring} exec {TYPED}") as window:
        window.see("building")
        window.close()
        if ignoring:
            until_more(twilio.polls, 1)
            twilio.says("completed")

        assert window.end_unread() == code


def test_an_interrupt_counts_more_than_a_full_disk(twilio: Twilio) -> None:
    twilio.says("building")
    with disk_full() as full:
        process = twilio.start(*ONE, "--json", stdout=full)
    until(twilio.polls, "a poll")

    ended = ended_by(process, signal.SIGINT)
    assert ended.code == -signal.SIGINT
    assert ended.stderr.endswith(RESUME)


def test_ctrl_z_gives_the_terminal_away_and_fg_takes_it(twilio: Twilio) -> None:
    twilio.says("building")
    with Shell(twilio.environ) as shell:
        modes = shell.modes()
        shell.type(f"clear; {TYPED}\r")
        shell.see("building ")
        shell.see_frames()

        shell.type("\x1a")
        shell.see("Stopped")
        shell.see_prompt()
        assert not shell.cursor_hidden
        assert " building " not in shell.text

        time.sleep(0.5)  # longer than a frame: what was to happen meanwhile is late by now
        shell.type("fg\r")
        shell.see_frames(3)
        assert shell.text.count(" building ") == 1

        shell.type("\x1a")
        shell.see("Stopped", 2)
        shell.type("clear; bg\r")
        shell.see("&")
        for _ in range(2):
            written = len(shell.raw)
            until_more(twilio.polls, 3)
            shell.read(0.05)
        assert len(shell.raw) == written, "a job in the background draws nothing"
        assert not shell.cursor_hidden

        shell.type("fg\r")
        shell.see_frames()
        shell.type("\x03")
        shell.see("To wait again")
        shell.see_prompt()
        assert not shell.cursor_hidden
        assert shell.text.count(" building ") == shell.text.count("! building ")

        shell.type("echo code $?\r")
        shell.see("code 130")
        assert shell.modes() == modes


@pytest.mark.parametrize("around", ["timeout 60", "timeout --foreground 60"])
def test_a_job_that_may_not_draw_writes_its_lines(twilio: Twilio, around: str) -> None:
    twilio.says("building", 503, "completed")
    with twilio.terminal(script=f"{around} {TYPED} -v; exit $?", columns=200) as terminal:
        assert terminal.end() == 0

    background = "foreground" not in around
    assert (not terminal.frames) is background
    assert terminal.text.count("GET ") == 4  # one for earlier builds
    assert ("HTTP 503, retrying in " in terminal.text) is background
    assert terminal.text.count("ready to deploy") == 1
    assert not terminal.cursor_hidden


def test_a_row_erased_by_a_stop_is_not_erased_again(twilio: Twilio) -> None:
    twilio.says("building")
    with Shell(twilio.environ) as shell:
        shell.type(f"clear; {TYPED}\r")
        shell.see(" building ")
        shell.type("\x1a")
        shell.see("Stopped")
        before = len(shell.raw)
        shell.type("bg\r")
        twilio.says("completed")
        shell.see("ready to deploy")
        shell.type("wait; echo over\r")
        shell.see("\nover")

        assert ERASE.encode() not in shell.raw[before:], "what stands there is the shell's"
        assert shell.text.count("ready to deploy") == 1


def test_no_core_file_is_left_whose_memory_has_the_token(twilio: Twilio, tmp_path: Path) -> None:
    twilio.says("building")
    folder = tmp_path / "folder"
    folder.mkdir()
    words = ["bash", "-c", f'ulimit -S -c "$(ulimit -H -c)"; exec {TYPED}']
    process = start_words(words, env=twilio.environ, cwd=folder)
    assert process.stderr
    while "building  ZB" not in process.stderr.readline():
        pass
    if sys.platform == "linux":  # where files are not the only way
        soft, hard = resource.prlimit(process.pid, resource.RLIMIT_CORE)
        assert soft == (hard != 0)

    assert ended_by(process, signal.SIGQUIT).code == -signal.SIGQUIT
    assert os.listdir(folder) == []
