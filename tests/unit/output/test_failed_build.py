"""What is said of a failed build: what changed, or what it was made of, and what to do next."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tests.support.command import BUILD, OTHER_BUILD
from twbuild.api.models import Build, Dependency
from twbuild.output.failed_build import failed_build
from twbuild.text import plain
from twbuild.watch.earlier import Changes, changes

CREATED = datetime(2026, 11, 24, 14, 2, 11, tzinfo=timezone.utc)
UPDATED = CREATED + timedelta(seconds=36)
ENDED: dict[str, Any] = {"created": CREATED, "updated": UPDATED, "request_id": "RQ1"}
NO_REASON = "  Twilio gives no reason for a failed build."
COMPARE = "  Compare with your last completed build."
SUPPORT = "  To ask Twilio's support, give them the Build SID"
LODASH, TWILIO = Dependency("lodash", "4.17.21"), Dependency("twilio", "4.23.0")
HANDLER = Dependency("@twilio/runtime-handler", "1.3.0")
SINCE = Build(
    OTHER_BUILD,
    "completed",
    created=datetime.now(timezone.utc) - timedelta(days=3, minutes=1),
    runtime="node18",
    functions=("ZN1", "ZN2", "ZN3"),
    assets=("ZN4",),
    dependencies=(LODASH, TWILIO),
)
LAST = f"your last completed build ({OTHER_BUILD}, 3d ago)"


def said(build: Build, found: Changes | None = None, *, several: bool = False) -> list[str]:
    return [plain(line) for line in failed_build(build, found, several=several)]


def made(**facts: Any) -> list[str]:
    """What is said where no build has completed."""
    return said(Build(BUILD, "failed", **facts))


def changed(since: Build = SINCE, **facts: Any) -> list[str]:
    """What is said of a build that differs from an earlier one in some facts."""
    build = SINCE._replace(sid=BUILD, created=None)._replace(**facts)
    return said(build, changes(build, since))


def test_without_a_completed_build_its_own_details_are_shown() -> None:
    versions = {"functions": ("",) * 12, "assets": ("",) * 4}

    assert made(runtime="node18", dependencies=(HANDLER, LODASH, TWILIO), **versions, **ENDED) == [
        f"{NO_REASON} What it was made of:",
        "    runtime       node18",
        "    contents      12 functions, 4 assets",
        "    dependencies  @twilio/runtime-handler 1.3.0, lodash 4.17.21, twilio 4.23.0",
        "    created       2026-11-24 14:02:11 UTC, failed after 36s",
        COMPARE,
        f"{SUPPORT} and the request ID RQ1.",
    ]


def test_only_what_changed_since_the_last_completed_build() -> None:
    assert changed(
        runtime="node20",
        dependencies=(Dependency("lodash", "4.17.22"), TWILIO, Dependency("axios", "1.7.0")),
        functions=("ZN1", "ZN2", "ZN9"),
        **ENDED,
    ) == [
        f"{NO_REASON} Since {LAST}:",
        "    runtime       node20, was node18",
        "    dependencies  lodash 4.17.22, was 4.17.21; new: axios 1.7.0",
        "    functions     1 of 3 changed",
        "    created       2026-11-24 14:02:11 UTC, failed after 36s",
        f"{SUPPORT} and the request ID RQ1.",
    ]


def test_where_nothing_differs_the_code_is_what_is_left() -> None:
    assert changed(request_id="RQ1") == [
        f"{NO_REASON} It has the same runtime and dependencies as {LAST}: look at the code.",
        f"{SUPPORT} and the request ID RQ1.",
    ]


def test_what_is_not_known_is_not_called_the_same() -> None:
    for lines in (changed(runtime=None), changed(SINCE._replace(runtime=None))):
        assert lines[0] == f"{NO_REASON} What it was made of:"
        assert lines[-2:] == [COMPARE, f"{SUPPORT}."]


def test_without_twilios_answer_in_time_there_is_no_reason() -> None:
    assert made() == [NO_REASON, COMPARE, f"{SUPPORT}."]


def test_several_builds_are_named() -> None:
    first, *_ = said(Build(BUILD, "failed", runtime="x"), several=True)

    assert first == f"  What {BUILD} was made of (Twilio gives no reason):"
    assert len(first) < 80
    assert said(Build(BUILD, "failed"), several=True)[0] == f"  Twilio gives no reason for {BUILD}."


TODAY = datetime.now(timezone.utc).replace(hour=12, minute=0, second=0)
PACKAGES = tuple(Dependency(f"pack-{n}", "1.0") for n in range(17))
TEN = ", ".join(f"pack-{n} 1.0" for n in range(10))
ROWS: list[tuple[dict[str, Any], str]] = [
    ({"runtime": "cobol-1[x]"}, "runtime       cobol-1[x]"),
    ({"runtime": "\x1b##"}, "runtime       \\x1b# #"),
    ({"functions": ("",), "assets": ("",)}, "contents      1 function, 1 asset"),
    ({"functions": ("",) * 3}, "contents      3 functions"),
    ({"created": CREATED}, "created       2026-11-24 14:02:11 UTC"),
    ({"created": CREATED, "updated": CREATED}, "created       2026-11-24 14:02:11 UTC"),
    ({"created": TODAY}, "created       12:00:00 UTC"),
    ({"dependencies": (Dependency("\n::error::x"),)}, "dependencies   ::error::x"),
    ({"dependencies": (Dependency("a" * 500),)}, f"dependencies  {'a' * 97}..."),
    ({"dependencies": PACKAGES}, f"dependencies  {TEN}, and 7 more"),
]


@pytest.mark.parametrize(("facts", "row"), ROWS)
def test_each_row_is_as_sent_where_something_is_known(facts: dict[str, Any], row: str) -> None:
    begin = NO_REASON + ("" if "created" in facts else " What it was made of:")

    assert made(**facts) == [begin, f"    {row}", COMPARE, f"{SUPPORT}."]


ODD = (Dependency("##\n", "9"), Dependency("x"))
CHANGED: list[tuple[dict[str, Any], str]] = [
    ({"runtime": "\x1b[2J"}, "runtime \\x1b[2J, was node18"),
    ({"dependencies": ODD}, "dependencies new: # # 9, x; gone: lodash 4.17.21, twilio 4.23.0"),
    ({"functions": ("ZN1", "ZN2")}, "functions 2, were 3"),
    ({"functions": ("ZN1", "ZN2", "ZN3", "ZN5")}, "functions 1 of 4 changed, were 3"),
    ({"assets": ("ZN9",)}, "assets 1 of 1 changed"),
]


@pytest.mark.parametrize(("facts", "row"), CHANGED)
def test_each_change_has_a_row(facts: dict[str, Any], row: str) -> None:
    first, *rows, support = changed(**facts)

    assert first == f"{NO_REASON} Since {LAST}:"
    assert " ".join(" ".join(rows).split()) == row
    assert support == f"{SUPPORT}."


def test_ten_changed_dependencies_and_how_many_more() -> None:
    old, new = (tuple(p._replace(version=v) for p in PACKAGES) for v in ("1", "2\x1b" + "9" * 400))
    _, text, _ = changed(SINCE._replace(dependencies=old), dependencies=new)

    assert text.startswith("    dependencies  pack-0 2\\x1b99")
    assert text.endswith("was 1; and 7 more")
    assert text.count("was 1;") == 10
    assert len(text) < 10 * 150


def test_only_the_names_of_rows_are_coloured() -> None:
    lines = failed_build(Build(BUILD, "failed", runtime="x"), None, several=False)

    assert [[style for _, style in line] for line in lines] == [[""], ["detail", ""], [""], [""]]
