"""Which service and which builds are meant, and how each mistake is named."""

from __future__ import annotations

import json
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
NOTHING = Arguments(None, ())


def located(
    variable: str | None = None,
    account: str | None = ACCOUNT,
    region: str = "us1",
    arguments: Arguments = NOTHING,
) -> target.Target:
    """What `arguments` mean, where TWBUILD_SERVICE is `variable`."""
    found = Credentials("name", "secret", source="TWILIO_API_KEY", account=account)
    known = Settings(found, API, region, is_custom=False, is_regional=False)
    environ = {} if variable is None else {"TWBUILD_SERVICE": variable}
    return target.locate(arguments, environ, known)


def shown(error: UsageError) -> str:
    """All that a user reads: message, then hints."""
    assert error.exit_code == 2
    return "\n".join([error.message, *error.hints])


def refusal(typed: Sequence[str], command: str = "wait", options: Sequence[str] = ()) -> str:
    """What is said of arguments that are not valid."""
    with pytest.raises(UsageError) as raised:
        target.parse(typed, command, options)
    return shown(raised.value)


def not_located(variable: str | None = None, account: str | None = ACCOUNT) -> str:
    """What is said where no service is found."""
    with pytest.raises(UsageError) as raised:
        located(variable, account)
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


@pytest.mark.parametrize(
    ("typed", "service", "builds"),
    [
        ([], None, ()),
        (["a" * 50], "a" * 50, ()),
        (["-"], "-", ()),
        ([BUILD], None, (BUILD,)),
        (["my-service", BUILD, OTHER_BUILD], "my-service", (BUILD, OTHER_BUILD)),
        ([f"ZS{HEX.upper()}", f"ZB{HEX.upper()}"], f"ZS{HEX.upper()}", (f"ZB{HEX.upper()}",)),
        # A build named twice is watched once, as first typed.
        ([SERVICE, BUILD, OTHER_BUILD, BUILD], SERVICE, (BUILD, OTHER_BUILD)),
        ([f"ZB{HEX.upper()}", f"ZB{HEX}"], None, (f"ZB{HEX.upper()}",)),
    ],
)
def test_the_first_is_the_service_unless_it_is_a_build(
    typed: list[str], service: str | None, builds: tuple[str, ...]
) -> None:
    assert target.parse(typed) == Arguments(service, builds)


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        # Empty: never counted as left out
        ([""], "^SERVICE is empty: is the variable set[?]$"),
        ([SERVICE, ""], "^BUILD is empty: is the variable set[?]$"),
        # Too short, too long
        ([f"ZS{HEX[1:]}"], "^SERVICE 'ZS.*' is not a Service SID: it has 31 hex digits after"),
        (["ZB1"], "^BUILD 'ZB1' is not a Build SID: it has 1 hex digit after ZB, not 32$"),
        ([SERVICE, f"ZB{HEX}0"], "it has 33 hex digits after ZB, not 32$"),
        # A stray character, shown visibly
        (["ZSservice"], "is not a Service SID: it contains 's', which is not a hex digit$"),
        ([f"{SERVICE}\r"], r"^SERVICE 'ZS\w+\\r' is .* contains '\\r' \(U\+000D\), which"),
        ([SERVICE, f"{BUILD}\n"], r"^BUILD 'ZB\w+\\n' is not a .* contains '\\n' \(U\+000A\)"),
        ([SERVICE, f"{BUILD} "], "is not a Build SID: it contains ' ', which is not a hex"),
        ([SERVICE, f"ZB{HEX[1:]}٣"], r"it contains '٣' \(U\+0663\), which"),
        ([f"Z\u0412{HEX}"], "^SERVICE .* contains '\u0412' [(]U[+]0412[)]\nUse ZS and 32 hex"),
        ([SERVICE, f"Z\u0412{HEX}"], "^BUILD .* contains '\u0412' [(]U[+]0412[)]\nUse ZB and"),
        ([f'"{SERVICE}"'], "is not a Service SID or unique name: it contains '\"'\n"),
        ([SERVICE, f"'{BUILD}'"], 'is not a Build SID: it contains "\'"\n'),
        (["a?b"], "it contains '[?]'\nUse ZS and 32 hex digits, or 1 to 50 letters, .* and _.$"),
        (["a" * 51], "'a+' is not a Service SID or unique name: it has 51 characters\nUse ZS"),
        # Another kind, lowercase letters
        ([f"VA{HEX}"], "^SERVICE 'VA.*unique name: it is another kind of SID\nUse ZS and 32"),
        ([BUILD, f"ZN{HEX}"], "^BUILD 'ZN.*Build SID: it does not begin with ZB\nUse ZB and"),
        ([f"zs{HEX}"], "unique name: it begins with zs, not ZS\n(.|\n)*Write ZS in capitals.$"),
        ([SERVICE, f"zB{HEX}"], "does not begin with ZB\n(.|\n)*Write ZB in capitals.$"),
        # A wrong order
        ([BUILD, SERVICE], "^BUILD 'ZS.* it is a Service SID\nWrite the service first, then"),
        ([BUILD, "my-build"], "it does not begin with ZB\n.*\nWrite the service first, then"),
        (["my-service", BUILD, "ZS"], "^BUILD 'ZS' is not a Build SID: it is a Service SID$"),
        # What looks like a file name
        (["functions/a.js", "Makefile"], "It looks like a file name.\n.*pass_filenames: false"),
        ([r"functions\a"], "It looks like a file name.\n"),
        ([SERVICE, ".."], "It looks like a file name.\n"),
        # A placeholder that was not replaced
        (["undefined"], "^SERVICE 'undefined' .*: it is a placeholder that was not replaced"),
        ([BUILD, "<build>"], "^BUILD '<build>' is not a Build SID: it is a placeholder"),
    ],
)
def test_each_mistake_is_named(typed: list[str], wanted: str) -> None:
    assert re.search(wanted, refusal(typed)), refusal(typed)


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        ([f"{API}/Services/{SERVICE}/Builds/{BUILD}/Status"], "SB"),
        ([f"{API}/Services/my-app/Builds/{BUILD}"], "NB"),
        ([f"https://console.twilio.com/us1/develop/functions/editor/{SERVICE}/x"], "S"),
        ([SERVICE, f"{API}/Services/{SERVICE}/Builds/{BUILD}"], "SB"),
        (["my-app", f"https://api.example.test/Builds/{BUILD}/Status"], "NB"),
        ([SERVICE, f"{BUILD},{OTHER_BUILD}"], "SBO"),
        ([f"{BUILD}/Status"], "UB"),
        ([f"my-app/{BUILD}"], "NB"),
        ([f"my-app/Builds/{BUILD}"], "NB"),
        ([BUILD, "my-app"], "NB"),
        (["my-app", f"{BUILD} ", OTHER_BUILD[2:]], "NBO"),
        (["my-app", f"sid={BUILD}"], "NB"),
        ([f"Build: {BUILD}"], "UB"),
        ([f"build/{BUILD}"], "LB"),
        ([BUILD, SERVICE], "SB"),
        ([f"-x/{BUILD}"], "DB"),
    ],
)
def test_sids_in_something_become_a_command(typed: list[str], command: str) -> None:
    names = {"S": SERVICE, "B": BUILD, "O": OTHER_BUILD, "N": "my-app", "U": "SERVICE"}
    words = " ".join({**names, "L": "build", "D": "-- -x"}[letter] for letter in command)

    for name in ("status", "wait"):
        meant = "wait" if "O" in command else name
        assert refusal(typed, name).endswith(f"\nDid you mean: twbuild {meant} {words}")


