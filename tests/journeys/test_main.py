"""The way out: whatever happens on the way becomes a sentence and a code, or a death by signal."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from requests import utils

from tests.support.command import SERVICE, SIDS, STATUS, TOKEN, WAIT
from tests.support.moments import fill
from tests.support.run import Env, run, run_words, shim
from tests.support.secrets import shown
from tests.support.twilio import Twilio
from twbuild import __version__
from twbuild.__main__ import NO_WORDS

# Run in the main thread, in the middle of a wait.
SIGNAL_AND_ERROR = """
import os, signal, threading, time
def start(self):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.1)
    raise ImportError("no module was named")
threading.Thread.start = start
"""


def test_a_signal_ends_it_though_an_error_comes_on_top(twilio: Twilio) -> None:
    ended = twilio.run(*WAIT, "-t", "20s", first=SIGNAL_AND_ERROR)

    assert (ended.code, ended.stdout) == (-signal.SIGTERM, "")
    assert ended.is_plain
    assert "bug" not in ended.stderr
    assert ended.seconds < 15


BROKEN = "twbuild's installation is broken: {} is missing"
LACKING = "this Python lacks its module {}, or a part of it\ntwbuild:   Install the"
MISSING, EMPTY = "None", "type(sys)('empty')"


@pytest.mark.parametrize(
    ("module", "found", "reported"),
    [
        *((name, MISSING, BROKEN) for name in ("twbuild.errors", "twbuild.signals", "requests")),
        *((name, MISSING, LACKING) for name in ("_ssl", "_socket")),
        *((f"twbuild.{name}", EMPTY, "") for name in ("signals", "cli", "app", "watch.state")),
    ],
)
def test_a_missing_or_empty_module_is_70_and_named(
    twilio: Twilio, tmp_path: Path, module: str, found: str, reported: str
) -> None:
    # Measuring coverage would import sockets before the command does.
    env = {name: value for name, value in twilio.environ.items() if "COVERAGE" not in name}
    env["PYTHONPATH"] = shim(tmp_path, f"import sys\nsys.modules[{module!r}] = {found}")
    ended = run(*STATUS, env=env)

    assert (ended.code, ended.stdout) == (70, "")
    assert f"twbuild: error: {reported.format(module)}" in ended.stderr
    assert ended.is_plain
    assert not shown(ended.stderr)


FAULT = f"""
import twbuild.app
def run(*_):
    raise LookupError("no {TOKEN}")
