"""An installation with a part missing or replaced, and files that stand in a module's place."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import zipapp
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command import BUILD, SERVICE, TWBUILD, Ended, run_words
from tests.support.moments import shim
from tests.support.secrets import shown
from tests.support.terminal import Terminal
from tests.support.twilio import Twilio
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
{more}
from twbuild.__main__ import main
main()
"""
# Empties every file of the installation before the first request goes out.
REPLACED = """
import pathlib, threading
start = threading.Thread.start
def replace(self):
    for path in pathlib.Path(sys.path[0]).rglob("*.py"):
        path.write_bytes(b"")
    start(self)
threading.Thread.start = replace
"""
CODES = {"completed": 0, "failed": 1}


@pytest.fixture
def copy(tmp_path: Path) -> Callable[..., list[str]]:
    """Makes a copy of the installed package, with or without its libraries: what runs it."""

    def make(*, libraries: bool, more: str = "") -> list[str]:
        lib = tmp_path / "lib"
        shutil.rmtree(lib, ignore_errors=True)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PACKAGE, lib / "twbuild", ignore=ignored)
        for name in LIBRARIES if libraries else ():
            found = INSTALLED / name
            if found.is_dir():  # compiled as it is: that takes longer than all else
                shutil.copytree(found, lib / name)
        script = tmp_path / "script"
        script.write_text(RUN_COPY.format(lib=str(lib), repository=str(PACKAGE.parent), more=more))
        return [sys.executable, "-I", str(script)]

    return make


def is_told(ended: Ended) -> bool:
    """Whether it was 70 and lines for people, without a traceback or a secret."""
    lines = ended.stderr.splitlines()
    return (
        (ended.code, ended.stdout) == (70, "")
        and bool(lines)
        and all(line.startswith("twbuild: ") for line in lines)
        and not shown(ended.stderr)
    )


@pytest.mark.parametrize("status", CODES)
def test_each_module_that_is_missing_or_empty_is_70_or_changes_nothing(
    twilio: Twilio, environ: dict[str, str], tmp_path: Path, copy: Callable[..., list[str]],
    status: str,
) -> None:  # fmt: skip
    twilio.says(status)
    twilio.describes("failed")
    words = [*copy(libraries=False), "status", SERVICE, BUILD]
    whole = run_words([*words[:2], "-X", "importtime", *words[2:]], env=environ)
    assert whole.code == CODES[status]
    needed = set(re.findall(r"\| +twbuild\.([\w.]+)$", whole.stderr, re.MULTILINE))
    assert len(needed) > 15

    package = tmp_path / "lib" / "twbuild"
    damages: list[Callable[[Path], object]] = [Path.unlink, lambda path: path.write_bytes(b"")]
    for turn, damage in enumerate(damages):
        harmless = {}
        for number, path in enumerate(sorted(package.rglob("*.py"))):
            module = ".".join(path.relative_to(package).with_suffix("").parts)
            if path.stem == "__main__":
                continue  # without it no line of ours runs
            content = path.read_bytes()
            damage(path)
            if module not in needed and not path.stem.startswith("__"):
                harmless[path] = content  # all of these at once, at the end
                continue
            if status == "completed" and number % 2 == turn:  # it takes the same modules and more
                path.write_bytes(content)  # to tell of a failed build, each in both ways
                continue
            ended = run_words(words, env=environ)
            path.write_bytes(content)
            unharmed = (ended.code, ended.stdout) == (CODES[status], f"{status}\n")
            assert is_told(ended) or unharmed, (path, ended)
            if damage is Path.unlink and module in needed:
                assert "installation is broken" in ended.stderr, (path, ended)
        assert len(harmless) > 3
        ended = run_words(words, env=environ)
        assert (ended.code, ended.stdout) == (CODES[status], f"{status}\n"), ended
        for path, content in harmless.items():
            path.write_bytes(content)


IN_THE_WAY = {
    "ends with 0": "import sys\nsys.exit(0)",
    "ends with 1": "raise SystemExit(1)",
    "raises": "raise RuntimeError('5ecre7' * 5)",
    "is Python 2": "print 'hello'",
    "has other names": "",
}
NEEDED = ("requests", "typer", "signal", "enum", "re", "random", "socket", "json", "ssl", "heapq")


