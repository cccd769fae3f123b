"""An installation with a part missing or replaced, and files that stand in a module's place."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import sys
import sysconfig
import zipapp
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from werkzeug import Response

from tests.support.command import BUILD, SERVICE, STATUS, TWBUILD, WAIT
from tests.support.run import Env, finish, run_words, start_words
from tests.support.secrets import shown
from tests.support.terminal import Terminal
from tests.support.twilio import Twilio, error, status_body
from twbuild import __file__ as package_file

PACKAGE = Path(package_file).parent
INSTALLED = Path(sysconfig.get_path("purelib"))
LIBRARIES = [
    *("annotated_doc", "certifi", "idna", "requests", "rich", "shellingham", "typer", "urllib3")
]
PYTHON_M = [sys.executable, "-m", "twbuild"]


@pytest.mark.parametrize(
    ("words", "name", "does"),
    [
        ([TWBUILD, *STATUS], "requests", "import sys\ndef main(): sys.exit(0)\nmain()"),
        ([TWBUILD, *STATUS], "signal", "raise RuntimeError('5ecre7' * 5)"),
        ([TWBUILD, *STATUS], "re", "print 'this is Python 2'"),
        ([TWBUILD, "--help"], "rich", "raise SystemExit(0)"),
        ([TWBUILD, "--version"], "typer", "raise SystemExit(1)"),
        ([TWBUILD, "--show-completion"], "shellingham", "raise SystemExit(0)"),
        ([*PYTHON_M, *STATUS], "requests", "raise SystemExit(0)"),
        ([*PYTHON_M, *STATUS], "socket", "other = 'names'"),
    ],
)
def test_a_file_in_a_modules_place_is_70_and_named(
    twilio: Twilio, tmp_path: Path, words: list[str], name: str, does: str
) -> None:
    (tmp_path / f"{name}.py").write_text(does)
    # Measuring coverage would import these modules before the command does.
    env = {name: value for name, value in twilio.environ.items() if "COVERAGE" not in name}
    # An empty path is the folder in which it is run, where `python -m` looks by itself.
    env["PYTHONPATH"] = "" if words[0] == sys.executable else ":"
    words = ["bash", "-c", '"$@"; exit $?', "bash", *words]  # the completion looks for a shell
    ended = run_words(words, env=env, cwd=tmp_path)

    assert (ended.code, ended.stdout) == (70, "")
    assert f"twbuild: error: {tmp_path}/{name}.py is used in place of a module" in ended.stderr
    assert ended.is_plain
    assert "report it" not in ended.stderr
    assert not shown(ended.stderr)


def test_a_library_that_exits_does_not_end_a_wait(twilio: Twilio) -> None:
    code = "import http.client, sys\n"
    code += "http.client.HTTPConnection.endheaders = lambda *_, **__: sys.exit(0)"
    ended = twilio.run(*WAIT, first=code)

    assert (ended.code, ended.stdout) == (70, "")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python's library and the installation behind the link `now`: whole, or of empty files.

    Renaming `now.next` to `now` replaces all of it at once.
    """
    home = tmp_path_factory.mktemp("home")
    library = Path(os.__file__).parent
    parts = {f"{name}/{library.name}": library for name in ("lib", sys.platlibdir)}
    parts |= {f"site/{name}": INSTALLED / name for name in LIBRARIES}
    parts["site/twbuild"] = PACKAGE
    for part, found in parts.items():
        whole, emptied = home / "whole" / part, home / "emptied" / part
        whole.parent.mkdir(parents=True, exist_ok=True)
        whole.symlink_to(found)
        for folder, folders, files in os.walk(found):
            folders[:] = {*folders} - {"test", "tests", "site-packages", "__pycache__"}
            place = emptied / Path(folder).relative_to(found)
            place.mkdir(parents=True)
            for name in files:
                (place / name).touch()
    return home


