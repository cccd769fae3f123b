"""The command line: help, the version, and what is suggested for a mistyped command."""

from __future__ import annotations

import shlex

import pytest

from tests.support.command import BUILD, OTHER_BUILD, SERVICE
from twbuild import __version__, cli, options
from twbuild.config import target
from twbuild.durations import DURATION_FORMS
from twbuild.errors import UsageError
from twbuild.outcome import ExitCode
from twbuild.output import streams

Stdout = pytest.CaptureFixture[str]


def mistake(words: list[str]) -> UsageError:
    """What is wrong with a command."""
    with pytest.raises(UsageError) as refused:
        cli.parse(words).run()
    return refused.value


def test_the_version_is_one_line(capfd: Stdout) -> None:
    assert cli.parse(["--version"]).run() == 0
    assert capfd.readouterr().out == f"twbuild {__version__}\n"


def test_a_typer_that_takes_options_for_given_is_no_0(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of another version prints twbuild's version, whatever is typed."""
    monkeypatch.setattr(cli, "_call", lambda _: print("twbuild 1.0.0"))

    with pytest.raises(ImportError) as broken:
        cli.parse(["wait", SERVICE, BUILD])
    assert broken.value.path == options.typer.__file__


def test_without_arguments_help_with_every_code_is_printed_with_2(capfd: Stdout) -> None:
    assert cli.parse([]).run() == ExitCode.USAGE
    printed = capfd.readouterr().out
    for words in (["--help"], ["help"]):
        assert cli.parse(words).run() == ExitCode.COMPLETED
        assert capfd.readouterr().out == printed
    assert "\x1b" not in printed
    assert [code for code in ExitCode if f"{code.value:>3}  {code.meaning}" not in printed] == []


MEANT = [
    ([BUILD], f"Did you mean: twbuild wait SERVICE {BUILD}", "twbuild"),
    (["my-service", BUILD], f"Did you mean: twbuild wait my-service {BUILD}", "twbuild"),
    (["help", "wiat"], "Did you mean: twbuild wait --help", "twbuild"),
    (["hlep", "wait"], "Did you mean: twbuild help wait", "twbuild"),
    (["version"], "Did you mean: twbuild --version", "twbuild"),
    (["wiat", SERVICE], f"Did you mean: twbuild wait {SERVICE}", "twbuild"),
    (["--wait", SERVICE, BUILD], f"Did you mean: twbuild wait {SERVICE} {BUILD}", "twbuild"),
    (["status", "--wait", BUILD], f"Did you mean: twbuild wait SERVICE {BUILD}", "twbuild status"),
    (["wait", "-f", "-p", "a b"], "Did you mean: twbuild wait -p 'a b'", "twbuild wait"),
    (["-t", "5m", BUILD], f"Did you mean: twbuild wait SERVICE -t 5m {BUILD}", "twbuild"),
    (["--json", "status", "-p", "a b"], "mean: twbuild status --json -p 'a b'", "twbuild"),
    (["--outcome", "failed"], "Did you mean: twbuild sandbox --outcome failed", "twbuild"),
    (["wait", "-o", "json", "x"], "Did you mean: twbuild wait --json x", "twbuild wait"),
    (["wait", "-ojson"], "Did you mean: twbuild wait --json", "twbuild wait"),
    (["status", "--output=json"], "Did you mean: twbuild status --json", "twbuild status"),
    (["wait", "-t", "5m", "--service=x"], "Did you mean: twbuild wait x -t 5m", "twbuild wait"),
    (["wait", "--sid", BUILD, "--service-sid=x"], f"mean: twbuild wait x {BUILD}", "twbuild wait"),
    (["wait", "--region", "ie1"], "Set TWILIO_REGION", "twbuild wait"),
    (["status", "-t", "5m"], "-t is an option of twbuild wait", "twbuild status"),
    (["sandbox", "wait", "x"], "Did you mean: twbuild sandbox twbuild wait x", "twbuild sandbox"),
    (
        ["sandbox", "--outcome=failed", "--build-time=90", "wait"],
        "mean: twbuild sandbox --outcome failed --build-time 90s twbuild wait",
        "twbuild sandbox",
    ),
    (["wait", "--wait"], "no such option: --wait", "twbuild wait"),
    (["wait", "-q", "--tiemout=5m"], "Did you mean: twbuild wait -q --timeout 5m", "twbuild wait"),
    (["wait", SERVICE, BUILD, "-i"], "requires an argument", "twbuild wait"),
    (["watch", SERVICE, BUILD], "watch", "twbuild"),
    ([f"my_{BUILD}"], f"no such command 'my_{BUILD}'", "twbuild"),  # a name that a service may have
    (["sandbox-api", BUILD], f"Did you mean: twbuild wait sandbox-api {BUILD}", "twbuild"),
    (["WAIT", "x", BUILD], f"Did you mean: twbuild wait x {BUILD}", "twbuild"),
    (["wait", "-timeout", "5m", "x"], "mean: twbuild wait --timeout 5m x", "twbuild wait"),
    (["status", "-profile=a b", "x"], "mean: twbuild status '--profile=a b' x", "twbuild status"),
    (["-p", "wait", "status", SERVICE], "-p is an option of twbuild wait", "twbuild"),
    (["-version"], "Did you mean: twbuild --version", "twbuild"),
    (["wait", "--version"], "Did you mean: twbuild --version", "twbuild wait"),
    (["status", "--watch=true", "x"], "Did you mean: twbuild wait x", "twbuild status"),
    (["--json"], "--json", "twbuild"),
]


@pytest.mark.parametrize(("words", "reported", "helps"), MEANT, ids=str)
def test_a_mistyped_command_or_option_suggests_what_was_meant(
    words: list[str], reported: str, helps: str
) -> None:
    error = mistake(words)
    said = [error.message, *error.hints]

    assert [line for line in said if reported in line], said
    assert said[-1] == f"For usage: {helps} --help"
    spans = [span for line in error.lines for span in line]
    for command in [text for text, style in spans if style == "command"]:
        target.parse(cli.parse(shlex.split(command)[1:]).arguments)  # it is no mistake itself


NO_IDEA = [
    *(f"{BUILD} \x1b[2J", f"status -watch {BUILD}", f"--watch=5 x y {BUILD}"),
    *(f"--service '' {BUILD}", "wait -p", "wait --quiet=1", "wait -o table", "wait -o"),
    *("wait --colour", "wait --tiemout soon", "wait --service"),
    *("sandbox --watch git push", "sandbox --service x bash"),
]


@pytest.mark.parametrize("typed", NO_IDEA)
def test_nothing_is_suggested_that_would_be_a_mistake_itself(typed: str) -> None:
    error = mistake(shlex.split(typed))
    said = [error.message, *error.hints[:-1]]

    assert [line for line in said if "Did you mean" in line or " is an option of" in line] == []


URL = f"https://serverless.twilio.com/v1/Services/{SERVICE}/Builds/{BUILD}/Status"
ALL = "wait -p 'a b' --json -q -v -i 0.25s -t 1800s"
KEPT = [
    (f"status {URL}", f"status {SERVICE} {BUILD}"),
    (f"wait -p 'a b' -t 30m -i0.25s -qv --json {SERVICE}/{BUILD}", f"{ALL} {SERVICE} {BUILD}"),
    (f"status -q x {BUILD} {OTHER_BUILD}", f"wait -q x {BUILD} {OTHER_BUILD}"),
    (f"status -p x {BUILD} {OTHER_BUILD}", f"wait -p x SERVICE {BUILD} {OTHER_BUILD}"),
]


@pytest.mark.parametrize(("typed", "command"), KEPT)
def test_a_suggested_command_keeps_the_options_that_were_typed(
    capfd: Stdout, typed: str, command: str
) -> None:
    assert cli.parse(shlex.split(typed)).run() == ExitCode.USAGE
    assert capfd.readouterr().err.endswith(f": twbuild {command}\n")


@pytest.mark.parametrize("command", ["status", "wait", "sandbox"])
def test_help_is_short_with_examples_and_codes(
    capfd: Stdout, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(streams, "window", lambda *_: (80, 24))
    assert cli.parse(["help", command]).run() == 0
    in_words = capfd.readouterr().out
    assert cli.parse([command, "--help"]).run() == 0
    assert capfd.readouterr().out == in_words
    lines = in_words.splitlines()

    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith(f" Usage: twbuild {command} [OPTIONS]")
    assert len([line for line in lines if line.startswith(f"   twbuild {command}")]) in (2, 3)
    assert "".join(lines).count("Exit codes: ") == 1
    if command != "status":
        assert DURATION_FORMS in "".join(lines)


@pytest.mark.parametrize("typed", [URL.replace("://", "://SK1:hunter2@"), f"{SERVICE}/{BUILD}"])
def test_sids_in_place_of_a_command_are_those_of_wait(capfd: Stdout, typed: str) -> None:
    """A URL is not repeated: it may contain a password."""
    assert cli.parse([typed, "--json"]).run() == ExitCode.USAGE

    printed = capfd.readouterr().err
    assert printed.endswith(f" Did you mean: twbuild wait --json {SERVICE} {BUILD}\n")
    assert "hunter2" not in printed


@pytest.mark.parametrize("option", ["-version", "-help", "-outcome"])
def test_options_with_one_dash_are_commands_in_the_sandbox(option: str) -> None:
    cli.parse(["sandbox", "java", option])


def test_an_empty_command_of_the_sandbox_is_a_mistake() -> None:
    assert mistake(["sandbox", ""]).message.startswith("COMMAND is empty")
