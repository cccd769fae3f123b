"""Signals and job control: the last words, the terminal as before, and a death that shells see."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from werkzeug import Request, Response

from tests.support.command import BUILD, OTHER_BUILD, SERVICE, TWBUILD, run, run_words, start
from tests.support.moments import disk_full, fill, until, until_more
from tests.support.shim import shim
from tests.support.sockets import Connection, Server, http
from tests.support.terminal import Terminal
from tests.support.twilio import Twilio, reply, status_body
from twbuild.output.live import ERASE

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]
resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
AT_ONCE = 0.2
ON_ANY_MACHINE = 10.0  # far from the minutes that a hanging request or an hour's interval takes

RESUME = f"To wait again:\ntwbuild:     twbuild wait {SERVICE} {BUILD}\n"

DNS_HANGS = """
import os, socket, time
def hang(*_, **__):
    open(os.environ["LOOKING_UP"], "w").close()
    time.sleep(60)
socket.getaddrinfo = hang
"""

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


@pytest.fixture
def held() -> Iterator[Callable[[Request], Response]]:
    """An answer that does not come until the test is over."""
    finished = threading.Event()

    def hold(_: Request) -> Response:
        finished.wait(60)
        return reply(status_body())

    yield hold
    finished.set()


Place = Callable[[], subprocess.Popen[str]]


@pytest.fixture(params=["a sleep", "a request that hangs", "a look-up that hangs"])
def waiting(
    request: pytest.FixtureRequest,
    twilio: Twilio,
    environ: dict[str, str],
    held: Callable[[Request], Response],
    tmp_path: Path,
) -> Place:
    """Starts a wait, and returns once it is where it is to be."""

    def in_a_sleep() -> subprocess.Popen[str]:
        twilio.says("building")
        process = start("wait", "-i", "1h", SERVICE, BUILD, env=environ)
        assert process.stderr
        while "building" not in process.stderr.readline():
            pass
        return process

    def in_a_request() -> subprocess.Popen[str]:
        twilio.says(held)
        process = start("wait", SERVICE, BUILD, env=environ)
        until_more(twilio.polls, 1)
        return process

    def in_a_look_up() -> subprocess.Popen[str]:
        marker = tmp_path / f"marker-{time.monotonic_ns()}"
        path = tmp_path / "shim"
        more = {
            "PYTHONPATH": str(path) if path.exists() else shim(tmp_path, DNS_HANGS),
            "LOOKING_UP": str(marker),
            "TWBUILD_API_URL": "https://api.example.test",
        }
        process = start("wait", SERVICE, BUILD, env={**environ, **more})
        until(marker.exists, "a look-up")
        return process

    places = {
        "a sleep": in_a_sleep,
        "a request that hangs": in_a_request,
        "a look-up that hangs": in_a_look_up,
    }
    return places[request.param]


def test_a_signal_ends_it_within_a_moment_with_last_words(waiting: Place) -> None:
    seconds = []
    for signum in SIGNALS:
        process = waiting()
        since = time.monotonic()
        process.send_signal(signum)
        stdout, stderr = process.communicate(timeout=ON_ANY_MACHINE)
        seconds.append(time.monotonic() - since)

        assert (process.returncode, stdout) == (-signum, "")
        assert "interrupted after" in stderr
        known = "! building " in stderr
        state = "The build continues at the API" if known else "The state of the build is unknown"
        assert f"{state}. To wait again:" in stderr
        assert stderr.endswith(RESUME)
        assert all(line.startswith("twbuild: ") for line in stderr.splitlines())
    assert min(seconds) < AT_ONCE  # the best of several: the machine may be busy with others


def test_more_signals_do_not_cut_the_last_words_short(
    twilio: Twilio, environ: dict[str, str]
) -> None:
    twilio.says("building")
    for together in (SIGNALS[:2], SIGNALS):
        process = start("wait", "--json", SERVICE, BUILD, env=environ)
        until_more(twilio.polls, 1)
        for signum in together:
            process.send_signal(signum)
        stdout, stderr = process.communicate(timeout=ON_ANY_MACHINE)

        # Which of two pending signals a process sees first is the kernel's to say.
        assert -process.returncode in SIGNALS
        assert json.loads(stdout)["outcome"] == "interrupted"
        assert stderr.count(". To wait again:") == 1
        assert stderr.endswith(RESUME)


@pytest.fixture
def unread() -> Iterator[tuple[int, int]]:
    """Both ends of a full pipe that is not read."""
    read_end, write_end = os.pipe()
    fill(write_end)
    yield read_end, write_end
    os.close(read_end)
    os.close(write_end)


@pytest.mark.parametrize(("status", "words"), [("building", ["--json"]), ("completed", [])])
def test_an_unread_stdout_delays_a_signal_by_1_second(
    twilio: Twilio,
    environ: dict[str, str],
    unread: tuple[int, int],
    status: str,
    words: list[str],
) -> None:
    """A stdout that is not read holds a signal's end up for a second at most."""
    twilio.says(status)
    process = start("wait", *words, SERVICE, BUILD, env=environ, stdout=unread[1])
    until(twilio.polls, "a poll")
    time.sleep(0.5)
    since = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=ON_ANY_MACHINE)

    assert process.returncode == -signal.SIGTERM
    assert 0.9 < time.monotonic() - since < 3
    assert (" completed " if status == "completed" else RESUME) in stderr


