"""The local fake of Twilio's API, alone and with a command that runs against it."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.command import BUILD, TWBUILD
from tests.support.run import Env, finish, run, run_words, shim, start_words
from tests.support.terminal import Shell, Terminal

SUPPLIED = "twbuild: sandbox: a local fake API, service demo, invented credentials; "
SUPPLIED += "yours are not used\n"


# No chain of processes can begin, and no name is looked up, not even that of 127.0.0.1.
ALONE = """
import os, sys
REFUSED = "os.fork", "os.exec", "posix_spawn", "Popen", "gethostby"
def hook(event, args):
    if any(name in event for name in REFUSED):
        os.write(2, f"{event}{args}".encode())
        os._exit(99)
sys.addaudithook(hook)
"""
WRAPPER = "import sys; sys.argv = [{!r}, 'sandbox', '--build-time', '0s']; "
WRAPPER += "sys.exit(__import__('importlib').import_module('twbuild.__main__').main())"
PYTHON_M = [sys.executable, "-m", "twbuild", "sandbox", "--build-time", "0s"]
NO_PYTHON = "import sys\nsys.executable = ''\n"
REFUSING = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ([TWBUILD, *PYTHON_M[3:]], ""),
        (PYTHON_M, NO_PYTHON),  # as without a PATH
        ([sys.executable, "-c", WRAPPER.format(TWBUILD)], ""),  # as poetry run
        ([sys.executable, "-c", WRAPPER.format("twbuild"), "one"], ""),
    ],
    ids=["script", "no executable", "launcher", "wrapper"],
)
def test_the_default_command_starts_no_process(
    base: Env, tmp_path: Path, words: list[str], first: str
) -> None:
    """It needs no proxy, and what it says to try next can be pasted."""
    env = {**base, "PATH": "/usr/bin:/bin", "HTTP_PROXY": REFUSING, "http_proxy": REFUSING}
    (tmp_path / "twbuild").mkdir()  # a folder is no command to type
    alone = {**env, "PYTHONPATH": shim(tmp_path, ALONE + first)}
    ended = run_words(words, env=alone, cwd=tmp_path)
    (command,) = re.findall("^twbuild: +(.*--outcome failed)$", ended.stderr, re.MULTILINE)

    assert (ended.code, ended.stdout) == (0, "completed\n"), ended.stderr
    assert re.match(
        r"twbuild: sandbox: .*\ntwbuild: \$ .* wait demo ZB[0-9a-f]{32}\n", ended.stderr
    )
    again = run_words([*shlex.split(command), "--build-time", "0s"], env=env, cwd=tmp_path)
    assert (again.code, again.stdout) == (1, "failed\n")


def test_the_default_command_shows_progress_as_the_caller_wants(base: Env) -> None:
    env = {**base, "TWBUILD_PROGRESS": "plain"}
    with Terminal([TWBUILD, "sandbox", "--build-time", "1s"], env) as terminal:
        assert terminal.end() == 0
        assert b"twbuild: waiting for ZB" in terminal.raw


FLOODED = """
import os, resource, socket, subprocess, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (1000, 1000))
port = int(os.environ["TWBUILD_API_URL"].rpartition(":")[2])
silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(300)]
sys.exit(subprocess.call(sys.argv[1:]))
"""


def test_silent_connections_neither_fill_the_sandbox_nor_keep_command_out(
    base: Env, tmp_path: Path
) -> None:
    words = [sys.executable, "-c", FLOODED, TWBUILD, "wait", "-t", "20s", "demo", BUILD]
    limited = f'ulimit -Sn 100; exec {TWBUILD} sandbox --build-time 0s "$@"'
    env = {**base, "TMPDIR": str(tmp_path)}
    ended = run_words(["bash", "-c", limited, "bash", *words], env=env)

    assert (ended.code, ended.stdout) == (0, "completed\n"), ended.stderr
    assert [*tmp_path.glob("twbuild-*")] == []


PRINT = "import json, os, sys; print(json.dumps([os.environ['TWILIO_CONFIG_DIR'], *sys.argv]))"


def test_what_stands_after_command_is_commands_and_leaves_no_folder(base: Env) -> None:
    words = [sys.executable, "-c", PRINT, "-v", "--outcome", "failed", "-h", "--", "a b"]
    folder, *arguments = json.loads(run("sandbox", *words, env=base).stdout)

    assert arguments == ["-c", *words[3:]]
    assert not os.path.exists(folder)


@pytest.mark.parametrize(
    ("words", "code"),
    [(["sh", "-c", "kill -TERM $$"], 143), (["no-such-command"], 127), (["/etc"], 126)],
    ids=str,
)
def test_it_ends_with_commands_code(base: Env, words: list[str], code: int) -> None:
    ended = run("sandbox", "--", *words, env=base)

    assert (ended.code, ended.stdout) == (code, "")
    assert ended.stderr.startswith(SUPPLIED)
    assert ("twbuild: error: " in ended.stderr) is (code in (126, 127))


def test_each_open_descriptor_is_commands(base: Env) -> None:
    command = f"{TWBUILD} sandbox sh -c 'cat; cat <&3; echo reported >&2; exit 3'"
    script = f"printf 'refs/heads/main\\n' | {command} 3<<END\nof the caller\nEND"
    ended = run_words(["sh", "-c", script], env=base)

    assert (ended.code, ended.stdout) == (3, "refs/heads/main\nof the caller\n")
    assert ended.stderr == f"{SUPPLIED}reported\n"


# Prints each signal, and dies of SIGTERM.
REMEMBER = """
import os, signal, time
def remember(signum, _):
    os.write(1, b"%d\\n" % signum)
    if signum == signal.SIGTERM:
        signal.signal(signum, signal.SIG_DFL)
        os.kill(os.getpid(), signum)
