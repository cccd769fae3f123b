"""`python -m tests.breaks`: break one function at a time; a test must fail.

For what mutmut cannot break: threads, signals, streams, the cursor, sockets. A break is addressed
by the names of functions and constants, so that their lines can be reworded. It is made in a
temporary copy of the tree, never in the tree itself. `python -m tests.breaks WORD` makes only those
of the modules whose names contain the word.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.command import TWBUILD
from tests.support.readme import ROOT
from tests.support.repository import copy_tracked


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

    @property
    def module(self) -> str:
        """The path of the module that is broken."""
        return f"twbuild/{self.place.partition(':')[0].replace('.', '/')}.py"

    @property
    def file(self) -> str:
        """The path of the tests."""
        return f"tests/{'/test_'.join(self.tests.rsplit('/', 1))}.py"


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
    Break("watch.runner:Runner._free_place:remove", "None", RUNNER, "needs_the_place"),
    Break("watch.runner:Runner._cancel_overdue:cancel", "None", RUNNER, "stay_flat"),
    Break("watch.runner:Runner._next_wake", SLOW_FIRST, RUNNER, "fifth_of_a_second"),
    Break("watch.runner:Runner._start:_deliver", "None", RUNNER, "cannot_be_started"),
    Break("watch.runner:Runner.run:fileno", "-1", SIGNALS, "within"),
    Break("watch.runner:Runner.run:came", "False", RUNNER, "before_the_run"),
    Break("watch.runner:Runner._take:insert", "None", RUNNER, "keep_their_connection"),
    Break("api.framing:Answer._is_quiet", "return True", TRANSPORT, "anything_behind"),
    Break("api.framing:Answer._is_framed", "return True", TRANSPORT, "in_doubt"),
    Break("api.framing:MAX_HEAD_BYTES", "9 << 20", "journeys/bounds", "head"),
    Break("api.framing:Answer._read_status", "return super()._read_status()", TRANSPORT, "interim"),
    Break("api.transport:Session.cancel", "pass", CONNECTOR, "all_the_time"),
    Break("api.transport:_decompressed", NO_LIMIT, TRANSPORT, "not_whole"),
    Break("api.transport:_with_context", "return options", CONNECTOR, "longer_than"),
    Break("api.transport:IDLE_SECONDS", "1e9", CONNECTOR, "idle"),
    Break("api.connector:Connector.cancel:shutdown", "None", CONNECTOR, "all_the_time"),
    Break("api.connector:Connector.connect:dup", "made.detach()", CONNECTOR, "longer_than"),
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
    node: ast.AST = ast.parse(source)
    tree = node
    for name in names.split("."):
        node = {_name(child): child for child in getattr(node, "body", ())}[name]
    if isinstance(node, ast.Assign):
        node.value = ast.parse(wrong.new, mode="eval").body
        return ast.unparse(tree)
    assert isinstance(node, ast.FunctionDef)
    if called:
        calls = [c for c in ast.walk(node) if isinstance(c, ast.Call) and _name(c.func) == called]
        if not calls:
            raise LookupError(wrong.place)
        for call in calls:  # `(lambda *_, **__: new)(…)`: what is called becomes the new value
            call.func = ast.parse(f"lambda *_, **__: {wrong.new}", mode="eval").body
    else:
        original = ast.FunctionDef("original", node.args, node.body, [], node.returns)
        node.body = [original, *ast.parse(wrong.new).body]
    return ast.unparse(ast.fix_missing_locations(tree))


def _name(node: ast.AST) -> str:
    """The last name of what is defined, assigned or called."""
    if isinstance(node, ast.Assign):
        node = node.targets[0]
    return str(getattr(node, "name", "") or getattr(node, "attr", "") or getattr(node, "id", ""))


def misplaced() -> list[str]:
    """The breaks whose place, or whose tests, do not exist."""
    found = []
    for wrong in BREAKS:
        try:
            broken(wrong, (ROOT / wrong.module).read_text("utf-8"))
            tests = (ROOT / wrong.file).read_text("utf-8")
        except (LookupError, FileNotFoundError):
            tests = ""
        if not all(word in tests for word in wrong.named.split(" or ")):
            found.append(f"{wrong.place}, {wrong.file} -k '{wrong.named}'")
    return found


def copy_tree(copy: Path) -> None:
    """Copy the tree, with an environment that imports twbuild from the copy."""
    copy_tracked(copy, "--cached", "--others", "--exclude-standard")
    venv.create(copy / ".venv", symlinks=True)
    (libraries,) = (copy / ".venv/lib").glob("python*/site-packages")
    (libraries / "copy.pth").write_text(f"{copy}\n{Path(pytest.__file__).parents[1]}\n")
    command = copy / ".venv/bin/twbuild"
    command.write_text(
        f"#!{copy}/.venv/bin/python\n{Path(TWBUILD).read_text().partition(chr(10))[2]}"
    )
    command.chmod(0o755)


def passes(copy: Path, breaks: list[Break], *options: str) -> bool:
    """Whether all tests pass that are named. Raises ValueError where pytest could not run them."""
    words = ["sh", "-c", 'ulimit -v 4000000; exec "$@"', "sh"]  # some breaks read without end
    words += [".venv/bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    words += [*{b.file: 0 for b in breaks}, "-k", " or ".join(wrong.named for wrong in breaks)]
    code = subprocess.run(words, cwd=copy, capture_output=True, check=False).returncode
    if code not in (0, 1):
        raise ValueError(f"pytest exits with {code}: {words}")
    return code == 0


def main() -> int:
    """Make every break; 1 where one survives, or where a test fails without any."""
    breaks = [b for b in BREAKS if "".join(sys.argv[1:]) in b.place.partition(":")[0]]
    survived = misplaced()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder).resolve()
        copy_tree(copy)
        if survived or not passes(copy, breaks, "-n", "4"):
            print("not found:", *survived, "or a test fails without a break", sep="\n")
            return 1
        for number, wrong in enumerate(breaks, 1):
            module = copy / wrong.module
            source = module.read_text("utf-8")
            module.write_text(broken(wrong, source), "utf-8")
            survived += [wrong.place] * passes(copy, [wrong], "-x")
            module.write_text(source, "utf-8")
            verdict = "SURVIVED" if wrong.place in survived else "killed  "
            print(f"{number:3} {verdict} {wrong.place}: {wrong.new!r}", flush=True)
    print(f"{len(breaks) - len(survived)} of {len(breaks)} killed")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