def test_an_unread_stdout_delays_the_deadline_by_1_second(
    twilio: Twilio, environ: dict[str, str], unread: tuple[int, int]
) -> None:
    """A stdout that is not read holds the deadline's end up for a second at most."""
    twilio.says("building")
    late = run("wait", "--json", "-t", "1s", SERVICE, BUILD, env=environ, stdout=unread[1])
    twilio.says("completed")
    unwritten = run("wait", "-t", "1s", SERVICE, BUILD, env=environ, stdout=unread[1])

    assert late.code == 124
    assert late.stderr.endswith(RESUME)
    assert unwritten.code == 3
    assert "could not write the result to stdout: nothing reads it" in unwritten.stderr
    assert max(late.seconds, unwritten.seconds) < 5


def test_a_signal_acts_after_the_result_that_is_waiting(
    twilio: Twilio, environ: dict[str, str], unread: tuple[int, int]
) -> None:
    read_end, write_end = unread
    twilio.says({"status": "completed", "url": "x" * 6000})  # more than one page of the pipe
    process = start("wait", "--json", SERVICE, BUILD, env=environ, stdout=write_end)
    until(twilio.polls, "a poll")
    time.sleep(0.5)
    found = os.read(read_end, 4096)  # the first part fits
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    while process.poll() is None or select.select([read_end], [], [], 0)[0]:
        if select.select([read_end], [], [], 0.05)[0]:
            found += os.read(read_end, 1 << 16)
    process.communicate()

    assert process.returncode == -signal.SIGINT
    (reported,) = found.lstrip(b"x").splitlines()
    assert json.loads(reported)["outcome"] == "completed"


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


@pytest.mark.measured
@pytest.mark.parametrize("options", [[], ["--json"]], ids=["word", "json"])
def test_a_reached_verdict_is_reported_whatever_moment_a_signal_comes(
    twilio: Twilio, environ: dict[str, str], options: list[str]
) -> None:
    """A verdict that was reached is reported at whatever moment a signal comes."""
    twilio.says("completed")
    moments = [*range(1, 24, 5), *range(25, 200, 35), *range(200, 900, 100)]
    codes = set()
    for number, moment in enumerate(moments):
        signum = SIGNALS[number % 4]
        ended = run(
            "wait", *options, SERVICE, BUILD,
            env={**environ, "MOMENT": str(moment), "SIGNAL": str(int(signum))},
            first=AFTER_THE_ANSWER,
        )  # fmt: skip
        reported = json.loads(ended.stdout)["outcome"] if options else ended.stdout.strip()

        assert reported == "completed", (moment, ended)
        assert ended.code in (0, -signum), moment
        codes.add(ended.code)
    assert len(codes) > 3, "the moments reach from before the verdict to the end"


