"""What must be a JSON object is read strictly, and nothing else gets through."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from unittest.mock import Mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from twbuild import strict_json
from twbuild.strict_json import NotAnObjectError

MIB = 1 << 20
DEEP = "JSON nested too deep"
NOT_FINITE = "not JSON: NaN and Infinity are not JSON numbers"
WIDE = "JSON of too much text that is not ASCII"
TWICE = "JSON with a name that occurs twice in one object"


def nested(levels: int) -> bytes:
    """An object that many levels deep, lists and objects in turn."""
    pairs = [(b'{"a":', b"}") if n % 2 == 0 else (b"[", b"]") for n in range(levels)]
    opened = b"".join(opening for opening, _ in pairs)
    return opened + b"1" + b"".join(closing for _, closing in reversed(pairs))


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b' \r\n{"a": 1}\r\n', {"a": 1}),
        (b'\xef\xbb\xbf{"a": "b"}', {"a": "b"}),
        ('{"ü": "€"}'.encode(), {"ü": "€"}),
        (b'{"a": "\\ud800"}', {"a": "\ud800"}),
        (b'{"a": {"b": 1}, "c": {"b": 2}}', {"a": {"b": 1}, "c": {"b": 2}}),
        (b'{"a": 1e999}', {"a": float("inf")}),
        (b'{"a": ' + b"9" * 4300 + b"}", {"a": 10**4300 - 1}),
        (b'{"a":[' + b"[]," * 1000 + b"{}]}", {"a": [*[[]] * 1000, {}]}),
    ],
)
def test_an_object_with_or_without_a_bom(content: bytes, value: object) -> None:
    assert strict_json.parse(content) == value


REFUSED = {
    "empty": [b"", b" \r\n\t"],
    "not JSON": [
        b'{"a": 1} x',
        b'{"a": "\n"}',
        b'{"a": ' + b"9" * 4301 + b"}",
        b'{"secret": "hunter2"',
    ],
    "JSON, but not an object": [b"null", b'[{"a": 1}]'],
    "not UTF-8": [b'{"a": "\xff"}'],
    WIDE: [b'{"a": "%b"}' % text for text in ("é".encode() * (1 << 20), b"\\u00e9" * 400_000)],
    DEEP: [b'{"a": "]]]]", "b":%b}' % nested(100), b'{"a":[%b%b]}' % (b"[]," * 99, nested(99))],
    NOT_FINITE: [b'{"a": NaN}', b'{"a": -Infinity}'],
    TWICE: [b'{"status": "failed", "status": "completed"}', b'{"a": {"hunter2": 1, "hunter2": 1}}'],
}


@pytest.mark.parametrize(("why", "contents"), REFUSED.items(), ids=list(REFUSED))
def test_anything_else_is_refused_with_its_reason(why: str, contents: list[bytes]) -> None:
    for content in contents:
        with pytest.raises(NotAnObjectError, match=f"^{why}$") as raised:
            strict_json.parse(content)
        assert raised.value.__cause__ is None


def test_no_more_values_are_read_than_may_be() -> None:
    brackets = b'{"a":"%b"}' % ((b"]" + b" " * 1000) * 90)
    for content, most in ((b'{"a":[1,2,3,4,5,6,7]}', 8), (b'{"a":{}}', 16), (brackets, 16)):
        assert strict_json.parse(content, most)
        with pytest.raises(NotAnObjectError, match=r"^JSON of too many values$"):
            strict_json.parse(content, most - 1)


@given(st.text(st.sampled_from('[{]}"\\/a"\n\u2028'), max_size=30), st.integers(98, 101))
@example("[" * 150, 100)
@example("\\", 101)
@example('\\"[', 100)
@example('"' + "]" * 30, 101)
def test_100_levels_are_read_and_one_more_is_refused(text: str, levels: int) -> None:
    string = json.dumps(text).encode()
    content = b"{" + string + b":[" + string + b"," + nested(levels - 2) + b"," + string + b"]}"

    if levels <= 100:
        assert list(strict_json.parse(content)) == [text]
    else:
        with pytest.raises(NotAnObjectError, match=DEEP):
            strict_json.parse(content)


# Python's own limit of digits is lifted.
IN_A_SMALL_STACK = """
import threading
from twbuild import strict_json
def parse(content):
    try:
        strict_json.parse(content)
    except strict_json.NotAnObjectError as error:
        print(error)
threading.stack_size(1 << 16)
for content in (b'{"a": ' + b"9" * 2_000_000 + b"}", b'{"a":[' * 100_000, b"[" * 200_000):
    thread = threading.Thread(target=parse, args=(content,))
    thread.start()
    thread.join()
"""


def test_neither_depth_nor_digits_take_a_stack_or_seconds() -> None:
    env = {**os.environ, "PYTHONINTMAXSTRDIGITS": "0"}
    words = [sys.executable, "-c", IN_A_SMALL_STACK]
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["not JSON", DEEP, DEEP]


@pytest.mark.measured
@pytest.mark.parametrize("part", [b"[],", b'"",', b'"\\\\",', b'"\\"[",'])
def test_looking_for_depth_takes_little_more_memory_than_the_text(part: bytes) -> None:
    content = b'{"a":[' + part * (MIB // len(part)) + b"1]}"
    tracemalloc.start()
    strict_json._check_depth(content, len(content))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 3 * len(content)


@given(st.binary(max_size=60) | st.text('{}[]":,\\ue0119.-nulatrfs').map(str.encode))
@example(b"-")
@example(b'{"\\u')
def test_junk_is_an_object_or_is_refused(content: bytes) -> None:
    try:
        value = strict_json.parse(content)
    except NotAnObjectError:
        return
    assert isinstance(value, dict)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder of files good and bad."""
    (tmp_path / "good").write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n'.ljust(MIB))
    (tmp_path / "large").write_bytes(b'{"a": 1}'.ljust(MIB + 1))
    os.mkfifo(tmp_path / "fifo")  # without O_NONBLOCK the opening would wait for a writer
    (tmp_path / "folder").mkdir()
    to = {"link": "good", "dangling": "no", "device": "/dev/zero", "circle": "round"}
    for name, target in {**to, "round": "circle"}.items():
        (tmp_path / name).symlink_to(target)
    return tmp_path


def test_a_file_of_1_mib_is_read_or_none(files: Path) -> None:
    for name in ("good", "link"):
        assert strict_json.read(str(files / name)) == {"a": 1}
    for name in ("nothing", "good/below", "dangling"):
        assert strict_json.read(str(files / name)) is None


NOT_READ = {
    "large": "^larger than 1 MiB$",
    "circle": "symbolic links",
    **dict.fromkeys(("fifo", "folder", "device"), "^not a regular file$"),
}


@pytest.mark.parametrize(("name", "why"), NOT_READ.items())
def test_any_other_file_is_refused_and_closed(files: Path, name: str, why: str) -> None:
    lowest = os.dup(0)
    os.close(lowest)
    with pytest.raises(NotAnObjectError, match=why):
        strict_json.read(str(files / name))

    again = os.dup(0)
    os.close(again)
    assert again == lowest


def test_a_file_that_cannot_be_opened_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "open", Mock(side_effect=PermissionError(errno.EACCES, "file")))
    with pytest.raises(NotAnObjectError, match=r"^permission denied$"):
        strict_json.read("file")
