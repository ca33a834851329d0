"""Which parts of a long clip are asked about, and where one ends and the next begins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crab import media
from crab.prompt import LONGEST_HEARD
from crab.tasks import TASKS
from crab.windows import OVERLAP, WINDOW, cut, part, settled, windows_of


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
    assert [part(spans, number) for number in (0, 1)] == [None, (0, 10)]
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