@pytest.mark.parametrize(
    "typed",
    [
        [SERVICE, SERVICE],
        [SERVICE, OTHER_SERVICE, BUILD],
        ["my-app", f"{API}/Services/{SERVICE}/Builds/{BUILD}"],
        [f"{API}/Services/ZS12/Builds"],
        [f"{BUILD}0"],
        [f"MY.APP/{BUILD}"],
        [f"{API}/Services/my.app/Builds/{BUILD}"],
        ["functions/a.js"],
        ["my-app", ""],
        [f"\u672c\u756a/{BUILD}"],
        [OTHER_BUILD, f"api;{BUILD}"],
        [f"{BUILD} my-app"],
        [f"https://api.example.test/Builds/{BUILD}?Service=my-app"],
        ["my-app", f"https://api.example.test/v1/services/other/builds/{BUILD}"],
    ],
)
def test_no_command_is_suggested_where_it_would_be_a_guess(typed: list[str]) -> None:
    assert "Did you mean" not in refusal(typed)


def test_a_url_is_called_one_and_not_repeated() -> None:
    """It may contain a password."""
    url = f"https://SK1:hunter2@serverless.twilio.com/v1/Services/{SERVICE}/Builds/{BUILD}"

    service, build = refusal([url]), refusal([SERVICE, url])
    assert service.startswith("SERVICE is not a Service SID or unique name: it is a URL\nUse ZS")
    assert build.startswith("BUILD is not a Build SID: it is a URL\nUse ZB and 32 hex digits.")
    assert "hunter2" not in service + build