for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGALRM", "SIGUSR1"):
    signal.signal(getattr(signal, name), remember)
print("ready", os.getpid(), os.environ["TWILIO_CONFIG_DIR"], flush=True)
while True:
    time.sleep(1)
"""
REMEMBERING = [TWBUILD, "sandbox", sys.executable, "-c", REMEMBER]


def test_a_command_that_handles_a_signal_keeps_its_own_code(base: Env) -> None:
    script = 'trap "exit 7" TERM; kill -TERM $PPID; while :; do sleep 0.05; done'
    assert run("sandbox", "sh", "-c", script, env=base).code == 7


# What is forwarded comes late enough to be distinguished from what was sent to COMMAND itself.
LATE = """
import os, time
for name in ("kill", "killpg"):
    def late(to, signum, send=getattr(os, name)):
        time.sleep(0.1)
        send(to, signum)
    setattr(os, name, late)
"""


# As in a container without the device; root alone can have a file system of its own.
WITHOUT_TTY = "exec unshare -m sh -c 'mount --bind /dev/null /dev/tty && exec \"$@\"' sh"


@pytest.mark.parametrize("around", ["exec", WITHOUT_TTY], ids=["", "no /dev/tty"])
def test_each_signal_reaches_command_once_from_any_sender(
    base: Env, tmp_path: Path, around: str
) -> None:
    words = ["sh", "-c", f'{around} "$@"', "sh", *REMEMBERING]
    env = {**base, "PYTHONPATH": shim(tmp_path, LATE)}
    with Terminal(words, env, 200, 60) as terminal:

        def counted(signum: int) -> int:
            """How often COMMAND printed it; the terminal echoes `^C` or `^\\` before it."""
            return len(re.findall(rf"(?m)^(?:\^[C\\])?{signum}$", terminal.text))

        def received(signum: int, times: int) -> None:
            terminal.see_that(lambda: counted(signum) >= times, f"a {signum}")
            # Signals are forwarded in their order: one more would be here before this one.
            alarms = counted(signal.SIGALRM)
            os.kill(terminal.pid, signal.SIGALRM)
            terminal.see_that(lambda: counted(signal.SIGALRM) > alarms, "an alarm")
            assert counted(signum) == times

        terminal.see("ready ")
        pid = int(re.findall("ready ([0-9]+)", terminal.text)[0])
        assert os.tcgetpgrp(terminal.descriptor) == pid
        for times in (1, 3):
            for key, signum in (("\x03", 2), ("\x1c", 3)):
                terminal.type(key)
                received(signum, times)
                os.kill(terminal.pid, signum)  # the sandbox alone
                received(signum, times + 1)
        os.killpg(terminal.pid, signal.SIGHUP)  # its group, as timeout(1) does
        received(signal.SIGHUP, 1)
        os.kill(terminal.pid, signal.SIGTERM)
        assert terminal.end() == -signal.SIGTERM
        assert counted(signal.SIGTERM) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_without_a_terminal_signals_are_forwarded_and_nothing_is_left(
    base: Env, tmp_path: Path
) -> None:
    """Each reaches COMMAND once, also one to the group."""
    env = {**base, "PYTHONPATH": shim(tmp_path, LATE)}
    with start_words(REMEMBERING, env=env, start_new_session=True) as process:
        assert process.stdout
        _, pid, folder = process.stdout.readline().split()
        assert os.path.isdir(folder)
        assert folder.startswith(tempfile.gettempdir())
        for send in (os.kill, os.killpg):
            for signum in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1):
                send(process.pid, signum)
                assert process.stdout.readline() == f"{signum:d}\n"
                process.send_signal(signal.SIGALRM)  # forwarded after any other
                assert process.stdout.readline() == f"{signal.SIGALRM:d}\n"
        os.killpg(process.pid, signal.SIGTERM)
        assert process.stdout.readline() == f"{signal.SIGTERM:d}\n"
        ended = finish(process)

    assert (ended.code, ended.stdout) == (-signal.SIGTERM, "")
    assert ended.stderr == SUPPLIED
    assert not os.path.exists(folder)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


def test_without_a_terminal_only_command_and_sandbox_stop(base: Env) -> None:
    """The program that continues them, here timeout(1), may be in their process group."""
    script = f"timeout 1 {TWBUILD} sandbox sh -c 'kill -TSTP $$; sleep 9'; exit $?"

    assert run_words(["sh", "-c", script], env=base, start_new_session=True).code == 124


@pytest.mark.parametrize(
    ("words", "seen"),
    # exec: dash loses a signal that comes while it forks
    [("sh -c 'echo begun; exec sleep 60'", "begun"), ("--build-time 1h", " building ")],
)
def test_ctrl_c_ends_command_sandbox_and_the_script_around_them(
    base: Env, words: str, seen: str
) -> None:
    script = f"{TWBUILD} sandbox {words}; echo went on"
    with Terminal(["bash", "-c", script], base) as terminal:
        terminal.see(seen)
        terminal.type("\x03")
        assert terminal.end() == -signal.SIGINT
        assert "went on" not in terminal.text
        assert terminal.text.count("Nothing continues at Twilio") == (seen == " building ")
        assert "To wait again" not in terminal.text
        assert not terminal.cursor_hidden


def test_ctrl_z_stops_command_and_fg_continues_it(base: Env) -> None:
    with Shell(base) as shell:
        command = "sh -c 'while read typed; do echo got $typed; done'"
        shell.type(f"{TWBUILD} sandbox {command}\n")
        shell.see("yours are not used")
        shell.type("one\n")
        shell.see("got one")
        for turn in (1, 2):
            shell.type("\x1a")
            shell.see("Stopped", turn)
            if turn == 2:
                shell.type("bg\n")
                while shell.text.count("Stopped") < 3:  # it reads; the next prompt says so
                    shell.type("\n")
                    shell.read(0.2)
            shell.type("fg\n")
            shell.type(f"again {turn}\n")
            shell.see(f"got again {turn}")
        shell.type("\x04exit $((3 + $?))\n")
        assert shell.end() == 3


def test_a_pager_has_the_terminal_until_command_reads_it(base: Env) -> None:
    pager = "sh -c 'read typed < /dev/tty; echo the pager has $typed; cat'"
    script = f"{TWBUILD} sandbox sh -c 'sleep 1; read typed; echo COMMAND has $typed' | {pager}"
    with Terminal(["bash", "-c", script], base) as terminal:
        terminal.type("one\n")
        terminal.see("the pager has one")
        terminal.type("two\n")
        terminal.see("COMMAND has two")
        assert terminal.end() == 0


def test_a_machine_without_space_for_a_sandbox_is_reported(base: Env) -> None:
    code = "import tempfile\ndef none():\n    raise FileNotFoundError(2, 'no')\n"
    code += "tempfile._get_default_tempdir = none"
    ended = run("sandbox", "true", env=base, first=code)

    assert ended.code == 3
    assert "the sandbox needs a port on 127.0.0.1, a thread and a temporary folder" in ended.stderr


def test_a_caller_that_ignores_sigchld_changes_no_code(base: Env) -> None:
    ignoring = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); "
    ignoring += "os.execv(sys.argv[1], sys.argv[1:])"
    words = [sys.executable, "-c", ignoring, TWBUILD, "sandbox"]
    failed = run_words([*words, "--outcome", "failed", "--build-time", "0s"], env=base)
    assert (failed.code, failed.stdout) == (1, "failed\n")
    assert run_words([*words, "sh", "-c", "kill -TERM $$"], env=base).code == 143


def test_a_script_without_interpreter_line_runs_as_in_a_shell(base: Env, tmp_path: Path) -> None:
    path, binary = tmp_path / "hook", tmp_path / "binary"
    path.write_text('echo "$0: $2"; exit 9\n')
    binary.write_bytes(b"\x7fELF\0\0 of another machine")
    path.chmod(0o755)
    binary.chmod(0o755)
    env = {**base, "PATH": f"{tmp_path}:{base['PATH']}"}
    for words, said in (([str(path), "a", "b c"], "b c"), (["hook", "", "x"], "x")):
        ended = run("sandbox", *words, env=env)
        assert (ended.code, ended.stdout) == (9, f"{path}: {said}\n")
    assert run("sandbox", str(binary), env=base).code == 126


# Right after the folder was made, and before anything else happens.
AT_THE_FOLDER = """
import os, tempfile
make = tempfile.mkdtemp
def mkdtemp(*args, **options):
    made = make(*args, **options)
    os.kill(os.getpid(), 15)
    return made
