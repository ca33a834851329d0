"""The swim lanes."""

import json
from types import SimpleNamespace

import pytest

from crab.answer import Event
from visualize import theme
from visualize.timeline import MASKED, masked, timeline


def bars(figure):
    return [(bar.name, start, start + length) for bar in figure.data for start, length in zip(bar.base, bar.x)]


def words(figure):
    return " ".join(note.text for note in figure.layout.annotations)


def test_what_is_heard_and_seen_has_a_bar_in_both_halves_of_its_lane():
    figure = timeline([Event("dog barking", "both", 2.0, 6.0)], 10.0)
    assert bars(figure) == [("heard", 2.0, 6.0), ("seen", 2.0, 6.0)]
    heard, seen = figure.data
    assert heard.y[0] < seen.y[0] < heard.y[0] + 20  # the y axis counts pixels downwards
    assert heard.marker.pattern.shape is None and seen.marker.pattern.shape == "/"


@pytest.mark.parametrize("modality, half", [("audio", "heard"), ("visual", "seen")])
def test_one_sense_alone_leaves_the_other_half_empty_but_named(modality, half):
    figure = timeline([Event("rain", modality, 0.0, 1.5)], 10.0)
    assert bars(figure) == [(half, 0.0, 1.5)]
    assert "heard" in words(figure) and "seen" in words(figure)


def test_a_lane_has_the_colour_its_label_has_elsewhere():
    events = [Event("rain", "audio", 0, 1), Event("dog", "visual", 0, 1)]
    figure = timeline(events, 10.0, colours={"rain": "#111111", "dog": "#222222"})
    assert [bar.marker.color for bar in figure.data] == ["#111111", "#222222"]
    assert timeline([Event("rain", "audio", 0, 1)], 10.0).data[0].marker.color == theme.LABELS[0]


def test_events_of_one_label_share_a_lane_and_lanes_make_the_height():
    dog, again, rain = Event("dog", "audio", 0, 1), Event("Dog", "audio", 4, 5), Event("rain", "audio", 0, 1)
    one, two = timeline([dog, again], 10.0), timeline([dog, again, rain], 10.0)
    assert len(one.data) == 1 and len(two.data) == 2
    assert two.layout.height - one.layout.height == 58


def test_the_axis_is_the_clip_and_nothing_is_drawn_past_it():
    figure = timeline([Event("siren", "audio", 8.0, 14.0)], 10.0)
    assert tuple(figure.layout.xaxis.range) == (0, 10.0)
    assert bars(figure) == [("heard", 8.0, 10.0)]
    assert list(figure.data[0].customdata[0]) == [8.0, 14.0, 6.0]  # hovering tells what was said


@pytest.mark.parametrize("moment", [0.0, 3.0, 10.0])
def test_a_moment_can_be_seen(moment):
    [(_, start, end)] = bars(timeline([Event("clap", "audio", moment, moment)], 10.0))
    assert 0 <= start <= moment <= end <= 10.0 and end - start > 0.05


@pytest.mark.parametrize(
    "duration, first, last",
    [(0.4, "0 s", "0.4 s"), (10.0, "0 s", "10 s"), (61.5, "0 s", "60 s"), (200.5, "0 s", "200 s")],
)
def test_ticks_are_round_and_few(duration, first, last):
    ticks = timeline([Event("dog", "both", 0, duration)], duration).layout.xaxis.ticktext
    assert (ticks[0], ticks[-1]) == (first, last)
    assert 3 <= len(ticks) <= 8


@pytest.mark.parametrize("events, duration", [([], 10.0), ([Event("dog", "visual", 0, 0)], 0.0)])
def test_nothing_to_show_is_said_in_a_sentence(events, duration):
    figure = timeline(events, duration)
    assert not figure.data and words(figure).endswith(".")


def test_labels_are_the_models_and_cannot_become_markup():
    figure = timeline([Event("<a href='x'>dog</a> & cat", "both", 0, 1)], 10.0)
    assert "<a" not in json.dumps(figure.to_dict(), default=str)


def test_the_axis_stands_still_under_a_pages_playhead():
    layout = timeline([Event("dog", "both", 0, 1)], 10.0).layout
    assert layout.xaxis.fixedrange is True and layout.yaxis.fixedrange is True and layout.dragmode is False


def test_times_are_seconds_however_long_the_clip_is():
    figure = timeline([Event("dog", "audio", 170.5, 180)], 200.0)
    assert "170.5–180 s" in words(figure)
    assert all(tick.endswith(" s") for tick in figure.layout.xaxis.ticktext)


def test_the_times_beside_a_name_are_told_once_where_both_senses_agree():
    both = words(timeline([Event("dog", "both", 2, 6)], 10.0))
    assert "2–6 s" in both and both.count("2–6") == 1
    heard, seen = Event("dog", "audio", 4, 9), Event("dog", "visual", 0, 10)
    assert "♪ 4–9 · ◎ 0–10 s" in words(timeline([heard, seen], 10.0))


def test_where_nobody_looked_every_lane_is_hatched_in_grey():
    events = [Event("dog", "audio", 0, 4), Event("rain", "both", 2, 3)]
    *answered, hatched = timeline(events, 40.0, unseen=[(20.0, 40.0)]).data
    assert len(answered) == 3 == len(timeline(events, 40.0).data)
    assert (hatched.name, list(hatched.base), list(hatched.x)) == ("not looked at", [20, 20], [20, 20])
    assert hatched.marker.pattern.shape == "x" and hatched.marker.pattern.fgcolor == theme.ink(False)["quiet"]
    heard, seen = answered[1].y[0], answered[2].y[0]
    assert hatched.y[1] - hatched.width[1] / 2 < heard < seen < hatched.y[1] + hatched.width[1] / 2


def run(*masks, over_time=True, seconds=10):
    """A run with masks at these seconds, one window a second."""
    windows = [SimpleNamespace(start=n, end=n + 1) for n in range(seconds)] if over_time else []
    of = [SimpleNamespace(time=time, label=label) for time, label in masks]
    return SimpleNamespace(masks=of, windows=windows, over_time=over_time, clip=SimpleNamespace(duration=10.0))


def test_when_something_has_a_mask_is_told_by_whole_seconds_together_where_they_follow():
    found = masked(run((0.5, "dog"), (1.5, "Dog "), (2.5, "cat"), (4.5, "dog")))
    assert found == (Event("dog", MASKED, 0, 2), Event("dog", MASKED, 4, 5), Event("cat", MASKED, 2, 3))
    assert masked(run((9.8, "dog"), over_time=False)) == (Event("dog", MASKED, 9.3, 10.0),)


def test_masks_have_a_lane_of_their_own_below_the_events_outlined_as_they_are_on_the_picture():
    heard, mask = Event("dog", "audio", 0, 4), Event("dog", MASKED, 2, 5)
    figure = timeline([mask, heard], 10.0, unseen=[(5, 10)])
    assert bars(figure) == [("heard", 0, 4), (MASKED, 2, 5), ("not looked at", 5, 10), ("not looked at", 5, 10)]
    _, drawn, hatched = figure.data
    assert drawn.marker.pattern.shape is None and drawn.marker.line.color == theme.LABELS[0] != drawn.marker.color
    assert hatched.width[0] > hatched.width[1] == drawn.width and hatched.y[1] == drawn.y[0]
    assert "◩ mask" in words(figure) and "2–5 s" in words(figure)
    one = timeline([heard], 10.0).layout.height
    assert one < figure.layout.height < timeline([heard, Event("cat", "audio", 0, 1)], 10.0).layout.height
