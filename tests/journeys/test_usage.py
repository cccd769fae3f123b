"""What is typed wrong is told by name, and nothing is asked."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.command import (
    ACCOUNT,
    BUILD,
    KEY,
    OTHER_BUILD,
    SECRET,
    SERVICE,
    TOKEN,
    TWBUILD,
    run,
    run_words,
)
from tests.support.moments import until
from tests.support.shim import shim
from tests.support.secrets import shown
from tests.support.terminal import Terminal
from tests.support.twilio import Twilio, error, page
from twbuild import cli
from twbuild.durations import DURATION_FORMS
from twbuild.errors import UsageError
from twbuild.outcome import ExitCode

EMPTY = "is empty: is the variable set?"

WRONG: list[tuple[list[str], list[str]]] = [
    (["wait", SERVICE, ""], [f"BUILD {EMPTY}"]),
    (["status", SERVICE, ""], [f"BUILD {EMPTY}"]),
    (["wait", SERVICE, BUILD, ""], [f"BUILD {EMPTY}"]),
    (["wait", ""], [f"SERVICE {EMPTY}"]),
    (["wait", "", BUILD], [f"SERVICE {EMPTY}"]),
    (["wait", "-p", "", SERVICE, BUILD], [f"--profile {EMPTY}"]),
    (["wait", "--progress=", SERVICE, BUILD], [f"--progress {EMPTY}"]),
    (["wait", "-i", "", SERVICE, BUILD], [f"--interval {EMPTY}"]),
    (["wait", "--timeout", "", SERVICE, BUILD], [f"--timeout {EMPTY}"]),
    (["sandbox", "--outcome", ""], [f"--outcome {EMPTY}"]),
    (["sandbox", "--build-time="], [f"--build-time {EMPTY}"]),
    (["sandbox", ""], [f"COMMAND {EMPTY}"]),
    (["wait", SERVICE[:-1], BUILD], ["31 hex digits after ZS, not 32"]),
    (["wait", SERVICE, BUILD + "0"], ["33 hex digits after ZB, not 32"]),
    (["wait", SERVICE, BUILD + "\r"], [r"'\r'"]),
    (["wait", SERVICE, f'"{BUILD}"'], ["'\"'"]),
    (["wait", SERVICE, BUILD[:-1] + "g"], ["'g'"]),
    (["wait", SERVICE, BUILD[:-1] + "\x1b"], [r"\x1b"]),
    (["wait", SERVICE, BUILD[:-1] + "٣"], ["hex digit"]),
    (["status", "VA" + "0" * 32, BUILD], ["another kind of SID"]),
    (["status", BUILD, SERVICE], ["it is a Service SID", "Write the service first"]),
    (["wait", "-q", "functions/a.js", "Makefile"], ["file name", "pass_filenames: false"]),
    (["wait", "x" * 51, BUILD], ["1 to 50 letters, digits"]),
    (["wait", SERVICE, "[bold]x"], ["[bold]x"]),
    (
        ["status", f"https://serverless.twilio.com/v1/Services/{SERVICE}/Builds/{BUILD}/Status"],
        ["it is a URL", f"Did you mean: twbuild status {SERVICE} {BUILD}"],
    ),
    (
        ["wait", "-p", "a b", "-t", "30m", "-i500ms", "-qv", "--json", f"{SERVICE}/{BUILD}"],
        [f"twbuild wait -p 'a b' --json -q -v -i 0.5s -t 1800s {SERVICE} {BUILD}"],
    ),
    (
        ["status", "-p", "dev", "--json", f"{SERVICE}/{BUILD}"],
        [f"Did you mean: twbuild status -p dev --json {SERVICE} {BUILD}"],
    ),
    (
        ["status", "-p", "dev", BUILD, OTHER_BUILD],
        [f"twbuild wait -p dev SERVICE {BUILD} {OTHER_BUILD}"],
    ),
    (["wait", f"{SERVICE}/{BUILD}"], ["'/'", f"Did you mean: twbuild wait {SERVICE} {BUILD}"]),
    (["wait", "null", BUILD], ["SERVICE 'null' is not", "a placeholder"]),
    (["wait", "${{ vars.SERVICE }}", BUILD], ["a placeholder"]),
    (
        ["status", "-q", SERVICE, BUILD, OTHER_BUILD],
        ["one build", f"For several: twbuild wait -q {SERVICE} {BUILD} {OTHER_BUILD}"],
    ),
    (
        ["status", BUILD, OTHER_BUILD],
        ["one build", f"twbuild wait SERVICE {BUILD} {OTHER_BUILD}"],
    ),
    (["wait", "-t", "9999999h", SERVICE, BUILD], ["--timeout", "9999999h", "0 to 7d"]),
    (["wait", "-t", "soon", SERVICE, BUILD], ["--timeout", "soon", "90s, 1.5s, 500ms, 5m, 1h30m"]),
    (["wait", "-t", "-5", SERVICE, BUILD], ["-5"]),
    (["wait", "-t", "5m\n", SERVICE, BUILD], ["--timeout", r"5m\n"]),
    (["wait", "-t", "٣s", SERVICE, BUILD], ["--timeout", "90s"]),
    (["wait", "-i", "100ms", SERVICE, BUILD], ["--interval", "100ms", "200ms to 1h"]),
    (["wait", "-i", "2h", SERVICE, BUILD], ["--interval", "2h", "200ms to 1h"]),
    (["wait", "--progress", "lively", SERVICE, BUILD], ["lively", "auto, live or plain"]),
    (["sandbox", "--outcome", "building"], ["building", "completed or failed"]),
    (["sandbox", "--build-time", "x"], ["--build-time", "'x'"]),
    (["wait", "--colour", SERVICE, BUILD], ["--colour"]),
    (["status", "-i", "1s", SERVICE, BUILD], ["-i"]),
    (["wait", SERVICE, BUILD, "-t"], ["-t"]),
    (["watch", SERVICE, BUILD], ["watch"]),
    (["--json"], ["--json"]),
]


@pytest.mark.parametrize(("words", "told"), WRONG)
def test_each_mistake_is_named(
    capfd: pytest.CaptureFixture[str], words: list[str], told: list[str]
) -> None:
    try:
        assert cli.run(words) == 2
        said = capfd.readouterr().err
    except UsageError as mistake:
        said = "\n".join([mistake.message, *mistake.hints])

    assert [part for part in told if part not in said] == []
    assert said.replace("\n", "").isprintable()


def test_a_mistake_is_2_and_lines_on_stderr_and_no_request(
    twilio: Twilio, environ: dict[str, str]
) -> None:
    for words, told in WRONG[1::5]:  # some of each kind: the way out is the same for all
        ended = run(*words, env=environ)

        assert (ended.code, ended.stdout) == (2, ""), (words, ended)
        assert ended.stderr.startswith("twbuild: error: "), words
        assert all(line.startswith("twbuild: ") for line in ended.stderr.splitlines()), words
        assert [part for part in told if part not in ended.stderr] == [], (words, ended.stderr)
    assert twilio.server.log == []


ADDRESSES = [
    "ftp://127.0.0.1",
    "http://example.test",
    "http://127.0.0.1@example.test/",
    "https://user:5ecretpw@api.example.test",
    "https://api.example.test/?x=5ecretpw",
    "https://api.example.test/#5ecretpw",
    "http://evil.example\\@127.0.0.1/",
    "https://api.example.test/a/../5ecretpw",
    "https://api.example.test/a b",
    "127.0.0.1:8080",
    "https://:99",
]


@pytest.mark.parametrize("url", ADDRESSES)
def test_a_bad_address_is_2_and_is_not_repeated(environ: dict[str, str], url: str) -> None:
    ended = run("status", SERVICE, BUILD, env={**environ, "TWBUILD_API_URL": url})

    assert (ended.code, ended.stdout) == (2, "")
    assert "error: TWBUILD_API_URL " in ended.stderr
    assert url not in ended.stderr
    assert "5ecretpw" not in ended.stderr


@pytest.mark.parametrize(
    ("env", "code", "told"),
    [
        ({"TWBUILD_SERVICE": "ZS12"}, 2, "2 hex digits after ZS, not 32"),
        ({"TWBUILD_SERVICE": "a b"}, 2, "TWBUILD_SERVICE"),
        ({"TWBUILD_SERVICE": ""}, 2, "no service given"),
        ({"TWILIO_EDGE": "evil.example#", "TWBUILD_API_URL": ""}, 2, "TWILIO_EDGE"),
        ({"TWILIO_AUTH_TOKEN": ""}, 4, "no credentials found"),
        ({"TWILIO_ACCOUNT_SID": f'"{ACCOUNT}"'}, 4, "begins with a quotation mark"),
        ({"TWILIO_API_KEY": KEY}, 4, "TWILIO_API_SECRET"),
        ({"TWILIO_AUTH_TOKEN": "op://vault/item"}, 4, "TWILIO_AUTH_TOKEN is a placeholder"),
        ({"TWILIO_API_KEY": ACCOUNT, "TWILIO_API_SECRET": SECRET}, 4, "is an Account SID"),
        ({"TWBUILD_SERVICE": "undefined"}, 2, "TWBUILD_SERVICE 'undefined' is not a Service SID"),
        ({"TWILIO_AUTH_TOKEN": "", "AUTH_TOKEN": TOKEN}, 4, "name should be TWILIO_AUTH_TOKEN"),
        (
            {"TWILIO_AUTH_TOKEN": "", "TWILIO_CONFIG_DIR": "~/.twilio-cli"},
            4,
            "no file ~/.twilio-cli/config.json",
        ),
    ],
    ids=str,
)
def test_a_bad_environment_is_named_and_nothing_is_asked(
    twilio: Twilio, environ: dict[str, str], tmp_path: Path, env: dict[str, str], code: int,
    told: str,
) -> None:  # fmt: skip
    words = ["wait"] if "TWBUILD_SERVICE" in env else ["wait", SERVICE, BUILD]
    ended = run(*words, env={**environ, **env}, cwd=tmp_path)

    assert (ended.code, ended.stdout) == (code, "")
    assert told in ended.stderr
    assert not shown(ended.stderr)
    assert twilio.server.log == []


@pytest.mark.parametrize("tail", ["/v1", "/v1/"])
def test_an_address_with_the_version_at_its_end_works(
    twilio: Twilio, environ: dict[str, str], tail: str
) -> None:
    twilio.says("completed")
    ended = run("status", SERVICE, BUILD, env={**environ, "TWBUILD_API_URL": twilio.url + tail})

    assert (ended.code, ended.stdout) == (0, "completed\n")


@pytest.mark.parametrize("name", ["Sample CLI Example", "it's", "-n", "$(touch x)", "a\x1b##"])
def test_a_profile_of_any_name_can_be_used_as_the_message_says(
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


def test_an_api_key_in_the_accounts_place_works_and_is_told_of_when_refused(
    twilio: Twilio, environ: dict[str, str]
) -> None:
    env = {**environ, "TWILIO_ACCOUNT_SID": KEY, "TWILIO_AUTH_TOKEN": SECRET}
    twilio.says("completed")
    assert run("status", SERVICE, BUILD, env=env).code == 0
    assert twilio.requests[0].authorization is not None
    assert twilio.requests[0].authorization.username == KEY

    twilio.says(error(401, "Authenticate"))
    ended = run("status", SERVICE, BUILD, env=env)
    assert ended.code == 4
    assert "API key" in ended.stderr
    assert "TWILIO_ACCOUNT_SID" in ended.stderr


def test_yesterdays_build_is_never_taken_for_todays(
    twilio: Twilio, environ: dict[str, str]
) -> None:
    old = {"sid": BUILD, "status": "completed", "date_created": "2026-01-02T03:04:05Z"}
    for status, code in (("completed", 0), ("failed", 1)):
        twilio.lists(page({**old, "status": status}))
        twilio.says(status)
        twilio.describes("failed")
        waited = run("wait", SERVICE, env=environ)
        assert (waited.code, waited.stdout) == (5, "")
        assert BUILD in waited.stderr
        assert status in waited.stderr
        assert re.search("created [0-9]+d.* ago", waited.stderr)

        looked = run("status", SERVICE, env=environ)
        assert (looked.code, looked.stdout) == (code, f"{status}\n")
        assert BUILD in looked.stderr


def test_a_working_directory_that_is_gone_matters_only_for_its_project_file(
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


MEANT = [
    ([BUILD], f"Did you mean: twbuild wait SERVICE {BUILD}", "twbuild"),
    (["my-service", BUILD], f"Did you mean: twbuild wait my-service {BUILD}", "twbuild"),
    (["help", "wiat"], "Did you mean: twbuild wait --help", "twbuild"),
    (["hlep", "wait"], "Did you mean: twbuild help wait", "twbuild"),
    (["version"], "Did you mean: twbuild --version", "twbuild"),
    (["wiat", SERVICE], f"Did you mean: twbuild wait {SERVICE}", "twbuild"),
    (["--wait", SERVICE, BUILD], f"Did you mean: twbuild wait {SERVICE} {BUILD}", "twbuild"),
    (["status", "--wait", BUILD], f"Did you mean: twbuild wait SERVICE {BUILD}", "twbuild status"),
    (["status", "--watch", "x"], "Did you mean: twbuild wait x", "twbuild status"),
    (["wait", "-f", "-p", "a b"], "Did you mean: twbuild wait -p 'a b'", "twbuild wait"),
    (["-t", "5m", BUILD], f"Did you mean: twbuild wait SERVICE -t 5m {BUILD}", "twbuild"),
    (["--json", "status", "a b"], "Did you mean: twbuild status --json 'a b'", "twbuild"),
    (["--outcome", "failed"], "Did you mean: twbuild sandbox --outcome failed", "twbuild"),
    (["wait", "-o", "json", "x"], "Did you mean: twbuild wait --json x", "twbuild wait"),
    (["wait", "-ojson"], "Did you mean: twbuild wait --json", "twbuild wait"),
    (["status", "--output=json"], "Did you mean: twbuild status --json", "twbuild status"),
    (
        ["wait", "-t", "5m", "--build", BUILD, "--service=x"],
        f"Did you mean: twbuild wait x -t 5m {BUILD}",
        "twbuild wait",
    ),
    (
        ["status", "--service-sid", SERVICE, "--sid", BUILD],
        f"Did you mean: twbuild status {SERVICE} {BUILD}",
        "twbuild status",
    ),
    (["wait", "--region", "ie1"], "Set TWILIO_REGION", "twbuild wait"),
    (["status", "-t", "5m"], "-t is an option of twbuild wait", "twbuild status"),
    (["wait", "--timeot", "5m"], "Did you mean: twbuild wait --timeout 5m", "twbuild wait"),
    (["wait", "-q", "--tiemout=5m"], "Did you mean: twbuild wait -q --timeout 5m", "twbuild wait"),
    (["wait", "-t"], "requires an argument", "twbuild wait"),
]


@pytest.mark.parametrize(("words", "told", "helps"), MEANT, ids=str)
def test_a_mistyped_command_or_option_suggests_what_was_meant_and_whose_help_to_read(
    words: list[str], told: str, helps: str
) -> None:
    with pytest.raises(UsageError) as mistake:
        cli.run(words)

    said = [mistake.value.message, *mistake.value.hints]
    assert [line for line in said if told in line], said
    assert said[-1] == f"For usage: {helps} --help"


@pytest.mark.parametrize(
    "words",
    [
        [BUILD, "\x1b[2J"],
        ["wait", "-p"],
        ["wait", "--quiet=1"],
        ["status", "--json=pretty"],
        ["wait", "-o", "table"],
        ["wait", "-o"],
        ["wait", "--colour"],
        ["wait", "--tiemout", "soon"],
        ["wait", "--service"],
    ],
    ids=str,
)
def test_nothing_is_suggested_that_would_be_a_mistake_itself(words: list[str]) -> None:
    with pytest.raises(UsageError) as mistake:
        cli.run(words)

    said = [mistake.value.message, *mistake.value.hints[:-1]]
    assert [line for line in said if "Did you mean" in line or " is an option of" in line] == []


COLOURS = {
    "GITHUB_ACTIONS": "true",
    "FORCE_COLOR": "1",
    "PY_COLORS": "1",
    "TTY_COMPATIBLE": "1",
    "CLICOLOR_FORCE": "1",
    "TERM": "xterm-256color",
}


@pytest.mark.parametrize("more", [COLOURS, {**COLOURS, "TYPER_USE_RICH": "0"}], ids=["rich", "no"])
def test_help_in_a_pipe_is_plain_text_with_a_table_of_codes(
    base: dict[str, str], more: dict[str, str]
) -> None:
    for words in ([], ["wait"], ["status"], ["sandbox"]):
        asked = run(*words, "--help", env={**base, **more})
        assert asked.stdout == run(*words, "--help", env=base).stdout
        assert "\x1b" not in asked.stdout
        assert asked.stdout.lstrip().startswith("Usage: ")
    codes = [str(code.value) for code in ExitCode]
    table = run("--help", env={**base, **more}).stdout
    listed = re.findall(r"^ +([0-9]+)  [a-z]", table, re.MULTILINE)
    assert listed == codes


@pytest.mark.parametrize("command", ["status", "wait", "sandbox"])
def test_the_help_of_a_command_is_short_and_has_examples_and_codes(
    base: dict[str, str], command: str
) -> None:
    lines = run(command, "--help", env=base).stdout.splitlines()
    assert run("help", command, env=base).stdout.splitlines() == lines

    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith(f" Usage: twbuild {command} [OPTIONS]")
    assert len([line for line in lines if line.startswith(f"   twbuild {command}")]) in (2, 3)
    assert "".join(lines).count("Exit codes: ") == 1
    if command != "status":
        assert DURATION_FORMS in "".join(lines)


@pytest.mark.parametrize(
    ("window", "more", "most"),
    [
        (80, {"COLUMNS": "200"}, 80),
        (80, {"TERMINAL_WIDTH": "200"}, 80),
        (50, {}, 50),
        (200, {}, 100),
    ],
)
def test_help_is_as_wide_as_the_window_and_never_over_100_columns(
    base: dict[str, str], window: int, more: dict[str, str], most: int
) -> None:
    with Terminal([TWBUILD, "--help"], {**base, **more, "TERM": "xterm"}, window) as terminal:
        assert terminal.end() == 0
        text = re.sub(r"\x1b\[[0-9;]*m", "", terminal.raw.decode())
    assert max(map(len, text.splitlines())) == most


@pytest.mark.parametrize("term", [None, "", "dumb", "unknown", "xterm"])
def test_help_has_escape_codes_only_for_a_terminal_that_is_known(
    base: dict[str, str], term: str | None
) -> None:
    env = {**base, "FORCE_COLOR": "1", **({} if term is None else {"TERM": term})}
    with Terminal([TWBUILD, "--help"], env) as terminal:
        assert terminal.end() == 0
        assert (b"\x1b" in terminal.raw) is (term == "xterm")


def test_without_arguments_there_is_help_and_2(base: dict[str, str]) -> None:
    nothing = run(env=base)
    asked = run("-h", env=base)
    in_words = run("help", env=base)

    assert (nothing.code, asked.code, in_words.code) == (2, 0, 0)
    assert nothing.stdout == asked.stdout == in_words.stdout
    assert "still building (status only)" in asked.stdout
    assert nothing.stderr == asked.stderr == ""


@pytest.mark.parametrize("width", [{"COLUMNS": "0"}, {"COLUMNS": "x"}, {"TERMINAL_WIDTH": "x"}])
def test_help_is_there_whatever_the_environment_says_of_the_window(
    base: dict[str, str], width: dict[str, str]
) -> None:
    asked = run("-h", env={**base, **width})

    assert (asked.code, asked.stderr) == (0, "")
    assert " 124  wait ran into --timeout" in asked.stdout


def test_the_command_that_resumes_names_a_service_that_begins_with_a_hyphen(
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
with open("part", "w") as told:
    json.dump([done.returncode, done.stdout, done.stderr], told)
os.rename("part", "told")
"""