twbuild.app.run = run
"""


@pytest.mark.parametrize(
    ("words", "traced"),
    [
        (["wait", "-qvi", "1s", "--json"], True),
        (["status", "--", "-v"], False),
        (["wait", "-p", "-v"], False),
    ],
    ids=str,
)
def test_a_bug_is_traced_where_the_parser_read_verbose(
    base: Env, words: list[str], traced: bool
) -> None:
    """Its own text, which may be a secret, is never shown."""
    ended = run(*words, env=base, first=FAULT)

    assert (ended.code, ended.stdout) == (70, "")
    assert ended.stderr.startswith(f"twbuild: error: a bug in twbuild {__version__}: LookupError\n")
    assert "Please report it" in ended.stderr.splitlines()[-1]
    assert ("cli.py:" in ended.stderr) is traced
    assert ended.is_plain
    assert not shown(ended.stderr)


@pytest.mark.parametrize("when", ["import sys\nsys.modules['twbuild.signals'] = None\n", ""])
def test_a_path_is_never_a_command_to_a_ci_system(base: Env, tmp_path: Path, when: str) -> None:
    folder = tmp_path / "##vso[task.complete]\x1b100%"
    folder.mkdir()
    (folder / "typer.py").write_text("raise SystemExit(0)")
    (folder / "sitecustomize.py").write_text(when)
    ended = run("status", env={**base, "PYTHONPATH": str(folder), "GITHUB_ACTIONS": "true"})

    assert (ended.code, ended.stdout) == (70, "")
    assert "##" not in ended.stderr
    assert "\x1b" not in ended.stderr
    assert ended.stderr.count("::error title=twbuild::") == 1
    if not when:
        assert "# #vso[task.complete]\\x1b100%" in ended.stderr.replace("%25", "%")


def test_an_error_inside_a_library_names_its_file(base: Env) -> None:
    call = "requests.utils.to_key_val_list('')"
    fault = f"import requests, twbuild.app\ntwbuild.app.run = lambda *_: {call}"
    ended = run("status", env=base, first=fault)

    assert (ended.code, ended.stdout) == (70, "")
    assert f"or {utils.__file__} is of another version: ValueError\n" in ended.stderr


def test_a_stderr_that_is_not_read_delays_no_bug_report(base: Env) -> None:
    read_end, write_end = os.pipe()
    fill(write_end)
    assert run("status", env=base, first=FAULT, stderr=write_end, timeout=20).code == 70
    os.close(read_end)
    os.close(write_end)


def test_a_folder_named_twbuild_is_no_part_of_the_command(base: Env, tmp_path: Path) -> None:
    (tmp_path / "twbuild.py").write_text("raise SystemExit(1)")
    (tmp_path / "requests.py").write_text("raise SystemExit(1)")

    ended = run("sandbox", "--build-time", "0", env=base, cwd=tmp_path)
    assert (ended.code, ended.stdout) == (0, "completed\n")


# Tells which signals have a handler of ours when the first import that takes time begins.
HANDLED = """
import sys
def hook(event, args):
    if event == "import" and args[0] == "typer":
        import os, signal
        numbers = [n for n in signal.valid_signals() if callable(signal.getsignal(n))]
        with open(os.environ["TELL"], "w") as reported:
            reported.write(" ".join(getattr(n, "name", str(n)) for n in numbers))
sys.addaudithook(hook)
"""


def test_signals_are_handled_before_the_slow_imports(base: Env, tmp_path: Path) -> None:
    """Process 1 of a container does not die of a signal's default action: it is lost."""
    reported = tmp_path / "reported"
    env = {**base, "PYTHONPATH": shim(tmp_path, HANDLED), "TELL": str(reported)}
    run("--version", env=env)

    assert {"SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"} <= set(reported.read_text().split())


NOTHING_CAN_BE_EXPLAINED = """
import os, sys
class Memory:
    def find_spec(self, name, *_):
        if name == "twbuild.signals":
            raise MemoryError
    def get(self, name):
        raise MemoryError
sys.meta_path.insert(0, Memory())
os.environ = Memory()
"""


@pytest.mark.parametrize("closed", ["", " 2>&-"])
def test_an_error_while_explaining_an_error_is_70(base: Env, tmp_path: Path, closed: str) -> None:
    env = {**base, "PYTHONPATH": shim(tmp_path, NOTHING_CAN_BE_EXPLAINED)}
    ended = run_words(["sh", "-c", f"twbuild status{closed}"], env=env)

    assert (ended.code, ended.stdout) == (70, "")
    assert ended.stderr == ("" if closed else NO_WORDS.decode())


NO_PAIR = """
import errno, socket
def socketpair(*_):
    raise OSError(errno.EMFILE, "too many")
socket.socketpair = socketpair
"""


def test_a_system_without_descriptors_left_leaves_the_status_unknown(twilio: Twilio) -> None:
    script = f"ulimit -n 8; exec twbuild wait -i 200ms -t 1s {SERVICE} {' '.join(SIDS[:12])}"
    few = run_words(["bash", "-c", script], env=twilio.environ)
    none = twilio.run(*STATUS, first=NO_PAIR)

    assert few.code == 124, few
    assert "Last error: could not reach 127.0.0.1:" in few.stderr
    assert "too many open files" in few.stderr
    assert (none.code, none.stdout) == (3, "")
    assert none.stderr.endswith("error: could not open a pair of sockets: too many open files\n")