@pytest.mark.measured
def test_a_signal_during_start_up_ends_it_without_a_traceback(
    twilio: Twilio, environ: dict[str, str], tmp_path: Path
) -> None:
    twilio.says("building")
    env = {**environ, "PYTHONPATH": shim(tmp_path, AT_AN_IMPORT)}
    moments = [1, 2, 5, 13, 34, 80, 140, 240]
    for number, moment in enumerate(moments):
        signum = SIGNALS[number % 4] if number > 1 else signal.SIGINT
        ended = run(
            "wait", "-t", "2s", SERVICE, BUILD,
            env={**env, "MOMENT": str(moment), "SIGNAL": str(int(signum))},
        )  # fmt: skip

        assert (ended.code, ended.stdout) == (-signum, ""), (moment, ended)
        assert all(line.startswith("twbuild: ") for line in ended.stderr.splitlines()), moment


def test_signals_that_were_ignored_at_the_start_stay_ignored(
    twilio: Twilio, environ: dict[str, str]
) -> None:
    twilio.says("building")
    script = f'trap "" INT TERM HUP QUIT; exec twbuild wait -i 200ms {SERVICE} {BUILD}'
    process = subprocess.Popen(
        ["sh", "-c", script], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until(twilio.polls, "a poll")
    for signum in SIGNALS:
        process.send_signal(signum)
    until_more(twilio.polls, 2)
    twilio.says("completed")

    stdout, _ = process.communicate(timeout=ON_ANY_MACHINE)
    assert (process.returncode, stdout) == (0, "completed\n")


def test_a_job_of_a_script_ignores_ctrl_c(twilio: Twilio, environ: dict[str, str]) -> None:
    """A job of a script ignores Ctrl-C and shows its shell which signal ended it."""
    twilio.says("building")
    for signum in (signal.SIGTERM, signal.SIGHUP):
        script = f"""twbuild wait -q {SERVICE} {BUILD} & echo $!; read line
            kill -INT $!; sleep 0.3; kill -{int(signum)} $!; wait $!; echo $?"""
        process = subprocess.Popen(
            ["bash", "-c", script],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        until_more(twilio.polls, 1)
        stdout, _ = process.communicate("\n", timeout=ON_ANY_MACHINE)

        assert stdout.split()[1:] == [str(128 + signum)]


def test_ctrl_c_stops_the_script_around_it_too(twilio: Twilio, environ: dict[str, str]) -> None:
    twilio.says("building")
    script = f"twbuild wait {SERVICE} {BUILD}; echo the script went on"
    with Terminal(["bash", "-c", script], {**environ, "TERM": "xterm"}, columns=120) as terminal:
        terminal.see("building")
        terminal.type("\x03")

        assert terminal.end() == -signal.SIGINT
        assert "went on" not in terminal.text
        assert f"twbuild wait {SERVICE} {BUILD}" in terminal.text


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGQUIT, signal.SIGALRM])
def test_the_screen_is_gone_before_the_last_words(
    twilio: Twilio, environ: dict[str, str], signum: int
) -> None:
    twilio.says("building")
    words = [TWBUILD, "wait", SERVICE, BUILD]
    with Terminal(words, {**environ, "TERM": "xterm"}, columns=120) as terminal:
        terminal.see("building")
        until(lambda: terminal.read(0.1) and terminal.cursor_hidden, "a frame")
        os.kill(terminal.pid, signum)

        assert terminal.end() == -signum
        assert not terminal.cursor_hidden
        assert terminal.lines[1:] == [
            *[line for line in terminal.lines if line.startswith("! building ")],
            "  The build continues at the API. To wait again:",
            f"    twbuild wait {SERVICE} {BUILD}",
        ]
        assert len(terminal.lines) == 4


