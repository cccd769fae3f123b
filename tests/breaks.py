"""`python -m tests.breaks`: break one function at a time; a test must fail.

For what mutmut cannot break: threads, signals, streams, the cursor, sockets. A break is addressed
by the names of functions and constants, so that their lines can be reworded. It is made in a
temporary copy of the tree, never in the tree itself. `python -m tests.breaks WORD` makes only those
of the modules whose names contain the word.
"""

from __future__ import annotations

import ast
import re
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from tests.support.copies import copy_tree, run_tests
from tests.support.readme import ROOT


class Break(NamedTuple):
    """What is broken, what it becomes, and a test file with a part of the names of its tests.

    `place` is "module:CONSTANT", whose value becomes `new`; "module:function", whose body becomes
    `new`, in which the function is called `original`; or "module:function:called", where each call
    of `called` in the function gives the expression `new` instead.
    """

    place: str
    new: str
    tests: str
    named: str


RUNNER, SIGNALS, STREAMS = "unit/watch/runner", "journeys/signals", "journeys/streams"
TRANSPORT, CONNECTOR = "unit/api/transport", "unit/api/connector"
POLL = "return len(self._in_flight) < MAX_IN_FLIGHT"
NO_LIMIT = "return limit and original(body, encoding, 1 << 40)"
SLOW_FIRST = "return min([frame, *(step.until for step in self._background.waiting)])"
LOUD = "_State.signum, _State.at = signum, time.monotonic()\nraise SignalReceived(signum)"
SAME_GROUP = "return os.tcgetpgrp(STDERR) == os.getpgrp()"
ALL_ROWS = "return list(self._rows.values())"
FOREVER = "while not original(self, 1):\n    pass\nreturn True"

BREAKS = [
    Break("watch.runner:MAX_IN_FLIGHT", "11", RUNNER, "25_builds"),
    Break("watch.runner:Runner._can_poll", "return True", RUNNER, "nothing_wakes"),
    Break("watch.runner:Runner._can_poll", POLL, RUNNER, "details_of_40"),
    Break("watch.runner:Runner._free_place:cancel", "None", RUNNER, "needs_the_place"),
    Break("watch.runner:Runner._free_place:append", "None", RUNNER, "needs_the_place"),
    Break("watch.runner:Runner._cancel_overdue:cancel", "None", RUNNER, "stay_flat"),
    Break("watch.runner:Runner._next_wake", SLOW_FIRST, RUNNER, "fifth_of_a_second"),
    Break("watch.runner:Runner._start:_deliver", "None", RUNNER, "cannot_be_started"),
    Break("watch.runner:Runner.run:fileno", "-1", SIGNALS, "within"),
    Break("watch.runner:Runner.run:came", "False", RUNNER, "before_the_run"),
    Break("watch.runner:Runner._take:insert", "None", RUNNER, "keep_their_connection"),
    Break("api.framing:Answer._is_quiet", "return True", TRANSPORT, "anything_behind"),
    Break("api.framing:Answer._is_framed", "return True", TRANSPORT, "in_doubt"),
    Break("api.framing:MAX_HEAD_BYTES", "9 << 20", "journeys/bounds", "head"),
    Break("api.framing:Answer.begin", "super().begin()", TRANSPORT, "interim"),
    Break("api.transport:Session.cancel", "pass", CONNECTOR, "all_the_time"),
    Break("api.transport:_decompressed", NO_LIMIT, TRANSPORT, "not_whole"),
    Break("api.transport:_with_context", "return options", TRANSPORT, "one_tls"),
    Break("api.transport:IDLE_SECONDS", "1e9", CONNECTOR, "idle"),
    Break("api.connector:Connector.cancel:shutdown", "None", CONNECTOR, "all_the_time"),
    Break("api.connector:Connector.connect:dup", "made.detach()", TRANSPORT, "one_tls"),
    Break("api.connector:Connector.connect:begin_with", "None", CONNECTOR, "behind_five or stays"),
    Break("api.connector:CONNECT_SECONDS", "5.0", CONNECTOR, "4_seconds"),
    Break("signals:_handle", LOUD, SIGNALS, "whatever_moment or cut_the_last"),
    Break("signals:_handle:die", "None", "unit/signals", "insists"),
    Break("signals:came_at", "return math.inf", SIGNALS, "unread_stdout"),
    Break("signals:leave_no_core", "pass", SIGNALS, "core_file"),
    Break("signals:die:raise_signal", "None", SIGNALS, "stops_the_script"),
    Break("signals:stop", "_State.stop = None", SIGNALS, "ctrl_z"),
    Break("output.live:Live._erase", "pass", SIGNALS, "screen_is_gone or ctrl_z"),
    Break("output.live:ERASE", r"'\r\x1b[J'", "journeys/terminal", "scrollback"),
    Break("output.live:Live._visible", ALL_ROWS, "unit/output/live", "more_builds_that_failed"),
    Break("output.live:Live._tick:in_foreground", "True", SIGNALS, "may_not_draw"),
    Break("output.streams:in_foreground", SAME_GROUP, "journeys/terminal", "namespace"),
    Break("output.streams:_without_blocking:open", "descriptor", STREAMS, "read_slowly"),
    Break("output.stdout:_GONE", "(errno.EPIPE, errno.EBADF)", STREAMS, "reset"),
    Break("output.stderr:_CLOSING_SECONDS", "3.0", "unit/output/stderr", "budget"),
    Break("output.stderr:Stderr.begin_closing:drop", "None", "unit/output/stderr", "closing"),
    Break("output.stdout:Stdout.flush", FOREVER, STREAMS, "full_stdout"),
    Break("app:_watch:enable", "None", "journeys/frugality", "nothing_is_loaded"),
]


