"""A mistake is named, and nothing is sent."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from pathlib import Path

import pytest

from tests.support import readme
from tests.support.command import ACCOUNT, BUILD, KEY, SECRET, SERVICE, STATUS, TOKEN, TWBUILD, WAIT
from tests.support.run import Env, run, run_words, shim
from tests.support.secrets import shown
from tests.support.terminal import Terminal
from tests.support.twilio import Twilio, page

ELSEWHERE = {"TWBUILD_API_URL": "https://api.example.test"}


@pytest.mark.parametrize(
    ("words", "env", "code", "reported"),
    [
        (["wait", SERVICE, ""], {}, 2, "BUILD is empty: is the variable set?"),
        (["wait", "-q", "functions/a.js", "Makefile"], {}, 2, "pass_filenames: false"),
        (["wait", "-t", "soon", SERVICE, BUILD], {}, 2, "90s, 1.5s, 500ms, 5m, 1h30m"),
        (["status", "--watch", SERVICE], {}, 2, f"Did you mean: twbuild wait {SERVICE}"),
        (STATUS, {"TWBUILD_API_URL": f"https://user:{TOKEN}@api.example.test"}, 2, "a user name"),
        (STATUS, {"TWILIO_ACCOUNT_SID": f'"{ACCOUNT}"'}, 4, "begins with a quotation mark"),
        (STATUS, {**ELSEWHERE, "CURL_CA_BUNDLE": "/no/such.pem"}, 2, "error: CURL_CA_BUNDLE "),
        (
            STATUS,
            {**ELSEWHERE, "HTTPS_PROXY": f"http://u:{TOKEN}@x:port"},
            2,
            "error: HTTPS_PROXY ",
        ),
    ],
    ids=str,
)
def test_a_mistake_has_its_code_and_lines_on_stderr(
    twilio: Twilio, words: list[str], env: Env, code: int, reported: str
) -> None:
    ended = twilio.run(*words, env=env)

    assert (ended.code, ended.stdout) == (code, "")
    assert ended.stderr.startswith("twbuild: error: ")
    assert ended.is_plain
    assert reported in ended.stderr
    assert not shown(ended.stderr)
    assert twilio.server.log == []


def profiles(home: str, *names: str, **entry: str) -> None:
    """Write twilio-cli's file."""
    folder = Path(home) / ".twilio-cli"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"profiles": dict.fromkeys(names, entry)}))


def test_any_profile_name_can_be_used_as_the_message_says(twilio: Twilio, tmp_path: Path) -> None:
    own = {"accountSid": ACCOUNT, "apiKey": KEY, "apiSecret": SECRET}
    profiles(twilio.base["HOME"], "$(touch x)\x1b##", **own)
    refused = twilio.run("status", "-q", SERVICE, BUILD, env={"TWILIO_AUTH_TOKEN": ""})
    pasted = refused.stderr.splitlines()[-1].partition("with: ")[2]
    twilio.says("completed")

    assert refused.code == 4
    assert pasted.startswith("twbuild status -p ")
    assert pasted.endswith(f" -q {SERVICE} {BUILD}")
    ended = run_words(["bash", "-c", pasted], env=twilio.environ, cwd=tmp_path)
    assert (ended.code, ended.stdout) == (0, "completed\n")
    assert twilio.requests[0].authorization is not None
    assert twilio.requests[0].authorization.username == KEY


def test_yesterdays_build_is_never_taken_for_todays(twilio: Twilio) -> None:
    twilio.lists(page({"sid": BUILD, "status": "failed", "date_created": "2026-01-02T03:04:05Z"}))
    twilio.says("failed")
    twilio.describes("failed")
    waited, checked = twilio.run("wait", SERVICE), twilio.run("status", SERVICE)

    assert (waited.code, waited.stdout) == (5, "")
    assert f"{BUILD} (failed, created " in waited.stderr
    assert (checked.code, checked.stdout) == (1, "failed\n")
    assert BUILD in checked.stderr


def test_a_missing_working_directory_matters_only_for_its_project_file(
    twilio: Twilio, tmp_path: Path
) -> None:
    twilio.says("completed")
    (tmp_path / "gone").mkdir()
    script = f"""cd gone && rmdir ../gone
        twbuild status {SERVICE} {BUILD}; echo $?; twbuild status; echo $?"""
    ended = run_words(["sh", "-c", script], env=twilio.environ, cwd=tmp_path)

    assert ended.stdout.splitlines() == ["completed", "0", "2"]
    assert "no service given" in ended.stderr
    assert ended.is_plain


