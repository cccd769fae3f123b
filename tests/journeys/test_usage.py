"""A mistake is named, and nothing is sent."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.support import processes
from tests.support.command import (
    ACCOUNT,
    BUILD,
    KEY,
    SECRET,
    SERVICE,
    TOKEN,
    TWBUILD,
    run,
    run_words,
)
from tests.support.moments import until
from tests.support.secrets import shown
from tests.support.shim import shim
from tests.support.terminal import Terminal
from tests.support.twilio import Twilio, page
from twbuild import cli
from twbuild.outcome import ExitCode

WRONG: list[tuple[list[str], dict[str, str], int, str]] = [
    (["wait", SERVICE, ""], {}, 2, "BUILD is empty: is the variable set?"),
    (["wait", "-q", "functions/a.js", "Makefile"], {}, 2, "pass_filenames: false"),
    (["wait", "-t", "soon", SERVICE, BUILD], {}, 2, "90s, 1.5s, 500ms, 5m, 1h30m"),
    (["status", "--watch", SERVICE], {}, 2, f"Did you mean: twbuild wait {SERVICE}"),
    (["status", SERVICE, f'"{BUILD}"'], {}, 2, f"Did you mean: twbuild status {SERVICE} {BUILD}"),
    (["wait"], {"TWBUILD_SERVICE": "undefined"}, 2, "TWBUILD_SERVICE 'undefined' is not a"),
    (
        ["status", SERVICE, BUILD],
        {"TWBUILD_API_URL": f"https://user:{TOKEN}@api.example.test"},
        2,
        "error: TWBUILD_API_URL contains a user name",
    ),
    (
        ["status", SERVICE, BUILD],
        {"TWILIO_ACCOUNT_SID": f'"{ACCOUNT}"'},
        4,
        "error: TWILIO_ACCOUNT_SID begins with a quotation mark",
    ),
]


@pytest.mark.parametrize(("words", "env", "code", "reported"), WRONG, ids=str)
def test_a_mistake_has_its_code_and_lines_on_stderr(
    twilio: Twilio,
    environ: dict[str, str],
    tmp_path: Path,
    words: list[str],
    env: dict[str, str],
    code: int,
    reported: str,
) -> None:
    """A mistake has its code and lines on stderr and nothing is requested."""
    ended = run(*words, env={**environ, **env}, cwd=tmp_path)

    assert (ended.code, ended.stdout) == (code, "")
    assert ended.stderr.startswith("twbuild: error: ")
    assert all(line.startswith("twbuild: ") for line in ended.stderr.splitlines())
    assert reported in ended.stderr
    assert not shown(ended.stderr)
    assert twilio.server.log == []


@pytest.mark.parametrize("name", ["$(touch x)", "a\x1b##"])
def test_any_profile_name_can_be_used_as_the_message_says(
    twilio: Twilio, environ: dict[str, str], tmp_path: Path, name: str
) -> None:
    folder = Path(environ["HOME"]) / ".twilio-cli"
    folder.mkdir()
    entry = {"accountSid": ACCOUNT, "apiKey": KEY, "apiSecret": SECRET}
    (folder / "config.json").write_text(json.dumps({"profiles": {name: entry}}))
    env = {**environ, "TWILIO_AUTH_TOKEN": ""}
    refused = run("wait", SERVICE, BUILD, env=env)
    pasted = refused.stderr.splitlines()[-1].partition("with: ")[2]
    twilio.says("completed")

    assert refused.code == 4
    ended = run_words(["bash", "-c", pasted], env=env, cwd=tmp_path)
    assert (ended.code, ended.stdout) == (0, "completed\n")
    assert twilio.requests[0].authorization is not None
    assert twilio.requests[0].authorization.username == KEY


def test_yesterdays_build_is_never_taken_for_todays(
    twilio: Twilio, environ: dict[str, str]
) -> None:
    twilio.lists(page({"sid": BUILD, "status": "failed", "date_created": "2026-01-02T03:04:05Z"}))
    twilio.says("failed")
    twilio.describes("failed")
    waited = run("wait", SERVICE, env=environ)
    looked = run("status", SERVICE, env=environ)

    assert (waited.code, waited.stdout) == (5, "")
    assert f"{BUILD} (failed, created " in waited.stderr
    assert (looked.code, looked.stdout) == (1, "failed\n")
    assert BUILD in looked.stderr


def test_a_missing_working_directory_matters_only_for_its_project_file(
    twilio: Twilio, environ: dict[str, str], tmp_path: Path
) -> None:
    twilio.says("completed")
    (tmp_path / "gone").mkdir()
    script = f"""cd gone && rmdir ../gone
        twbuild status {SERVICE} {BUILD}; echo $?; twbuild status; echo $?"""
    ended = run_words(["sh", "-c", script], env=environ, cwd=tmp_path)

    assert ended.stdout.splitlines() == ["completed", "0", "2"]
    assert "no service given" in ended.stderr
    assert "Traceback" not in ended.stderr


STARTS = {
    "name": ["twbuild"],
    "path": [TWBUILD],
    "relative": [os.path.relpath(TWBUILD)],
    "module": [sys.executable, "-m", "twbuild"],
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_a_command_from_a_message_can_be_pasted(
    twilio: Twilio, environ: dict[str, str], start: list[str]
) -> None:
    path = environ["PATH"] if start == ["twbuild"] else "/usr/bin:/bin"
    env = {**environ, "PATH": path, "TWBUILD_SERVICE": "mine"}
    twilio.says("building", service="mine")
    mistakes = [
        (["-t", "300ms", BUILD], 124, "twbuild:     "),
        ([f"mine/{BUILD}"], 2, "twbuild:   Did you mean: "),
        (["--service", "mine", "--build", BUILD], 2, "twbuild:   Did you mean: "),
    ]
    for words, code, before in mistakes:
        ended = run_words(["/bin/sh", "-c", '"$@"', "sh", *start, "wait", *words], env=env)
        (command,) = re.findall(f"^{before}(.*)$", ended.stderr, re.MULTILINE)
        assert ended.code == code, ended.stderr
        assert command.startswith(" ".join(start))
        twilio.says("completed", service="mine")
        again = run_words(["bash", "-c", command], env={**env, "TWBUILD_SERVICE": "other"})
        assert (again.code, again.stdout) == (0, "completed\n"), again.stderr


def test_a_command_that_lacks_a_profile_gets_one(
    environ: dict[str, str],
) -> None:
    folder = Path(environ["HOME"]) / ".twilio-cli"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"profiles": {"dev": {}}}))
    ended = run("status", "-q", "my-service", BUILD, env={**environ, "TWILIO_AUTH_TOKEN": ""})

    assert ended.code == 4
    assert ended.stderr.endswith(f"with: twbuild status -p dev -q my-service {BUILD}\n")


COLOURS = {
    "GITHUB_ACTIONS": "true",
    "FORCE_COLOR": "1",
    "PY_COLORS": "1",
    "TTY_COMPATIBLE": "1",
    "CLICOLOR_FORCE": "1",
    "TERM": "xterm-256color",
}


def test_help_in_a_pipe_is_plain_text_with_codes(base: dict[str, str]) -> None:
    plain = run("--help", env=base).stdout
    listed = re.findall(r"^ +([0-9]+)  [a-z]", plain, re.MULTILINE)
    assert listed == [str(code.value) for code in ExitCode]
    for more in ({"COLUMNS": "0"}, {"TERMINAL_WIDTH": "x"}, {"TYPER_USE_RICH": "0"}):
        requested = run("--help", env={**base, **COLOURS, **more})
        assert (requested.code, requested.stdout, requested.stderr) == (0, plain, "")


@pytest.mark.parametrize(
    ("window", "more", "most"), [(50, {"COLUMNS": "200", "TERM": "dumb"}, 50), (200, {}, 100)]
)
def test_help_is_as_wide_as_the_window(
    base: dict[str, str], window: int, more: dict[str, str], most: int
) -> None:
    """Help is as wide as the window and coloured for a terminal that is known."""
    env = {**base, "FORCE_COLOR": "1", "TERM": "xterm", **more}
    with Terminal([TWBUILD, "--help"], env, window) as terminal:
        assert terminal.end() == 0
        text = re.sub(r"\x1b\[[0-9;]*m", "", terminal.raw.decode())
    assert max(map(len, text.splitlines())) == most
    assert (b"\x1b" in terminal.raw) is (env["TERM"] == "xterm")


@pytest.mark.parametrize("command", ["wait", "status", "sandbox"])
def test_a_window_of_60_columns_has_each_option_whole(base: dict[str, str], command: str) -> None:
    group: Any = typer.main.get_command(cli.app)
    options = [name for option in group.commands[command].params for name in option.opts]
    printed = run(command, "--help", env={**base, "COLUMNS": "60"}).stdout

    assert max(map(len, printed.splitlines())) == 60
    assert [name for name in options if name.startswith("--") and name not in printed] == []


def test_the_command_that_resumes_names_a_service_with_a_hyphen(
    twilio: Twilio, environ: dict[str, str]
) -> None:
    twilio.says("building", service="-abc")
    ended = run("wait", "-t", "300ms", BUILD, env={**environ, "TWBUILD_SERVICE": "-abc"})
    again = ended.stderr.splitlines()[-1].removeprefix("twbuild:").split()
    twilio.says("completed", service="-abc")

    assert ended.code == 124
    assert again == ["twbuild", "wait", "--", "-abc", BUILD]
    assert run(*again[1:], env=environ).code == 0


# Leaves the command without a parent that is a shell, as in a container or an editor.
ORPHAN = """
import json, os, subprocess, sys
if os.fork():
    os._exit(0)