def test_a_command_keeps_options_and_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWBUILD_SERVICE", SERVICE)
    several = refusal([BUILD, OTHER_BUILD], "status", ["-p", "dev"])
    meant = refusal([f"{BUILD}/Status"], "status", ["-p", "dev"]).splitlines()[-1]

    command = f"twbuild wait -p dev {BUILD} {OTHER_BUILD}"
    assert several == f"status checks one build\nFor several: {command}"
    assert meant == f"Did you mean: twbuild status -p dev {BUILD}"
    assert target.parse([BUILD], "status").builds == (BUILD,)


def test_argument_then_variable_then_project_file(project: Path) -> None:
    path, one = write(project, {US1: entry()}), (BUILD,)

    assert located("variable", arguments=Arguments("typed", one)) == ("typed", one, None)
    from_variable = ("variable", one, "TWBUILD_SERVICE")
    assert located("variable", arguments=Arguments(None, one)) == from_variable
    assert located(arguments=Arguments(None, one)) == (SERVICE, one, path)
    assert located("") == (SERVICE, (), path)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (BUILD, "'ZB.*' is not a .* name: it is a Build SID\nA Service SID begins with ZS.$"),
        ("ZS12", "'ZS12' is not a Service SID: it has 2 hex digits after ZS, not 32"),
        ('"name"', "'\"name\"' is not a Service SID or unique name: it contains '\"'"),
        ("ZSxxxx", "'.*name: it is a placeholder that was not replaced"),
    ],
)
def test_a_bad_variable_is_named(value: str, wanted: str) -> None:
    assert re.match(f"TWBUILD_SERVICE {wanted}", not_located(value))


@pytest.mark.usefixtures("project")
def test_no_service_anywhere_lists_the_three_ways_to_name_one() -> None:
    ways = (
        "pass   SERVICE, a Service SID (ZS...) or a unique name\n"
        "set    TWBUILD_SERVICE\n"
        "run    in a project with .twiliodeployinfo, which twilio serverless:deploy writes"
    )
    empty = "TWBUILD_SERVICE is empty. Does the CI job have this variable?"

    assert not_located() == f"no service given. Do one of these:\n{ways}"
    assert not_located("") == f"no service given: {empty}\n{ways}"


@pytest.mark.parametrize(
    ("gits", "files", "here", "found"),
    [
        ("a/.git/", "a", "a/b/c", "a"),
        ("a/.git/", "a a/b", "a/b", "a/b"),
        ("a/.git/", "a a/b/c", "a/b", "a"),
        ("a/.git/ a/b/.git/", "a", "a/b/c", ""),
        # A file, as in a linked worktree; a link that leads nowhere
        ("a/.git/ a/b/.git", "a", "a/b/c", ""),
        ("a/.git/ a/b/.git@", "a", "a/b/c", ""),
        # Without any, only in the working directory
        ("", "a", "a/b", ""),
        ("", "a a/b", "a/b", "a/b"),
    ],
)
def test_the_project_file_is_here_or_above_up_to_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gits: str, files: str, here: str, found: str
) -> None:
    """A GIT_DIR that git has set, as for a hook, changes nothing."""
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    (tmp_path / "a/b/c").mkdir(parents=True)
    for git in gits.split():
        if git.endswith("/"):
            (tmp_path / git).mkdir()
        elif git.endswith("@"):
            (tmp_path / git[:-1]).symlink_to("nowhere")
        else:
            (tmp_path / git).write_text("gitdir: ../.git/worktrees/b\n")
    paths = {name: write(tmp_path / name, {US1: entry()}) for name in files.split()}
    monkeypatch.chdir(tmp_path / here)

    if found:
        assert located().source == paths[found]
    else:
        assert not_located().startswith("no service given")


