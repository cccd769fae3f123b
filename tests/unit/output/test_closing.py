"""The closing lines in the order in which they are read, and in which they matter."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.command import BUILD, OTHER_BUILD
from tests.unit.output.endings import COMPLETED, FAILED, TIMEOUT, UNAVAILABLE
from twbuild.output import messages
from twbuild.output.closing import Closing
from twbuild.text import Line, plain
from twbuild.watch.events import Finished

DETAILS: list[Line] = [[("details", "")], [("more", "")]]


def closing(*endings: Finished) -> Closing:
    """The closing lines of endings, all but `completed`, that nothing has said yet."""
    named = [f for f in endings if f is not COMPLETED]
    return Closing(
        headlines=[(f, messages.headline(f, once=False)) for f in named],
        summary=[messages.summary(endings)] if len(endings) > 1 else [],
        hints=messages.hints(endings),
        resume=messages.resume(endings, ["twbuild", "wait", "svc"]),
        requests=messages.requests(endings),
        builds=[DETAILS] * endings.count(FAILED),
    )


def texts(lines: Sequence[Line]) -> list[str]:
    return [plain(line) for line in lines]


HEAD = "error: HTTP 503 (9 tries in 2m)  build"
RESUME = [f"  The state of the build is unknown. To wait again:\n    twbuild wait svc {BUILD}"]


def test_the_parts_begin_with_counts_sids_and_next_steps() -> None:
    found = closing(COMPLETED, TIMEOUT, FAILED, UNAVAILABLE._replace(sid="ZB3"))
    counts = "4 builds: 1 completed, 1 failed, 2 unknown (waited 2m)"
    heads = [
        f"! unknown    {BUILD}  (status unknown after 5s: --timeout)",
        f"✗ failed     {OTHER_BUILD}  (waited 6s)",
    ]

    assert ["\n".join(texts(part)) for part in found.parts()] == [
        *(counts, *RESUME, f"failed: {OTHER_BUILD}", "unknown: ZB3", "  Try again later."),
        *(f"{HEAD} ZB3", "details\nmore", "  request RQ1", *heads),
    ]
    last = ["  Try again later.", *RESUME[0].split("\n"), "  request RQ1"]
    lines = [*heads, f"{HEAD} ZB3", counts, *last]
    assert texts(found.lines(is_spaced=False)) == [*lines, "details", "more"]
    assert texts(found.lines(is_spaced=True)) == [*lines, "", "details", "more"]


def test_the_parts_of_one_build_begin_with_how_it_ended() -> None:
    def parts(ending: Finished) -> list[list[str]]:
        return [texts(part) for part in closing(ending).parts() if part]

    assert parts(UNAVAILABLE) == [[f"{HEAD} {BUILD}"], ["  Try again later."], ["  request RQ1"]]
    assert parts(FAILED) == [[f"✗ failed     {OTHER_BUILD}  (waited 6s)"], ["details", "more"]]
