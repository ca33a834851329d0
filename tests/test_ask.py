"""The one path, with the tiny random model: what grows, what is said, what is handed on."""

import pickle
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from conftest import ROOT
from making import event_f, joined
from PIL import Image

from crab import CrabError, answer, media, segment
from crab.ask import LOOKED_AT, _notes, ask, stopped, to_json
from crab.ilora import Intervention
from crab.result import Result, Window, packed
from crab.segment import Mask
from crab.step import Step, Written
from crab.tasks import TASKS
from crab.truth import Drawn, found, truth
from crab.windows import join


@pytest.fixture(scope="module")
def clip(golden):
    return media.open_clip(golden / "media" / "a.mp4")


@pytest.fixture(scope="module")
def results(tiny, clip):
    return list(ask(tiny, clip, TASKS["ave"], max_new_tokens=6))


def test_a_result_grows_by_a_token_and_ends_done(results):
    assert [len(r.token_ids) for r in results] == [1, 2, 3, 4, 5, 6, 6]
    assert [r.done for r in results] == [False] * 6 + [True]
    assert all(later.text.startswith(earlier.text) for earlier, later in zip(results, results[1:]))


def test_routing_grows_by_the_token_that_was_read(results):
    prompt = results[0].prompt_tokens
    assert [r.routing["language"].weights.shape[1] for r in results] == [prompt + n for n in (0, 1, 2, 3, 4, 5, 5)]
    assert {r.routing["vision"].weights.shape for r in results} == {results[0].routing["vision"].weights.shape}


def test_seconds_are_in_order(results):
    seconds = results[-1].seconds
    assert 0 < seconds.open <= seconds.first_text <= seconds.total


def test_closing_stops(tiny, clip):
    stream = ask(tiny, clip, TASKS["ave"], max_new_tokens=500)
    next(stream)
    stream.close()
    with pytest.raises(StopIteration):
        next(stream)


def test_a_long_clip_is_asked_in_windows_decoded_as_their_turn_comes(tiny, clip, monkeypatch):
    asked, batch = [], []
    prompt, generate = tiny.prompt, tiny.generate
    monkeypatch.setattr(
        type(tiny), "prompt", lambda self, *a, window, **k: (asked.append(window), prompt(*a, window=window, **k))[1]
    )
    monkeypatch.setattr(type(tiny), "generate", lambda self, of, **k: (batch.append(len(of)), generate(of, **k))[1])
    results = ask(tiny, replace(clip, duration=24.0), TASKS["unav"], max_new_tokens=2, trace=False)
    next(results)
    assert asked == [(0.0, 10.0)]
    *_, last = results
    assert asked == [(0.0, 10.0), (8.0, 18.0), (14.0, 24.0)] and batch == [2]
    assert any("in windows of ten seconds" in note for note in last.notes)
    assert len(last.token_ids) == 6
    assert last.routing is None


def test_windows_asked_at_once_are_answered_as_each_alone(tiny, clip):
    long = replace(clip, duration=24.0)
    *_, alone = ask(tiny, long, TASKS["unav"], max_new_tokens=4)
    *_, batch = ask(tiny, long, TASKS["unav"], max_new_tokens=4, trace=False)
    assert batch.token_ids == alone.token_ids and batch.text.split() == alone.text.split()
    np.testing.assert_allclose(batch.logprobs, alone.logprobs, atol=1e-4)
    assert len(batch.ends) == 12 and batch.ends[-1] == len(batch.text) and list(batch.ends) == sorted(batch.ends)
    assert sum("was stopped" in note for note in batch.notes) == 3


def test_where_memory_is_lacking_for_several_windows_each_is_asked_alone(tiny, clip, monkeypatch):
    def lacking(self, prompts, **_):
        raise CrabError("The memory ran out.")

    monkeypatch.setattr(type(tiny), "generate", lacking)
    *_, last = ask(tiny, replace(clip, duration=24.0), TASKS["unav"], max_new_tokens=2, trace=False)
    assert last.looked == 3 and len(last.token_ids) == 6 and not any("memory" in note for note in last.notes)


