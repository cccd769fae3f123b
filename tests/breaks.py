"""`python -m tests.breaks`: break the source by hand, one place at a time; a test must fail.

For the modules that wait, talk over sockets or draw, whose tests are too slow for mutmut. Each
break names a test file and a part of the names of its tests. It is made in a temporary copy of the
tree, never in the tree itself. `python -m tests.breaks WORD` makes only those of the modules whose
names contain the word.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from collections import defaultdict
from pathlib import Path
from shutil import copyfile
from typing import NamedTuple

import pytest

import twbuild
from tests.support.command import TWBUILD

ROOT = Path(twbuild.__file__).parents[1]


class Break(NamedTuple):
    """A text of a module, what it becomes, and the tests that must notice."""

    module: str
    old: str
    new: str
    tests: str
    named: str


RUNNER, STATE, FETCHER, REDACTION = (
    "watch/runner",
    "watch/state",
    "api/fetcher",
    "api/redaction",
)
CONNECTOR, RESOLVER, CERTIFICATES = "api/connector", "api/resolver", "api/certificates"
NETWORK, TRANSPORT, PARSING, HTTP, CONNECTION = (
    "api/network",
    "api/transport",
    "api/parsing",
    "api/http_errors",
    "api/connection_errors",
)
LIVE, REPORT, STDERR, STDOUT, TERMINAL = (
    "output/live",
    "output/report",
    "output/stderr",
    "output/stdout",
    "output/streams",
)
SIGNALS, APP, JSON, FRAMING = "signals", "app", "strict_json", "api/framing"

BREAKS = [
    Break(RUNNER, "MAX_IN_FLIGHT = 10", "MAX_IN_FLIGHT = 11", "journeys/wait", "25_builds"),
    Break(RUNNER, "MAX_IN_FLIGHT = 10", "MAX_IN_FLIGHT = 9", "journeys/wait", "25_builds"),
    Break(
        RUNNER,
        "if self._due and self._can_poll():",
        "if self._due:",
        "journeys/wait",
        "nothing_wakes",
    ),
    Break(
        RUNNER,
        "return len(self._polls) < MAX_IN_FLIGHT",
        "return len(self._in_flight) < MAX_IN_FLIGHT",
        "journeys/wait",
        "40_failed_builds",
    ),
    Break(
        RUNNER,
        "self._background.waiting.append(BackgroundRequest(sent.request, sent.until))",
        "pass",
        "journeys/wait",
        "needs_the_place",
    ),
    Break(
        RUNNER,
        "            sent.client.cancel()\n            self._in_flight",
        "            self._in_flight",
        "journeys/wait",
        "needs_the_place",
    ),
    Break(
        RUNNER,
        "        if sent in self._in_flight:",
        "        if True:",
        "journeys/wait",
        "15_seconds",
    ),
    Break(
        RUNNER,
        "if now >= sent.until]",
        "if now > sent.until + 1]",
        "journeys/wait",
        "fifth_of_a_second",
    ),
    Break(
        RUNNER,
        "            sent.client.cancel()\n            yield from",
        "            yield from",
        "journeys/wait",
        "stay_flat",
    ),
    Break(
        RUNNER,
        "except (RuntimeError, MemoryError):",
        "except OSError:",
        "unit/watch/runner",
        "cannot_be_started",
    ),
    Break(
        RUNNER,
        "not isinstance(result, FetchError):\n            raise result",
        "False:\n            raise result",
        "unit/watch/runner",
        "bug_in_a_thread",
    ),
    Break(
        RUNNER,
        "signals.waking(self._waker.fileno())",
        "signals.waking(-1)",
        "journeys/signals",
        "within",
    ),
    Break(
        RUNNER,
        "                while self._results:",
        "                while self._results and not signals.came():",
        "journeys/signals",
        "came_before_the_signal",
    ),
    Break(
        REDACTION,
        "return REDACTED if any(map(self._secrets.search, _readings(text))) else text",
        "return text",
        "journeys/answers",
        "encodes_what_it_repeats",
    ),
    Break(TRANSPORT, '"Accept-Encoding": "identity",', "", "unit/api/transport", "plain_gzip"),
    Break(TRANSPORT, '"Cache-Control": "no-cache",', "", "unit/api/fetcher", "no_cache"),
    Break(
        FETCHER,
        "MAX_ERROR_BYTES = MIB",
        "MAX_ERROR_BYTES = 2 * MIB",
        "unit/api/http_errors",
        "1_mib",
    ),
    Break(
        FETCHER, "Resource.BUILD: 2 * MIB", "Resource.BUILD: 3 * MIB", "unit/api/fetcher", "2_mib"
    ),
    Break(
        FETCHER, "Resource.PAGE: 8 * MIB", "Resource.PAGE: 16 * MIB", "unit/api/fetcher", "2_mib"
    ),
    Break(FETCHER, "PAGE_SIZE = 20", "PAGE_SIZE = 50", "unit/api/fetcher", "twenty"),
    Break(
        FETCHER,
        "return refused, isinstance(refused, TransientError)",
        "return refused, True",
        "unit/api/fetcher",
        "late_answer",
    ),
    Break(
        FETCHER,
        "return answer, is_named or response.is_first",
        "return answer, True",
        "unit/api/fetcher",
        "late_answer",
    ),
    Break(
        REDACTION,
        "text = self._secrets.sub(REDACTED, text)",
        "pass",
        "unit/api/fetcher",
        "repeats",
    ),
    Break(HTTP, "return sent.shown(found, 100)", "return found", "unit/api/fetcher", "repeats"),
    Break(
        FETCHER,
        "            self._session.drop()  # what",
        "            pass  # what",
        "unit/api/fetcher",
        "makes_no_sense",
    ),
    Break(
        FRAMING,
        "            del self.headers[name]",
        "            pass",
        "unit/api/transport",
        "cookie",
    ),
    Break(
        FRAMING,
        "MAX_HEAD_BYTES = 64 << 10",
        "MAX_HEAD_BYTES = 9 << 20",
        "journeys/bounds",
        "head",
    ),
    Break(PARSING, "most, _NAMES)", "most)", "journeys/bounds", "memory and list"),
    Break(
        JSON,
        "if len(content) > MAX_WIDE_BYTES and",
        "if False and",
        "journeys/bounds",
        "memory and wide",
    ),
    Break(
        PARSING,
        "_SIDS_IN_URL.findall(unquote(url))",
        "_SIDS_IN_URL.findall(url)",
        "unit/api/parsing",
        "whatever_an_answer_names",
    ),
    Break(
        PARSING,
        "re.ASCII | re.IGNORECASE",
        "re.ASCII",
        "unit/api/parsing",
        "whatever_an_answer_names",
    ),
    Break(
        PARSING,
        '        _check(sent, "service ", services, sent.service)',
        "        pass",
        "unit/api/parsing",
        "whatever_an_answer_names",
    ),
    Break(
        PARSING,
        '        names_build(sent, build, build["sid"])',
        "        pass",
        "unit/api/parsing",
        "whatever_an_answer_names",
    ),
    Break(FETCHER, " or http_errors.is_error(content)", "", "unit/api/parsing", "errors_with_http"),
    Break(HTTP, "511: [PORTAL]", "511: []", "unit/api/http_errors", "login_or_block"),
    Break(TRANSPORT, "self.trust_env = False", "pass", "unit/api/transport", "past_every_proxy"),
    Break(
        FRAMING,
        "        while 100 <= self.status < 200:",
        "        while False:",
        "unit/api/transport",
        "interim",
    ),
    Break(
        FRAMING,
        "self._is_framed() and self._is_quiet()",
        "self._is_framed()",
        "unit/api/transport",
        "anything_behind",
    ),
    Break(
        FRAMING,
        "self._is_framed() and self._is_quiet()",
        "self._is_quiet()",
        "unit/api/transport",
        "in_doubt",
    ),
    Break(
        FRAMING,
        'rb"[0-9a-fA-F]{1,15}"',
        'rb"-?[0-9a-fA-F]{1,15}"',
        "unit/api/transport",
        "chunk_size",
    ),
    Break(
        CONNECTOR,
        "if self.is_cancelled:\n                raise",
        "if False:\n                raise",
        "journeys/wire",
        "after_the_cancel",
    ),
    Break(CONNECTOR, "os.dup(made.fileno())", "made.detach()", "unit/api/transport", "one_tls"),
    Break(
        CONNECTOR,
        "self._resolver.begin_with(host, address)  #",
        "pass  #",
        "unit/api/connector",
        "behind_five or stays",
    ),
    Break(
        CONNECTOR,
        "made.settimeout(self._seconds_left())\n        except",
        "pass\n        except",
        "unit/api/connector",
        "longer_than_tcp",
    ),
    Break(
        CONNECTOR,
        "tcp = self.connect(",
        "tcp = socket.create_connection(",
        "unit/api/connector",
        "named",
    ),
    Break(NETWORK, "del os.environ[name]  #", "pass  #", "unit/api/network", "requests_documents"),
    Break(NETWORK, "_encoded(parts)}", "proxy}", "unit/api/connector", "arrives"),
    Break(NETWORK, 'if "http" in found', "if False", "unit/api/network", "pointed_out"),
    Break(
        CERTIFICATES,
        "if end and os.path.exists(rest)",
        "if False",
        "unit/api/certificates",
        "invisible_end",
    ),
    Break(
        CERTIFICATES, "if re.search(_JOINED, content)", "if False", "unit/api/certificates", "file"
    ),
    Break(CERTIFICATES, "content.startswith(_DER)", "False", "unit/api/certificates", "file"),
    Break(
        CERTIFICATES,
        "any(re.fullmatch(_HASHED, name) for name in names)",
        "names",
        "unit/api/certificates",
        "folder",
    ),
    Break(CERTIFICATES, "    if variable:", "    if False:", "unit/api/certificates", "counts"),
    Break(
        CONNECTION, "_OTHER_NAME = (62, 64)", "_OTHER_NAME = ()", "unit/api/certificates", "portal"
    ),
    Break(
        CONNECTION,
        "if _has(causes, ValueError):",
        "if False:",
        "unit/api/connection_errors",
        "by_its_kind",
    ),
    Break(
        CONNECTION,
        "self.phase in before",
        "True",
        "unit/api/connector",
        "named",
    ),
    Break(RESOLVER, "name.lower() ==", "name ==", "unit/api/resolver", "nobody_is_asked"),
    Break(
        RESOLVER,
        "look_up is None or look_up.error",
        "True",
        "unit/api/resolver",
        "serves_the_next_try or share",
    ),
    Break(
        TRANSPORT,
        "self._last_used > IDLE_SECONDS",
        "self._last_used > 1e9",
        "unit/api/connector",
        "idle",
    ),
    Break(
        TRANSPORT,
        "ssl_context=context, cert_reqs=None, ca_certs=None",
        "cert_reqs=None, ca_certs=None",
        "unit/api/transport",
        "one_tls",
    ),
    Break(
        TRANSPORT,
        "proxy_config._replace(ssl_context=context)",
        "proxy_config",
        "journeys/wire",
        "clear",
    ),
    Break(
        TRANSPORT,
        "if not reader.eof or reader.unused_data:",
        "if False:",
        "unit/api/transport",
        "nonsense or whole",
    ),
    Break(TRANSPORT, "body, limit + 1)", "body)", "unit/api/transport", "memory"),
    Break(
        NETWORK,
        'parts.scheme == "socks"',
        'parts.scheme == "sox"',
        "unit/api/network",
        "does_not_know",
    ),
    Break(
        CONNECTOR,
        "CONNECT_SECONDS = 4.0",
        "CONNECT_SECONDS = 5.0",
        "unit/api/connector",
        "4_seconds",
    ),
    Break(
        PARSING,
        "not name.isascii() or name.lower()",
        "name.casefold()",
        "unit/api/parsing",
        "only_unicode",
    ),
    Break(
        PARSING,
        'builds = [name for name in in_url if name[1] in "Bb"]',
        "builds = []",
        "unit/api/parsing",
        "whatever_an_answer_names",
    ),
    Break(
        PARSING,
        "status not in list(Status):",
        "False:",
        "unit/api/parsing",
        "object_promised",
    ),
    Break(
        HTTP,
        "status == 404 and is_from_twilio",
        "status == 404",
        "journeys/answers",
        "every_answer",
    ),
    Break(
        HTTP,
        "elif status in (401, 403) and is_from_twilio:",
        "elif status in (401, 403):",
        "unit/api/http_errors",
        "no_shape",
    ),
    Break(
        HTTP,
        "MAX_RETRY_AFTER = 300.0",
        "MAX_RETRY_AFTER = 600.0",
        "unit/api/http_errors",
        "retry_after",
    ),
    Break(
        HTTP,
        "REDIRECTS = (301, 302, 303, 307, 308)",
        "REDIRECTS = (301, 302, 303, 304, 307, 308)",
        "journeys/answers",
        "every_answer",
    ),
    Break(HTTP, "in (404, 408, 425, 429)", "in (404, 408, 429)", "unit/api/fetcher", "may_pass"),
    Break(
        CONNECTION,
        "errno.ECONNREFUSED in numbers or _has(causes, ConnectionRefusedError)",
        "False",
        "unit/api/connection_errors",
        "systems_words",
    ),
    Break(
        CONNECTION,
        "_UNKNOWN_AUTHORITY = (2, 18, 19, 20, 21)",
        "_UNKNOWN_AUTHORITY = (2,)",
        "journeys/connections",
        "certificate",
    ),
    Break(
        CONNECTION, "_CLOCK = (9, 10)", "_CLOCK = (10,)", "unit/api/connection_errors", "tomorrow"
    ),
    Break(
        CONNECTION,
        "[PROXY_LOGIN] if status == 407 else []",
        "[PROXY_LOGIN] if status == 408 else []",
        "journeys/connections",
        "refuses",
    ),
    Break(
        STDERR, "_CLOSING_SECONDS = 0.2", "_CLOSING_SECONDS = 3.0", "unit/output/stderr", "budget"
    ),
    Break(
        STDERR,
        "        if self._closing or waiting + len(text) <= _MAX_WAITING_BYTES:",
        "        if True:",
        "unit/output/stderr",
        "so_much_memory",
    ),
    Break(
        STDERR,
        "        self._stream.drop()\n        if self.is",
        "        if self.is",
        "unit/output/stderr",
        "closing or budget",
    ),
    Break(
        STDERR,
        'Sequence[Line]:\n    """The first and the last',
        'Sequence[Line]:\n    return lines\n    """The first and the last',
        "unit/output/stderr",
        "any_length",
    ),
    Break(STDERR, '("CI", *AGENTS)', '("CI",)', "unit/output/stderr", "who_watches"),
    Break(
        STDOUT,
        "min(signals.came_at(), deadline) + LAST_SECONDS",
        "float('inf')",
        "journeys/signals",
        "nobody_reads",
    ),
    Break(
        REPORT,
        "                self._failed[event.sid] = event  # its",
        "                self._write(event)  # its",
        "journeys/several",
        "json_has",
    ),
    Break(STDOUT, "errno.EBADF, errno.ECONNRESET, ", "errno.EBADF, ", "journeys/streams", "reset"),
    Break(
        TERMINAL,
        "return columns or 80, rows or 24",
        "return columns, rows",
        "journeys/terminal",
        "size or window",
    ),
    Break(
        LIVE,
        "        self._erase()\n        self._stack.close()",
        "        self._stack.close()",
        "journeys/signals",
        "screen_is_gone",
    ),
    Break(
        RUNNER,
        "wakes = [frame, *(sent.until for sent in self._in_flight)]",
        "wakes = [frame]",
        "journeys/wait",
        "fifth_of_a_second",
    ),
    Break(STATE, "REQUEST_SECONDS = 15.0", "REQUEST_SECONDS = 16.0", "unit/watch/state", "15"),
    Break(
        RUNNER,
        "if now >= step.until]",
        "if False]",
        "journeys/several",
        "json",
    ),
    Break(
        RUNNER,
        "spare = len(self._idle) > needed",
        "spare = bool(self._idle)",
        "journeys/earlier",
        "keep_their_connection",
    ),
    Break(
        RUNNER,
        "if not self._due and not self._polls and",
        "if not self._due and not self._in_flight and",
        "journeys/earlier",
        "no_verdict_waits",
    ),
    Break(
        RUNNER,
        "self._idle.insert(len(self._idle) if is_poll else 0, sent.client)",
        "self._idle.append(sent.client)",
        "journeys/earlier",
        "keep_their_connection",
    ),
    Break(
        STATE,
        "return last if last > now and last >= earliest else self._deadline",
        "return last if last > now else self._deadline",
        "journeys/wait",
        "longer_than_the_time_left",
    ),
    Break(
        CONNECTOR,
        "self._socket.shutdown(socket.SHUT_RDWR)",
        "pass",
        "journeys/wire",
        "ends_the_thread",
    ),
    Break(
        CONNECTOR,
        "        self.is_new = True\n        addresses",
        "        addresses",
        "unit/api/connector",
        "in_place_of_one",
    ),
    Break(
        TRANSPORT,
        "            if not kept:\n                self.drop()",
        "            pass",
        "unit/api/transport",
        "anything_behind",
    ),
    Break(
        TRANSPORT,
        "connector.is_new or connector.is_cancelled",
        "True",
        "unit/api/transport",
        "ended_in_between",
    ),
    Break(
        SIGNALS,
        "        die(signum)\n\n\ndef _request",
        "        pass\n\n\ndef _request",
        "journeys/signals",
        "insist",
    ),
    Break(
        SIGNALS,
        "        _State.signum, _State.at = signum, now",
        "        _State.signum, _State.at = signum, now\n        raise SignalReceived(signum)",
        "journeys/signals",
        "whatever_moment or cut_the_last",
    ),
    Break(
        SIGNALS, "warn_on_full_buffer=False", "warn_on_full_buffer=True", "unit/signals", "hold_up"
    ),
    Break(
        SIGNALS,
        "        _State.signum, _State.at = signum, now",
        "        _State.signum = signum",
        "journeys/signals",
        "nobody_reads",
    ),
    Break(
        RUNNER,
        "            while not signals.came():",
        "            while True:",
        "unit/watch/runner",
        "before_the_run",
    ),
    Break(APP, "    signals.leave_no_core()", "    pass", "journeys/signals", "core_file"),
    Break(
        SIGNALS, "not in (signal.SIG_IGN, None)", "is not None", "journeys/signals", "stay_ignored"
    ),
    Break(
        SIGNALS,
        "    signal.raise_signal(signum)\n    os._exit",
        "    os._exit",
        "journeys/signals",
        "stops_the_script",
    ),
    Break(
        SIGNALS,
        "        signal.signal(signal.SIGCHLD, signal.SIG_DFL)",
        "        pass",
        "journeys/sandbox",
        "sigchld",
    ),
    Break(
        SIGNALS,
        "    signal.signal(signal.SIGTSTP, signal.SIG_DFL)\n    signal.raise_signal",
        "    signal.raise_signal",
        "journeys/signals",
        "ctrl_z",
    ),
    Break(
        LIVE,
        "        if signals.stop_requested():\n            self._erase()",
        "        if signals.stop_requested():",
        "journeys/signals",
        "ctrl_z or beside_a_frame",
    ),
    Break(
        LIVE,
        "            self._shown, self._drawn = False, []",
        "            pass",
        "journeys/signals",
        "not_erased_again",
    ),
    Break(
        LIVE,
        "elif streams.in_foreground() and ",
        "elif ",
        "journeys/signals",
        "may_not_draw",
    ),
    Break(
        LIVE, "if len(rows) <= max(height - 1, 1):", "if True:", "journeys/terminal", "low_window"
    ),
    Break(
        LIVE,
        'ERASE = "\\r\\x1b[K\\x1b[C\\x1b[J\\r"',
        'ERASE = "\\r\\x1b[J"',
        "journeys/terminal",
        "scrollback",
    ),
    Break(
        STDERR,
        "(whole or time.monotonic() >= self._paced_until)",
        "True",
        "journeys/streams",
        "reads_slowly and slow",
    ),
    Break(
        TERMINAL,
        "1 if os.isatty(descriptor) else _PIPE_BUF",
        "512",
        "journeys/streams",
        "reads_slowly and another and signal",
    ),
    Break(
        TERMINAL,
        "os.O_NOCTTY | os.O_NONBLOCK",
        "os.O_NOCTTY",
        "journeys/streams",
        "reads_slowly and terminal and signal",
    ),
    Break(TERMINAL, "(os.getpgrp() or None)", "os.getpgrp()", "journeys/terminal", "namespace"),
    Break(
        REPORT,
        "        self._stdout.flush()",
        "        while not self._stdout.flush(1):\n            pass",
        "journeys/streams",
        "full_stdout",
    ),
    Break(APP, "        gc.enable()", "        pass", "journeys/frugality", "garbage"),
]


