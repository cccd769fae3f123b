"""Which service and which builds are meant, and how each mistake is named."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
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

OTHER_ACCOUNT = "AC" + "9f" * 16
OTHER_SERVICE = "ZS" + "9e" * 16
HEX = "0123456789abcdef" * 2


def settings(account: str | None = ACCOUNT, region: str = "us1") -> Settings:
    found = Credentials("name", "secret", source="TWILIO_API_KEY", account=account)
    return Settings(found, "https://api.example.test", region, is_custom=False, is_regional=False)


def reported(error: UsageError) -> str:
    """Everything that people get to read."""
    return "\n".join([error.message, *error.hints])


def located(
    arguments: Arguments | None = None,
    environ: Mapping[str, str] | None = None,
    known: Settings | None = None,
) -> target.Target:
    return target.locate(arguments or Arguments(None, ()), environ or {}, known or settings())


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project with a repository of its own, as the working directory."""
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def write(folder: Path, entries: object) -> Path:
    path = folder / ".twiliodeployinfo"
    path.write_text(json.dumps(entries))
    return path


def entry(service: object = SERVICE) -> dict[str, object]:
    return {"serviceSid": service, "latestBuild": OTHER_BUILD}


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
            (["ZS" + HEX.upper(), "ZB" + HEX.upper()], "ZS" + HEX.upper(), ("ZB" + HEX.upper(),)),
        ],
    )
    def test_the_first_is_the_service_unless_it_is_a_build(
        self, typed: list[str], service: str | None, builds: tuple[str, ...]
    ) -> None:
        assert target.parse(typed) == Arguments(service, builds)

    def test_a_build_named_twice_is_watched_once_as_first_typed(self) -> None:
        shouted = "ZB" + BUILD[2:].upper()

        assert target.parse([SERVICE, BUILD, OTHER_BUILD, shouted, BUILD]) == Arguments(
            SERVICE, (BUILD, OTHER_BUILD)
        )
        assert target.parse([shouted, BUILD]) == Arguments(None, (shouted,))

    @pytest.mark.parametrize(
        ("typed", "message"),
        [
            ([""], "SERVICE is empty: is the variable set?"),
            (["", BUILD], "SERVICE is empty: is the variable set?"),
            ([SERVICE, ""], "BUILD is empty: is the variable set?"),
            ([SERVICE, BUILD, ""], "BUILD is empty: is the variable set?"),
            ([BUILD, ""], "BUILD is empty: is the variable set?"),
        ],
    )
    def test_an_empty_argument_never_counts_as_left_out(
        self, typed: list[str], message: str
    ) -> None:
        with pytest.raises(UsageError) as raised:
            target.parse(typed)

        assert reported(raised.value) == message

    @pytest.mark.parametrize(
        ("typed", "wanted"),
        [
            # Too short, too long
            (
                ["ZS" + HEX[1:]],
                "SERVICE 'Z.* is not a Service SID: it has 31 hex digits after ZS, not 32",
            ),
            (
                ["ZS" + HEX + "0"],
                "SERVICE 'Z.* is not a Service SID: it has 33 hex digits after ZS, not 32",
            ),
            (
                ["ZB" + HEX[1:]],
                "BUILD 'Z.* is not a Build SID: it has 31 hex digits after ZB, not 32",
            ),
            (
                [SERVICE, "ZB" + HEX + "00"],
                "BUILD 'Z.* is not a Build SID: it has 34 hex digits after ZB, not 32",
            ),
            # A stray character, shown visibly
            (
                ["ZSservice"],
                "SERVICE 'ZSservice' is not a Service SID: it contains 's', which is not a",
            ),
            (
                [SERVICE + "\r"],
                r"SERVICE 'ZS\w+\\r' is not a Service SID: it contains '\\r' \(U\+000D\), which",
            ),
            (
                [SERVICE + "\n"],
                r"SERVICE '.* SID: it contains '\\n' \(U\+000A\), which is not a hex digit",
            ),
            (
                [SERVICE, BUILD + "\r"],
                r"BUILD '.* SID: it contains '\\r' \(U\+000D\)",
            ),
            ([SERVICE, BUILD + " "], "BUILD '.* SID: it contains ' ', which is not a hex digit"),
            (
                [SERVICE, "ZB" + HEX[1:] + "g"],
                "BUILD '.* SID: it contains 'g', which is not a hex digit",
            ),
            (
                [SERVICE, "ZB" + HEX[1:] + "٣"],
                r"BUILD '.* SID: it contains '٣' \(U\+0663\)",
            ),
            (
                [SERVICE, BUILD + "\u200b"],
                r"BUILD '.* SID: it contains '\\u200b' \(U\+200B\)",
            ),
            ([SERVICE, BUILD + "\ufe0f"], r"BUILD 'ZB\w+\\ufe0f' is not .*'\\ufe0f' \(U\+FE0F\)"),
            (["Z\u0412" + HEX, BUILD], r"contains '\u0412' \(U\+0412\)"),
            ([SERVICE, "Z\u0412" + HEX], r"BUILD '.* is not .* contains '\u0412' \(U\+0412\)"),
            (
                [SERVICE, BUILD + "/Status"],
                "BUILD '.* SID: it contains '/', which is not a hex digit",
            ),
            (
                ['"' + SERVICE + '"'],
                "SERVICE '.* is not a Service SID or unique name: it contains '\"'",
            ),
            ([" " + SERVICE], "SERVICE '.* is not a Service SID or unique name: it contains ' '"),
            (
                [SERVICE, "\ufeff" + BUILD],
                r"BUILD '.* is not .* contains '\\ufeff' \(U\+FEFF\)",
            ),
            ([SERVICE, "'" + BUILD + "'"], 'BUILD ".* is not a Build SID: it contains "\'"'),
            ([SERVICE, f"{BUILD} {OTHER_BUILD}"], "BUILD '.* SID: it contains ' '"),
            # Another kind
            (["VA" + HEX], "SERVICE 'VA.* another kind of SID\nUse ZS and 32 hex digits"),
            (["ZB" + HEX, "ZN" + HEX], "BUILD 'ZN.* is not a Build SID: it does not begin with ZB"),
            (
                [SERVICE, "my-build"],
                "BUILD 'my-build' is not a Build SID: it does not begin with ZB",
            ),
            # Small letters
            (["zs" + HEX], "SERVICE '.* is not a Service SID(.|\n)*Write ZS in capitals"),
            (["zb" + HEX], "SERVICE '.* is not a Service SID(.|\n)*Write ZB in capitals"),
            (["Zs" + HEX], "Write ZS in capitals"),
            ([SERVICE, "zb" + HEX], "BUILD '.* is not a Build SID(.|\n)*Write ZB in capitals"),
            # A wrong order
            ([BUILD, SERVICE], "BUILD 'ZS.* it is a Service SID\n.*Write the service first"),
            ([BUILD, "my-build"], "BUILD 'my-build' .*\n.*\nWrite the service first"),
            (["my-service", BUILD, "ZS"], "BUILD 'ZS' .* it is a Service SID$"),
            # No unique name
            (["MY service"], "'MY service' is not .* or unique name: it contains ' '"),
            (
                ["my service"],
                "'my service' is not .* or unique name: it contains ' '\nUse ZS .*1 to 50",
            ),
            (
                ["a" * 51],
                "'a+' is not .* or unique name: it has 51 characters\nUse ZS .*, or 1 to 50",
            ),
            (["dienst-ü"], r"'dienst-ü' is not .* or unique name: it contains 'ü' \(U\+00FC\)"),
            (["a?b"], "contains '\\?'"),
            (["a$SERVICE"], r"contains '\$'"),
            # Looks like a file name
            (["functions/a.js", "Makefile"], "file name.\n.*pass_filenames: false"),
            (["package.json"], "file name.\n.*pass_filenames: false"),
            ([r"functions\a"], "file name.\n.*pass_filenames: false"),
            ([".."], "file name"),
        ],
    )
    def test_each_mistake_is_named(self, typed: list[str], wanted: str) -> None:
        with pytest.raises(UsageError) as raised:
            target.parse(typed)

        assert re.search(wanted, reported(raised.value)), reported(raised.value)
        assert raised.value.exit_code == 2

    @pytest.mark.parametrize(
        ("typed", "command"),
        [
            ([f"https://serverless.twilio.com/v1/Services/{SERVICE}/Builds/{BUILD}/Status"], "SB"),
            ([f"https://serverless.twilio.com/v1/Services/{SERVICE}/Builds?PageSize=20"], "S"),
            ([f"https://serverless.twilio.com/v1/Services/my-app/Builds/{BUILD}"], "NB"),
            ([f"https://console.twilio.com/us1/develop/functions/editor/{SERVICE}/x"], "S"),
            (
                [SERVICE, f"https://serverless.twilio.com/v1/Services/{SERVICE}/Builds/{BUILD}"],
                "SB",
            ),
            (["my-app", f"https://api.example.test/Builds/{BUILD}/Status"], "NB"),
            ([f"{SERVICE}/{BUILD}"], "SB"),
            ([SERVICE, f"{BUILD},{OTHER_BUILD}"], "SBO"),
            ([f"{BUILD}/Status"], "UB"),
            ([f"my-app/{BUILD}"], "NB"),
            ([f"my-app/Builds/{BUILD}"], "NB"),
            ([BUILD, "my-app"], "NB"),
            ([SERVICE, HEX], "SB"),
            (["my-app", f"{BUILD} ", OTHER_BUILD[2:]], "NBO"),
            ([SERVICE, f"{BUILD}\r"], "SB"),
            (["my-app", f"sid={BUILD}"], "NB"),
            ([BUILD, SERVICE], "SB"),
        ],
    )
    def test_sids_within_something_else_become_a_command_to_type(
        self, typed: list[str], command: str
    ) -> None:
        names = {"S": SERVICE, "B": BUILD, "O": OTHER_BUILD, "N": "my-app", "U": "SERVICE"}
        words = [names[letter] for letter in command]

        for name in ("status", "wait"):
            with pytest.raises(UsageError) as raised:
                target.parse(typed, name)

            name = "wait" if "O" in command else name  # noqa: PLW2901 - status takes one build
            assert raised.value.hints[-1] == f"Did you mean: twbuild {name} {' '.join(words)}"
        assert target.parse(words).builds == tuple(w for w in words if w.startswith("ZB"))

    @pytest.mark.parametrize(
        "typed",
        [
            [SERVICE, SERVICE],
            [SERVICE, "my-build"],
            [SERVICE, OTHER_SERVICE, BUILD],
            ["my-app", f"https://api.example.test/v1/Services/{SERVICE}/Builds/{BUILD}"],
            ["https://api.example.test/v1/Services/ZS12/Builds"],
            [f"{BUILD}0"],
            [f"my.app/{BUILD}"],
            [f"https://api.example.test/v1/Services/my.app/Builds/{BUILD}"],
            ["functions/a.js"],
            ["my-app", ""],
        ],
    )
    def test_no_command_is_suggested_where_it_would_be_a_guess(self, typed: list[str]) -> None:
        with pytest.raises(UsageError) as raised:
            target.parse(typed)

        assert "Did you mean" not in reported(raised.value)

    def test_a_url_is_called_one_and_not_repeated(self) -> None:
        """A URL is called one and not repeated as it may contain a password."""
        url = f"https://SK1:hunter2@serverless.twilio.com/v1/Services/{SERVICE}/Builds/{BUILD}"
        for typed, name in (([url], "SERVICE"), ([SERVICE, url], "BUILD")):
            with pytest.raises(UsageError) as raised:
                target.parse(typed)

            assert re.fullmatch(f"{name} is not a .*: it is a URL", raised.value.message)
            assert "hunter2" not in reported(raised.value)

    @pytest.mark.parametrize(
        "value", ["null", "undefined", "None", "$SERVICE", "${{ vars.SERVICE }}", "<service>"]
    )
    def test_a_placeholder_that_was_not_replaced_is_called_one(self, value: str) -> None:
        why = "it is a placeholder that was not replaced with its value"
        for typed, name in (
            ([value], "SERVICE"),
            ([value, BUILD], "SERVICE"),
            ([BUILD, value], "BUILD"),
        ):
            with pytest.raises(UsageError) as raised:
                target.parse(typed)
            assert re.fullmatch(f"{name} .* SID.*: {why}", raised.value.message)
        with pytest.raises(UsageError) as raised:
            located(environ={"TWBUILD_SERVICE": value})
        assert raised.value.message.endswith(f"name: {why}")

    def test_a_hostile_argument_is_shown_and_does_nothing(self) -> None:
        for typed in ["\x1b]0;x\x07", "##[error]", "\u202e", "ZB##", "ZS\n::error::"]:
            with pytest.raises(UsageError) as raised:
                target.parse([typed])

            assert reported(raised.value).replace("\n", "").isprintable()
            assert "##" not in reported(raised.value)