@pytest.mark.parametrize("option", ["--install-completion", "--show-completion"])
def test_completion_where_no_shell_is_found_is_2_and_a_sentence(
    base: dict[str, str], tmp_path: Path, option: str
) -> None:
    script = f"import os, sys\nsys.argv.insert(1, str(os.getpid()))\n{ORPHAN}"
    words = [sys.executable, "-c", script, TWBUILD, option]
    processes.adopt_orphans(adopt=False)  # among our own parents there may be a shell
    try:
        subprocess.run(words, env=base, cwd=tmp_path, start_new_session=True, check=True)
        until((tmp_path / "told").exists, "an ending")
    finally:
        processes.adopt_orphans()

    code, stdout, stderr = json.loads((tmp_path / "told").read_text())
    assert (code, stdout) == (2, "")
    assert "no shell" in stderr
    assert all(line.startswith("twbuild: ") for line in stderr.splitlines())


@pytest.mark.parametrize("option", ["--install-completion", "--show-completion"])
def test_words_after_a_completion_option_are_2(base: dict[str, str], option: str) -> None:
    ended = run_words(["bash", "-c", f"twbuild {option} zsh; exit $?"], env=base)

    assert (ended.code, ended.stdout) == (2, "")
    assert f"{option} takes no argument: zsh" in ended.stderr