class Window(Terminal):
    """A terminal that can be taken away."""

    def close(self) -> None:
        """Close the window, as a terminal emulator does; nothing more can be read or typed."""
        os.close(self._master)
        self._master = os.open(os.devnull, os.O_RDWR)

    def wait(self, seconds: float = ON_ANY_MACHINE) -> int:
        """The code of the command, once it has ended."""
        until(self._ended, "the end", seconds)
        assert self.code is not None
        return self.code

    def _ended(self) -> bool:
        self._reap()
        return self.code is not None


@pytest.mark.parametrize(("ignoring", "code"), [("", -signal.SIGHUP), ("trap '' HUP;", 0)])
def test_a_terminal_that_is_taken_away_hangs_it_up(
    twilio: Twilio, environ: dict[str, str], ignoring: str, code: int
) -> None:
    twilio.says("building")
    script = f"{ignoring} exec twbuild wait -i 200ms {SERVICE} {BUILD}"
    window = Window(["sh", "-c", script], {**environ, "TERM": "xterm"})
    with window:
        window.see("building")
        window.close()
        if ignoring:
            until_more(twilio.polls, 1)
            twilio.says("completed")

        assert window.wait() == code


def test_an_interrupt_has_json_of_every_build(twilio: Twilio, environ: dict[str, str]) -> None:
    """An interrupt tells JSON of every build and resumes those not over."""
    twilio.says("completed")
    twilio.says("building", build=OTHER_BUILD)
    words = ["wait", "--json", "-p", "dev stage"]
    profile = {"accountSid": "AC" + "b2" * 16, "apiKey": "SK" + "c3" * 16, "apiSecret": "x" * 32}
    folder = Path(environ["HOME"]) / ".twilio-cli"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"profiles": {"dev stage": profile}}))
    process = start(*words, SERVICE, BUILD, OTHER_BUILD, env=environ)
    assert process.stdout
    first = process.stdout.readline()
    until(lambda: len(twilio.polls(OTHER_BUILD)) > 1, "a second poll")
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=ON_ANY_MACHINE)

    reported = {o["sid"]: o["outcome"] for o in map(json.loads, [first, *stdout.splitlines()])}
    assert reported == {BUILD: "completed", OTHER_BUILD: "interrupted"}
    assert stderr.endswith(f"    twbuild wait -p 'dev stage' {SERVICE} {OTHER_BUILD}\n")


def test_an_interrupt_counts_more_than_a_full_disk(twilio: Twilio, environ: dict[str, str]) -> None:
    twilio.says("building")
    with disk_full() as full:
        process = start("wait", "--json", SERVICE, BUILD, env=environ, stdout=full)
    until(twilio.polls, "a poll")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=ON_ANY_MACHINE)

    assert process.returncode == -signal.SIGINT


class Shell(Terminal):
    """An interactive bash."""

    def __init__(self, env: dict[str, str]) -> None:
        more = {"TERM": "xterm", "PS1": "$ ", "INPUTRC": os.devnull}
        super().__init__(["bash", "--norc", "--noprofile", "-i"], {**env, **more}, columns=140)
        self.see("$")

    def frames(self, count: int) -> None:
        """Read as long as it takes to see so many frames."""
        end, seen = time.monotonic() + 20, self.raw.count(b"\x1b[?25l")
        while self.raw.count(b"\x1b[?25l") < seen + count:
            assert time.monotonic() < end, f"no frame came; the screen:\n{self.text}"
            self.read(0.1)

    def calm(self, polls: Callable[[], int], count: int) -> bytes:
        """What is written while so many polls are made."""
        before, seen = polls(), len(self.raw)
        while polls() < before + count:
            self.read(0.05)
        return self.raw[seen:]

    def modes(self) -> str:
        """What `stty` says of the terminal."""
        self.type("clear; stty -g\r")
        self.see_that(lambda: len(self.lines) > 1 and ":" in self.lines[0], "the modes")
        return self.lines[0]


