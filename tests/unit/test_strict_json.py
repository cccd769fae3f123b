"""What must be a JSON object is read strictly, and nothing else gets through."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from twbuild import strict_json
from twbuild.strict_json import NotAnObjectError

MIB = 1 << 20

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"{}", {}),
        (b' \r\n{"a": 1}\r\n', {"a": 1}),
        (b'\xef\xbb\xbf{"a": "b"}', {"a": "b"}),
        ('{"ü": "€"}'.encode(), {"ü": "€"}),
        (b'{"a": "\\ud800"}', {"a": "\ud800"}),
        (b'{"a": {"b": 1}, "c": {"b": 2}}', {"a": {"b": 1}, "c": {"b": 2}}),
        (b'{"a": 1e999}', {"a": float("inf")}),
    ],
)
def test_an_object_with_or_without_a_bom(content: bytes, value: object) -> None:
    assert strict_json.parse(content) == value


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b" \r\n\t", "empty"),
        (b"<html>", "not JSON"),
        (b"{", "not JSON"),
        (b'{"a": 1} x', "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": 1,}', "not JSON"),
        (b'{"a": "\n"}', "not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"null", "JSON, but not an object"),
        (b"[]", "JSON, but not an object"),
        (b'[{"a": 1}]', "JSON, but not an object"),
        (b'"completed"', "JSON, but not an object"),
        (b"0", "JSON, but not an object"),
        (b"true", "JSON, but not an object"),
        (b'{"a": "\xff"}', "not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        (b"[" * 200_000, "JSON nested too deep"),
        (b'{"a":' * 200_000, "JSON nested too deep"),
        (b'{"a": NaN}', "not JSON: NaN and Infinity are not JSON numbers"),
        (b'{"a": -Infinity}', "not JSON: NaN and Infinity are not JSON numbers"),
        (
            b'{"status": "failed", "status": "completed"}',
            "JSON with a name that occurs twice in one object",
        ),
        (b'{"a": {"b": 1, "b": 1}}', "JSON with a name that occurs twice in one object"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_anything_else_is_refused_with_its_reason(content: bytes, why: str) -> None:
    with pytest.raises(NotAnObjectError) as raised:
        strict_json.parse(content)

    assert str(raised.value) == why
    assert raised.value.__cause__ is None


def nested(levels: int) -> bytes:
    """An object that many levels deep, lists and objects in turn."""
    pairs = [(b'{"a":', b"}") if n % 2 == 0 else (b"[", b"]") for n in range(levels)]
    opened = b"".join(opening for opening, _ in pairs)
    return opened + b"1" + b"".join(closing for _, closing in reversed(pairs))


def test_100_levels_are_read_and_one_more_is_refused() -> None:
    assert strict_json.parse(nested(100))
    assert strict_json.parse(b'{"a":[' + b"[]," * 1000 + b"{}]}")
    with pytest.raises(NotAnObjectError, match="nested too deep"):
        strict_json.parse(nested(101))
    with pytest.raises(NotAnObjectError, match="nested too deep"):
        strict_json.parse(b'{"a": "]]]]", "b":' + nested(100) + b"}")


@given(st.text(st.sampled_from('[{]}"\\/a"\n\u2028'), max_size=30), st.integers(98, 101))
@example("[" * 150, 100)
@example("\\", 101)
@example('\\"[', 100)
@example('"' + "]" * 30, 101)
def test_brackets_within_strings_are_no_levels(text: str, levels: int) -> None:
    string = json.dumps(text).encode()
    content = b"{" + string + b":[" + string + b"," + nested(levels - 2) + b"," + string + b"]}"

    if levels <= 100:
        assert list(strict_json.parse(content)) == [text]
    else:
        with pytest.raises(NotAnObjectError, match="nested too deep"):
            strict_json.parse(content)


IN_A_SMALL_STACK = """
import threading
from twbuild import strict_json
def parse(content):
    try:
        strict_json.parse(content)
    except strict_json.NotAnObjectError as error:
        reported.append(str(error))
reported = []
threading.stack_size(1 << 16)
for content in (b"[" * 200_000, b'{"a":' * 200_000, b'{"a":[' * 100_000, b"[" * 500):
    thread = threading.Thread(target=parse, args=(content,))
    thread.start()
    thread.join()
