"""The closing lines in the order in which they are read, and in which they matter."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.command import BUILD, OTHER_BUILD
from twbuild.errors import TransientError
from twbuild.outcome import Outcome
from twbuild.output import messages
from twbuild.output.closing import Closing
from twbuild.output.failed_build import failed_build
from twbuild.text import Line, plain
from twbuild.watch.events import Details, Finished

ERROR = TransientError("HTTP 503", "HTTP 503", "Try again later.", details=["request RQ1"])
COMPLETED = Finished(BUILD, Outcome.COMPLETED, None, 5.0, 5)
FAILED = Finished(OTHER_BUILD, Outcome.FAILED, None, 6.0, 6)
UNAVAILABLE = Finished(BUILD, Outcome.UNAVAILABLE, None, 120.0, 9, ERROR)
TIMEOUT = Finished(BUILD, Outcome.TIMEOUT, None, 5.0, 5)


def closing(*endings: Finished) -> Closing:
    """The closing lines of endings that nothing has said yet."""
    failed = [Details(f.sid or "", None) for f in endings if f.outcome is Outcome.FAILED]
    named = [f for f in endings if f.outcome is not Outcome.COMPLETED]
    return Closing(
        headlines=[(f, messages.headline(f, once=False)) for f in named],
        summary=[messages.summary(endings)] if len(endings) > 1 else [],
        hints=messages.hints(endings),
        resume=messages.resume(endings, ["twbuild", "wait", "svc"]),
        requests=messages.requests(endings),
        builds=[failed_build(details, several=True) for details in failed],
    )


def text(lines: Sequence[Line]) -> str:
    return "\n".join(map(plain, lines))


def test_the_parts_begin_with_counts_sids_and_next_steps() -> None:
    parts = closing(COMPLETED, TIMEOUT, FAILED, UNAVAILABLE._replace(sid="ZB3")).parts()

    assert list(map(text, parts)) == [
        "4 builds: 1 completed, 1 failed, 2 unknown (waited 2m)",
        f"  The state of the build is unknown. To wait again:\n    twbuild wait svc {BUILD}",
        f"failed: {OTHER_BUILD}",
        "unknown: ZB3",
        "  Try again later.",
        "error: HTTP 503 (9 tries in 2m)  build ZB3",
        text(failed_build(Details(OTHER_BUILD, None), several=True)),
        "  request RQ1",
        f"! unknown    {BUILD}  (status unknown after 5s: --timeout)",
        f"✗ failed     {OTHER_BUILD}  (waited 6s)",
    ]


def test_the_parts_of_one_build_begin_with_how_it_ended() -> None:
    found = closing(UNAVAILABLE)

    assert text([line for part in found.parts() for line in part]).splitlines() == [
        f"error: HTTP 503 (9 tries in 2m)  build {BUILD}",
        "  Try again later.",
        "  request RQ1",
    ]
    assert found.lines(is_spaced=False) == [line for part in found.parts() for line in part]


def test_failed_builds_are_set_apart_where_lines_are_spaced() -> None:
    found = closing(FAILED)
    first, *others = found.lines(is_spaced=True)

    assert [first, *others[1:]] == found.lines(is_spaced=False)
    assert others[0] == []
