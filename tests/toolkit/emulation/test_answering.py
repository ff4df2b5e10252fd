"""Processes that answer, and none that stays behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from toolkit.emulation import answering


def test_no_process_outlives_an_interrupted_check(tmp_path: Path) -> None:
    script = tmp_path / "program"
    script.write_text(f'#!/bin/sh\ntouch {tmp_path}/$$.pid\necho \'{{"golden": 1, "words": 3}}\'\nexec sleep 60\n')
    script.chmod(0o755)

    def interrupt(words: int) -> None:
        raise KeyboardInterrupt

    program = answering.Program((str(script),), {"PATH": "/usr/bin:/bin"})
    with pytest.raises(KeyboardInterrupt):
        answering.answer_all([(program, tmp_path / "request.json")] * 3, tmp_path, 2, interrupt)
    begun = [int(path.stem) for path in tmp_path.glob("*.pid")]
    assert begun
    for process in begun:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_a_line_that_comes_in_pieces_is_read_whole(tmp_path: Path) -> None:
    script = tmp_path / "program"
    script.write_text(
        '#!/bin/sh\nprintf \'{"versions": \'; sleep 0.1; printf \'{"numpy": "2"}}\\n{"doing": "x"}\\n\'\n'
    )
    script.chmod(0o755)
    program = answering.Program((str(script),), {"PATH": "/usr/bin:/bin"})
    found = answering.answer_all([(program, tmp_path / "request.json")], tmp_path, 1, lambda words: None)[0]
    assert (found.versions, found.failure) == ({"numpy": "2"}, None)
