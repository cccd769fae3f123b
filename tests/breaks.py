"""`python -m tests.breaks`: break the source by hand, one place at a time; a test must go red.

For the modules that wait, talk over sockets or draw: their tests are too slow for a mutation
tester. Each break names a test file and, where that is not enough, a part of its tests' names. The
source is changed in place, and put back; an old text that does not stand in it once is an error.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]


class Break(NamedTuple):
    """A text of a module, what it becomes, and the tests that must notice."""

    module: str
    old: str
    new: str
    tests: str
    named: str = ""


RUNNER, STATE, FETCHER = "watch/runner", "watch/state", "api/fetcher"
TRANSPORT, PARSING, HTTP, CONNECTION = (
    "api/transport",
    "api/parsing",
    "api/http_errors",
    "api/connection_errors",
)
LIVE, STDERR, STDOUT, TERMINAL = (
    "output/live",
    "output/stderr",
    "output/stdout",
    "output/terminal",
)

BREAKS = [
    Break(RUNNER, "MOST_LANES = 10", "MOST_LANES = 11", "wait", "25_builds"),
    Break(RUNNER, "MOST_LANES = 10", "MOST_LANES = 9", "wait", "25_builds"),
    Break(RUNNER, "if self._due and self._has_room():", "if self._due:", "wait", "nothing_wakes"),
    Break(
        RUNNER,
        "or any(map(_is_about_details, self._lanes))",
        "or False",
        "wait",
        "40_failed_builds",
    ),
    Break(
        RUNNER,
        "self._lanes.remove(lane)\n            self._details.append(lane.number)",
        "self._lanes.remove(lane)",
        "wait",
        "40_failed",
    ),
    Break(
        RUNNER,
        "            lane.fetcher.abandon()\n            self._lanes",
        "            self._lanes",
        "wait",
        "40_failed",
    ),
    Break(
        RUNNER,
        "                if lane in self._lanes:",
        "                if True:",
        "wait",
        "15_seconds",
    ),
    Break(RUNNER, "if now >= lane.until]", "if now > lane.until + 1]", "wait", "15_seconds"),
    Break(
        RUNNER,
        "            lane.fetcher.abandon()\n            silence",
        "            silence",
        "wait",
        "stay_flat",
    ),
    Break(
        RUNNER,
        "except (RuntimeError, MemoryError):",
        "except OSError:",
        "wait",
        "cannot_be_started",
    ),
    Break(
        RUNNER,
        "not isinstance(given, FetchError):\n            raise given",
        "False:\n            raise given",
        "wait",
        "bug_in_a_thread",
    ),
    Break(RUNNER, "        with signals.let_through():", "        if True:", "signals", "within"),
    Break(FETCHER, '"Accept-Encoding": "identity",', "", "fetcher", "plain_gzip"),
    Break(FETCHER, '"Cache-Control": "no-cache",', "", "fetcher", "no_cache"),
    Break(
        FETCHER,
        "LARGEST_ERROR = MIB",
        "LARGEST_ERROR = 64 * MIB",
        "fetcher",
        "without_end or larger or memory",
    ),
    Break(FETCHER, "Kind.BUILD: 2 * MIB", "Kind.BUILD: 3 * MIB", "fetcher", "2_mib"),
    Break(FETCHER, "Kind.PAGE: 8 * MIB", "Kind.PAGE: 16 * MIB", "fetcher", "2_mib"),
    Break(FETCHER, "PAGE_SIZE = 20", "PAGE_SIZE = 50", "fetcher", "twenty"),
    Break(
        FETCHER,
        "            if self._session.is_used_only_for(question.sid):\n                raise",
        "            raise",
        "fetcher",
        "late_answer",
    ),
    Break(
        FETCHER, "if parsing.is_named(answer) or self", "if True or self", "fetcher", "late_answer"
    ),
    Break(
        FETCHER, 'return self._secrets.sub("[secret]", value)', "return value", "fetcher", "repeats"
    ),
    Break(
        FETCHER,
        "            response.headers[name] = self._redacted(value)",
        "            pass",
        "fetcher",
        "repeats",
    ),
    Break(
        TRANSPORT,
        "self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))",
        "pass",
        "fetcher",
        "cookie",
    ),
    Break(TRANSPORT, "self.trust_env = False", "pass", "network", "past_every_proxy"),
    Break(
        TRANSPORT,
        "        while 100 <= self.status < 200:",
        "        while False:",
        "fetcher",
        "interim",
    ),
    Break(
        TRANSPORT,
        "self._is_framed() and self._is_quiet()",
        "self._is_framed()",
        "fetcher",
        "anything_behind",
    ),
    Break(
        TRANSPORT,
        "self._is_framed() and self._is_quiet()",
        "self._is_quiet()",
        "fetcher",
        "in_doubt",
    ),
    Break(TRANSPORT, 'rb"[0-9a-fA-F]{1,15}"', 'rb"-?[0-9a-fA-F]{1,15}"', "fetcher", "chunk_size"),
    Break(
        TRANSPORT,
        "            connection.close()\n            raise Conn",
        "            raise Conn",
        "wire",
        "after_the_cancel",
    ),
    Break(TRANSPORT, "os.dup(connection.fileno())", "connection.detach()", "network", "one_tls"),
    Break(
        TRANSPORT,
        "network.failed[address] = network.failed.get(address, 0) + 1",
        "pass",
        "wait",
        "tried_last",
    ),
    Break(
        TRANSPORT,
        "ssl_context=context, cert_reqs=None, ca_certs=None",
        "cert_reqs=None, ca_certs=None",
        "network",
        "one_tls or another_address",
    ),
    Break(TRANSPORT, "proxy_config._replace(ssl_context=context)", "proxy_config", "wire", "clear"),
    Break(
        TRANSPORT,
        "if not reader.eof or reader.unused_data:",
        "if False:",
        "fetcher",
        "nonsense or whole",
    ),
    Break(TRANSPORT, "body, limit + 1)", "body)", "fetcher", "memory"),
    Break(
        TRANSPORT, 'parts.scheme == "socks"', 'parts.scheme == "sox"', "network", "does_not_know"
    ),
    Break(TRANSPORT, "CONNECT_SECONDS = 4 ", "CONNECT_SECONDS = 5 ", "wait", "4_seconds"),
    Break(
        PARSING, "not name.isascii() or name.lower()", "name.lower()", "fetcher", "another_build"
    ),
    Break(
        PARSING,
        'named = _builds_in(sent.get("url")) if sid is None else [sid]',
        "named = [] if sid is None else [sid]",
        "fetcher",
        "another_build",
    ),
    Break(
        PARSING, "status not in [s.value for s in Status]", "False", "fetcher", "object_promised"
    ),
    Break(HTTP, "status == 404 and is_twilios", "status == 404", "answers", "every_answer"),
    Break(
        HTTP,
        "elif status in (401, 403) and is_twilios:",
        "elif status in (401, 403):",
        "problems",
        "no_shape",
    ),
    Break(
        HTTP,
        "LONGEST_RETRY_AFTER = 300.0",
        "LONGEST_RETRY_AFTER = 600.0",
        "problems",
        "retry_after",
    ),
    Break(
        HTTP,
        "REDIRECTS = (301, 302, 303, 307, 308)",
        "REDIRECTS = (301, 302, 303, 304, 307, 308)",
        "answers",
        "every_answer",
    ),
    Break(HTTP, "PASSING_4XX = (408, 425, 429)", "PASSING_4XX = (408, 429)", "fetcher", "may_pass"),
    Break(
        CONNECTION,
        "errno.ECONNREFUSED in numbers or _has(causes, ConnectionRefusedError)",
        "False",
        "network",
        "systems_words",
    ),
    Break(
        CONNECTION,
        "_UNKNOWN_AUTHORITY = (2, 18, 19, 20, 21)",
        "_UNKNOWN_AUTHORITY = (2,)",
        "connections",
        "certificate",
    ),
    Break(CONNECTION, "_CLOCK = (9, 10)", "_CLOCK = (10,)", "network", "tomorrow"),
    Break(
        CONNECTION,
        'of its own."] if status == 407 else []\n    return FatalError',
        'of its own."] if False else []\n    return FatalError',
        "connections",
        "refuses",
    ),
    Break(STDERR, "_CLOSING_SECONDS = 0.2", "_CLOSING_SECONDS = 3.0", "streams", "budget"),
    Break(
        STDERR,
        "        if self._closing or waiting + len(content) <= _MOST_WAITING:",
        "        if True:",
        "streams",
        "so_much_memory",
    ),
    Break(
        STDERR,
        "        self._waiting.clear()\n        if self.is",
        "        if self.is",
        "streams",
        "closing or budget",
    ),
    Break(
        STDERR,
        'Sequence[Line]:\n    """The first and the last',
        'Sequence[Line]:\n    return lines\n    """The first and the last',
        "streams",
        "too_long",
    ),
    Break(STDERR, "not any(map(os.environ.get, AGENTS))", "True", "streams", "plain_progress"),
    Break(
        STDOUT,
        "min(signals.came_at(), self.deadline) + LAST_SECONDS",
        "float('inf')",
        "signals",
        "nobody_reads",
    ),
    Break(
        STDOUT,
        "            self._failed[over.sid] = over\n        elif",
        "            self._tell(over)\n            self._told.add(over.sid)\n        elif",
        "several",
        "json_has",
    ),
    Break(TERMINAL, "errno.EBADF, errno.ECONNRESET, ", "errno.EBADF, ", "streams_journey", "reset"),
    Break(
        TERMINAL,
        "return columns or 80, rows or 24",
        "return columns, rows",
        "terminal",
        "size or window",
    ),
    Break(
        LIVE,
        "self._erase()\n        self._stack.close()",
        "self._stack.close()",
        "terminal",
        "gone",
    ),
    Break(LIVE, "            self._shown = False", "            pass", "terminal", "erased_once"),
    Break(LIVE, "if signals.stop_wanted():", "if False:", "terminal", "suspend or stop or ctrl_z"),
    Break(LIVE, "elif terminal.in_foreground():", "else:", "terminal", "may_not_draw"),
    Break("signals", "not in (signal.SIG_IGN, None)]", "not in (None,)]", "signals", "ignored"),
    Break(
        "signals",
        "        _State.signum, _State.at = signum, now",
        "        die(signum)",
        "signals",
    ),
    Break("app", "        gc.enable()", "        pass", "frugality"),
]