def test_ctrl_z_gives_the_terminal_away_and_fg_takes_it(
    twilio: Twilio, environ: dict[str, str]
) -> None:
    twilio.says("building")
    shell = Shell(environ)
    with shell:
        modes = shell.modes()
        shell.type(f"clear; twbuild wait -i 200ms {SERVICE} {BUILD}\r")
        shell.see("building ")
        shell.frames(2)

        shell.type("\x1a")
        shell.see("Stopped")
        shell.see_that(lambda: shell.lines[-1] == "$", "a prompt")
        assert not shell.cursor_hidden
        assert not [line for line in shell.lines if " building " in line]

        time.sleep(0.5)  # longer than a frame: what was to happen meanwhile is late by now
        shell.type("fg\r")
        shell.frames(3)
        assert len([line for line in shell.lines if " building " in line]) == 1

        shell.type("\x1a")
        shell.see_that(lambda: shell.text.count("Stopped") == 2, "Stopped again")
        shell.type("clear; bg\r")
        shell.see("&")
        shell.calm(lambda: len(twilio.polls()), 2)
        quiet = shell.calm(lambda: len(twilio.polls()), 3)
        assert quiet == b"", "a job in the background draws nothing"
        assert not shell.cursor_hidden

        shell.type("fg\r")
        shell.frames(2)
        shell.type("\x03")
        shell.see("To wait again")
        shell.see_that(lambda: shell.lines[-1] == "$", "a prompt")
        assert not shell.cursor_hidden
        assert not [line for line in shell.lines if " building " in line and "!" not in line]

        shell.type("echo code $?\r")
        shell.see("code 130")
        assert shell.modes() == modes


def test_an_answer_that_came_before_the_signal_is_reported(
    environ: dict[str, str],
) -> None:
    """An answer that came before the signal is reported although stdout was full then."""

    def complete(connection: Connection) -> None:
        sid = connection.request().split(b"/")[5].decode()
        body = json.dumps(status_body(sid, "completed")).encode()
        connection.send(http(body, "200 OK", "Connection: close"))
        connection.stay_silent()

    read_end, write_end = os.pipe()
    fill(write_end)
    with Server(complete) as server:
        env = {**environ, "TWBUILD_API_URL": server.url}
        process = start("wait", "-q", SERVICE, BUILD, OTHER_BUILD, env=env, stdout=write_end)
        os.close(write_end)
        until(lambda: server.accepted == 2 and not server.open_now, "both answers were read")
        time.sleep(0.5)  # for the request's thread, which has them, to hand them on
        process.terminate()
        with open(read_end, encoding="ascii") as reader:
            reported = reader.read().lstrip("x")
        _, said = process.communicate(timeout=30)

    assert sorted(reported.splitlines()) == [f"{BUILD} completed", f"{OTHER_BUILD} completed"]
    assert (process.returncode, said) == (-signal.SIGTERM, "")