print(*reported, sep="\\n")
"""


def test_a_small_stack_is_safe_from_deep_json() -> None:
    words = [sys.executable, "-c", IN_A_SMALL_STACK]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["JSON nested too deep"] * 4


@pytest.mark.measured
@pytest.mark.parametrize("part", [b"[],", b'"",', b'"\\\\",', b'"\\"[",'])
def test_looking_for_depth_takes_little_more_memory_than_the_text(part: bytes) -> None:
    content = b'{"a":[' + part * ((1 << 20) // len(part)) + b"1]}"
    tracemalloc.start()
    try:
        strict_json._check_depth(content, len(content))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 3 * len(content)


def test_the_reason_holds_nothing_of_the_content() -> None:
    for content in (b'{"apiSecret": "hunter2"', b'{"hunter2": 1, "hunter2": 2}', b'"hunter2"'):
        with pytest.raises(NotAnObjectError) as raised:
            strict_json.parse(content)

        assert "hunter2" not in repr(raised.value)


@given(st.binary(max_size=60) | st.text('{}[]":,\\ue0119.-nulatrfs').map(str.encode))
@example(b"-")
@example(b'{"\\u')
def test_junk_is_an_object_or_is_refused(content: bytes) -> None:
    try:
        value = strict_json.parse(content)
    except NotAnObjectError:
        return
    assert isinstance(value, dict)


@given(st.dictionaries(st.text(), JSON_VALUES), st.sampled_from(["", "\ufeff"]))
def test_what_json_writes_is_read_back(value: dict[str, object], bom: str) -> None:
    assert strict_json.parse((bom + json.dumps(value)).encode()) == value


def test_a_file(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b'\xef\xbb\xbf{\r\n"a": 1\r\n}\r\n')

    assert strict_json.read(str(tmp_path / "config.json")) == {"a": 1}


def test_no_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("{}")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")

    assert strict_json.read(str(tmp_path / "nothing")) is None
    assert strict_json.read(str(tmp_path / "file" / "below")) is None
    assert strict_json.read(str(tmp_path / "dangling")) is None


def test_a_symbolic_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text('{"a": 1}')
    (tmp_path / "link").symlink_to("file")

    assert strict_json.read(str(tmp_path / "link")) == {"a": 1}


@pytest.mark.parametrize("kind", ["folder", "FIFO", "device"])
def test_only_a_regular_file_is_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    if kind == "folder":
        path.mkdir()
    elif kind == "FIFO":
        os.mkfifo(path)  # without O_NONBLOCK the opening would wait for a writer
    else:
        path.symlink_to("/dev/zero")

    with pytest.raises(NotAnObjectError, match=r"^not a regular file$"):
        strict_json.read(str(path))


def test_a_file_of_1_mib_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b'{"a": 1}'.ljust(MIB))

    assert strict_json.read(str(path)) == {"a": 1}


def test_a_larger_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b'{"a": 1}'.ljust(MIB + 1))

    with pytest.raises(NotAnObjectError, match=r"^larger than 1 MiB$"):
        strict_json.read(str(path))


@pytest.mark.parametrize(
    ("number", "why"), [(errno.EACCES, "permission denied"), (errno.EIO, "input/output error")]
)
def test_a_file_that_cannot_be_opened_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, why: str
) -> None:
    def refuse(path: str, *_: object) -> int:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(os, "open", refuse)

    with pytest.raises(NotAnObjectError) as raised:
        strict_json.read(str(tmp_path / "file"))

    assert str(raised.value) == why


def test_a_file_whose_links_go_in_a_circle_says_so(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")

    with pytest.raises(NotAnObjectError, match="symbolic links"):
        strict_json.read(str(tmp_path / "a"))


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text("{}")
    bad.mkdir()
    lowest = os.dup(0)
    os.close(lowest)

    strict_json.read(str(good))
    with pytest.raises(NotAnObjectError):
        strict_json.read(str(bad))

    again = os.dup(0)
    os.close(again)
    assert again == lowest


def test_a_number_that_takes_seconds_to_read_is_refused() -> None:
    """A number that would take seconds to read is refused also where Python has no limit."""
    code = """if True:
        from twbuild import strict_json
        try:
            strict_json.parse(b'{"a": ' + b"9" * 2_000_000 + b"}")
        except strict_json.NotAnObjectError as error:
            print(error)
    """
    env = {**os.environ, "PYTHONINTMAXSTRDIGITS": "0"}
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False)

    assert (done.stdout, done.stderr) == ("not JSON\n", "")
