"""What is true by somebody's file, and an answer held against it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crab import CrabError
from crab.answer import Event, parse
from crab.ask import to_json
from crab.media import Clip
from crab.reference import of_text, read, told
from crab.result import Result, packed
from crab.segment import Mask
from crab.tasks import TASKS
from crab.truth import against
from visualize import compare, tracks

SAID = "<visual_event>dog, (0 10)</visual_event> and <audio_event>dog, (2 6)</audio_event>"


def run_of(task="avvp", text=SAID, question="", clip="My_clip (1).mp4", duration=10.0, size=(64, 48), **more) -> Result:
    said = parse(text, TASKS[task], duration=duration, size=size)
    film = Clip(clip, video=Path(clip), duration=duration, width=size[0], height=size[1])
    if "box" in TASKS[task].grammar:
        more = {"frame": np.zeros((*size[::-1], 3), np.uint8), "size": size} | more
    return Result(film, TASKS[task], question, "crab-mini", "", text, said, done=True, **more)


def given(tmp_path, content, name="truth.json") -> Path:
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def spans(answer) -> list[tuple]:
    return [(one.label, one.modality, one.start, one.end) for one in answer.events]


DOG = [("dog", "visual", 0, 10), ("dog", "audio", 2, 6)]
AVE = {"video_path": "c/myclip1.mp4", "audio_path": "c.mp3", "event": "Dog", "vid": "x", "start_time": 2, "end_time": 8}


@pytest.mark.parametrize("event", [
    SAID, str({"visual": {"dog": [[0, 10]]}, "audio": {"dog": [[2, 6]]}}),
    [{"event": "dog", "modality": m, "start": a, "end": b} for m, a, b in (("visual", 0, 10), ("audio", 2, 6))],
])  # fmt: skip
def test_a_record_is_read_as_its_dataset_is_published(tmp_path, event):
    event = event if isinstance(event, str) else str(event)
    row = {"video_path": "My_clip (1).mp4", "audio_path": "a.mp3", "event": event}
    found = read(given(tmp_path, row), run_of())
    assert sorted(spans(found.answer)) == sorted(DOG) and found.facts == ()


def test_the_record_of_a_clip_is_found_by_its_name_as_uploading_leaves_it(tmp_path):
    rows = [AVE | {"video_path": f"{name}.mp4", "event": name} for name in ("other", "my clip1", "third")]
    found = read(given(tmp_path, rows), run_of("ave", clip="my_clip1.mp4"))
    assert spans(found.answer) == [("my clip1", "both", 2, 8)] and not found.facts
    with pytest.raises(CrabError, match="None of the 3 records in truth.json is about stranger.mp4"):
        read(given(tmp_path, rows), run_of("ave", clip="stranger.mp4"))
    labelled = [AVE | {"event": "stranger"}, AVE | {"video_path": "z.mp4", "vid": "stranger", "event": "cat"}]
    assert spans(read(given(tmp_path, labelled), run_of("ave", clip="stranger.mp4")).answer)[0][0] == "cat"
    alone = read(given(tmp_path, rows[:1]), run_of("ave"))
    assert spans(alone.answer) == [("other", "both", 2, 8)] and "by its name another clip" in alone.facts[0]


def test_of_several_questions_about_a_clip_the_one_that_was_asked_is_taken(tmp_path):
    rows = [
        {"video_path": "a.mp4", "audio_path": "a.mp3", "question": q, "answer": a}
        for q, a in (("How  many?", "two"), ("Which?", "cello"))
    ]
    assert read(given(tmp_path, rows), run_of("avqa", question="How many?", clip="a.mp4")).answer.choice == "two"
    assert read(given(tmp_path, rows), run_of("avqa", question="Which?", clip="a.mp4")).answer.choice == "cello"
    with pytest.raises(CrabError, match="answers another question: How"):
        read(given(tmp_path, rows[0]), run_of("avqa", question="Who?", clip="a.mp4"))


def test_a_record_of_another_dataset_of_the_same_kind_is_taken_and_said(tmp_path):
    found = read(given(tmp_path, AVE), run_of("avvp", clip="myclip1.mp4"))
    assert spans(found.answer) == [("Dog", "both", 2, 8)]
    assert found.facts == ("The record is one of ave, and the clip was asked as avvp.",)
    with pytest.raises(CrabError, match="no record of s4"):
        read(given(tmp_path, AVE), run_of("s4", "", clip="myclip1.mp4"))


def test_a_record_about_a_picture_is_that_of_its_second(tmp_path):
    box = {"a_obj": "dog", "top_left": [0, 0]}
    rows = [
        {"visual_path": "a.jpg", "audio_path": "a.mp3", "frame_idx": n, "bottom_right": [112 * n, 224], **box}
        for n in (1, 2)
    ]
    run = run_of("arig", "It is dog.", clip="a.mp4")
    found = read(given(tmp_path, rows), replace(run, frame_time=2.4))
    assert [(one.x2, one.y2) for one in found.answer.boxes] == [(64, 48)] and not found.facts
    assert (
        "about second 1, and this picture shows 7.0 s"
        in read(given(tmp_path, rows), replace(run, frame_time=7)).facts[0]
    )


def test_a_record_that_only_names_its_mask_says_so_and_there_is_nothing_to_compare(tmp_path):
    row = {"visual_path": "a.jpg", "audio_path": "a.mp3", "a_obj": "dog", "frame_idx": 0, "vid": "v", "uid": "u"}
    found = read(given(tmp_path, row), run_of("s4", "", clip="a.mp4"))
    assert "masks are not compared" in found.facts[0]
    with pytest.raises(CrabError, match="it needs a box; what it has is none of that"):
        against(parse("", TASKS["s4"]), (), found, "box_points")


def test_a_null_object_of_ref_avs_is_known_by_its_split(tmp_path):
    row = {"visual_path": "a.jpg", "audio_path": "a.mp3", "object": "the cat", "split": "test_n", "frame_idx": 0}
    run = run_of("ref_avs", "<answer>true</answer> [0,0,9,9]", question="the cat", clip="a.mp4")
    found = read(given(tmp_path, row), run)
    assert found.answer.exists is False
    assert against(run.answer, (), found, "exists_box_points").verdict.words == "Wrong: there is no such thing."
    there = read(given(tmp_path, row | {"split": "test_s"}), run)
    assert against(run.answer, (), there, "exists_box_points").verdict.right is None


def cut(height=48, width=64, left=0, right=32, time=1.0, label="dog"):
    mask = np.zeros((height, width), bool)
    mask[:, left:right] = True
    return packed(Mask(time, label, mask, None))


def test_what_is_listed_in_a_result_counts(tmp_path):
    run = run_of("s4", "The object is dog. [0,0,112,224] [1,1]", masks=(cut(), cut(time=2.0)))
    told_by = to_json(run) | {"text": "whatever"}
    found = read(given(tmp_path, told_by), run)
    assert [(one.label, one.x2, one.y2) for one in found.answer.boxes] == [("dog", 32, 48)]
    assert [one.time for one in found.masks] == [1, 2] and np.array_equal(found.masks[0].mask, cut().mask)
    events = [{"label": "cat", "modality": "audio", "start": 1.25, "end": 3}]
    assert spans(read(given(tmp_path, to_json(run_of()) | {"events": events}), run_of()).answer) == [
        ("cat", "audio", 1.25, 3)
    ]
    facts = read(
        given(tmp_path, to_json(run_of("avqa", question="Who?", clip="b.mp4"))), run_of("avqa", question="Which?")
    ).facts
    assert "about b.mp4, by its name another clip" in facts[0] and "another question: Who?" in facts[1]


def test_j_is_told_for_every_second_in_which_both_have_masks():
    mine, theirs = (
        (cut(time=1.0, right=16), cut(time=1.4, left=16), cut(time=3.0)),
        (cut(time=1.0), cut(time=2.0), cut(time=3.2, left=16, right=48)),
    )
    run = run_of("s4", "The object is dog. [0,0,112,224] [1,1]", masks=mine)
    reference = replace(told_of(run), masks=theirs)
    found = against(run.answer, run.masks, reference, "box_points")
    assert found.overlaps == ((1, 1.0), (3, pytest.approx(16 / 48)))
    other = against(run.answer, run.masks, replace(reference, masks=(cut(height=24),)), "box_points")
    assert not other.overlaps and "two sizes" in other.facts[-1]
    late = against(run.answer, run.masks, replace(reference, masks=(cut(time=9),)), "box_points")
    assert not late.overlaps and "different seconds" in late.facts[-1]
    html = compare.truth(
        found.said, found.meant, found.verdict, 10.0, source="<a>.json", overlaps=found.overlaps, facts=("<f>",)
    )
    assert "<b>1.00</b> 1 s" in html and "<b>0.33</b> 3 s" in html and "0.67 on average" in html
    assert "Against &lt;a&gt;.json" in html and "&lt;f&gt;" in html


def told_of(run):
    from crab.reference import Reference

    return Reference(told(boxes=run.answer.boxes))


def test_our_own_webvtt_gives_back_the_events_it_was_made_of(tmp_path):
    events = (
        Event("a & b <c>", "both", 0.5, 3.25),
        Event("dog (heard)", "audio", 2, 6),
        Event("dog", "visual", 3601, 3602),
    )
    run = run_of(duration=4000.0)
    path = given(
        tmp_path, tracks.vtt(replace(run, answer=replace(run.answer, events=events), notes=("A --> B",))), "a.vtt"
    )
    assert [one[1:] for one in spans(read(path, run).answer)] == [
        one[1:] for one in [(e.label, e.modality, e.start, e.end) for e in events]
    ]
    assert [one.label for one in read(path, run).answer.events] == ["a & b <c>", "dog (heard)", "dog"]


def test_anybodys_webvtt_is_read_and_its_events_are_held_by_label_and_time_alone(tmp_path):
    words = "\ufeffWEBVTT - mine\r\n\r\nSTYLE\r\n::cue { }\r\n\r\n00:02.000 --> 00:06.000 align:start\r\n<v Ann>Dog\r\n\r\nlast\r\n00:00:07.500 --> 00:00:09.000\r\ncat &amp;\r\nmouse\r\n\r\n00:05.000 --> 00:05.000\r\nno length\r\n"
    run = run_of()
    found = read(given(tmp_path, words, "a.vtt"), run)
    assert spans(found.answer) == [("Dog", "both", 2, 6), ("cat & mouse", "both", 7.5, 9)]
    held = against(run.answer, (), found, "events")
    assert "only labels and times are compared" in held.facts[-1]
    assert held.verdict.words.startswith("Wrong: 0 of 2 found")  # the dog is seen all along: 4 s of 10
    html = compare.truth(held.said, held.meant, held.verdict, 10.0)
    assert "Dog, ♪◎ event: the truth 2–6 s; the answer 0–10 s, 2–6 s; IoU 0.40" in html and "<b>0.40</b>" in html
    kept = against(run.answer, (), replace(found, answer=told([Event("dog", "audio", 2, 6)])), "events")
    assert kept.facts == () and kept.said is run.answer


@pytest.mark.parametrize(("content", "name", "said"), [
    ("{", "a.json", "neither JSON nor WebVTT"), ("[]", "a.json", "holds no record"), ("5", "a.json", "holds no record"),
    ("[5]", "a.json", "no record of avvp"), ("[" * 100_000, "a.json", "neither JSON"), ('{"a": 1e999}', "a.json", "neither JSON"),
    ("WEBVTT\n\nNOTE none", "a.vtt", "has no cue"), ("WEBVTT\n\n0:1 --> 2\nx", "a.vtt", "cannot be read: 0:1 --> 2"),
    ("WEBVTT\n\n00:20.000 --> 00:21.000\nx", "a.vtt", "after the end of My_clip"),
    ('{"version": 1, "task": "avvp", "events": 5}', "a.json", "no result of version 1"),
    (json.dumps(to_json(run_of()) | {"version": 2}), "a.json", "version is not as its schema has it"),
])  # fmt: skip
def test_what_is_no_reference_gets_a_sentence(tmp_path, content, name, said):
    with pytest.raises(CrabError, match=said):
        read(given(tmp_path, content, name), run_of())


def test_what_is_no_text_and_what_is_too_long_get_one_too(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").write_bytes(b"\x00\xff\xfe")
    with pytest.raises(CrabError, match="a.mp4 is no text"):
        read(tmp_path / "a.mp4", run_of())
    monkeypatch.setattr("crab.reference.LONGEST", 10)
    with pytest.raises(CrabError, match="more than a file of records"):
        read(given(tmp_path, " " * 20), run_of())


def test_what_has_nothing_in_common_is_said_with_what_there_is():
    events = against_events = replace(told_of(run_of()), answer=told([Event("dog", "audio", 0, 1)]))
    with pytest.raises(CrabError, match="it needs a choice; what it has is events"):
        against(parse("<answer>two</answer>", TASKS["avqa"]), (), events, "choice")
    with pytest.raises(CrabError, match="needs events with their times; what it has is a choice"):
        against(parse(SAID, TASKS["avvp"]), (), replace(against_events, answer=told(choice="two")), "events")


def test_a_target_is_read_on_the_clips_own_seconds_and_pixels():
    text = "The sounding object is dog. <obj>(0,0)(112,224)</obj>."
    [box] = of_text(text, TASKS["arig"], size=(64, 48)).boxes
    assert (box.label, box.x2, box.y2) == ("dog", 32, 48)
    assert spans(of_text("<event>dog, (0 5)</event>", TASKS["unav"], duration=20.0)) == [("dog", "both", 0, 10)]
