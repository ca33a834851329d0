"""What is kept beside an answer: the pictures and the sound that the prompts had, on the clip's own seconds."""

import numpy as np
import pytest

from crab import prompt
from crab.answer import parse
from crab.ask import ask
from crab.media import open_clip
from crab.seen import SAMPLE_RATE, SIDE, Media, Seen, Stretch, borne_out
from crab.tasks import TASKS


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, round(seconds * SAMPLE_RATE)).astype(np.float32)


def test_sound_stands_at_its_own_seconds_whatever_was_left_out():
    heard = noise(3)
    stretches = (Stretch(1.0, SAMPLE_RATE), Stretch(5.0, 2 * SAMPLE_RATE))
    [sound] = Seen(6.0).with_more(Media(sound=heard, stretches=stretches)).sounds
    assert (
        len(sound) == 6 * SAMPLE_RATE
        and not sound[:SAMPLE_RATE].any()
        and not sound[2 * SAMPLE_RATE : 5 * SAMPLE_RATE].any()
    )
    np.testing.assert_array_equal(sound[SAMPLE_RATE : 2 * SAMPLE_RATE], heard[:SAMPLE_RATE])
    np.testing.assert_array_equal(sound[5 * SAMPLE_RATE :], heard[SAMPLE_RATE : 2 * SAMPLE_RATE])  # cut where it ends


def test_a_stretch_from_before_the_clip_loses_what_lies_before():
    heard = noise(2)
    [sound] = Seen(4.0).with_more(Media(sound=heard, stretches=(Stretch(-0.5, 2 * SAMPLE_RATE),))).sounds
    np.testing.assert_array_equal(sound[: 3 * SAMPLE_RATE // 2], heard[SAMPLE_RATE // 2 :])
    assert not sound[3 * SAMPLE_RATE // 2 :].any()


def test_windows_add_up_and_sources_stay_apart():
    first, second = noise(1), -noise(1)
    seen = Seen(2.0).with_more(Media(sound=first, stretches=(Stretch(0.0, SAMPLE_RATE),)))
    seen = seen.with_more(Media(sound=second, stretches=(Stretch(1.0, SAMPLE_RATE, 1),)))
    one, other = seen.sounds
    np.testing.assert_array_equal(one, np.concatenate([first, np.zeros_like(first)]))
    np.testing.assert_array_equal(other, np.concatenate([np.zeros_like(second), second]))


def test_pictures_are_small_and_know_their_second_and_source():
    video = np.random.default_rng(0).integers(0, 255, (2, 500, 300, 3), dtype=np.uint8)
    shown = Media(videos=(video,), times=(1.0, 2.0), sources=(0, 1), picture=video[0], picture_time=1.5)
    frames = Seen(3.0).with_more(shown.small()).frames
    assert [(time, source) for time, source, _ in frames] == [(1.0, 0), (2.0, 1), (1.5, 0)]
    assert all(max(frame.shape[:2]) == SIDE and frame.base is None for *_, frame in frames)
    assert shown.small().picture is video[0] or np.shares_memory(shown.small().picture, video)


@pytest.mark.parametrize("name", ["ave", "s4"])
def test_a_result_keeps_what_its_prompts_had(tiny, scene_clip, name):
    clip, task = open_clip(scene_clip), TASKS[name]
    *_, result = ask(tiny, clip, task, max_new_tokens=2)
    again = Seen(clip.duration).with_more(prompt.gather(clip, task).small())
    assert [(time, source) for time, source, _ in result.seen.frames] == [(t, s) for t, s, _ in again.frames]
    for (*_, kept), (*_, frame) in zip(result.seen.frames, again.frames):
        np.testing.assert_array_equal(kept, frame)
    np.testing.assert_array_equal(result.seen.sounds[0], again.sounds[0])
    assert result.seen.nbytes == sum(frame.nbytes for *_, frame in again.frames) + again.sounds[0].nbytes


# --- what an answer can know ---


AVVP = "<visual_event>dog, (0 3)</visual_event> and <audio_event>dog, (2 5)</audio_event>"
NOISE = np.full(SAMPLE_RATE, 0.1, np.float32)
BLACK, GREY = np.zeros((2, 8, 8, 3), np.uint8), np.full((2, 8, 8, 3), 90, np.uint8)


def told(text, task, *, videos=(GREY,), picture=None, sound=NOISE, audible=True):
    shown = Media(videos, picture=picture, sound=sound)
    return borne_out(parse(text, TASKS[task], size=(224, 224)), shown, TASKS[task], audible=audible)


def test_of_a_silent_clip_nothing_is_heard_and_of_a_black_one_nothing_seen():
    whole = told(AVVP, "avvp")
    assert [event.modality for event in whole.events] == ["visual", "audio"] and not whole.notes
    silent = told(AVVP, "avvp", sound=np.zeros(SAMPLE_RATE, np.float32))
    assert [event.modality for event in silent.events] == ["visual"]
    assert [(span.kind, span.shown) for span in silent.spans] == [("visual_event", "dog 0–3 s"), ("guess", "dog 2–5 s")]
    assert silent.notes == ("What it calls heard is a guess: there was nothing to hear.",)
    black = told(AVVP, "avvp", videos=(BLACK,))
    assert [event.modality for event in black.events] == ["audio"] and "seen is a guess" in black.notes[0]
    assert not told(AVVP, "avvp", videos=(BLACK,), sound=NOISE[:10]).events


def test_what_is_both_seen_and_heard_counts_for_the_sense_that_there_is():
    both = "<event>dog, (0 3)</event>"
    [event] = told(both, "ave", sound=None).events
    [span] = told(both, "ave", sound=None).spans
    assert (event.modality, span.kind) == ("visual", "visual_event")
    [event] = told(both, "ave", videos=(BLACK,)).events
    assert event.modality == "audio" and not told(both, "ave", videos=(BLACK,)).notes


def test_the_ranges_of_a_guess_are_part_of_it():
    text = "<audio> dog </audio> <range> 0,3 </range>"
    assert [span.kind for span in told(text, "avvp", sound=None).spans] == ["guess", "guess"]


def test_nothing_is_pointed_to_on_a_black_picture():
    text = "The object is dog. [12,30,200,180] [60,70] [80,90] [99,99]"
    seen, black = (told(text, "s4", videos=(), picture=picture[0]) for picture in (GREY, BLACK))
    assert len(seen.boxes) == 1 and len(seen.points) == 3
    assert (black.boxes, black.points) == ((), ()) and {span.kind for span in black.spans} == {"guess"}
    assert black.notes == ("What it calls seen is a guess: there was nothing to see.",)


def test_what_sounds_is_nowhere_in_a_silent_second():
    """But what is described in words may be there all the same."""
    text = "<answer>true</answer> The object is dog. [12,30,200,180] [60,70] [80,90] [99,99]"
    silent = np.zeros(SAMPLE_RATE, np.float32)
    for task in ("s4", "ms3", "arig"):
        found = told(text, task, videos=(), picture=GREY[0], sound=silent)
        assert (found.boxes, found.points) == ((), ()) and "box" not in {span.kind for span in found.spans}, task
        assert found.notes == ("Where it points to is a guess: nothing sounds that could be anywhere.",)
        alone = told(text, task, videos=(), picture=GREY[0], sound=silent, audible=False)
        assert len(alone.boxes) == 1, "of a picture without any sound, what might sound"
    described = told(text, "ref_avs", videos=(), picture=GREY[0], sound=silent)
    assert len(described.boxes) == 1 and len(described.points) == 3 and not described.notes