MEANT = "twbuild:   Did you mean: "


@pytest.mark.parametrize(
    ("start", "service", "words", "code", "before"),
    [
        (["twbuild"], "-mine", ["-t", "300ms", BUILD], 124, "twbuild:     "),
        ([TWBUILD], "mine", ["-t", "300ms", BUILD], 124, "twbuild:     "),
        ([os.path.relpath(TWBUILD)], "mine", [f"mine/{BUILD}"], 2, MEANT),
        ([sys.executable, "-m", "twbuild"], "mine", ["--service", "mine", BUILD], 2, MEANT),
    ],
)
def test_a_command_from_a_message_can_be_pasted(
    twilio: Twilio, start: list[str], service: str, words: list[str], code: int, before: str
) -> None:
    path = twilio.base["PATH"] if start == ["twbuild"] else "/usr/bin:/bin"
    env = {**twilio.environ, "PATH": path}
    twilio.says("building", service=service)
    script = ["/bin/sh", "-c", '"$@"', "sh", *start, "wait", *words]
    ended = run_words(script, env={**env, "TWBUILD_SERVICE": service})
    (command,) = re.findall(f"^{before}(.*)$", ended.stderr, re.MULTILINE)

    assert ended.code == code, ended.stderr
    assert command.startswith(" ".join(start))
    twilio.says("completed", service=service)
    again = run_words(["bash", "-c", command], env={**env, "TWBUILD_SERVICE": "other"})
    assert (again.code, again.stdout) == (0, "completed\n"), again.stderr


def test_help_in_a_pipe_is_plain_text_whatever_is_set(base: Env) -> None:
    plain = run("--help", env=base).stdout
    forced = ("FORCE_COLOR", "PY_COLORS", "TTY_COMPATIBLE", "CLICOLOR_FORCE", "GITHUB_ACTIONS")
    env = {**base, "TERM": "xterm-256color", **dict.fromkeys(forced, "1")}
    for more in (
        {"COLUMNS": "0", "TERMINAL_WIDTH": "x"},
        {"TYPER_USE_RICH": "0", "COLUMNS": "\u00b2"},
    ):
        ended = run("--help", env={**env, **more})
        assert (ended.code, ended.stdout, ended.stderr) == (0, plain, "")


@pytest.mark.parametrize(
    ("window", "more", "most"), [(50, {"COLUMNS": "200", "TERM": "dumb"}, 50), (200, {}, 100)]
)
def test_help_is_as_wide_as_the_window(base: Env, window: int, more: Env, most: int) -> None:
    """It is coloured for a terminal that is known."""
    with Terminal([TWBUILD, "--help"], {**base, "FORCE_COLOR": "1", **more}, window) as terminal:
        assert terminal.end() == 0
        text = re.sub(r"\x1b\[[0-9;]*m", "", terminal.raw.decode())
    assert max(map(len, text.splitlines())) == most
    assert (b"\x1b" in terminal.raw) is (not more)


@pytest.mark.parametrize("command", ["wait", "status", "sandbox"])
def test_a_window_of_60_columns_has_each_option_whole(base: Env, command: str) -> None:
    printed = run(command, "--help", env={**base, "COLUMNS": "60"}).stdout
    options, whole = (
        {*re.findall(r"--[a-z-]+", text)} for text in (printed, readme.help_text(command))
    )

    assert max(map(len, printed.splitlines())) == 60
    assert options == whole


INSTALL = ["bash", "-c", "twbuild --install-completion; exit $?"]
NO_ENTRY = "import pwd\ndef getpwuid(_): raise KeyError\npwd.getpwuid = getpwuid"
# Among our own parents there is a shell: in a container or an editor there may be none.
PARENTS = (
    "import shellingham.posix as p\ndef parents(*_):\n    {}\np._iter_process_parents = parents"
)
NO_PROCESSES = PARENTS.format("raise p.ps.PsNotAvailable('x')")
NO_SHELL = PARENTS.format("return iter(())")
ZSH = PARENTS.format("return iter([(('zsh',), 1, 1)])")