# Replaces the installation before the first request goes out.
STARTED = """
import os, sys, threading
now = os.environ["PYTHONHOME"]
sys.path.append(f"{now}/site")
start = threading.Thread.start
def replace(self):
    if os.path.lexists(f"{now}.next"):
        os.replace(f"{now}.next", now)
    start(self)
threading.Thread.start = replace
from twbuild.__main__ import main
main()
"""
ODD = "\x1b[31m \u202e \x9b \U0001f44d \u00e9"
NAMED = [{"name": f"{ODD}-{number}", "version": f"{ODD} " * 9} for number in range(12)]
BODY = json.dumps(status_body(status="completed")).encode()
GZIPPED = Response(gzip.compress(BODY), headers={"Content-Encoding": "gzip"})
HTML = Response(f"<b>{ODD}", 400, content_type="text/html")
ENDINGS: list[tuple[int, list[Any], list[str]]] = [
    (0, ["building", Response(b"\xef\xbb\xbf" + BODY)], [*WAIT, "-v"]),
    (0, [GZIPPED], [*WAIT, "--json"]),
    (1, ["building", "failed"], [*WAIT]),
    (1, ["building", "failed"], [*WAIT, "--json"]),
    (124, ["building"], [*WAIT, "-t", "1s"]),
    (-signal.SIGTERM, ["building"], ["wait", "-i", "1h", SERVICE, BUILD]),
    (4, ["building", error(401, ODD)], [*WAIT]),
    (3, ["building", HTML], [*WAIT, "--json"]),
    (3, [{"status": ODD}], [*STATUS, "-v"]),
]


def ending(words: list[str], env: Mapping[str, str], code: int, *, on_terminal: bool) -> str:
    """What a command writes that ends with `code`; a signal is sent once it is building."""
    if not on_terminal:
        words = ["bash", "-c", '"$@" 2>&1 | cat; exit $PIPESTATUS', "bash", *words]
    with Terminal(words, {**env, "GITHUB_ACTIONS": "true"}, 500) as terminal:
        if code < 0:
            terminal.see("building ")
            os.kill(terminal.pid, -code)
        assert terminal.end() == code, terminal.text
    return terminal.text


@pytest.mark.measured
@pytest.mark.parametrize("number", range(len(ENDINGS)))
def test_files_replaced_in_a_wait_change_no_ending(twilio: Twilio, home: Path, number: int) -> None:
    code, answers, typed = ENDINGS[number]
    words = [sys._base_executable, "-S", "-c", STARTED, *typed]  # type: ignore[attr-defined]
    env = {**twilio.environ, "PYTHONHOME": str(home / "now")}
    shown = []
    for now in ("whole", "emptied"):
        (home / "now").unlink(missing_ok=True)
        (home / "now").symlink_to("whole")
        if now == "emptied":
            (home / "now.next").symlink_to("emptied")
        twilio.says(*answers)
        twilio.describes({"status": "failed", "runtime": ODD, "dependencies": NAMED})
        before = len(twilio.polls())
        text = ending(words, env, code, on_terminal=bool(number % 2))
        assert len(twilio.polls()) > before
        assert os.readlink(home / "now") == now
        # Without its line ends: where a terminal breaks a line depends on how long a number is.
        shown.append(re.sub(r"[0-9.]+", "0", "".join(text.split())))
    assert shown[0] == shown[1]


def test_a_zipapp_runs_and_leaves_nothing_in_the_temporary_folder(
    base: Env, tmp_path: Path
) -> None:
    lib, pyz = tmp_path / "lib", tmp_path / "twbuild.pyz"
    for found in (PACKAGE, *(INSTALLED / name for name in LIBRARIES)):
        if found.is_dir():
            shutil.copytree(found, lib / found.name)
    for compiled in lib.rglob("__pycache__/*.pyc"):  # else compiled at each start
        compiled.rename(compiled.parents[1] / f"{compiled.name.partition('.')[0]}.pyc")
    zipapp.create_archive(lib, pyz, main="twbuild.__main__:main")
    (tmp_path / "tmp").mkdir()
    env = {**base, "TMPDIR": str(tmp_path / "tmp")}
    words = [sys.executable, "-I", str(pyz), "sandbox"]
    ended = run_words([*words, "--build-time", "0s", "--outcome", "failed"], env=env)
    assert (ended.code, ended.stdout) == (1, "failed\n"), ended.stderr

    process = start_words(words, env=env)
    assert process.stderr
    while " building " not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGTERM)
    assert finish(process).code == -signal.SIGTERM
    assert os.listdir(tmp_path / "tmp") == []
