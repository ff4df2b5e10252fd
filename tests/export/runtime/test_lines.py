from __future__ import annotations

import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from export.runtime.lines import answer_line, answer_lines, encode_json, read_lines
from export.runtime.tagger import Tagger


@pytest.fixture
def tagger(bundle_folder: Path) -> Tagger:
    return Tagger.load(bundle_folder)


def answer(tagger: Tagger, line: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer_line(tagger, 3, line))
    return found


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        (b"", []),
        (b"abcd\nab\n\nabcd", [b"abcd\n", b"ab\n", b"\n", b"abcd"]),
        (b"abcde\nab\n", [None, b"ab\n"]),
        (b"ab\n" + b"x" * 200_000 + b"\nab", [b"ab\n", None, b"ab"]),
        (b"ab\nabcde", [b"ab\n", None]),
    ],
)
def test_a_line_over_the_limit_is_none_and_the_next_is_whole(given: bytes, lines: list[bytes | None]) -> None:
    assert list(read_lines(io.BytesIO(given), 4)) == lines


class _Endless(io.RawIOBase):
    """64 MB without a line end, made as they are read."""

    left = 64 << 20

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), self.left)
        buffer[:size] = b"x" * size
        self.left -= size
        return size


def test_an_over_long_line_is_never_held() -> None:
    tracemalloc.start()
    try:
        assert list(read_lines(io.BufferedReader(_Endless()), 1000)) == [None]
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "not JSON: Expecting value at column 1"),
        (b'{"text": "Samia"', "not JSON: Expecting ',' delimiter at column 17"),
        (b"\xff", "byte 0 is not UTF-8"),
        ('{"text": "Samia"}'.encode("utf-16"), "byte 0 is not UTF-8"),
        ('{"text": "Samia"}'.encode("utf-16-le"), "not JSON: "),
        (b'["Samia"]', "not a JSON object"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"text": "Samia", "more": ' + b'{"a":' * 100_000, "nested too deeply"),
        (b'{"text": NaN}', "not JSON that can be read: NaN is no number in JSON"),
        (b'{"id": ' + b"1" * 5000 + b', "text": "Samia"}', "not JSON that can be read: "),
        (b'{"text": 3}', 'it has no string "text"'),
        (b"{}", 'it has no string "text"'),
    ],
)
def test_a_bad_line_is_answered_by_its_number_and_what_is_wrong(tagger: Tagger, line: bytes, reason: str) -> None:
    found = answer(tagger, line)
    assert found.keys() == {"line", "error"}
    assert found["line"] == 3
    assert found["error"].startswith(f"line 3: {reason}")


def test_an_over_long_line_is_answered_by_the_limit_and_the_remedy(tagger: Tagger) -> None:
    assert json.loads(answer_line(tagger, 3, None, 1000)) == {
        "line": 3,
        "error": "line 3: longer than 1000 bytes; send the text in parts, or start with a larger --max-line",
    }


@pytest.mark.parametrize("identity", ["7", "-0.5", "1e3", '"a"', '"\\ud800"', "true", "null", "0"])
def test_a_scalar_id_comes_back_as_it_is(tagger: Tagger, identity: str) -> None:
    found = answer(tagger, b'{"text": "Samia", "id": %s}' % identity.encode())
    assert found.keys() == {"id", "entities"}
    expected = json.loads(identity)
    assert (found["id"], type(found["id"])) == (expected, type(expected))
    assert answer(tagger, b'{"id": %s}' % identity.encode())["id"] == expected


@pytest.mark.parametrize("identity", ["[1]", '{"a": 1}', "1e999"])
def test_an_id_that_cannot_be_echoed_is_a_bad_line(tagger: Tagger, identity: str) -> None:
    found = answer(tagger, b'{"text": "Samia", "id": %s}' % identity.encode())
    assert found == {"line": 3, "error": 'line 3: its "id" is no string, no finite number, not true, false or null'}


def test_a_text_that_memory_does_not_suffice_for_is_answered(tagger: Tagger, monkeypatch: pytest.MonkeyPatch) -> None:
    def tag(self: Tagger, text: str) -> list[Any]:
        raise MemoryError

    monkeypatch.setattr(Tagger, "tag", tag)
    assert answer(tagger, b'{"id": 1, "text": "Samia"}') == {
        "id": 1,
        "error": "line 3: not enough memory; send the text in parts",
    }


def test_lines_are_answered_one_by_one(tagger: Tagger) -> None:
    """Nothing is read before the line before it has been answered."""
    events: list[str] = []

    class Requests(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            events.append("read")
            return super().readline(size)

    class Answers(io.BytesIO):
        def flush(self) -> None:
            events.append("answered")

    answers = Answers()
    answer_lines(tagger, Requests(b'\xef\xbb\xbf{"text": "Samia"}\r\nno\n{"text": "habari"}'), answers)
    assert events == ["read", "answered"] * 3 + ["read"]
    found = [json.loads(line) for line in answers.getvalue().splitlines()]
    assert [entity["text"] for entity in found[0]["entities"]] == ["Samia"]
    assert "error" in found[1]
    assert found[2] == {"line": 3, "entities": []}


def test_json_is_utf8_but_for_what_utf8_cannot_hold() -> None:
    assert encode_json({"text": "Ọlá"}) == '{"text": "Ọlá"}\n'.encode()
    assert encode_json({"text": "\ud800Ọ"}) == b'{"text": "\\ud800\\u1ecc"}\n'