def misplaced() -> list[str]:
    """The breaks whose old text does not occur exactly once."""
    return [
        f"{wrong.module}: occurs {count} times: {wrong.old!r}"
        for wrong in BREAKS
        if (count := (ROOT / "twbuild" / f"{wrong.module}.py").read_text("utf-8").count(wrong.old))
        != 1
    ]


def copy_tree(copy: Path) -> None:
    """Copy the tree, with an environment that imports twbuild from the copy."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.check_output(words, cwd=ROOT, text=True).splitlines():
        if (ROOT / name).exists():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            copyfile(ROOT / name, copy / name)
    venv.create(copy / ".venv", symlinks=True)
    (libraries,) = (copy / ".venv/lib").glob("python*/site-packages")
    original = Path(pytest.__file__).parents[1]
    (libraries / "copy.pth").write_text(f"{copy}\n{original}\n")
    command = copy / ".venv/bin/twbuild"
    _, _, rest = Path(TWBUILD).read_text().partition("\n")
    command.write_text(f"#!{copy}/.venv/bin/python\n{rest}")
    command.chmod(0o755)


def test(copy: Path, file: str, named: str, *options: str) -> int:
    """What pytest exits with for the tests of a file that have this in their names."""
    words = ["sh", "-c", 'ulimit -v 4000000; exec "$@"', "sh"]  # some breaks read without end
    words += [".venv/bin/python", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *options]
    folder, name = file.rsplit("/", 1)
    words += [f"tests/{folder}/test_{name}.py", "-k", named]
    return subprocess.run(words, cwd=copy, capture_output=True, check=False).returncode


def killed(copy: Path, wrong: Break) -> bool:
    """Whether a test fails. Raises ValueError where pytest could not run them."""
    path = copy / "twbuild" / f"{wrong.module}.py"
    source = path.read_text("utf-8")
    path.write_text(source.replace(wrong.old, wrong.new), "utf-8")
    try:
        code = test(copy, wrong.tests, wrong.named)
    finally:
        path.write_text(source, "utf-8")
    if code not in (0, 1):
        raise ValueError(f"{wrong.module}: pytest exits with {code} for {wrong.tests}")
    return code == 1


def main() -> int:
    """Make every break; 1 where one survives, or where a test fails without any."""
    word = "".join(sys.argv[1:])
    breaks = [wrong for wrong in BREAKS if word in wrong.module]
    if wrong_places := misplaced():
        print("\n".join(wrong_places))
        return 1
    survived = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder).resolve()
        copy_tree(copy)
        named = defaultdict(list)
        for wrong in breaks:
            named[wrong.tests].append(wrong.named)
        for file, names in named.items():
            if code := test(copy, file, " or ".join(names), "-n", "4"):
                print(f"without a break, pytest exits with {code} for {file}: {names}")
                return 1
        for number, wrong in enumerate(breaks, 1):
            dead = killed(copy, wrong)
            survived += not dead
            verdict = "killed  " if dead else "SURVIVED"
            print(f"{number:3} {verdict} {wrong.module}: {wrong.old!r}", flush=True)
    print(f"{len(breaks) - survived} of {len(breaks)} killed")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
