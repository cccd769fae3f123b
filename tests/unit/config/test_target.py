"""Which service and which builds are meant, and how each mistake is named."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.command import ACCOUNT, BUILD, OTHER_BUILD, SERVICE
from twbuild.config import target
from twbuild.config.credentials import Credentials
from twbuild.config.settings import Settings
from twbuild.config.target import Arguments
from twbuild.errors import UsageError

HEX = "0123456789abcdef" * 2
OTHER_ACCOUNT, OTHER_SERVICE = f"AC{HEX}", f"ZS{HEX}"
US1, IE1, OTHER_US1 = f"{ACCOUNT}:us1", f"{ACCOUNT}:ie1", f"{OTHER_ACCOUNT}:us1"
API = "https://serverless.twilio.com/v1"
INSTEAD = "Pass SERVICE, or set TWBUILD_SERVICE."


def located(
    arguments: Arguments | None = None,
    service: str | None = None,
    account: str | None = ACCOUNT,
    region: str = "us1",
) -> target.Target:
    """What `arguments` mean, where TWBUILD_SERVICE is `service`."""
    found = Credentials("name", "secret", source="TWILIO_API_KEY", account=account)
    known = Settings(found, API, region, is_custom=False, is_regional=False)
    environ = {} if service is None else {"TWBUILD_SERVICE": service}
    return target.locate(arguments or Arguments(None, ()), environ, known)


def shown(error: UsageError) -> str:
    """All that a user reads: message, then hints."""
    assert error.exit_code == 2
    return "\n".join([error.message, *error.hints])


def refusal(typed: Sequence[str], command: str = "wait", options: Sequence[str] = ()) -> str:
    """What is said of arguments that are not valid."""
    with pytest.raises(UsageError) as raised:
        target.parse(typed, command, options)
    return shown(raised.value)


def not_located(
    service: str | None = None, account: str | None = ACCOUNT, region: str = "us1"
) -> str:
    """What is said where no service is found."""
    with pytest.raises(UsageError) as raised:
        located(None, service, account, region)
    return shown(raised.value)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project with a repository of its own, as the working directory."""
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def write(folder: Path, entries: object) -> str:
    """Write a project file; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ".twiliodeployinfo"
    path.write_text(json.dumps(entries))
    return str(path)


def entry(service: object = SERVICE) -> dict[str, object]:
    return {"serviceSid": service, "latestBuild": OTHER_BUILD}


OTHER = entry(OTHER_SERVICE)


class TestArguments:
    @pytest.mark.parametrize(
        ("typed", "service", "builds"),
        [
            ([], None, ()),
            ([SERVICE], SERVICE, ()),
            (["a" * 50], "a" * 50, ()),
            (["-"], "-", ()),
            ([BUILD], None, (BUILD,)),
            ([SERVICE, BUILD], SERVICE, (BUILD,)),
            (["my-service", BUILD, OTHER_BUILD], "my-service", (BUILD, OTHER_BUILD)),
            ([f"ZS{HEX.upper()}", f"ZB{HEX.upper()}"], f"ZS{HEX.upper()}", (f"ZB{HEX.upper()}",)),
            # A build named twice is watched once, as first typed.
            ([SERVICE, BUILD, OTHER_BUILD, BUILD], SERVICE, (BUILD, OTHER_BUILD)),
            ([f"ZB{HEX.upper()}", f"ZB{HEX}"], None, (f"ZB{HEX.upper()}",)),
        ],
    )
    def test_the_first_is_the_service_unless_it_is_a_build(
        self, typed: list[str], service: str | None, builds: tuple[str, ...]
    ) -> None:
        assert target.parse(typed) == Arguments(service, builds)

    @pytest.mark.parametrize(
        ("typed", "wanted"),
        [
            # Empty: never counted as left out
            ([""], "^SERVICE is empty: is the variable set[?]$"),
            (["", BUILD], "^SERVICE is empty"),
            ([SERVICE, ""], "^BUILD is empty: is the variable set[?]$"),
            ([BUILD, ""], "^BUILD is empty"),
            # Too short, too long
            ([f"ZS{HEX[1:]}"], "^SERVICE 'ZS.*' is not a Service SID: it has 31 hex digits after"),
            ([f"ZS{HEX}0"], "it has 33 hex digits after ZS, not 32$"),
            (["ZB1"], "^BUILD 'ZB1' is not a Build SID: it has 1 hex digit after ZB, not 32$"),
            ([SERVICE, f"ZB{HEX}00"], "it has 34 hex digits after ZB, not 32$"),
            # A stray character, shown visibly
            (["ZSservice"], "is not a Service SID: it contains 's', which is not a hex digit$"),
            ([f"{SERVICE}\r"], r"^SERVICE 'ZS\w+\\r' is .* contains '\\r' \(U\+000D\), which"),
            ([SERVICE, f"{BUILD}\n"], r"^BUILD 'ZB\w+\\n' is not a .* contains '\\n' \(U\+000A\)"),
            ([SERVICE, f"{BUILD} "], "is not a Build SID: it contains ' ', which is not a hex"),
            ([SERVICE, f"ZB{HEX[1:]}g"], "it contains 'g', which is not a hex digit$"),
            ([SERVICE, f"ZB{HEX[1:]}٣"], r"it contains '٣' \(U\+0663\), which"),
            ([SERVICE, f"{BUILD}\ufe0f"], r"^BUILD 'ZB\w+\\ufe0f' is .*'\\ufe0f' \(U\+FE0F\)"),
            ([f"Z\u0412{HEX}"], "^SERVICE .* contains '\u0412' [(]U[+]0412[)]\nUse ZS and 32 hex"),
            ([SERVICE, f"Z\u0412{HEX}"], "^BUILD .* contains '\u0412' [(]U[+]0412[)]\nUse ZB and"),
            ([f'"{SERVICE}"'], "is not a Service SID or unique name: it contains '\"'\n"),
            ([SERVICE, f"'{BUILD}'"], 'is not a Build SID: it contains "\'"\n'),
            ([SERVICE, f"\ufeff{BUILD}"], r"it contains '\\ufeff' \(U\+FEFF\)\n"),
            (["dienst-ü"], r"unique name: it contains 'ü' \(U\+00FC\)\nUse ZS .*, or 1 to 50 "),
            (["a" * 51], "'a+' is not a Service SID or unique name: it has 51 characters\nUse ZS"),
            # Another kind, lowercase letters
            ([f"VA{HEX}"], "^SERVICE 'VA.*unique name: it is another kind of SID\nUse ZS and 32"),
            ([BUILD, f"ZN{HEX}"], "^BUILD 'ZN.*Build SID: it does not begin with ZB\nUse ZB and"),
            ([f"zs{HEX}"], "unique name: it begins with zs, not ZS\n(.|\n)*Write ZS in capitals.$"),
            ([f"zB{HEX}"], "it begins with zB, not ZS\n(.|\n)*Write ZB in capitals.$"),
            ([SERVICE, f"zb{HEX}"], "does not begin with ZB\n(.|\n)*Write ZB in capitals.$"),
            # A wrong order
            ([BUILD, SERVICE], "^BUILD 'ZS.* it is a Service SID\nWrite the service first, then"),
            ([BUILD, "my-build"], "it does not begin with ZB\n.*\nWrite the service first, then"),
            (["my-service", BUILD, "ZS"], "^BUILD 'ZS' is not a Build SID: it is a Service SID$"),
            # What looks like a file name
            (["functions/a.js", "Makefile"], "It looks like a file name.\n.*pass_filenames: false"),
            ([r"functions\a"], "It looks like a file name.\n"),
            ([SERVICE, ".."], "It looks like a file name.\n"),
            (
                ["a?b"],
                "it contains '[?]'\nUse ZS and 32 hex digits, or 1 to 50 letters, .* and _.$",
            ),
            # A placeholder that was not replaced
            (["undefined"], "^SERVICE 'undefined' .*: it is a placeholder that was not replaced"),
            ([BUILD, "<build>"], "^BUILD '<build>' is not a Build SID: it is a placeholder"),
        ],
    )
    def test_each_mistake_is_named(self, typed: list[str], wanted: str) -> None:
        assert re.search(wanted, refusal(typed)), refusal(typed)

    @pytest.mark.parametrize(
        ("typed", "command"),
        [
            ([f"{API}/Services/{SERVICE}/Builds/{BUILD}/Status"], "SB"),
            ([f"{API}/Services/{SERVICE}/Builds?PageSize=20"], "S"),
            ([f"{API}/Services/my-app/Builds/{BUILD}"], "NB"),
            ([f"https://console.twilio.com/us1/develop/functions/editor/{SERVICE}/x"], "S"),
            ([SERVICE, f"{API}/Services/{SERVICE}/Builds/{BUILD}"], "SB"),
            (["my-app", f"https://api.example.test/Builds/{BUILD}/Status"], "NB"),
            ([f"{SERVICE}/{BUILD}"], "SB"),
            ([SERVICE, f"{BUILD},{OTHER_BUILD}"], "SBO"),
            ([f"{BUILD}/Status"], "UB"),
            ([f"my-app/{BUILD}"], "NB"),
            ([f"my-app/Builds/{BUILD}"], "NB"),
            ([BUILD, "my-app"], "NB"),
            ([SERVICE, BUILD[2:]], "SB"),
            (["my-app", f"{BUILD} ", OTHER_BUILD[2:]], "NBO"),
            ([SERVICE, f"{BUILD}\r"], "SB"),
            (["my-app", f"sid={BUILD}"], "NB"),
            ([f"Build: {BUILD}"], "UB"),
            ([f"build/{BUILD}"], "LB"),
            ([BUILD, SERVICE], "SB"),
            ([f"-x/{BUILD}"], "DB"),
        ],
    )
    def test_sids_in_something_become_a_command(self, typed: list[str], command: str) -> None:
        names = {"S": SERVICE, "B": BUILD, "O": OTHER_BUILD, "N": "my-app", "U": "SERVICE"}
        names["L"] = "build"
        words = " ".join({**names, "D": "-- -x"}[letter] for letter in command)

        for name in ("status", "wait"):
            meant = "wait" if "O" in command else name
            hint = refusal(typed, name).splitlines()[-1]
            assert hint == f"Did you mean: twbuild {meant} {words}"

    @pytest.mark.parametrize(
        "typed",
        [
            [SERVICE, SERVICE],
            [SERVICE, "my-build"],
            [SERVICE, OTHER_SERVICE, BUILD],
            ["my-app", f"{API}/Services/{SERVICE}/Builds/{BUILD}"],
            [f"{API}/Services/ZS12/Builds"],
            [f"{BUILD}0"],
            [f"my.app/{BUILD}"],
            [f"MY.APP/{BUILD}"],
            [f"{API}/Services/my.app/Builds/{BUILD}"],
            ["functions/a.js"],
            ["my-app", ""],
            [f"\u672c\u756a/{BUILD}"],
            [OTHER_BUILD, f"api;{BUILD}"],
            ["my-app", f"https://api.example.test/v1/services/other/builds/{BUILD}"],
        ],
    )
    def test_no_command_is_suggested_where_it_would_be_a_guess(self, typed: list[str]) -> None:
        assert "Did you mean" not in refusal(typed)

    def test_a_url_is_called_one_and_not_repeated(self) -> None:
        """A URL is called one and not repeated as it may contain a password."""
        url = f"https://SK1:hunter2@serverless.twilio.com/v1/Services/{SERVICE}/Builds/{BUILD}"

        service, build = refusal([url]), refusal([SERVICE, url])
        assert service.startswith(
            "SERVICE is not a Service SID or unique name: it is a URL\nUse ZS"
        )
        assert build.startswith("BUILD is not a Build SID: it is a URL\nUse ZB and 32 hex digits.")
        assert "hunter2" not in service + build

    def test_a_command_keeps_options_and_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TWBUILD_SERVICE", SERVICE)
        several = refusal([BUILD, OTHER_BUILD], "status", ["-p", "dev"])
        meant = refusal([f"{BUILD}/Status"], "status", ["-p", "dev"]).splitlines()[-1]

        command = f"twbuild wait -p dev {BUILD} {OTHER_BUILD}"
        assert several == f"status checks one build\nFor several: {command}"
        assert meant == f"Did you mean: twbuild status -p dev {BUILD}"
        assert target.parse([BUILD], "status").builds == (BUILD,)

    @pytest.mark.parametrize("typed", ["\x1b]0;x\x07", "##[x]", "\u202e", "ZB##", "ZS\n::error::"])
    def test_a_hostile_argument_is_shown_and_does_nothing(self, typed: str) -> None:
        assert refusal([typed]).replace("\n", "").isprintable()
        assert "##" not in refusal([typed])


class TestWhereTheServiceComesFrom:
    def test_argument_then_variable_then_project_file(self, project: Path) -> None:
        path = write(project, {US1: entry()})
        builds = (BUILD,)

        assert located(Arguments("typed", builds), "variable") == ("typed", builds, None)
        from_variable = ("variable", builds, "TWBUILD_SERVICE")
        assert located(Arguments(None, builds), "variable") == from_variable
        assert located(Arguments(None, builds)) == (SERVICE, builds, path)
        assert located(service="") == (SERVICE, (), path)

    @pytest.mark.usefixtures("project")
    @pytest.mark.parametrize(
        ("value", "wanted"),
        [
            (BUILD, "'ZB.*' is not a .* name: it is a Build SID\nA Service SID begins with ZS.$"),
            ("ZS12", "'ZS12' is not a Service SID: it has 2 hex digits after ZS, not 32"),
            ('"name"', "'\"name\"' is not a Service SID or unique name: it contains '\"'"),
            ("${{ vars.SERVICE }}", "'.*name: it is a placeholder that was not replaced"),
            ("ZSxxxx", "'.*name: it is a placeholder that was not replaced"),
        ],
    )
    def test_a_bad_variable_is_named(self, value: str, wanted: str) -> None:
        assert re.match(f"TWBUILD_SERVICE {wanted}", not_located(value))

    @pytest.mark.usefixtures("project")
    def test_no_service_anywhere_lists_the_three_ways_to_name_one(self) -> None:
        ways = (
            "pass   SERVICE, a Service SID (ZS...) or a unique name\n"
            "set    TWBUILD_SERVICE\n"
            "run    in a project with .twiliodeployinfo, which twilio serverless:deploy writes"
        )
        empty = "TWBUILD_SERVICE is empty. Does the CI job have this variable?"

        assert not_located() == f"no service given. Do one of these:\n{ways}"
        assert not_located("") == f"no service given: {empty}\n{ways}"

    def test_a_working_directory_that_is_gone_is_no_crash(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gone = tmp_path / "gone"
        gone.mkdir()
        monkeypatch.chdir(gone)
        gone.rmdir()

        assert not_located().startswith("no service given")
        assert located(Arguments("typed", ())).service == "typed"
        monkeypatch.undo()


@pytest.mark.parametrize(
    ("gits", "files", "here", "found"),
    [
        (["a/.git/"], ["a"], "a/b/c", "a"),
        (["a/.git/"], ["a", "a/b"], "a/b", "a/b"),
        (["a/.git/"], ["a", "a/b/c"], "a/b", "a"),
        (["a/.git/", "a/b/.git/"], ["a"], "a/b/c", None),
        (["a/.git/", "a/b/.git/"], ["a", "a/b"], "a/b/c", "a/b"),
        # A file, as in a linked worktree; a link that leads nowhere
        (["a/.git/", "a/b/.git"], ["a"], "a/b/c", None),
        (["a/.git/", "a/b/.git@"], ["a"], "a/b/c", None),
        # Without any, only in the working directory
        ([], ["a"], "a/b", None),
        ([], ["a", "a/b"], "a/b", "a/b"),
    ],
)
def test_the_project_file_is_here_or_above_up_to_git(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    gits: list[str],
    files: list[str],
    here: str,
    found: str | None,
) -> None:
    """A GIT_DIR that git has set, as for a hook, changes nothing."""
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    (tmp_path / "a/b/c").mkdir(parents=True)
    for git in gits:
        if git.endswith("/"):
            (tmp_path / git).mkdir()
        elif git.endswith("@"):
            (tmp_path / git[:-1]).symlink_to("nowhere")
        else:
            (tmp_path / git).write_text("gitdir: ../.git/worktrees/b\n")
    paths = {name: write(tmp_path / name, {US1: entry()}) for name in files}
    monkeypatch.chdir(tmp_path / here)

    if found:
        assert located().source == paths[found]
    else:
        assert not_located().startswith("no service given")


class TestWhichEntryIsTaken:
    @pytest.mark.parametrize(
        ("entries", "account", "region"),
        [
            ({US1: entry(), IE1: OTHER}, ACCOUNT, "us1"),
            ({US1: OTHER, IE1: entry()}, ACCOUNT, "ie1"),
            ({ACCOUNT: entry()}, ACCOUNT, "ie1"),
            ({ACCOUNT: OTHER, US1: entry()}, ACCOUNT, "us1"),
            ({ACCOUNT: entry(), US1: OTHER}, ACCOUNT, "ie1"),
            ({OTHER_US1: OTHER, US1: entry()}, ACCOUNT, "us1"),
            ({OTHER_US1: None, "junk": 3, US1: entry()}, ACCOUNT, "us1"),
            ({f"AC{ACCOUNT[2:].upper()}:us1": entry()}, ACCOUNT, "us1"),
            # Where the account is not known, the only one's
            ({US1: entry()}, None, "us1"),
            ({ACCOUNT: entry()}, None, "ie1"),
            ({US1: entry(), ACCOUNT: OTHER}, None, "us1"),
        ],
    )
    def test_the_entry_of_account_and_region_then_of_the_account(
        self, project: Path, entries: object, account: str | None, region: str
    ) -> None:
        write(project, entries)

        assert located(account=account, region=region).service == SERVICE

    @pytest.mark.parametrize(
        ("entries", "account", "region", "whose", "listed"),
        [
            ({OTHER_US1: OTHER}, ACCOUNT, "us1", f"for account {ACCOUNT}", OTHER_US1),
            ({OTHER_ACCOUNT: OTHER}, ACCOUNT, "us1", f"for account {ACCOUNT}", OTHER_ACCOUNT),
            ({US1: entry()}, ACCOUNT, "ie1", f"for account {ACCOUNT}", US1),
            ({f"AC{'ﬀ' * 16}": OTHER}, f"AC{'ff' * 16}", "us1", "for account ACff", "ACﬀ"),
            ({US1: entry(), OTHER_US1: OTHER}, None, "us1", "that is surely yours", OTHER_US1),
            ({IE1: entry()}, None, "us1", "that is surely yours", IE1),
            ({}, ACCOUNT, "us1", f"for account {ACCOUNT}", "Its entries: none\n"),
            ({f"AC{n}": OTHER for n in range(5000)}, None, "us1", "that is", "9, and 4990 more\n"),
        ],
    )
    def test_without_a_fitting_entry_all_are_listed(
        self,
        project: Path,
        entries: object,
        account: str | None,
        region: str,
        whose: str,
        listed: str,
    ) -> None:
        path = write(project, entries)

        message, known, source, instead = not_located(None, account, region).splitlines()
        assert message.startswith(f"{path} has no entry {whose}")
        assert message.endswith(f" in region {region}")
        assert listed in f"{known}\n"
        assert source == "The credentials are from TWILIO_API_KEY."
        assert instead == INSTEAD

    @pytest.mark.parametrize("value", [None, {}, entry(None), entry([SERVICE]), "text"])
    def test_an_entry_without_a_service_sid_says_so(self, project: Path, value: object) -> None:
        path = write(project, {US1: value})

        why = "cannot be used: its entry has no serviceSid"
        assert not_located() == f"{path} {why}\n{INSTEAD}"

    def test_a_malformed_service_sid_names_file_and_mistake(self, project: Path) -> None:
        for value, why in (("ZS12", "it has 2 hex digits"), ("my-app", "it does not begin with")):
            path = write(project, {US1: entry(value)})
            wanted = f"serviceSid in {path} '{value}' is not a Service SID: {why}"
            assert not_located().startswith(wanted)

    @pytest.mark.parametrize("why", ["empty", "not a regular file"])
    def test_a_broken_file_is_named_and_never_passed_over(
        self, project: Path, monkeypatch: pytest.MonkeyPatch, why: str
    ) -> None:
        write(project, {US1: entry()})
        path = project / "below" / ".twiliodeployinfo"
        path.parent.mkdir()
        if why == "empty":
            path.write_text("")
        else:
            os.mkfifo(path)
        monkeypatch.chdir(path.parent)

        assert not_located() == f"{path} cannot be used: {why}\n{INSTEAD}"


@given(st.lists(st.text(max_size=40) | st.sampled_from([SERVICE, BUILD, "name"]), max_size=4))
def test_what_gets_through_is_well_formed(typed: list[str]) -> None:
    try:
        found = target.parse(typed)
    except UsageError as refused:
        found, said = Arguments(None, ()), shown(refused)
    else:
        said = ""
    assert said.replace("\n", "").isprintable()
    if found.service is not None:
        assert re.fullmatch(r"ZS[0-9a-fA-F]{32}|(?!Z[SB])[A-Za-z0-9_-]{1,50}", found.service)
    assert all(re.fullmatch("ZB[0-9a-fA-F]{32}", build) for build in found.builds)
    assert len(typed) >= len(found.builds) + (found.service is not None)