def test_completion_without_any_home_is_2_and_a_sentence(
    base: dict[str, str], tmp_path: Path
) -> None:
    code = "import pwd\ndef getpwuid(_): raise KeyError\npwd.getpwuid = getpwuid"
    env = {**base, "PYTHONPATH": shim(tmp_path, code)}
    del env["HOME"]
    ended = run_words(["bash", "-c", "twbuild --install-completion; exit $?"], env=env)

    assert (ended.code, ended.stdout) == (2, "")
    assert "completion cannot be installed: HOME is not set" in ended.stderr


INSTALL = ["bash", "-c", "twbuild --install-completion; exit $?"]


def in_the_way(home: Path, name: str, what: str) -> None:
    """Put something where completion is to be written."""
    home.mkdir(exist_ok=True)
    if what == "a folder":
        (home / name).mkdir()
    elif what == "a pipe":
        os.mkfifo(home / name)
    else:
        (home / name).write_bytes(b"\xff\xfe")


@pytest.mark.parametrize(
    ("home", "name", "what", "told"),
    [
        ("home", ".bashrc", "no text", "UnicodeDecodeError"),
        ("home", ".bashrc", "a folder", ".bashrc: is a directory"),
        ("home", ".bashrc", "a pipe", ".bashrc: invalid argument"),
        ("home", ".bash_completions", "a file", ".bash_completions: not a directory"),
        ("home/it's", ".profile", "", "HOME contains a character that shells would obey"),
        ("home/a\nb", ".profile", "", "HOME contains a character that shells would obey"),
    ],
)
def test_completion_that_cannot_be_installed_is_2_a_sentence_and_nothing_written(
    base: dict[str, str], tmp_path: Path, home: str, name: str, what: str, told: str
) -> None:
    in_the_way(tmp_path / home, name, what)
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    ended = run_words(INSTALL, env={**base, "HOME": str(tmp_path / home)})

    assert (ended.code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("twbuild: error: completion cannot be installed: ")
    assert told in ended.stderr
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before


def test_completion_where_no_process_can_be_looked_up_says_what_is_missing(
    base: dict[str, str], tmp_path: Path
) -> None:
    code = "import shellingham.posix as p\ndef none(*_): raise p.ps.PsNotAvailable('x')\n"
    code += "p._iter_process_parents = none"
    ended = run_words(INSTALL, env={**base, "PYTHONPATH": shim(tmp_path, code)})

    assert (ended.code, ended.stdout) == (2, "")
    assert "no shell found for completion: it needs /proc or the program ps" in ended.stderr


def test_completion_is_shown_and_installed_for_the_shell_around_it(base: dict[str, str]) -> None:
    shown_ = run_words(["bash", "-c", "twbuild --show-completion; exit $?"], env=base)
    installed = run_words(["bash", "-c", "twbuild --install-completion; exit $?"], env=base)

    assert (shown_.code, installed.code) == (0, 0)
    assert "_TWBUILD_COMPLETE=complete_bash" in shown_.stdout
    assert Path(base["HOME"], ".bash_completions", "twbuild.sh").read_text() == shown_.stdout[:-1]


@pytest.mark.parametrize("home", ["", "relative", "/dev/null"])
def test_completion_without_a_writable_home_is_2_and_a_sentence(
    base: dict[str, str], tmp_path: Path, home: str
) -> None:
    before = set(os.listdir("/"))
    words = ["bash", "-c", "twbuild --install-completion; exit $?"]
    ended = run_words(words, env={**base, "HOME": home}, cwd=tmp_path)

    assert (ended.code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("twbuild: error: ")
    assert "Traceback" not in ended.stderr
    assert set(os.listdir("/")) == before
    assert list(tmp_path.iterdir()) == [tmp_path / "home"]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("twbuild wa", ["wait"]),
        ("twbuild wait --prog", ["--progress"]),
        ("twbuild wait -p ", ["dev", "stage"]),
        ("twbuild nonsense --x", []),
    ],
)
def test_completion_offers_words_and_profiles_and_asks_nobody(
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
        {"_TWBUILD_COMPLETE": "complete_bash"},
        {"_TWBUILD_COMPLETE": "complete_bash", "COMP_WORDS": "twbuild '", "COMP_CWORD": "x"},
        {"_TWBUILD_COMPLETE": "complete_nosuch"},
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
