from __future__ import annotations

import dataclasses

from export.runtime.conditions import Conditions
from export.runtime.memory import Memory
from export.runtime.profile_record import Profile
from export.runtime.profile_table import profile_rows

NOTHING = Conditions(None, None, None, None, None)


def test_a_table_holds_what_a_reader_asks(profile: Profile) -> None:
    rows = dict(profile_rows(profile))
    assert rows["machine"] == "Raspberry Pi 4 Model B Rev 1.4, Debian GNU/Linux 13"
    assert rows["cold start"].startswith("200 ms: Python 20, imports 100, load 70, first answer 10")
    assert rows["64 sub-words"].startswith("p50 2.00, p95 2.90, p99 2.98 ms; tokenization 2.00 (3 runs; the machine")
    assert rows["memory"] == "peak 60.0 MB, anonymous 30.0 MB, file-backed 25.0 MB"
    assert rows["1 thread"] == "p50 2.00, p95 3.00 ms at 64 sub-words, peak 60.0 MB"
    assert rows["2 threads"].endswith("; 2.00 times as fast as 1 thread")
    assert rows["recommended"] == "2 threads"
    assert rows["answers"] == "right: 2 of 2 sentences with the same ids, 6 of 7 words tagged as golden.jsonl says"
    assert rows["conditions before"] == "45 °C, 600 to 1500 MHz, governor ondemand, throttled: no"
    assert rows["conditions after"].endswith("throttled: throttled, throttled has occurred")
    assert rows["energy"] == "25.0 mJ per sentence, 10.0 mJ above idle (ina219 power)"
    assert rows["sustained"] == "1.0 minutes: 1.50 times the latency at the end, up to 82 °C"
    assert "quick" not in rows


def test_a_table_says_unknown_where_nothing_is_known(profile: Profile) -> None:
    measurement = dataclasses.replace(profile.measurement, memory=Memory(None, None, None, None))
    bare = dataclasses.replace(profile, measurement=measurement, before=NOTHING, energy=None, sustained=None)
    rows = dict(profile_rows(bare))
    assert rows["memory"] == "peak unknown, anonymous unknown, file-backed unknown"
    assert rows["conditions before"] == "temperature unknown, clock unknown, governor unknown"
    assert not {"energy", "sustained"} & rows.keys()


def test_what_decides_nothing_and_what_is_wrong_says_so(profile: Profile) -> None:
    agreement = dataclasses.replace(profile.agreement, ok=False)
    rows = dict(profile_rows(dataclasses.replace(profile, quick=True, agreement=agreement)))
    assert "decides nothing" in rows["quick"]
    assert rows["answers"].startswith("NOT AS THEY SHOULD BE")
