"""JSON lines: one request per line in, one answer per line out, and a clear answer for each bad line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, BinaryIO

from .tagger import TaggedEntity, Tagger

MAX_LINE = 1 << 20  # bytes
CHUNK = 1 << 16  # bytes of an over-long line read, and dropped, at a time


def answer_lines(tagger: Tagger, requests: BinaryIO, answers: BinaryIO, max_line: int = MAX_LINE) -> None:
    """Answer every line of `requests` in order, each before the next is read.

    Whoever writes faster than this answers is held back by the pipe, so memory depends on the longest line
    and not on how many there are.
    """
    for number, line in enumerate(read_lines(requests, max_line), start=1):
        answers.write(answer_line(tagger, number, line, max_line))
        answers.flush()


def read_lines(stream: BinaryIO, max_line: int) -> Iterator[bytes | None]:
    """The lines of `stream`; None for one of more than `max_line` bytes, which is never held as a whole.

    A last line needs no line end. The line end does not count.
    """
    while line := stream.readline(max_line + 1):
        if len(line) <= max_line or line.endswith(b"\n"):
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(CHUNK)
        yield None


def answer_line(tagger: Tagger, number: int, line: bytes | None, max_line: int = MAX_LINE) -> bytes:
    """The answer to one line, a JSON object and a line end in UTF-8.

    `{"id": …, "text": …}` is answered by `{"id": …, "entities": […]}`; without an id the answer has the line's
    number instead. Anything else is answered by that and `"error"`.

    Args:
        number: of the line, for messages.
        line: as `read_lines` gives it; None stands for one that is too long.
    """
    answer: dict[str, Any] = {"line": number}
    try:
        request = _request(line, max_line)
        if "id" in request:
            answer = {"id": _scalar(request["id"])}
        text = request.get("text")
        if not isinstance(text, str):
            raise ValueError('it has no string "text"')
    except ValueError as error:
        return encode_json({**answer, "error": f"line {number}: {error}"})
    try:
        return encode_json({**answer, "entities": [entity_fields(entity) for entity in tagger.tag(text)]})
    except MemoryError:
        return encode_json({**answer, "error": f"line {number}: not enough memory; send the text in parts"})


def entity_fields(entity: TaggedEntity) -> dict[str, Any]:
    """An entity as JSON output has it."""
    return {**entity._asdict(), "score": round(entity.score, 4)}


def encode_json(value: dict[str, Any]) -> bytes:
    """One line of UTF-8; lone surrogates, which UTF-8 cannot hold, are written as \\u escapes."""
    try:
        return json.dumps(value, ensure_ascii=False).encode("utf-8") + b"\n"
    except UnicodeEncodeError:
        return json.dumps(value).encode("ascii") + b"\n"


def _request(line: bytes | None, max_line: int) -> dict[str, Any]:
    """The object of one line; ValueError says what is wrong with it and what to do."""
    if line is None:
        raise ValueError(f"longer than {max_line} bytes; send the text in parts, or start with a larger --max-line")
    try:
        # Not bytes: json.loads would take UTF-16 and UTF-32 for JSON too.
        request = json.loads(line.decode("utf-8-sig"), parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8; convert the text to UTF-8") from error
    except json.JSONDecodeError as error:
        raise ValueError(f'not JSON: {error.msg} at column {error.colno}; send {{"id": 1, "text": "…"}}') from error
    except ValueError as error:
        raise ValueError(f"not JSON that can be read: {error}") from error
    except RecursionError as error:
        raise ValueError('nested too deeply; send {"id": 1, "text": "…"}') from error
    if not isinstance(request, dict):
        raise ValueError('not a JSON object; send {"id": 1, "text": "…"}')
    return request


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")


def _scalar(value: object) -> object:
    """The id, if it can be echoed: a string, a finite number, true, false or null."""
    if isinstance(value, dict | list) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError('its "id" is no string, no finite number, not true, false or null')
    return value
