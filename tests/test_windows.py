"""Which parts of a long clip are asked about, where one ends and the next begins, and how the answers become one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crab import CrabError, media
from crab.answer import parse
from crab.tasks import LONGEST_HEARD, TASKS
from crab.windows import (
    OVERLAP,
    WINDOW,
    check_stretch,
    cut,
    join,
    part,
    read_stretch,
    seconds_of,
    settled,
    view,
    windows_of,
)


def clip(seconds: float) -> media.Clip:
    return media.Clip("a", duration=seconds)


@pytest.mark.parametrize(("seconds", "expected"), [
    (0.5, [(0, 0.5)]), (10.04, [(0, 10.04)]), (10.5, [(0, 10.5)]), (10.6, [(0, 10), (0.6, 10.6)]),
    (18.04, [(0, 10), (8, 18.04)]), (18.5, [(0, 10), (8, 18.5)]), (24, [(0, 10), (8, 18), (14, 24)]),
    (298, [(start, start + 10) for start in range(0, 289, 8)]),
])  # fmt: skip
def test_a_short_rest_makes_no_window_of_its_own(seconds, expected):
    assert [pytest.approx(window) for window in expected] == windows_of(clip(seconds), TASKS["unav"])


@given(st.floats(0.1, 600))
def test_windows_cover_the_clip_and_overlap_by_two_seconds_at_least(seconds):
    spans = windows_of(clip(seconds), TASKS["avvp"])
    assert spans[0][0] == 0 and spans[-1][1] == seconds
    for (_, end), (start, _) in zip(spans, spans[1:]):
        assert start <= end - OVERLAP + 1e-9
    assert all(0 < end - start <= WINDOW + 0.5 + 1e-9 for start, end in spans)


def test_a_question_about_more_than_a_minute_is_of_the_whole_first_and_then_of_windows():
    spans = windows_of(clip(90), TASKS["avqa"])
    assert spans == [(0, 90), *windows_of(clip(90), TASKS["unav"])]
    assert [part(clip(90), span) for span in spans[:2]] == [None, (0, 10)]
    assert windows_of(clip(LONGEST_HEARD), TASKS["avcap"]) == [(0, LONGEST_HEARD)]
    assert windows_of(clip(90), TASKS["ks"]) == windows_of(clip(90), TASKS["a2v"]) == [(0, 90)]


class Film:
    """A source of `seconds`, 10 pictures a second, whose shots begin at the seconds `cuts`; something small moves."""

    visible, name = True, "film"

    def __init__(self, seconds, cuts, *, moving=False):
        self.duration, self.cuts, self.moving = seconds, cuts, moving

    def frames(self, n, *, start=0.0, end=None):
        last = self.duration if end is None else min(end, self.duration)
        there = np.arange(round(self.duration * 10)) / 10
        there = there[(there >= start - 1e-6) & (there < last - 1e-6)]
        times = there[np.rint(np.linspace(0, len(there) - 1, n)).astype(int)]
        return np.stack([self._at(time) for time in times]), times

    def _at(self, time):
        shade = 40 * sum(time > at - 1e-6 for at in self.cuts) + (round(200 * time) % 150 if self.moving else 0)
        picture = np.full((48, 64, 3), shade, np.uint8)
        picture[10:20, round(time) % 40 : round(time) % 40 + 20] = 255
        return picture


def test_a_cut_in_the_overlap_ends_one_window_and_begins_the_next():
    film, task = Film(30, cuts=(9.3,)), TASKS["avvp"]
    spans = settled(film, windows_of(film, task), range(1))
    assert spans == [(0, pytest.approx(9.3)), *(pytest.approx(span) for span in [(9.3, 19.3), (17.3, 27.3), (20, 30)])]
    assert settled(film, spans, range(1, 4)) == spans
    plain = windows_of(film, task)
    assert settled(replaced(film, cuts=(4.0,)), plain, range(3)) == plain  # not where the windows overlap
    assert settled(replaced(film, visible=False), plain, range(3)) == plain


@pytest.mark.parametrize(("seconds", "last"), [(15.0, (9.3, 15.0)), (13.0, (3.0, 13.0))])
def test_of_what_follows_a_cut_half_a_window_stands_alone_and_less_does_not(seconds, last):
    film = Film(seconds, cuts=(9.3,))
    spans = settled(film, windows_of(film, TASKS["avvp"]), range(1))
    assert spans == [pytest.approx((0, 9.3)), pytest.approx(last)]


def test_no_window_goes_over_cuts_every_ten_seconds():
    film = Film(40, cuts=(10, 20, 30))
    spans = settled(film, windows_of(film, TASKS["unav"]), range(9))
    assert spans == [pytest.approx((start, start + 10)) for start in (0, 10, 20, 30)]


@pytest.mark.parametrize(("cuts", "moving", "expected"), [
    ((), False, None), ((3.7,), False, 3.7), ((3.7,), True, None), ((), True, None), ((2.0, 2.1), False, 2.0),
])  # fmt: skip
def test_a_cut_is_a_sharp_change_of_the_whole_picture(cuts, moving, expected):
    found = cut(Film(10, cuts, moving=moving), 1.0, 4.0)
    assert found == (expected if expected is None else pytest.approx(expected))


def replaced(film, **changes):
    other = Film(film.duration, film.cuts, moving=film.moving)
    vars(other).update(changes)
    return other


def of_window(start, *events, task="avvp"):
    """What a window of ten seconds from `start` on says, its events as (label, first, last) on its own clock."""
    text = " ".join(f"<visual_event>{label}, ({first} {last})</visual_event>" for label, first, last in events)
    return parse(text, TASKS[task], start=start, duration=10)


@pytest.mark.parametrize(("one", "other", "expected"), [
    ([("dog", 5, 10)], [("dog", 0, 3)], [(5, 11)]),  # over the seam
    ([("dog", 8, 10)], [("dog", 0, 2)], [(8, 10)]),  # in both
    ([("dog", 8, 9)], [("dog", 1, 2)], [(8, 10)]),
    ([("dog", 5, 8)], [("dog", 0.4, 3)], [(5, 11)]),  # a time is off by half a unit
    ([("dog", 5, 8)], [("dog", 1, 3)], [(5, 8), (9, 11)]),  # a pause that both saw
    ([("dog", 1, 3), ("dog", 3.4, 5)], [], [(1, 3), (3.4, 5)]),  # a pause that one window saw
    ([("dog", 1, 10)], [("dog", 2, 4)], [(1, 12)]),
    ([("dog", 0, 10)], [("dog", 0, 1), ("dog", 2.4, 3)], [(0, 11)]),  # within the reach of the first window's end
    ([("dog", 1, 3)], [("dog", 5, 8)], [(1, 3), (13, 16)]),
])  # fmt: skip
def test_events_of_windows_that_overlap_by_two_seconds_become_one(one, other, expected):
    whole = join([of_window(0, *one), of_window(8, *other)])
    assert [(event.start, event.end) for event in whole.events] == [pytest.approx(times) for times in expected]


def test_events_of_different_labels_or_senses_stay_apart():
    dog, cat = of_window(0, ("dog", 5, 10)), of_window(8, ("cat", 0, 3))
    heard = parse("<audio_event>dog, (0 3)</audio_event>", TASKS["avvp"], start=8, duration=10)
    assert len(join([dog, cat]).events) == len(join([dog, heard]).events) == 2


@given(
    st.lists(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9), st.integers(1, 10)), max_size=4), min_size=2)
)
def test_no_event_of_windows_is_told_twice_and_none_is_lost(said):
    answers = [
        of_window(8 * number, *((label, min(a, b - 1), b) for label, a, b in of)) for number, of in enumerate(said)
    ]
    whole = join(answers).events
    for event in (event for answer in answers for event in answer.events):
        covering = [
            one for one in whole if one.label == event.label and one.start <= event.start and event.end <= one.end
        ]
        assert len(covering) == 1
    for label in "ab":
        times = [(one.start, one.end) for one in whole if one.label == label]
        assert all(end < start for (_, end), (start, _) in zip(times, times[1:]))


def test_lines_of_windows_keep_their_spans_and_the_first_ones_choice():
    first = parse("A dog. <event>dog barking, (5 10)</event>", TASKS["ave"], start=0, duration=10)
    second = parse("Still. <event>dog barking, (2 3)</event>", TASKS["ave"], start=8, duration=10)
    whole = join([first, second])
    assert [(e.label, e.start, e.end) for e in whole.events] == [("dog barking", 5.0, 11.0)]
    assert [whole.text[s.start : s.end] for s in whole.spans] == [
        "<event>dog barking, (5 10)</event>", "<event>dog barking, (2 3)</event>",
    ]  # fmt: skip
    assert whole.spans[1].shown == "dog barking 10–11 s"
    yes, no = (parse(f"<answer>{said}</answer>", TASKS["avqa"]) for said in ("yes", "no"))
    assert join([yes, no, no]).choice == "yes"


def test_windows_of_a_clip_tell_the_same_only_once():
    bad, good = (parse(f"<event>dog, ({times})</event>", TASKS["unav"]) for times in ("3", "0 3"))
    assert join([bad, bad, good]).notes == bad.notes != ()


# ---- a stretch, and every second ----


def film_of(seconds: float) -> media.Clip:
    return replace(clip(seconds), video=Path("a.mp4"))


def test_a_stretch_is_all_there_is():
    assert windows_of(clip(90), TASKS["avvp"], (20, 26)) == windows_of(clip(90), TASKS["avqa"], (20, 26)) == [(20, 26)]
    assert windows_of(clip(90), TASKS["avvp"], (20, 36)) == [(20, 30), (26, 36)]
    assert windows_of(clip(90), TASKS["avvp"], (1, 4)) == [(1, 4)]  # it reaches back to no second before it
    assert [part(clip(10), span) for span in ((0, 10), (0, 5))] == [None, (0, 5)]
    film = Film(40, cuts=(19.3,))
    assert settled(film, windows_of(film, TASKS["avvp"], (10, 24)), range(2)) == [
        pytest.approx(span) for span in ((10, 19.3), (14, 24))
    ]


def test_every_second_is_asked_of_its_own_picture_and_the_last_takes_in_the_rest():
    assert seconds_of(film_of(3.3), TASKS["s4"]) == [(0, 1), (1, 2), (2, 3.3)]
    assert seconds_of(film_of(9.6), TASKS["arig"])[-2:] == [(8, 9), (9, 9.6)]
    assert seconds_of(film_of(90), TASKS["ms3"], (20.5, 22.5)) == [(20.5, 21.5), (21.5, 22.5)]
    of, window = view(film_of(90), TASKS["s4"], (20.5, 21.5), over_time=True)
    assert (of.still, window) == (21.0, None)


def test_a_picture_of_a_stretch_is_that_in_its_middle_but_for_one_that_was_named():
    assert view(film_of(90), TASKS["s4"], (20, 30))[0].still == 25.0
    named = replace(film_of(90), frame=23.0)
    assert view(named, TASKS["s4"], (20, 30)) == (named, (20, 30))
    picture = replace(film_of(9), video=None, image=Path("a.png"), audio=Path("a.wav"))
    assert view(picture, TASKS["s4"], (2, 6))[0].still == 2.0  # its sound from there on
    with pytest.raises(CrabError, match="Second 3 is not one of seconds 20 to 30"):
        view(replace(film_of(90), frame=3.0), TASKS["s4"], (20, 30))


@pytest.mark.parametrize(("seconds", "task", "stretch", "said"), [
    (10, "ave", None, "ave points at nothing"), (61, "s4", None, "60 s at most, and this is 61 s"),
    (0, "s4", None, "does not last"),
])  # fmt: skip
def test_what_cannot_be_followed_is_said(seconds, task, stretch, said):
    with pytest.raises(CrabError, match=said):
        seconds_of(film_of(seconds), TASKS[task], stretch)


def test_a_stretch_is_read_as_people_type_it_and_lies_in_the_clip():
    assert {read_stretch(typed) for typed in ("2-6.5", "2 – 6.5 s", "2 to 6.5", "2s, 6.5s")} == {(2.0, 6.5)}
    for typed in ("", "2", "-1-3", "two to six"):
        with pytest.raises(CrabError, match="give two seconds of it"):
            read_stretch(typed)
    check_stretch(clip(10), (2.0, 10.0))
    for stretch in ((6.0, 2.0), (2.0, 2.2), (8.0, 14.0)):
        with pytest.raises(CrabError, match="no stretch of"):
            check_stretch(clip(10), stretch)