class TestWhereTheServiceComesFrom:
    def test_the_argument_comes_first_and_needs_no_word(self, project: Path) -> None:
        write(project, {f"{ACCOUNT}:us1": entry()})

        found = located(Arguments("typed", (BUILD,)), {"TWBUILD_SERVICE": "variable"})

        assert found == target.Target("typed", (BUILD,), None)

    def test_the_variable_comes_before_the_project_file(self, project: Path) -> None:
        write(project, {f"{ACCOUNT}:us1": entry()})

        found = located(Arguments(None, (BUILD,)), {"TWBUILD_SERVICE": "variable"})

        assert found == target.Target("variable", (BUILD,), "TWBUILD_SERVICE")

    def test_an_empty_variable_counts_as_unset(self, project: Path) -> None:
        path = write(project, {f"{ACCOUNT}:us1": entry()})

        assert located(environ={"TWBUILD_SERVICE": ""}) == target.Target(SERVICE, (), str(path))

    @pytest.mark.parametrize(
        ("value", "wanted"),
        [
            (BUILD, "TWBUILD_SERVICE '.* it is a Build SID"),
            (
                "ZS12",
                "TWBUILD_SERVICE 'Z.* is not a Service SID: it has 2 hex digits after ZS, not 32",
            ),
            ("VA" + HEX, "TWBUILD_SERVICE 'VA.* another kind of SID"),
            (SERVICE + "\n", r"TWBUILD_SERVICE '.* SID: it contains '\\n' \(U\+000A\)"),
            ('"name"', "TWBUILD_SERVICE '.* is not a Service SID or unique name: it contains '\"'"),
        ],
    )
    def test_a_bad_variable_is_named(self, project: Path, value: str, wanted: str) -> None:
        write(project, {f"{ACCOUNT}:us1": entry()})

        with pytest.raises(UsageError, match=wanted):
            located(environ={"TWBUILD_SERVICE": value})

    @pytest.mark.usefixtures("project")
    def test_no_service_anywhere_lists_the_three_ways_to_name_one(self) -> None:
        with pytest.raises(UsageError, match=r"^no service given") as raised:
            located()

        ways = reported(raised.value)
        assert all(way in ways for way in ("SERVICE", "TWBUILD_SERVICE", ".twiliodeployinfo"))
        assert len(raised.value.hints) == 3

    @pytest.mark.usefixtures("project")
    def test_an_empty_variable_is_named_where_there_is_no_service(self) -> None:
        with pytest.raises(UsageError) as raised:
            located(environ={"TWBUILD_SERVICE": ""})

        assert raised.value.message.startswith("no service given: TWBUILD_SERVICE is empty")

    def test_a_working_directory_that_is_gone_is_no_crash(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gone = tmp_path / "gone"
        gone.mkdir()
        monkeypatch.chdir(gone)
        gone.rmdir()

        with pytest.raises(UsageError, match=r"^no service given"):
            located()
        assert located(Arguments("typed", ())).service == "typed"
        monkeypatch.undo()


class TestWhereTheProjectFileIsLookedFor:
    entries = {f"{ACCOUNT}:us1": entry()}  # noqa: RUF012 - never changed

    def test_upwards_as_far_as_the_nearest_git_folder(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = write(project, self.entries)
        below = project / "functions" / "deep"
        below.mkdir(parents=True)
        monkeypatch.chdir(below)

        assert located().source == str(path)

    def test_the_nearest_file_wins(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write(project, {f"{ACCOUNT}:us1": entry(OTHER_SERVICE)})
        below = project / "package"
        below.mkdir()
        path = write(below, self.entries)
        monkeypatch.chdir(below)

        assert located() == target.Target(SERVICE, (), str(path))

    @pytest.mark.parametrize("kind", ["folder", "file of a worktree", "dangling link"])
    def test_never_above_the_nearest_git(
        self, project: Path, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        write(project, self.entries)
        inner = project / "inner"
        below = inner / "functions"
        below.mkdir(parents=True)
        if kind == "folder":
            (inner / ".git").mkdir()
        elif kind == "file of a worktree":
            (inner / ".git").write_text("gitdir: ../.git/worktrees/inner\n")
        else:
            (inner / ".git").symlink_to("nowhere")
        monkeypatch.chdir(below)

        with pytest.raises(UsageError, match=r"^no service given"):
            located()

        path = write(inner, self.entries)
        assert located().source == str(path)

    def test_git_dir_in_the_environment_changes_nothing(
        self, project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        path = write(project, self.entries)
        monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))

        assert located(environ={"GIT_DIR": str(tmp_path)}).source == str(path)

    def test_without_any_git_only_in_the_working_directory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(tmp_path, self.entries)
        below = tmp_path / "below"
        below.mkdir()
        monkeypatch.chdir(below)

        with pytest.raises(UsageError, match=r"^no service given"):
            located()

        path = write(below, self.entries)
        assert located().source == str(path)


class TestWhichEntryIsTaken:
    @pytest.mark.parametrize(
        ("entries", "region"),
        [
            ({f"{ACCOUNT}:us1": entry(), f"{ACCOUNT}:ie1": entry(OTHER_SERVICE)}, "us1"),
            ({f"{ACCOUNT}:us1": entry(OTHER_SERVICE), f"{ACCOUNT}:ie1": entry()}, "ie1"),
            ({ACCOUNT: entry()}, "ie1"),
            ({ACCOUNT: entry(OTHER_SERVICE), f"{ACCOUNT}:us1": entry()}, "us1"),
            ({ACCOUNT: entry(), f"{ACCOUNT}:us1": entry(OTHER_SERVICE)}, "ie1"),
            ({f"{OTHER_ACCOUNT}:us1": entry(OTHER_SERVICE), f"{ACCOUNT}:us1": entry()}, "us1"),
            ({f"{OTHER_ACCOUNT}:us1": None, "junk": 3, f"{ACCOUNT}:us1": entry()}, "us1"),
            ({f"AC{ACCOUNT[2:].upper()}:us1": entry()}, "us1"),
        ],
    )
    def test_the_entry_of_account_and_region_then_of_the_account(
        self, project: Path, entries: object, region: str
    ) -> None:
        write(project, entries)

        assert located(known=settings(region=region)).service == SERVICE

    @pytest.mark.parametrize(
        ("entries", "region"),
        [
            ({f"{ACCOUNT}:us1": entry()}, "us1"),
            ({ACCOUNT: entry()}, "us1"),
            ({f"{ACCOUNT}:ie1": entry()}, "ie1"),
            ({f"{ACCOUNT}:us1": entry(), ACCOUNT: entry(OTHER_SERVICE)}, "us1"),
        ],
    )
    def test_a_key_of_an_unknown_account_takes_the_only_entry(
        self, project: Path, entries: object, region: str
    ) -> None:
        write(project, entries)

        assert located(known=settings(account=None, region=region)).service == SERVICE

    @pytest.mark.parametrize(
        ("entries", "account", "region", "wanted"),
        [
            (
                {f"{OTHER_ACCOUNT}:us1": entry()},
                ACCOUNT,
                "us1",
                f"no entry for account {ACCOUNT} in region us1\n.*{OTHER_ACCOUNT}:us1",
            ),
            ({OTHER_ACCOUNT: entry()}, ACCOUNT, "us1", f"Its entries: {OTHER_ACCOUNT}"),
            (
                {f"{ACCOUNT}:us1": entry()},
                ACCOUNT,
                "ie1",
                f"no entry for account {ACCOUNT} in region ie1\n.*{ACCOUNT}:us1",
            ),
            (
                {f"{ACCOUNT}:us1": entry(), f"{OTHER_ACCOUNT}:us1": entry()},
                None,
                "us1",
                f"no entry that is surely yours .*\n.*{ACCOUNT}:us1, {OTHER_ACCOUNT}:us1",
            ),
            ({f"{ACCOUNT}:ie1": entry()}, None, "us1", "no entry .* in region us1\n.*:ie1"),
            (
                {f"{ACCOUNT}:us1": entry(), f"{OTHER_ACCOUNT}:ie1": entry()},
                None,
                "us1",
                "no entry that is surely yours",
            ),
            ({}, ACCOUNT, "us1", "Its entries: none"),
            ({f"{ACCOUNT}:us1": None}, ACCOUNT, "us1", "no entry for account"),
        ],
    )
    def test_without_a_fitting_entry_all_are_listed(
        self, project: Path, entries: object, account: str | None, region: str, wanted: str
    ) -> None:
        path = write(project, entries)

        with pytest.raises(UsageError) as raised:
            located(known=settings(account, region))

        assert re.search(wanted, reported(raised.value)), reported(raised.value)
        assert str(path) in reported(raised.value)
        assert "The credentials are from TWILIO_API_KEY" in reported(raised.value)

    @pytest.mark.parametrize(
        "value",
        [
            {},
            {"latestBuild": BUILD},
            entry(None),
            entry(12),
            entry([SERVICE]),
            entry("my-service"),
            entry(BUILD),
            entry("zs" + HEX),
            "text",
        ],
        ids=repr,
    )
    def test_an_entry_without_a_service_sid_says_so(self, project: Path, value: object) -> None:
        path = write(project, {f"{ACCOUNT}:us1": value})

        with pytest.raises(UsageError) as raised:
            located()

        assert raised.value.message == f"{path} cannot be used: its entry has no serviceSid"

    def test_an_account_is_compared_without_regard_to_ascii_case_only(self, project: Path) -> None:
        account = "AC" + "ff" * 16
        write(project, {f"AC{'FF' * 16}:us1": entry()})
        assert located(known=settings(account)).service == SERVICE

        write(project, {f"AC{chr(0xFB00) * 16}:us1": entry()})
        with pytest.raises(UsageError, match="no entry for account"):
            located(known=settings(account))

    def test_of_many_entries_ten_are_listed(self, project: Path) -> None:
        write(project, {f"AC{n:032x}:us1": entry() for n in range(5000)})

        with pytest.raises(UsageError) as raised:
            located()

        assert raised.value.hints[0].endswith(", and 4990 more")
        assert len(raised.value.hints[0]) < 500

    def test_a_malformed_service_sid_names_file_and_mistake(self, project: Path) -> None:
        path = write(project, {f"{ACCOUNT}:us1": entry("ZS12")})

        with pytest.raises(UsageError) as raised:
            located()

        assert reported(raised.value).startswith(
            f"serviceSid in {path} 'ZS12' is not a Service SID: it has 2 hex digits"
        )

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (b"", "empty"),
            (b"{", "not JSON"),
            (b"[]", "JSON, but not an object"),
            (b"\xff\xfe{}", "not UTF-8"),
            (b" " * ((1 << 20) + 1), "larger than 1 MiB"),
        ],
        ids=lambda value: repr(value[:10]),
    )
    def test_a_broken_file_is_named_and_never_passed_over(
        self, project: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, why: str
    ) -> None:
        write(project, {f"{ACCOUNT}:us1": entry()})
        below = project / "below"
        below.mkdir()
        path = below / ".twiliodeployinfo"
        path.write_bytes(content)
        monkeypatch.chdir(below)

        with pytest.raises(UsageError) as raised:
            located()

        assert raised.value.message == f"{path} cannot be used: {why}"
        assert raised.value.hints == ("Pass SERVICE, or set TWBUILD_SERVICE.",)

    def test_a_fifo_in_its_place_blocks_nothing(self, project: Path) -> None:
        os.mkfifo(project / ".twiliodeployinfo")

        with pytest.raises(UsageError, match="cannot be used: not a regular file"):
            located()

    def test_bom_and_windows_line_ends_are_read(self, project: Path) -> None:
        text = json.dumps({f"{ACCOUNT}:us1": entry()}, indent=2).replace("\n", "\r\n")
        (project / ".twiliodeployinfo").write_bytes(b"\xef\xbb\xbf" + text.encode())

        assert located().service == SERVICE


@given(st.lists(st.text(max_size=40) | st.sampled_from([SERVICE, BUILD, "name"]), max_size=4))
def test_what_gets_through_is_well_formed(typed: list[str]) -> None:
    try:
        found = target.parse(typed)
    except UsageError as refused:
        found, shown = Arguments(None, ()), reported(refused)
    else:
        shown = ""
    assert shown.replace("\n", "").isprintable()
    if found.service is not None:
        assert re.fullmatch(r"ZS[0-9a-fA-F]{32}|(?!Z[SB])[A-Za-z0-9_-]{1,50}", found.service)
    assert all(re.fullmatch("ZB[0-9a-fA-F]{32}", build) for build in found.builds)
    assert len(typed) >= len(found.builds) + (found.service is not None)
