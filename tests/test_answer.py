"""What the models are known to write, and what comes of it; then anything at all."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crab.answer import Answer, Box, Event, parse
from crab.tasks import TASKS

DOG_BOX = (Box("dog", 10, 20, 200, 180),)
THREE = ((30, 40), (50, 60), (70, 80))


def read(dataset: str, text: str, **scale) -> Answer:
    return parse(text, TASKS[dataset], **scale)


def times(answer: Answer) -> list[tuple]:
    return [(event.label, event.modality, event.start, event.end) for event in answer.events]


@pytest.mark.parametrize("dataset, text, expected", [
    # As the first Crab's page shows it.
    ("ave", "In this video ... <event> Male speech, man speaking </event>, and the time range is <range> 0,8 </range>.",
     [("Male speech, man speaking", "both", 0, 8)]),
    ("ave", "Male speech is heard. <event>Male speech, man speaking, [0,8]</event>",
     [("Male speech, man speaking", "both", 0, 8)]),
    ("avvp", "So <visual>Chainsaw,(0 10)</visual> and <audio>Chainsaw,(0 10)</audio>",
     [("Chainsaw", "visual", 0, 10), ("Chainsaw", "audio", 0, 10)]),
    ("avvp", "<visual_event>Chainsaw, [0,1],[3,6],[9,10]</visual_event>",
     [("Chainsaw", "visual", 0, 1), ("Chainsaw", "visual", 3, 6), ("Chainsaw", "visual", 9, 10)]),
    # As Crab+ writes it.
    ("unav", "Therefore, the events and time range are <event>people eating, (0 3)(7 10)</event> "
             "<event>dog barking, (2 4)</event>.",
     [("people eating", "both", 0, 3), ("people eating", "both", 7, 10), ("dog barking", "both", 2, 4)]),
    ("ave", "<event>Church bell, (0 10)</event>.", [("Church bell", "both", 0, 10)]),
    ("avvp", "<visual_event>Dog,(0 3)(7 10)</visual_event> <audio_event>Dog, (1 2)</audio_event>",
     [("Dog", "visual", 0, 3), ("Dog", "visual", 7, 10), ("Dog", "audio", 1, 2)]),
    # Near misses.
    ("unav", "< event > dog  barking ( 0.5 , 3.25 ) ( 7 - 10 ) </ EVENT>",
     [("dog barking", "both", 0.5, 3.25), ("dog barking", "both", 7, 10)]),
    ("unav", "<event>dog(0,8)</event>", [("dog", "both", 0, 8)]),
    ("unav", "<event>dog, (0 8</event>", [("dog", "both", 0, 8)]),
    ("unav", "<event>dog, (0 3) and (5 to 7) <event>cat, (1 2), a cat.",
     [("dog", "both", 0, 3), ("dog", "both", 5, 7), ("cat", "both", 1, 2)]),
    ("unav", "<event>dog (a big one), (0 3)</event>", [("dog (a big one)", "both", 0, 3)]),
    ("ave", "<event> dog <range> 0 to 8 </range> </event>", [("dog", "both", 0, 8)]),
    ("ave", "<event>dog</event> <range>(0 3), (5 8)</range>", [("dog", "both", 0, 3), ("dog", "both", 5, 8)]),
    ("ave", "<event>dog, (0 8)</event> at <range>0,8</range>", [("dog", "both", 0, 8)]),
    ("ave", "<event>dog, (0 8)</event></s> <event>cat, (0 8)</event>", [("dog", "both", 0, 8)]),
    ("avqa", "Asked freely: <audio_event>dog, (0 3)</audio_event>", [("dog", "audio", 0, 3)]),
    # Turned round, cut, dropped.
    ("unav", "<event>dog, (8 3)</event>", [("dog", "both", 3, 8)]),
    ("unav", "<event>dog, (-2 3)(9 14)(10 12)(-3 -1)</event>", [("dog", "both", 0, 3), ("dog", "both", 9, 10)]),
    ("unav", "<event>dog, (0 " + "9" * 400 + ")</event>", [("dog", "both", 0, 10)]),
    ("unav", "<event>, (0 3)</event><event>dog</event><range>1,2", []),
])
def test_events(dataset, text, expected):
    assert times(read(dataset, text)) == expected


@pytest.mark.parametrize("dataset, text, choice", [
    ("avqa", "The sax starts ... <answer> saxophone </answer>.", "saxophone"),
    ("avqa", "<answer>no</answer>, or rather <answer>yes</answer>.", "yes"),
    ("avqa_thu", "<answer>a dog</answer>", "a dog"),
    ("ks", "<answer>playing drums</answer>", "playing drums"),
    ("meld", "A smile, a bright voice. <answer>joy.</answer>.", "joy"),
    ("ucf", "<answer>archery", "archery"),
    ("ucf", "<answer>archery. The person draws", "archery"),
    ("ucf", "<answer>archery</answer> <answer>", "archery"),
    ("avqa", "saxophone", None),
    ("a2v", "The siren ... <answer>one</answer>.", "1"),
    ("a2v", "<answer>2</answer>.", "2"),
    ("v2a", "<answer> The second audio. </answer>", "2"),
    ("v2a", "<answer>First</answer>", "1"),
    ("v2a", "<answer>1st</answer>", "1"),
    ("a2v", "<answer>video2</answer>", "2"),
    ("v2a", "<answer>audio_1</answer>", "1"),
    ("a2v", "<answer>neither</answer>", None),
    ("a2v", "<answer>None of the two</answer>", None),
    ("a2v", "<answer>o", None),
    ("avcap", "A dog barks at <answer>two</answer> cats.", None),
])
def test_choice(dataset, text, choice):
    assert read(dataset, text).choice == choice


@pytest.mark.parametrize("dataset, text, boxes, points", [
    ("s4", "The object making the sound in the video is dog. Its bounding box is [10,20,200,180] and three points are "
           "[30,40],[50,60],[70,80].", DOG_BOX, THREE),
    ("ms3", "The sounding object is a dog, its box is [ 10.0, 20, 200, 180 ], points: [30, 40] [50, 60] [70, 80]",
     DOG_BOX, THREE),
    ("s4", "[1,2] [10,20,200,180] [30,40] [50,60] [70,80] [0,0,9,9]", (Box("", 10, 20, 200, 180),), THREE),
    ("s4", "[10,20,200,180]", (Box("", 10, 20, 200, 180),), ()),
    ("s4", "[30,40] [50,60] [70,80] [9", (), THREE),
    ("s4", "The object making the sound is a dog, [10,20,200,180]", DOG_BOX, ()),
    ("s4", "[200,180,10,20]", (Box("", 10, 20, 200, 180),), ()),
    ("s4", "[0,-5,224,300]", (Box("", 0, 0, 224, 224),), ()),
    ("s4", "[10,20,10,180]", (), ()),
    ("arig", "The sounding object is male speech, man speaking. Its coordinates are <obj>(10,20)(200,180)</obj>.",
     (Box("male speech, man speaking", 10, 20, 200, 180),), ()),
    ("arig", "<obj>(0,0)(9,9)</obj> no, <obj> (10, 20), (200, 180) </obj>", (Box("", 10, 20, 200, 180),), ()),
    ("arig", "<obj>(10,20)(200,180)", (Box("", 10, 20, 200, 180),), ()),
    ("arig", "<obj>(10,20)(200,18", (), ()),
    ("arig", "<obj>[10,20,200,180]</obj>", (Box("", 10, 20, 200, 180),), ()),
    ("arig", "The sounding object is dog. Its coordinate of top left corner is (10,20) and coordinate of bottom right "
             "corner is (200,180)", DOG_BOX, ()),
    ("arig", "The sounding object is dog. (10,20)(200,180)", DOG_BOX, ()),
    ("arig", "No object: (1000,1000)(1000,1000)", (), ()),
    ("avqa", "Between [10,20,200,180] and [1,2]", (), ()),
])
def test_boxes_and_points(dataset, text, boxes, points):
    answer = read(dataset, text)
    assert (answer.boxes, answer.points) == (boxes, points)


@pytest.mark.parametrize("text, exists, boxes, points", [
    ("<answer>true</answer>. The object is the dog. [10,20,200,180] [30,40],[50,60],[70,80]", True, DOG_BOX, THREE),
    ("<answer>True.</answer> The object is located at [10,20,200,180]", True, (Box("", 10, 20, 200, 180),), ()),
    ("<answer>false</answer>. The object is absent.", False, (), ()),
    ("<answer>false</answer>, not at [10,20,200,180] [1,2]", False, (), ()),
    ("It is here: [10,20,200,180]", None, (Box("", 10, 20, 200, 180),), ()),
    ("<answer>tru", None, (), ()),
])
def test_whether_the_described_object_is_there(text, exists, boxes, points):
    answer = read("ref_avs", text)
    assert (answer.exists, answer.choice, answer.boxes, answer.points) == (exists, None, boxes, points)


def test_times_are_seconds_of_the_clip():
    assert times(read("unav", "<event>dog, (0 2.5)(5 12)</event>", duration=62.0)) == [
        ("dog", "both", 0, 15.5), ("dog", "both", 31, 62)]


def test_a_picture_has_no_clock():
    assert read("unav", "<event>dog, (0 2.5)</event>", duration=0.0).events == ()


def test_places_are_pixels_of_the_frame():
    answer = read("s4", "[0,56,112,224] [112,112]", size=(1280, 720))
    assert answer.boxes == (Box("", 0, 180, 640, 720),)
    assert answer.points == ((640, 360),)


@pytest.mark.parametrize("dataset, text, reasoning", [
    ("avqa", "Two play. The left one starts, so it is <answer>the sax</answer>.",
     "Two play. The left one starts, so it is"),
    ("avqa", "It is <answer>the sax</answer>, as its sound comes first.", "It is as its sound comes first."),
    ("avqa", "It is the sax.", "It is the sax."),
    ("avqa", "<answer>the sax</answer>.", ""),
    ("avqa", "It is the sax <answ", "It is the sax"),
    ("unav", "Dogs bark. <event>dog, (0 3)</event> <event>cat, (0 3)</event>.", "Dogs bark."),
    ("unav", "Dogs bark. <event>dog, (0", "Dogs bark."),
    ("s4", "The object making the sound in the video is dog. [1,2,3,4] [1,2],[1,2],[1,2].",
     "The object making the sound in the video is dog."),
    ("avcap", "A dog barks.", ""),
])
def test_reasoning_is_the_prose_without_the_result(dataset, text, reasoning):
    assert read(dataset, text).reasoning == reasoning


@pytest.mark.parametrize("dataset, text, chips", [
    ("unav", "At <event>dog barking, (0 4)(5 7.5)</event>.",
     [("event", "<event>dog barking, (0 4)(5 7.5)</event>", "dog barking 0–8, 10–15 s", "dog barking")]),
    ("avvp", "<audio>dog,(0 4)</audio>", [("audio_event", "<audio>dog,(0 4)</audio>", "dog 0–8 s", "dog")]),
    ("ave", "<event> dog </event> at <range> 0,4 </range>",
     [("event", "<event> dog </event>", "dog", "dog"), ("range", "<range> 0,4 </range>", "0–8 s", "dog")]),
    ("ave", "<event>dog, <range>0,4</range></event>",
     [("event", "<event>dog, ", "dog", "dog"), ("range", "<range>0,4</range>", "0–8 s", "dog"),
      ("reasoning", "</event>", "", "")]),
    ("unav", "Hm <event>dog bark", [("event", "<event>dog bark", "dog bark …", "dog bark")]),
    ("unav", "Hm <visual_ev", [("reasoning", "<visual_ev", "", "")]),
    ("unav", "Hm <event>dog, (0 4), as it is heard.", [("event", "<event>dog, (0 4)", "dog 0–8 s", "dog")]),
    ("unav", "3 < 4 <b>", []),
    ("a2v", "It is <answer>one</answer>.", [("answer", "<answer>one</answer>", "one", "one")]),
    ("s4", "The object making the sound is dog. [0,0,112,224] [56,56]",
     [("box", "[0,0,112,224]", "dog 0, 0 – 320, 360", "dog"), ("point", "[56,56]", "point 160, 90", "dog")]),
    ("arig", "<obj>(0,0)(112,224)</obj>", [("object", "<obj>(0,0)(112,224)</obj>", "box 0, 0 – 320, 360", "")]),
])
def test_chips_cover_the_tags(dataset, text, chips):
    answer = read(dataset, text, duration=20.0, size=(640, 360))
    assert [(span.kind, text[span.start:span.end], span.shown, span.label) for span in answer.spans] == chips


# ---- anything at all ----

PIECES = st.sampled_from([
    "<event>", "</event>", "<visual_event>", "</visual_event>", "<audio>", "</audio>", "<range>", "</range>", "<answer>",
    "</answer>", "<obj>", "</obj>", "<", "</", "<eve", ">", "</s>", "dog", "The object is ", "one", "true", " ", "\n",
    ", ", ".", "(0 3)", "(7,10)", "[12, 4]", "[1,2,3,4]", "(", "[", ")", "1", "0.5", "-", " to ", " and ", "10,20",
    "ſ", "ı", "\0", "<viſual>", "top left corner is ",
])
ANYTHING = st.one_of(st.text(), st.lists(PIECES, max_size=14).map("".join))
DATASETS = st.sampled_from(sorted(TASKS))


@settings(max_examples=400, deadline=None)
@given(ANYTHING, DATASETS, st.floats(0, 300), st.integers(1, 8192), st.integers(1, 4320))
def test_any_text_is_an_answer_that_stays_in_the_clip_and_the_frame(text, dataset, duration, width, height):
    answer = parse(text, TASKS[dataset], duration=duration, size=(width, height))
    assert answer.text == text
    for event in answer.events:
        assert event.label.strip() and 0 <= event.start <= event.end <= duration
    for box in answer.boxes:
        assert 0 <= box.x1 < box.x2 <= width and 0 <= box.y1 < box.y2 <= height
    for x, y in answer.points:
        assert 0 <= x <= width and 0 <= y <= height
    ends = [0] + [edge for span in answer.spans for edge in (span.start, span.end)]
    assert ends == sorted(ends) and ends[-1] <= len(text)
    assert all(span.start < span.end for span in answer.spans)


@settings(max_examples=400, deadline=None)
@given(ANYTHING, DATASETS)
def test_a_stream_only_ever_adds_events(text, dataset):
    told: tuple[Event, ...] = ()
    for end in range(len(text) + 1):
        events = read(dataset, text[:end]).events
        assert events[:len(told)] == told
        told = events


LABEL = st.text("abcdefgh ,'()", min_size=1, max_size=12).filter(lambda label: any(map(str.isalpha, label)))
RANGE = st.tuples(st.integers(0, 9), st.integers(1, 10)).filter(lambda pair: pair[0] < pair[1])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(LABEL, st.lists(RANGE, min_size=1, max_size=3, unique=True)), max_size=4))
def test_what_is_written_in_the_published_form_is_read_back(said):
    text = " ".join(f"<event>{label}, {''.join(f'({start} {end})' for start, end in ranges)}</event>"
                    for label, ranges in said)
    expected = [(" ".join(label.split()).strip(" ,"), "both", start, end) for label, ranges in said
                for start, end in ranges]
    assert times(read("unav", f"So the events and time range are {text}.")) == list(dict.fromkeys(expected))
