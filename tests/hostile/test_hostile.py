"""A part of the hostile corpus, a few of each kind and all that was once answered wrongly. `run.py` hands in all of it."""

from __future__ import annotations

import pytest

pytest.importorskip("resource", reason="only POSIX tells what a process took, and wakes it from a hang")

from run import all_cases, hand_in, listening  # noqa: E402

CASES = {case.name: case for case in all_cases()}
# What hung, was a traceback, or took all the memory there is, when it was first handed in.
FOUND = (
    "reference: many hours", "reference: more hours", "reference: cues of tags", "reference: cues of less",
    "reference: blank cue", "reference: a result of a mask of 2^63", "reference: a result of a mask of 10^30",
    "atlas: no zip", "atlas: cut late", "atlas: flipped 5", "atlas: a lone array", "trace: 4 TB", "trace: 2^70",
    "trace: sites of brackets", "trace: locked", "reference: an event of 9 MB", "adapter: numbers for names",
)  # fmt: skip
# One in so many of the rest. Questions, models and adapters are others' tests, and what is large is `run.py`'s.
EVERY = {
    "media": 24,
    "closed": 8,
    "text": 6,
    "reference": 12,
    "saved": 12,
    "trace": 8,
    "records": 8,
    "scene": 6,
    "link": 4,
}
LARGE = ("bombs", "100 kB", "ticks", "30000000", "bomb", "whole")


def chosen() -> list[str]:
    small = [case for case in CASES.values() if not any(word in case.name for word in LARGE)]
    some = [
        case.name
        for door, step in EVERY.items()
        for case in [one for one in small if one.door == door][step // 2 :: step]
    ]
    return list(dict.fromkeys((*FOUND, *some)))


def test_the_corpus_is_large_and_of_every_kind():
    assert len(CASES) >= 700 and {case.door for case in CASES.values()} > EVERY.keys()


@pytest.mark.parametrize("name", chosen())
def test_it_is_answered_or_refused_with_a_sentence_and_the_next_is_answered(name):
    assert hand_in(CASES[name]) in ("answer", "sentence")


@pytest.mark.parametrize("kind", ["m3u8", "ffconcat", "m3u8.mp4", "mpd"])
def test_no_playlist_has_another_file_opened_or_an_address_asked(kind):
    with listening() as asked:
        for there in ("file", "address"):
            assert hand_in(CASES[f"reaching: {kind} for {there}"]) == "sentence"
    assert not asked