@pytest.mark.parametrize(
    ("home", "in_the_way", "first", "reported"),
    [
        ("home", ".bashrc", "", f".bashrc: {os.strerror(errno.EILSEQ).lower()}"),
        ("home", ".bashrc|", "", ".bashrc: invalid argument"),
        ("home", ".bash_completions", "", ".bash_completions: not a directory"),
        ("it's", "", "", "HOME contains a character that shells would obey"),
        ("", "", NO_ENTRY, "completion cannot be installed: HOME is not set"),
        ("home", "", NO_PROCESSES, "no shell found for completion: it needs /proc or the program"),
        ("home", "", NO_SHELL, "no shell found for completion\n"),
        ("home", "", ZSH, "zsh reads its files from ZDOTDIR, not from HOME"),
        ("relative", "", "", "error: "),
        ("/dev/null", "", "", "error: "),
    ],
)
def test_completion_that_cannot_be_installed_is_2(
    base: Env, tmp_path: Path, home: str, in_the_way: str, first: str, reported: str
) -> None:
    """Nothing is written then."""
    (tmp_path / "it's").mkdir()
    if in_the_way.endswith("|"):
        os.mkfifo(tmp_path / home / in_the_way[:-1])
    elif in_the_way:
        (tmp_path / home / in_the_way).write_bytes(b"\xff\xfe")
    env = {**base, "PYTHONPATH": shim(tmp_path, first), "PYTHONDONTWRITEBYTECODE": "1"}
    env["ZDOTDIR"] = str(tmp_path)
    del env["HOME"]
    if home:
        env["HOME"] = home if home == "relative" else str(tmp_path / home)

    def written() -> list[object]:
        files = [path for path in sorted(tmp_path.rglob("*")) if path.is_file()]
        return [*os.listdir("/"), *files, *(path.read_bytes() for path in files)]

    before = written()
    ended = run_words(INSTALL, env=env, cwd=tmp_path)

    assert (ended.code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("twbuild: error: ")
    assert ended.is_plain
    assert reported in ended.stderr
    assert written() == before


def test_completion_is_shown_and_installed_for_the_shell_around_it(base: Env) -> None:
    show = "twbuild --show-completion"
    shown_, too_much = (
        run_words(["bash", "-c", f"{show}{more}; exit $?"], env=base) for more in ("", " zsh")
    )
    installed = run_words(INSTALL, env=base)

    assert (shown_.code, installed.code) == (0, 0)
    assert "_TWBUILD_COMPLETE=complete_bash" in shown_.stdout
    assert Path(base["HOME"], ".bash_completions", "twbuild.sh").read_text() == shown_.stdout[:-1]
    assert (too_much.code, too_much.stdout) == (2, "")
    assert "--show-completion takes no argument: zsh" in too_much.stderr


def test_completion_offers_words_and_profiles_without_a_request(twilio: Twilio) -> None:
    profiles(twilio.base["HOME"], "dev", "$(touch x)", "`x`", "a;b", "x\n", "stage")
    for typed, offered in (("twbuild wa", ["wait"]), ("twbuild wait -p ", ["dev", "stage"])):
        count = str(len(typed.split(" ")) - 1)
        env = {"_TWBUILD_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": count}
        ended = twilio.run(env=env)

        assert (ended.code, ended.stderr) == (0, "")
        assert ended.stdout.split() == offered
    assert twilio.server.log == []


@pytest.mark.parametrize("kind", ["complete_bash", "nonsense"])
def test_completion_that_goes_wrong_is_silent_and_never_1(base: Env, kind: str) -> None:
    ended = run(
        env={**base, "_TWBUILD_COMPLETE": kind, "COMP_WORDS": "twbuild '", "COMP_CWORD": "x"}
    )

    assert ended.code != 1
    assert ended.stderr == ""


def test_a_leftover_completion_variable_changes_nothing(twilio: Twilio) -> None:
    twilio.says("failed")
    env = {"_TWBUILD_COMPLETE": "complete_bash", "COMP_WORDS": "x", "COMP_CWORD": "1"}
    ended = twilio.run(*WAIT, "-q", env=env)

    assert (ended.code, ended.stdout) == (1, "failed\n")