tempfile.mkdtemp = mkdtemp
"""


def test_a_signal_right_after_the_folder_was_made_leaves_none(base: Env, tmp_path: Path) -> None:
    env = {**base, "TMPDIR": str(tmp_path)}
    ended = run("sandbox", "echo", "started", env=env, first=AT_THE_FOLDER)

    assert (ended.code, ended.stdout, ended.stderr) == (-signal.SIGTERM, "", SUPPLIED)
    assert [*tmp_path.glob("twbuild-*")] == []


def test_what_command_makes_of_the_folder_changes_no_code(base: Env, tmp_path: Path) -> None:
    for does in ('echo > "$1/file"', 'rmdir "$1"', 'rmdir "$1"; echo > "$1"'):
        words = ["sh", "-c", f'set -- "$TWILIO_CONFIG_DIR"; {does}; exit 5']
        assert run("sandbox", *words, env={**base, "TMPDIR": str(tmp_path)}).code == 5


def test_a_shell_in_the_sandbox_begins_with_what_to_type(base: Env) -> None:
    with Terminal([TWBUILD, "sandbox", "bash", "--norc"], base, 120) as terminal:
        terminal.see("  (exit leaves the sandbox)")
        assert "Try: twbuild wait demo ZB" in terminal.text
        terminal.type(f"twbuild wait -t 300ms demo {BUILD}; exit\n")
        assert terminal.end() == 124
        assert "To wait again:" in terminal.text