def test_what_is_kept_beside_the_words_does_not_grow_with_the_clip(tiny, clip, monkeypatch):
    monkeypatch.setattr("crab.ask.TRACED", 1)
    kept = []
    for seconds in (24.0, 48.0):
        *_, last = ask(tiny, replace(clip, duration=seconds), TASKS["unav"], max_new_tokens=2)
        assert last.looked == len(last.windows) and [bool(window.traced) for window in last.windows][:2] == [
            True,
            False,
        ]
        assert "Router weights are kept of the first 1 windows." in last.notes
        assert last.seen.duration == 10.5 and len(last.seen.frames) == 10
        kept.append((last.seen.nbytes, {tower: of.weights.shape for tower, of in last.routing.items()}))
    assert kept[0] == kept[1]


def test_a_question_about_a_long_clip_is_answered_of_the_whole_and_then_of_its_windows(tiny, clip, monkeypatch):
    monkeypatch.setattr("crab.ask.TRACED", 9)
    long = replace(clip, duration=65.0)
    says = Says(tiny, "A <answer>dog</answer>.", end="stop")
    results = list(ask(says, long, TASKS["avqa"], "What barks?"))
    spans = [(window.start, window.end) for window in results[0].windows]
    assert spans[:3] == [(0, 65), (0, 10), (8, 18)] and results[0].looked == 1
    assert results[0].text == "A <answer>dog</answer>." and results[0].answer.choice == "dog"
    assert results[0].unlooked == () and stopped(results[0]).notes[-1] == f"Stopped in window 1 of {len(spans)}."
    assert results[-1].text.count("\n") == len(spans) - 1 and results[-1].answer.choice == "dog"
    assert any("asked as a whole and then in windows" in note for note in results[-1].notes)