def broken(wrong: Break, source: str) -> str:
    """The module's source with the break. Raises LookupError where its place does not exist."""
    _, names, called = f"{wrong.place}:".split(":")[:3]
    tree = ast.parse(source)
    node = _found(tree, names.split("."))
    if isinstance(node, ast.Assign):
        node.value = ast.parse(wrong.new, mode="eval").body
    elif called:
        calls = [c for c in ast.walk(node) if isinstance(c, ast.Call) and _name(c.func) == called]
        if not calls:
            raise LookupError(wrong.place)
        for call in calls:  # `(lambda *_, **__: new)(…)`: what is called becomes the new value
            call.func = ast.parse(f"lambda *_, **__: {wrong.new}", mode="eval").body
    else:
        original = ast.parse(ast.unparse(node)).body[0]
        assert isinstance(original, ast.FunctionDef)
        original.name, original.decorator_list = "original", []
        node.body = [original, *ast.parse(wrong.new).body]
    return ast.unparse(ast.fix_missing_locations(tree))


def _found(node: ast.AST, names: list[str]) -> ast.Assign | ast.FunctionDef:
    """The assignment or function of this name in a module or its classes."""
    for name in names:
        named = {_name(child): child for child in getattr(node, "body", ())}
        node = named[name]
    assert isinstance(node, (ast.Assign, ast.FunctionDef))
    return node


def _name(node: ast.AST) -> str:
    """The last name of what is defined, assigned or called."""
    if isinstance(node, ast.Assign):
        node = node.targets[0]
    return str(getattr(node, "name", "") or getattr(node, "attr", "") or getattr(node, "id", ""))


def paths(wrong: Break) -> tuple[str, str]:
    """The paths of the module that is broken, and of its tests."""
    folder, name = wrong.tests.rsplit("/", 1)
    module = wrong.place.partition(":")[0].replace(".", "/")
    return f"twbuild/{module}.py", f"tests/{folder}/test_{name}.py"


def misplaced() -> list[str]:
    """The breaks whose place, or whose tests, do not exist."""
    found = []
    for wrong in BREAKS:
        module, tests = (ROOT / path for path in paths(wrong))
        words = re.split(" or | and ", wrong.named)
        try:
            broken(wrong, module.read_text("utf-8"))
            if not all(word in tests.read_text("utf-8") for word in words):
                found.append(f"{tests} -k '{wrong.named}'")
        except (LookupError, FileNotFoundError):
            found.append(f"{wrong.place}, {tests}")
    return found


def killed(copy: Path, wrong: Break) -> bool:
    """Whether a test fails. Raises ValueError where pytest could not run them."""
    module, tests = paths(wrong)
    source = (copy / module).read_text("utf-8")
    (copy / module).write_text(broken(wrong, source), "utf-8")
    try:
        code = run_tests(copy, tests, wrong.named)
    finally:
        (copy / module).write_text(source, "utf-8")
    if code not in (0, 1):
        raise ValueError(f"{wrong.place}: pytest exits with {code} for {tests}")
    return code == 1


def main() -> int:
    """Make every break; 1 where one survives, or where a test fails without any."""
    word = "".join(sys.argv[1:])
    breaks = [wrong for wrong in BREAKS if word in wrong.place.partition(":")[0]]
    if wrong_places := misplaced():
        print("not found:", *wrong_places, sep="\n")
        return 1
    survived = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder).resolve()
        copy_tree(copy)
        named = defaultdict(list)
        for wrong in breaks:
            named[paths(wrong)[1]].append(wrong.named)
        for file, names in named.items():
            if code := run_tests(copy, file, " or ".join(names), "-n", "4"):
                print(f"without a break, pytest exits with {code} for {file}: {names}")
                return 1
        for number, wrong in enumerate(breaks, 1):
            dead = killed(copy, wrong)
            survived += not dead
            verdict = "killed  " if dead else "SURVIVED"
            print(f"{number:3} {verdict} {wrong.place}: {wrong.new!r}", flush=True)
    print(f"{len(breaks) - survived} of {len(breaks)} killed")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
