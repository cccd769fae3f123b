"""An installation with a part missing or replaced, and files that stand in a module's place."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import zipapp
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
from werkzeug import Response

from tests.support.command import BUILD, SERVICE, TWBUILD, Ended, run_words
from tests.support.secrets import shown
from tests.support.shim import shim
from tests.support.terminal import Terminal
from tests.support.twilio import Twilio, error, status_body
from twbuild import __file__ as package_file

PACKAGE = Path(package_file).parent
INSTALLED = Path(sysconfig.get_path("purelib"))
LIBRARIES = (
    "annotated_doc",
    "certifi",
    "idna",
    "requests",
    "rich",
    "shellingham",
    "typer",
    "urllib3",
)
RUN_COPY = """
import sys
sys.path[:] = [{lib!r}, *(path for path in sys.path if path != {repository!r})]
from twbuild.__main__ import main
main()
"""
CODES = {"completed": 0, "failed": 1}


@pytest.fixture
def copy(tmp_path: Path) -> Callable[..., list[str]]:
    """Makes a copy of the installed package, with or without its libraries: what runs it."""

    def make(*, libraries: bool) -> list[str]:
        lib = tmp_path / "lib"
        shutil.rmtree(lib, ignore_errors=True)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PACKAGE, lib / "twbuild", ignore=ignored)
        for name in LIBRARIES if libraries else ():
            found = INSTALLED / name
            if found.is_dir():  # compiled as it is: that takes longer than all else
                shutil.copytree(found, lib / name)
        script = tmp_path / "script"
        script.write_text(RUN_COPY.format(lib=str(lib), repository=str(PACKAGE.parent)))
        return [sys.executable, "-I", str(script)]

    return make


def is_reported(ended: Ended) -> bool:
    """Whether it was 70 and human-readable lines, without a traceback or a secret."""
    lines = ended.stderr.splitlines()
    return (
        (ended.code, ended.stdout) == (70, "")
        and bool(lines)
        and all(line.startswith("twbuild: ") for line in lines)
        and not shown(ended.stderr)
    )


def test_a_module_missing_or_empty_is_70_or_changes_nothing(
    twilio: Twilio, environ: dict[str, str], tmp_path: Path, copy: Callable[..., list[str]]
) -> None:
    twilio.says("failed")
    twilio.describes("failed")
    words = [*copy(libraries=False), "status", SERVICE, BUILD]
    whole = run_words([*words[:2], "-X", "importtime", *words[2:]], env=environ)
    needed = re.findall(r"\| +twbuild\.([\w.]+)$", whole.stderr, re.MULTILINE)
    assert whole.code == 1
    assert len(needed) > 15

    package = tmp_path / "lib" / "twbuild"
    for number, module in enumerate(sorted({*needed} - {"__main__"})):
        if number % 3:  # one of three: whichever is damaged, it is one explainer that tells
            continue
        path = package.joinpath(*module.split(".")).with_suffix(".py")
        path = path if path.exists() else path.with_suffix("") / "__init__.py"
        content = path.read_bytes()
        path.unlink() if number % 2 else path.write_bytes(b"")
        ended = run_words(words, env=environ)
        path.write_bytes(content)
        assert is_reported(ended) or (ended.code, ended.stdout) == (1, "failed\n"), (path, ended)
        if number % 2 and path.stem != "__init__":
            assert "installation is broken" in ended.stderr, (path, ended)


IN_THE_WAY = {
    "ends with 0": "import sys\nsys.exit(0)",
    "ends with 1": "raise SystemExit(1)",
    "raises": "raise RuntimeError('5ecre7' * 5)",
    "is Python 2": "print 'hello'",
    "has other names": "",
}
NEEDED = ("requests", "typer", "signal", "enum", "re", "random", "socket", "json", "ssl", "heapq")


def test_a_file_in_a_modules_place_is_70_and_named(
    twilio: Twilio, environ: dict[str, str], tmp_path: Path
) -> None:
    twilio.says("failed")
    # Measuring coverage would import these modules before the command does.
    environ = {name: value for name, value in environ.items() if "COVERAGE" not in name}
    for name, does in zip(NEEDED, [*IN_THE_WAY.values()] * 2, strict=True):
        folder = tmp_path / name
        folder.mkdir()
        file = folder / f"{name}.py"
        file.write_text(does)
        env = {**environ, "PYTHONPATH": str(folder)}
        ended = run_words([TWBUILD, "status", SERVICE, BUILD], env=env)
        assert is_reported(ended), (name, ended)
        assert f"error: {file} is used in place of a module" in ended.stderr
        assert "report it" not in ended.stderr


@pytest.mark.parametrize("how", ["PYTHONPATH=:", "python -m twbuild"])
def test_a_users_own_requests_folder_is_70(
    twilio: Twilio, environ: dict[str, str], tmp_path: Path, how: str
) -> None:
    """A folder with a users own requests is 70 also when it ends in sys.exit."""
    twilio.says("failed")
    (tmp_path / "requests.py").write_text("import sys\ndef main(): sys.exit(0)\nmain()\n")
    module = how.startswith("python")
    words = [sys.executable, "-m", "twbuild"] if module else [TWBUILD]
    env = environ if module else {**environ, "PYTHONPATH": ":"}
    ended = run_words([*words, "status", SERVICE, BUILD], env=env, cwd=tmp_path)

    assert is_reported(ended)
    assert f"{tmp_path}/requests.py is used in place" in ended.stderr


@pytest.mark.parametrize(
    ("option", "name"),
    [("--help", "rich"), ("--version", "typer"), ("--show-completion", "shellingham")],
)
def test_help_fails_with_a_file_in_a_modules_place(
    base: dict[str, str], tmp_path: Path, option: str, name: str
) -> None:
    (tmp_path / f"{name}.py").write_text("import sys\nsys.exit(0)")
    env = {**base, "PYTHONPATH": str(tmp_path)}
    ended = run_words(["bash", "-c", f"{TWBUILD} {option}; exit $?"], env=env)

    assert (ended.code == 70) is (not ended.stdout), ended
    assert ended.code in (0, 70)


def test_a_library_that_exits_does_not_end_a_wait(
    twilio: Twilio, environ: dict[str, str], tmp_path: Path
) -> None:
    twilio.says("failed")
    code = "import http.client, sys\n"
    code += "http.client.HTTPConnection.endheaders = lambda *_, **__: sys.exit(0)"
    env = {**environ, "PYTHONPATH": shim(tmp_path, code)}
    ended = run_words([TWBUILD, "wait", SERVICE, BUILD], env=env)

    assert ended.code == 70
    assert ended.stdout == ""


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
Endings = Mapping[str, tuple[int, list[Any], list[str]]]
ENDINGS: Endings = {
    "completed": (0, ["building", Response(b"\xef\xbb\xbf" + BODY)], ["-v"]),
    "compressed": (
        0,
        [Response(gzip.compress(BODY), headers={"Content-Encoding": "gzip"})],
        ["--json"],
    ),
    "failed": (1, ["building", "failed"], []),
    "failed, json": (1, ["building", "failed"], ["--json"]),
    "timeout": (124, ["building"], ["-t", "1s"]),
    "signal": (-signal.SIGTERM, ["building"], ["-i", "1h"]),
    "unauthorized": (4, ["building", error(401, ODD)], []),
    "not found": (5, [error(404, ODD)], ["status"]),
    "unavailable": (3, [{"status": ODD}], ["status", "-v"]),
    "refused": (3, ["building", Response(f"<b>{ODD}", 400, content_type="text/html")], ["--json"]),
    "redirected": (3, ["building", 302], []),
}


@pytest.mark.measured
@pytest.mark.parametrize(
    ("name", "how"), [*zip(ENDINGS, itertools.cycle(["GitHub", "terminal"]))], ids=str
)
def test_files_replaced_during_a_wait_change_no_ending(
    twilio: Twilio, environ: dict[str, str], home: Path, name: str, how: str
) -> None:
    code, answers, options = ENDINGS[name]
    command = [] if "status" in options else ["wait", "-i", "200ms"]
    words = [sys._base_executable, "-S", "-c", STARTED]  # type: ignore[attr-defined]
    words = [*words, *command, *sorted(options, key="status".__ne__), SERVICE, BUILD]
    env = {**environ, "PYTHONHOME": str(home / "now"), "TERM": "xterm"}
    env |= {"GITHUB_ACTIONS": "true"} if how == "GitHub" else {}
    shown = []
    for is_replaced in (False, True):
        (home / "now").unlink(missing_ok=True)
        (home / "now").symlink_to("whole")
        if is_replaced:
            (home / "now.next").symlink_to("emptied")
        twilio.says(*answers)
        twilio.describes({"status": "failed", "runtime": ODD, "dependencies": NAMED})
        before = len(twilio.polls())
        if how == "terminal":
            with Terminal(words, env, 500) as terminal:
                if code < 0:
                    terminal.see("building ")
                    os.kill(terminal.pid, -code)
                ended, text = terminal.end(), terminal.text
        else:
            process = subprocess.Popen(words, env=env, stdout=PIPE, stderr=PIPE, encoding="utf-8")
            if code < 0:
                assert process.stderr
                while "building " not in process.stderr.readline():
                    pass
                process.send_signal(-code)
            stdout, stderr = process.communicate(timeout=60)
            ended, text = process.returncode, f"{stdout}{stderr}"
        assert ended == code, text
        assert len(twilio.polls()) > before
        assert os.readlink(home / "now") == ("emptied" if is_replaced else "whole")
        shown.append(re.sub(r"[0-9.]+", "0", text))
    assert shown[0] == shown[1]


@pytest.fixture
def pyz(tmp_path: Path, copy: Callable[..., list[str]]) -> Path:
    """A zipapp of everything that twbuild needs, not executable."""
    copy(libraries=True)
    for compiled in (tmp_path / "lib").rglob("__pycache__/*.pyc"):  # else compiled at each start
        compiled.rename(compiled.parents[1] / f"{compiled.name.partition('.')[0]}.pyc")
    target = tmp_path / "twbuild.pyz"
    zipapp.create_archive(tmp_path / "lib", target, main="twbuild.__main__:main")
    return target


def test_a_zipapp_runs_and_leaves_nothing_in_the_temporary_folder(
    base: dict[str, str], tmp_path: Path, pyz: Path
) -> None:
    (tmp_path / "tmp").mkdir()
    env = {**base, "TMPDIR": str(tmp_path / "tmp")}
    words = [sys.executable, "-I", str(pyz), "sandbox"]
    for outcome, code in CODES.items():
        ended = run_words([*words, "--build-time", "0s", "--outcome", outcome], env=env)
        assert (ended.code, ended.stdout) == (code, f"{outcome}\n"), ended.stderr

    process = subprocess.Popen(words, env=env, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stderr
    while b" building " not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGTERM
    assert os.listdir(tmp_path / "tmp") == []