def test_of_three_scenes_one_after_the_other_events_are_in_the_clips_own_seconds_and_none_is_told_twice(mini, tmp_path):
    seeds, task = {"evening-1000412": 1000412, "room-1000434": 1000434, "stage-1000440": 1000440}, TASKS["avvp"]
    scenes = [media.open_clip(ROOT / "assets" / "examples" / f"{name}.mp4") for name in seeds]
    *_, last = ask(mini, media.open_clip(joined(tmp_path / "three.mp4", scenes)), task, trace=False)
    assert [(window.start, window.end) for window in last.windows] == [
        pytest.approx(span, abs=0.15) for span in ((0, 10), (10, 20), (20, 30))
    ]
    true = [
        replace(event, start=event.start + 10 * number, end=event.end + 10 * number)
        for number, seed in enumerate(seeds.values())
        for event in truth(found(Drawn("objects", seed), task, "", 0.0), (224, 224)).events
    ]
    assert event_f(last.answer.events, true) > 0.7
    assert {int(event.start // 10) for event in last.answer.events} == {0, 1, 2}
    for one, other in combinations(last.answer.events, 2):
        same = (one.label, one.modality) == (other.label, other.modality)
        assert not (same and one.start <= other.end and other.start <= one.end)


def test_windows_fill_one_by_one_and_the_rest_was_not_looked_at(tiny, clip):
    results = list(ask(tiny, replace(clip, duration=24.0), TASKS["unav"], max_new_tokens=2))
    assert [r.looked for r in results] == [1, 1, 2, 2, 3, 3, 3]
    assert [r.unlooked for r in results] == [((10, 24),)] * 2 + [((18, 24),)] * 2 + [()] * 3
    assert [(w.start, w.end) for w in results[0].windows] == [(0, 10), (8, 18), (14, 24)]
    assert join([w.answer for w in results[-1].windows]) == results[-1].answer
    assert all(w.took > 0 for w in results[-1].windows)
    assert stopped(results[2]).notes[-1] == "Stopped in window 2 of 3; the rest was not looked at."
    assert stopped(results[4]).notes[-1] == "Stopped in window 3 of 3."
    assert not stopped(results[2]).done
    assert stopped(stopped(results[2])).notes == stopped(results[2]).notes


def test_the_router_weights_of_each_window_are_its_own(tiny, clip):
    *_, last = ask(tiny, replace(clip, duration=24.0), TASKS["unav"], max_new_tokens=2)
    parts = [last.routing_in(number) for number in range(3)]
    for tower, whole in last.routing.items():
        assert np.array_equal(np.concatenate([part[tower].weights for part in parts], axis=1), whole.weights)
    asked = tiny.prompt(replace(clip, duration=24.0), TASKS["unav"], window=(14, 24))
    assert parts[2]["language"].tokens[:-1] == asked.map.tokens  # and the one written token that was read
    assert parts[2]["audio"].tokens == asked.map.audio and parts[2]["vision"].tokens == asked.map.vision
    assert replace(last, routing=None).routing_in(1) == {}


def test_a_short_clip_is_one_window_and_stopping_it_is_said(results):
    assert [len(r.windows) for r in results] == [1] * 7 and results[0].unlooked == ()
    assert stopped(results[0]).notes[-1] == "It was stopped before its end."


def test_what_is_left_is_reckoned_from_the_windows_that_are_over():
    def left(*took, of=4):
        windows = [Window(0, 1, answer.NOTHING, seconds) for seconds in took] + [Window(0, 1)] * (of - len(took))
        return Result(None, TASKS["unav"], "", "", "", windows=tuple(windows)).left

    assert left() is left(5.0) is None  # nothing is over yet
    assert left(2.0, 0.5) == 1.5 + 2 * 2.0
    assert left(2.0, 4.0, 9.0) == 0 + 3.0  # the third takes longer than the two before
    assert left(2.0, 2.0, 2.0, 2.0) == 0


def test_a_silent_window_is_said_once(tiny, golden):
    clip = media.open_clip(golden / "media" / "b.mp4", audio=golden / "media" / "a.mp3")
    *_, last = ask(tiny, replace(clip, duration=40.0), TASKS["ave"], max_new_tokens=1, trace=False)
    assert [note for note in last.notes if "silence" in note] == [
        "b.mp4 has no sound in a part of it; there the model hears silence."
    ]


def test_frames_of_a_long_second_clip_are_said_to_be_few(clip):
    other = replace(clip, duration=30.0)
    sees = "The model sees 10 frames spread over the whole 30 s."
    assert _notes(clip, other, TASKS["a2v"], [(0.0, 10.0)]) == (sees,)
    heard = replace(other, video=None)  # of a sound nothing is left out
    assert _notes(clip, heard, TASKS["v2a"], [(0.0, 10.0)]) == ()
    assert _notes(clip, None, TASKS["ks"], [(0.0, 10.0)]) == ()


def test_an_intervention_is_in_this_answer_only_and_is_said(tiny, clip, results):
    instead = Intervention("force", (0,), towers=("language",))
    *_, changed = ask(tiny, clip, TASKS["ave"], max_new_tokens=6, intervention=instead)
    assert changed.intervention == instead and changed.notes[0].endswith("head 1 forced in language.")
    assert (changed.routing["language"].weights == [1, 0, 0]).all() and changed.token_ids != results[-1].token_ids
    *_, again = ask(tiny, clip, TASKS["ave"], max_new_tokens=6)
    assert again.token_ids == results[-1].token_ids and again.intervention is None


def test_that_no_head_is_left_is_said(tiny, clip):
    told = {heads: next(ask(tiny, clip, TASKS["ave"], max_new_tokens=2, intervention=Intervention("mute", heads))).notes[0]
            for heads in ((0, 1, 2), (0, 1))}  # fmt: skip
    assert told[0, 1, 2].endswith("heads 1, 2, 3 muted, so that the adapter adds nothing.")
    assert told[0, 1].endswith("heads 1, 2 muted.")


def test_a_run_played_back_is_the_same_run(tiny, clip, results):
    before = results[-1]
    instead = Intervention("replay", source=before.routing)
    *_, after = ask(tiny, clip, TASKS["ave"], max_new_tokens=6, intervention=instead)
    assert after.token_ids == before.token_ids
    assert all(np.array_equal(after.routing[tower].weights, of.weights) for tower, of in before.routing.items())


def test_positions_of_windows_cannot_be_meant(tiny, clip, results):
    long = replace(clip, duration=24.0)
    for instead in (
        Intervention("replay", source=results[-1].routing),
        Intervention("uniform", tokens={"language": np.ones(3, bool)}),
    ):
        with pytest.raises(CrabError, match="asked in windows"):
            next(ask(tiny, long, TASKS["unav"], intervention=instead))


class Disc:
    """A segmenter that marks the box it is given."""

    name = "disc"

    def __call__(self, frame, box, points):
        mask = np.zeros(frame.shape[:2], bool)
        mask[int(box.y1) : int(box.y2), int(box.x1) : int(box.x2)] = True
        return mask, None

    def following(self, shots):
        return segment.one_by_one(self, shots)


class Says:
    """The tiny model, made to say a given text."""

    def __init__(self, crab, text, end=""):
        self.crab, self.text, self.end = crab, text, end
        self.name, self.knows, self.drawn, self.prompt = crab.name, crab.knows, crab.drawn, crab.prompt
        self.taught, self.about = crab.taught, crab.about

    def stream(self, prompt, **_):
        yield Step(self.text, (1,), end=self.end)


def test_what_goes_wrong_on_the_way_costs_no_words(tiny, clip):
    """A GPU that was lent is taken back, in the third window of a long clip or before the first word."""

    def failing(after):
        says, asked = Says(tiny, "<event>dog, (0 3)</event>"), []
        own = says.stream

        def stream(prompt, **how):
            asked.append(prompt)
            if len(asked) > after:
                raise CrabError("It was taken back.")
            yield from own(prompt, **how)

        says.stream = stream
        return ask(says, replace(clip, duration=40.0), TASKS["unav"])

    *_, last = failing(after=2)
    assert last.done and [(event.start, event.end) for event in last.answer.events] == [(0, 3), (8, 11)]
    assert last.notes[-1] == "The answer breaks off in the window from second 16 on. It was taken back."
    with pytest.raises(CrabError, match="taken back"):
        list(failing(after=0))


def test_a_mask_that_could_not_be_had_costs_no_words(tiny, clip):
    class Refusing(Disc):
        def __call__(self, frame, box, points):
            raise CrabError("No GPU is free.")

    *_, last = ask(Says(tiny, "<obj>(0,0)(112,56)</obj>"), clip, TASKS["arig"], segmenter=Refusing())
    assert last.done and last.answer.boxes and last.notes[-1] == "There is no mask: No GPU is free."


def test_an_answer_that_was_cut_says_so(tiny, clip, results):
    assert results[-1].notes == ("The model was stopped before its answer came to an end, after 6 tokens.",)
    *_, whole = ask(Says(tiny, "A dog.", end="stop"), clip, TASKS["ave"])
    assert whole.notes == ()


def test_a_box_becomes_a_mask_on_the_frame_it_was_seen_in(tiny, clip):
    crab = Says(tiny, "The sounding object is dog. Its coordinates are <obj>(0,0)(112,56)</obj>.")
    *_, last = ask(crab, replace(clip, frame=3), TASKS["arig"], segmenter=Disc())
    height, width = last.frame.shape[:2]
    assert np.array_equal(last.frame, clip.frame_at(3.0)) and last.frame_time == 3.0
    assert last.answer.boxes[0].x2 == width / 2
    [mask] = last.masks
    assert mask.label == "dog" and mask.mask.sum() == (width // 2) * (height // 4)


def test_a_model_of_drawn_scenes_says_of_every_other_clip_that_it_means_nothing(tiny, clip):
    says = Says(tiny, "<event>dog, (0 3)</event>", end="stop")
    said = "has only ever seen drawn scenes, and this is not known to be one: the answer means nothing."

    def notes(one, other=None, task="ave"):
        *_, last = ask(says, one, TASKS[task], other=other)
        assert last.caveat == (last.notes[0] if last.notes else "") and to_json(last)["notes"] == list(last.notes)
        return last.notes

    assert notes(clip) == ()  # it was trained on real clips
    says.drawn, scene = True, replace(clip, drawn=True)
    assert notes(clip) == (f"{says.name} {said}",) and notes(scene) == ()
    assert notes(scene, clip, "a2v") == notes(clip) and notes(scene, scene, "a2v") == ()


def test_what_cannot_be_heard_or_seen_is_marked_as_a_guess_and_notes_do_not_contradict_each_other(tiny, clip, tmp_path):
    says = Says(tiny, "<audio_event>dog, (0 3)</audio_event>", end="stop")
    *_, silent = ask(says, replace(clip, audio=None), TASKS["avvp"])
    assert silent.answer.events == () and silent.notes == (
        f"There is no sound in {clip.name}; the model hears silence.",
        "What it calls heard is a guess: there was nothing to hear.",
    )
    *_, silent = ask(says, replace(clip, audio=None), TASKS["meld"])
    assert not any("first 4 s" in note for note in silent.notes)
    points = Says(tiny, "The object is dog. [12,30,200,180] [60,70] [80,90] [99,99]", end="stop")
    *_, black = ask(points, replace(clip, video=None), TASKS["s4"], segmenter=Disc())
    assert black.frame is None and not (black.answer.boxes or black.answer.points or black.masks)


def test_no_mask_is_said(tiny, clip):
    class Nothing(Disc):
        def __call__(self, frame, box, points):
            return np.zeros(frame.shape[:2], bool), None

    crab = Says(tiny, "<obj>(0,0)(112,56)</obj>")
    *_, last = ask(crab, clip, TASKS["arig"], segmenter=Nothing())
    assert last.masks == () and any("No mask" in note for note in last.notes)


def test_what_could_not_be_read_of_the_answer_is_said(tiny, clip):
    *_, last = ask(Says(tiny, "<event>dog, (0 3)(4)</event>"), clip, TASKS["unav"])
    assert [event.label for event in last.answer.events] == ["dog"]
    assert to_json(last)["notes"][-1] == "No time in the clip could be read in “(4)”."


def test_what_the_model_saw_and_heard_can_be_shown_again(results, clip, tiny):
    seen = results[-1].seen
    duration, frames, [sound] = seen.duration, seen.frames, seen.sounds
    assert duration == clip.duration and len(frames) == 10 and len(sound) == round(duration * media.SAMPLE_RATE)
    times = [time for time, _, _ in frames]
    assert times == sorted(times) and all(source == 0 and frame.ndim == 3 for _, source, frame in frames)
    assert np.array_equal(sound[:8000], clip.sound()[:8000])


def test_of_a_still_the_sound_stands_on_the_seconds_around_it(tiny, clip):
    *_, result = ask(tiny, replace(clip, frame=3), TASKS["s4"], max_new_tokens=1)
    [(time, source, _)], [sound] = result.seen.frames, result.seen.sounds
    assert (time, source) == (result.frame_time, 0)
    heard = np.flatnonzero(sound) / media.SAMPLE_RATE
    assert heard.size and heard.max() - heard.min() <= clip.duration / 5 + 0.01


def test_json_has_every_field_the_interface_names(results):
    told = to_json(results[-1])
    assert list(told) == [
        "version",
        "crab",
        "model",
        "clip",
        "other_clip",
        "task",
        "question",
        "intervention",
        "text",
        "reasoning",
        "choice",
        "exists",
        "events",
        "boxes",
        "points",
        "masks",
        "stretch",
        "pictures",
        "notes",
        "tokens",
        "token_ids",
        "logprobs",
        "confidence",
        "candidates",
        "seconds",
    ]
    assert told["tokens"] == {"prompt": results[-1].prompt_tokens, "generated": 6}


@pytest.mark.parametrize("corner", [False, True])
def test_a_packed_mask_is_the_mask_and_its_runs_are_undone_by_their_definition(corner):
    mask = np.random.default_rng(0).random((7, 5)) > 0.6
    mask[0, 0] = corner
    kept = packed(Mask(1.0, "dog", mask, None))
    assert np.array_equal(kept.mask, mask) and (kept.runs[0] == 0) == corner
    values = np.repeat(np.arange(len(kept.runs)) % 2 == 1, kept.runs)
    assert np.array_equal(values.reshape(kept.size, order="F"), mask)


def test_of_a_large_picture_little_is_kept_and_boxes_and_masks_are_in_its_own_pixels(tiny, tmp_path):
    file = tmp_path / "large.jpg"
    Image.new("RGB", (5000, 2500), (40, 90, 160)).save(file)
    crab = Says(tiny, "The sounding object is dog. Its coordinates are <obj>(0,0)(112,56)</obj>.")
    *_, last = ask(crab, media.open_clip(file), TASKS["arig"], segmenter=Disc())
    [box], [mask] = last.answer.boxes, last.masks
    assert last.frame.shape == (LOOKED_AT // 2, LOOKED_AT, 3) and last.size == (5000, 2500)
    assert (box.x2, box.y2) == (2500, 625) and mask.mask.sum() == 2500 * 625
    assert to_json(last)["masks"][0]["rle"]["size"] == [2500, 5000]
    assert len(pickle.dumps((last.frame, last.masks))) < 3 * LOOKED_AT**2


# ---- masks over time, and a stretch ----

POINTS = "The object is a dog, and the bounding box is [0,0,{},56] and three points on it are [1,1],[2,2],[3,3]."


class SaysInTurn(Says):
    """Says something else of each picture, by its second; of several at a time as of each alone."""

    def __init__(self, crab, texts):
        super().__init__(crab, "", end="stop")
        self.texts, self.batches = texts, []

    def _said(self, prompt):
        return self.texts[int(prompt.media.picture_time)]

    def stream(self, prompt, **_):
        self.batches.append(1)
        yield Step(self._said(prompt), (1,), end="stop")

    def generate(self, prompts, **_):
        self.batches.append(len(prompts))
        return [Written((n,), (0.0,), "stop") for n in (int(prompt.media.picture_time) for prompt in prompts)]

    def decode(self, ids):
        return self.texts[ids[0]]

    def ends(self, ids):
        return [len(self.decode(ids))]


@pytest.fixture(scope="module")
def six(clip):
    """Six seconds, nearly."""
    return replace(clip, duration=5.9)


@pytest.fixture(scope="module")
def over_time(tiny, six):
    texts = ["Nothing sounds.", *(POINTS.format(112) for _ in range(3)), POINTS.format(0.4), POINTS.format(224)]
    says = SaysInTurn(tiny, texts)
    return says, list(ask(says, six, TASKS["s4"], segmenter=Disc(), over_time=True))


def test_over_time_every_second_is_asked_and_most_of_them_at_once(over_time):
    says, results = over_time
    assert says.batches == [1, 4, 1]
    last = results[-1]
    assert [(one.start, one.end) for one in last.windows] == [*((n, n + 1) for n in range(5)), (5, 5.9)]
    assert "Asked 6 times, about the picture in the middle of each second with its sound." in last.notes
    assert [time for time, _, _ in last.seen.frames] == pytest.approx([0.5, 1.5, 2.5, 3.5, 4.5, last.masks[-1].time])


def test_over_time_masks_grow_and_the_picture_is_the_first_that_shows_something(over_time, clip):
    _, results = over_time
    last = results[-1]
    assert sorted({len(one.masks) for one in results}) == [0, 3, 4]
    assert [mask.time for mask in last.masks[:3]] == [1.5, 2.5, 3.5] and {mask.label for mask in last.masks} == {"dog"}
    assert last.frame_time == 1.5 and np.array_equal(last.frame, clip.frame_at(1.5))
    assert last.answer.boxes[0].x2 == last.size[0] / 2 and len(last.masks_here) == 1


def test_over_time_it_is_said_why_a_second_has_no_mask(over_time):
    _, results = over_time
    assert results[-1].unmasked == (
        ((0, 1), "The model points at nothing here."),
        ((4, 5), "Nothing could be cut out where the model points to."),
    )
    assert results[0].unmasked[-1] == ((5, 5.9), "Nobody has looked at this second.")
    told = to_json(results[-1])["pictures"]
    assert [one["no_mask"] is None for one in told] == [False, True, True, True, False, True]
    assert told[1]["boxes"][0]["label"] == "dog" and len(told[1]["points"]) == 3


def test_over_time_a_segmenter_that_fails_costs_no_words(tiny, six):
    class Refusing(Disc):
        def __call__(self, frame, box, points):
            raise CrabError("No GPU is free.")

    says = SaysInTurn(tiny, [POINTS.format(112)] * 6)
    *_, last = ask(says, six, TASKS["s4"], segmenter=Refusing(), over_time=True)
    assert last.looked == 6 and last.masks == ()
    assert [note for note in last.notes if "mask" in note] == ["There are no more masks: No GPU is free."]


def test_of_a_stretch_nothing_else_is_seen_or_heard_and_its_times_are_the_clips(tiny, clip):
    says = Says(tiny, "<event>dog, (0 5)</event>", end="stop")
    *_, last = ask(says, clip, TASKS["ave"], stretch=(2.0, 4.0))
    assert [(event.start, event.end) for event in last.answer.events] == [(2.0, 3.0)]
    times = [time for time, _, _ in last.seen.frames]
    assert len(times) == 10 and min(times) >= 2 and max(times) < 4
    assert last.unlooked == ((0.0, 2.0), (4.0, clip.duration)) and last.stretch == (2.0, 4.0)
    heard = np.flatnonzero(last.seen.sounds[0]) / media.SAMPLE_RATE
    assert heard.min() >= 2 and heard.max() < 4
    assert "Seconds 2 to 4 of the clip were asked about, and nothing else of it." in last.notes
    assert to_json(last)["stretch"] == [2.0, 4.0]


def test_of_one_picture_all_but_its_second_was_not_looked_at(tiny, clip):
    *_, last = ask(Says(tiny, POINTS.format(112)), clip, TASKS["s4"], stretch=(2.0, 5.0))
    assert last.frame_time == 3.5 and last.unlooked == ((0.0, 3.0), (4.0, clip.duration))
