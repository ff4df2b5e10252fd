from __future__ import annotations

import dataclasses

import pytest

from export.runtime.protocol import Cost, Protocol, Steps

QUICK_CPU = Cost(start=0.2, sub_word=0.00002)
SLOW_PI = Cost(start=4.0, sub_word=0.012)
PROFILE = Protocol(rounds=10, runs=50, seconds=60.0, warm_seconds=1.0)


def test_a_tenth_has_a_tenth_of_all_and_at_least_one_of_each() -> None:
    tenth = PROFILE.tenth()
    assert (tenth.runs, tenth.seconds, tenth.warm_seconds, tenth.cold_seconds) == (5, 6.0, 0.1, 0.5)
    assert (tenth.warm_runs, tenth.cold_starts) == (1, 1)
    assert (tenth.lengths, tenth.rounds, tenth.timeout) == (PROFILE.lengths, PROFILE.rounds, PROFILE.timeout)
    assert dataclasses.replace(PROFILE, runs=3).tenth().runs == 1


def test_a_fast_machine_is_done_when_its_runs_are_and_a_slow_one_when_its_time_is_up() -> None:
    fast = PROFILE.expected_seconds(QUICK_CPU)
    # 500 runs of 16 + 32 + 64 + 128 + 32 sub-words, a second of warming up, six starts
    assert fast == pytest.approx(500 * 272 * 0.00002 + 1 + 6 * 0.2, rel=0.2)
    slow = PROFILE.expected_seconds(SLOW_PI)
    assert 5 * 60 < slow < 6.5 * 60  # a minute for each length, whatever a run takes


def test_steps_count_up_to_their_total() -> None:
    seen: list[tuple[int, int, str]] = []
    steps = Steps(2, lambda *now: seen.append(now))
    steps.next("a")
    steps.next("b")
    assert seen == [(0, 2, "a"), (1, 2, "b")]
    Steps(1, None).next("unheard")