STOPS_AT_A_WRITE = """
import os, signal
write, seen = os.write, []
def stop_around(descriptor, content):
    if b"\\x1b[?25l" in content:
        seen.append(content)
    moment = os.environ["MOMENT"] if len(seen) == 3 else None
    seen.extend([b""] if moment else [])
    if moment == "before":
        os.kill(os.getpid(), signal.SIGTSTP)
    written = write(descriptor, content)
    if moment == "after":
        os.kill(os.getpid(), signal.SIGTSTP)
    return written
os.write = stop_around
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_stop_right_beside_a_frame_leaves_no_cursor_hidden(
    twilio: Twilio, environ: dict[str, str], tmp_path: Path, moment: str
) -> None:
    twilio.says("building")
    env = {**environ, "PYTHONPATH": shim(tmp_path, STOPS_AT_A_WRITE), "MOMENT": moment}
    shell = Shell(env)
    with shell:
        shell.type(f"clear; twbuild wait -i 200ms {SERVICE} {BUILD}\r")
        shell.see("Stopped")
        shell.see_that(lambda: shell.lines[-1] == "$", "a prompt")

        assert not shell.cursor_hidden
        assert not [line for line in shell.lines if " building " in line]


@pytest.mark.parametrize("around", ["timeout 60", "timeout --foreground 60"])
def test_a_job_that_may_not_draw_writes_its_lines(
    twilio: Twilio, environ: dict[str, str], around: str
) -> None:
    twilio.says("building", 503, "completed")
    script = f"{around} twbuild wait -v -i 200ms {SERVICE} {BUILD}; exit $?"
    with Terminal(["bash", "-c", script], {**environ, "TERM": "xterm"}, columns=200) as terminal:
        assert terminal.end() == 0

        background = "foreground" not in around
        assert (b"\x1b[?25l" not in terminal.raw) is background
        assert terminal.text.count("GET ") == 4  # one for earlier builds
        assert ("HTTP 503, retrying in " in terminal.text) is background
        assert terminal.text.count("ready to deploy") == 1
        assert not terminal.cursor_hidden


def test_a_build_that_ends_in_the_background_is_reported_once(
    twilio: Twilio, environ: dict[str, str]
) -> None:
    twilio.says(*["building"] * 5, "completed")
    shell = Shell(environ)
    with shell:
        shell.type(f"clear; twbuild wait -i 200ms {SERVICE} {BUILD} &\r")
        shell.see("ready to deploy")
        shell.type("wait; echo over\r")
        shell.see("\nover")

        assert shell.text.count("ready to deploy") == 1
        assert b"\x1b[?25l" not in shell.raw, "it never drew"


def test_a_row_erased_by_a_stop_is_not_erased_again(
    twilio: Twilio, environ: dict[str, str]
) -> None:
    finished = threading.Event()
    twilio.says(
        lambda _: reply(status_body(status="completed" if finished.is_set() else "building"))
    )
    shell = Shell(environ)
    with shell:
        shell.type(f"clear; twbuild wait -i 200ms {SERVICE} {BUILD}\r")
        shell.see(" building ")
        shell.type("\x1a")
        shell.see("Stopped")
        before = len(shell.raw)
        shell.type("bg\r")
        finished.set()
        shell.see("ready to deploy")

        assert ERASE.encode() not in shell.raw[before:], "what stands there is the shell's"


@pytest.mark.parametrize("signum", [signal.SIGQUIT, signal.SIGABRT])
def test_no_core_file_is_left_whose_memory_has_the_token(
    twilio: Twilio, environ: dict[str, str], tmp_path: Path, signum: signal.Signals
) -> None:
    twilio.says("building")
    folder = tmp_path / "folder"
    folder.mkdir()
    unlimited = 'ulimit -S -c "$(ulimit -H -c)"; exec twbuild'
    sandbox = ["bash", "-c", f"{unlimited} sandbox bash -c 'ulimit -c; ulimit -H -c'"]
    words = ["bash", "-c", f"{unlimited} wait {SERVICE} {BUILD}"]
    soft, hard = run_words(sandbox, env=environ).stdout.split()
    assert soft == hard, "COMMAND has the limits of its own"

    process = subprocess.Popen(words, env=environ, cwd=folder, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    while "building  ZB" not in process.stderr.readline():
        pass
    if sys.platform == "linux":  # where files are not the only way
        assert resource.prlimit(process.pid, resource.RLIMIT_CORE)[0] == (hard != "0")
    process.send_signal(signum)
    process.communicate(timeout=ON_ANY_MACHINE)

    assert process.returncode == -signum
    assert os.listdir(folder) == []