@pytest.mark.parametrize("does", IN_THE_WAY)
def test_a_file_in_the_place_of_a_module_is_70_and_named(
    twilio: Twilio, environ: dict[str, str], tmp_path: Path, does: str
) -> None:
    # Measuring coverage would import these modules before the command does.
    environ = {name: value for name, value in environ.items() if "COVERAGE" not in name}
    # A library of each kind, and each of the others in the way in two of the five manners.
    number = list(IN_THE_WAY).index(does)
    others = NEEDED[2:]
    for name in (*NEEDED[:2], *others[number::5], *others[(number + 2) % 5 :: 5]):
        twilio.says("completed" if len(name) % 2 else "failed")
        folder = tmp_path / name
        folder.mkdir()
        file = folder / f"{name}.py"
        file.write_text(IN_THE_WAY[does])
        ended = run_words(
            [TWBUILD, "status", SERVICE, BUILD], env={**environ, "PYTHONPATH": str(folder)}
        )
        assert is_told(ended), (name, ended)
        assert f"error: {file} is used in place of a module" in ended.stderr
        assert "report it" not in ended.stderr


@pytest.mark.parametrize("how", ["PYTHONPATH=:", "python -m twbuild"])
def test_a_folder_with_a_users_own_requests_is_70_also_when_it_ends_in_sys_exit(
    twilio: Twilio, environ: dict[str, str], tmp_path: Path, how: str
) -> None:
    twilio.says("failed")
    (tmp_path / "requests.py").write_text("import sys\ndef main(): sys.exit(0)\nmain()\n")
    module = how.startswith("python")
    words = [sys.executable, "-m", "twbuild"] if module else [TWBUILD]
    env = environ if module else {**environ, "PYTHONPATH": ":"}
    ended = run_words([*words, "status", SERVICE, BUILD], env=env, cwd=tmp_path)

    assert is_told(ended)
    assert f"{tmp_path}/requests.py is used in place" in ended.stderr


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["--show-completion"]])
def test_a_file_in_the_place_of_a_module_is_no_success_of_help_either(
    base: dict[str, str], tmp_path: Path, words: list[str]
) -> None:
    for name in ("rich", "shellingham", "typer"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.py").write_text("import sys\nsys.exit(0)")
        env = {**base, "PYTHONPATH": str(tmp_path / name)}
        ended = run_words(["bash", "-c", f"{TWBUILD} {' '.join(words)}; exit $?"], env=env)
        assert (ended.code == 70) is (not ended.stdout), (name, ended)
        assert ended.code in (0, 70)


def test_a_library_that_ends_the_program_in_the_middle_of_a_wait_does_not(
    twilio: Twilio, environ: dict[str, str], tmp_path: Path
) -> None:
    twilio.says("failed")
    code = "import http.client, sys\n"
    code += "http.client.HTTPConnection.endheaders = lambda *_, **__: sys.exit(0)"
    env = {**environ, "PYTHONPATH": shim(tmp_path, code)}
    ended = run_words([TWBUILD, "wait", SERVICE, BUILD], env=env)

    assert ended.code == 70
    assert ended.stdout == ""


def test_an_installation_replaced_in_the_middle_of_a_wait_changes_no_ending(
    twilio: Twilio, environ: dict[str, str], copy: Callable[..., list[str]]
) -> None:
    ways: list[tuple[list[str], bool]] = [([], True), (["-q"], True), (["-v", "--json"], False)]
    endings: list[tuple[str | int, int, str]] = [
        ("completed", 0, "completed"),
        ("failed", 1, "failed"),
        (401, 4, "error:"),
        (302, 3, "error:"),
        ("building", 124, "still building"),
    ]
    for number, (ending, code, told) in enumerate(endings):
        # All of them for a failed build, which needs the most; else one.
        for options, terminal in ways if ending == "failed" else [ways[number % 3]]:
            words = [*copy(libraries=True, more=REPLACED), "wait", "-i", "200ms"]
            twilio.says("building", ending)
            twilio.describes("failed")
            limit = ["-t", "2s"] if ending == "building" else []
            line = [*words, *options, *limit, SERVICE, BUILD]
            if terminal:
                with Terminal(line, {**environ, "TERM": "xterm"}, 120) as screen:
                    assert (screen.end(), ending) == (code, ending), screen.text
                    assert told in screen.text
            else:
                ended = run_words(line, env=environ)
                assert (ended.code, ending) == (code, ending), ended.stderr
                assert told in ended.stdout + ended.stderr


@pytest.fixture
def pyz(tmp_path: Path, copy: Callable[..., list[str]]) -> Path:
    """A zipapp of everything that twbuild needs, not executable."""
    copy(libraries=True)
    for compiled in (tmp_path / "lib").rglob("__pycache__/*.pyc"):  # else compiled at each start
        compiled.rename(compiled.parents[1] / f"{compiled.name.partition('.')[0]}.pyc")
    target = tmp_path / "twbuild.pyz"
    zipapp.create_archive(tmp_path / "lib", target, main="twbuild.__main__:main")
    return target


def test_a_zipapp_rehearses_and_leaves_nothing_in_the_temporary_folder(
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