@pytest.mark.parametrize(
    ("entries", "account", "region"),
    [
        ({US1: entry(), IE1: OTHER}, ACCOUNT, "us1"),
        ({US1: OTHER, IE1: entry()}, ACCOUNT, "ie1"),
        ({ACCOUNT: OTHER, US1: entry()}, ACCOUNT, "us1"),
        ({ACCOUNT: entry(), US1: OTHER}, ACCOUNT, "ie1"),
        ({OTHER_US1: None, "junk": 3, US1: entry()}, ACCOUNT, "us1"),
        ({f"AC{ACCOUNT[2:].upper()}:us1": entry()}, ACCOUNT, "us1"),
        # Where the account is not known, the only one's
        ({ACCOUNT: entry()}, None, "ie1"),
        ({US1: entry(), ACCOUNT: OTHER}, None, "us1"),
    ],
)
def test_the_entry_of_account_and_region_then_of_the_account(
    project: Path, entries: object, account: str | None, region: str
) -> None:
    write(project, entries)

    assert located(account=account, region=region).service == SERVICE


@pytest.mark.parametrize(
    ("entries", "account", "listed"),
    [
        ({OTHER_US1: OTHER}, ACCOUNT, OTHER_US1),
        ({OTHER_ACCOUNT: OTHER}, ACCOUNT, OTHER_ACCOUNT),
        ({IE1: entry()}, ACCOUNT, IE1),
        ({f"AC{'ﬀ' * 16}": OTHER}, f"AC{'ff' * 16}", f"AC{'ﬀ' * 16}"),
        ({}, ACCOUNT, "none"),
        ({US1: entry(), OTHER_US1: OTHER}, None, f"{US1}, {OTHER_US1}"),
        ({IE1: entry()}, None, IE1),
        (dict.fromkeys(range(5000), OTHER), None, "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, and 4990 more"),
    ],
)
def test_without_a_fitting_entry_all_are_listed(
    project: Path, entries: object, account: str | None, listed: str
) -> None:
    path = write(project, entries)

    whose = f"for account {account}" if account else "that is surely yours"
    assert not_located(None, account).splitlines() == [
        f"{path} has no entry {whose} in region us1",
        f"Its entries: {listed}",
        "The credentials are from TWILIO_API_KEY.",
        INSTEAD,
    ]


def test_an_entry_without_a_good_service_sid_says_so(project: Path) -> None:
    for value in ({}, entry([SERVICE]), "text"):
        path = write(project, {US1: value})
        why = "cannot be used: its entry has no serviceSid"
        assert not_located() == f"{path} {why}\n{INSTEAD}"
    for sid, why in (("ZS12", "it has 2 hex digits"), ("my-app", "it does not begin with")):
        path = write(project, {US1: entry(sid)})
        wanted = f"serviceSid in {path} '{sid}' is not a Service SID: {why}"
        assert not_located().startswith(wanted)


def test_a_broken_file_is_named_and_never_passed_over(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, {US1: entry()})
    (project / "below").mkdir()
    monkeypatch.chdir(project / "below")
    path = project / "below" / ".twiliodeployinfo"
    path.write_text("")

    assert not_located() == f"{path} cannot be used: empty\n{INSTEAD}"


@given(st.lists(st.text(max_size=40) | st.sampled_from([SERVICE, BUILD, "name"]), max_size=4))
def test_what_gets_through_is_well_formed(typed: list[str]) -> None:
    try:
        service, builds = target.parse(typed)
    except UsageError as refused:
        said = shown(refused)
        assert said.replace("\n", "").isprintable()
        return
    names = r"ZS[0-9a-fA-F]{32}|(?!Z[SB])[A-Za-z0-9_-]{1,50}"
    assert service is None or re.fullmatch(names, service)
    assert all(re.fullmatch("ZB[0-9a-fA-F]{32}", build) for build in builds)
    assert len(typed) >= len(builds) + (service is not None)