while os.getppid() == int(sys.argv[1]):
    pass
done = subprocess.run(sys.argv[2:], capture_output=True, text=True)
with open("part", "w") as reported:
    json.dump([done.returncode, done.stdout, done.stderr], reported)
os.rename("part", "reported")
"""


def test_completion_without_a_shell_is_2_and_a_sentence(
    base: dict[str, str], tmp_path: Path
) -> None:
    script = f"import os, sys\nsys.argv.insert(1, str(os.getpid()))\n{ORPHAN}"
    words = [sys.executable, "-c", script, TWBUILD, "--install-completion"]
    processes.adopt_orphans(adopt=False)  # among our own parents there may be a shell
    try:
        subprocess.run(words, env=base, cwd=tmp_path, start_new_session=True, check=True)
        until((tmp_path / "reported").exists, "an ending")
    finally:
        processes.adopt_orphans()

    code, stdout, stderr = json.loads((tmp_path / "reported").read_text())
    assert (code, stdout) == (2, "")
    assert "no shell" in stderr
    assert all(line.startswith("twbuild: ") for line in stderr.splitlines())


def test_words_after_a_completion_option_are_2(base: dict[str, str]) -> None:
    ended = run_words(["bash", "-c", "twbuild --show-completion zsh; exit $?"], env=base)

    assert (ended.code, ended.stdout) == (2, "")
    assert "--show-completion takes no argument: zsh" in ended.stderr


INSTALL = ["bash", "-c", "twbuild --install-completion; exit $?"]


def test_completion_without_any_home_is_2_and_a_sentence(
    base: dict[str, str], tmp_path: Path
) -> None:
    code = "import pwd\ndef getpwuid(_): raise KeyError\npwd.getpwuid = getpwuid"
    env = {**base, "PYTHONPATH": shim(tmp_path, code)}
    del env["HOME"]
    ended = run_words(INSTALL, env=env)

    assert (ended.code, ended.stdout) == (2, "")
    assert "completion cannot be installed: HOME is not set" in ended.stderr


def in_the_way(home: Path, name: str, what: str) -> None:
    """Put something where completion is to be written."""
    home.mkdir(exist_ok=True)
    if what == "a pipe":
        os.mkfifo(home / name)
    else:
        (home / name).write_bytes(b"\xff\xfe")


@pytest.mark.parametrize(
    ("home", "name", "what", "reported"),
    [
        ("home", ".bashrc", "no text", "UnicodeDecodeError"),
        ("home", ".bashrc", "a pipe", ".bashrc: invalid argument"),
        ("home", ".bash_completions", "a file", ".bash_completions: not a directory"),
        ("home/it's", ".profile", "", "HOME contains a character that shells would obey"),
    ],
)
def test_completion_that_cannot_be_installed_is_2(
    base: dict[str, str], tmp_path: Path, home: str, name: str, what: str, reported: str
) -> None:
    """Completion that cannot be installed is 2 a sentence and nothing written."""
    in_the_way(tmp_path / home, name, what)
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    ended = run_words(INSTALL, env={**base, "HOME": str(tmp_path / home)})

    assert (ended.code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("twbuild: error: completion cannot be installed: ")
    assert reported in ended.stderr
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before


def test_completion_without_a_process_table_says_what_is_missing(
    base: dict[str, str], tmp_path: Path
) -> None:
    code = "import shellingham.posix as p\ndef none(*_): raise p.ps.PsNotAvailable('x')\n"
    code += "p._iter_process_parents = none"
    ended = run_words(INSTALL, env={**base, "PYTHONPATH": shim(tmp_path, code)})

    assert (ended.code, ended.stdout) == (2, "")
    assert "no shell found for completion: it needs /proc or the program ps" in ended.stderr


def test_completion_is_shown_and_installed_for_the_shell_around_it(base: dict[str, str]) -> None:
    shown_ = run_words(["bash", "-c", "twbuild --show-completion; exit $?"], env=base)
    installed = run_words(INSTALL, env=base)

    assert (shown_.code, installed.code) == (0, 0)
    assert "_TWBUILD_COMPLETE=complete_bash" in shown_.stdout
    assert Path(base["HOME"], ".bash_completions", "twbuild.sh").read_text() == shown_.stdout[:-1]


@pytest.mark.parametrize("home", ["relative", "/dev/null"])
def test_completion_without_a_writable_home_is_2_and_a_sentence(
    base: dict[str, str], tmp_path: Path, home: str
) -> None:
    before = set(os.listdir("/"))
    ended = run_words(INSTALL, env={**base, "HOME": home}, cwd=tmp_path)

    assert (ended.code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("twbuild: error: ")
    assert "Traceback" not in ended.stderr
    assert set(os.listdir("/")) == before
    assert list(tmp_path.iterdir()) == [tmp_path / "home"]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("twbuild wa", ["wait"]),
        ("twbuild wait -p ", ["dev", "stage"]),
    ],
)
def test_completion_offers_words_and_profiles_without_a_request(
    twilio: Twilio, environ: dict[str, str], typed: str, offered: list[str]
) -> None:
    folder = Path(environ["HOME"]) / ".twilio-cli"
    folder.mkdir()
    (folder / "config.json").write_text(
        json.dumps(
            {"profiles": {n: {} for n in ["dev", "$(touch x)", "`x`", "a;b", "x\n", "stage"]}}
        )
    )
    count = str(len(typed.split(" ")) - 1)
    more = {"_TWBUILD_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": count}
    ended = run(env={**environ, **more})

    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.split() == offered
    assert twilio.server.log == []


@pytest.mark.parametrize(
    "more",
    [
        {"_TWBUILD_COMPLETE": "complete_bash", "COMP_WORDS": "twbuild '", "COMP_CWORD": "x"},
        {"_TWBUILD_COMPLETE": "nonsense"},
    ],
    ids=str,
)
def test_completion_that_goes_wrong_is_silent_and_never_1(
    base: dict[str, str], more: dict[str, str]
) -> None:
    folder = Path(base["HOME"]) / ".twilio-cli"
    folder.mkdir()
    (folder / "config.json").write_text("{broken")
    ended = run(env={**base, **more})

    assert ended.code != 1
    assert ended.stderr == ""
    assert TOKEN not in ended.stdout