def killed(wrong: Break) -> bool:
    """Whether a test goes red. Raises ValueError where the old text does not stand there once."""
    path = ROOT / "twbuild" / f"{wrong.module}.py"
    source = path.read_text("utf-8")
    if source.count(wrong.old) != 1:
        raise ValueError(
            f"{wrong.module}: stands there {source.count(wrong.old)} times: {wrong.old}"
        )
    words = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "2", "-p", "no:cacheprovider"]
    words += [f"tests/test_{wrong.tests}.py", *(["-k", wrong.named] if wrong.named else [])]
    path.write_text(source.replace(wrong.old, wrong.new), "utf-8")
    try:
        done = subprocess.run(words, cwd=ROOT, capture_output=True, check=False)
    finally:
        path.write_text(source, "utf-8")
    if done.returncode not in (0, 1, 2):  # 2: xdist was told to stop at the first failure
        raise ValueError(f"{wrong.module}: pytest ended with {done.returncode} for {wrong.tests}")
    return done.returncode != 0


def main() -> int:
    """Break it all; 1 where anything survives."""
    survived = []
    for number, wrong in enumerate(BREAKS, 1):
        dead = killed(wrong)
        print(
            f"{number:3} {'killed  ' if dead else 'SURVIVED'} {wrong.module}: {wrong.old!r}",
            flush=True,
        )
        survived += [] if dead else [wrong]
    print(f"{len(BREAKS) - len(survived)} of {len(BREAKS)} killed")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
