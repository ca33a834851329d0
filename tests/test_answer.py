"""What the models are known to write, and what comes of it; then anything at all."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crab.answer import Answer, Box, Event, parse
from crab.tasks import TASKS

DOG_BOX = (Box("dog", 10, 20, 200, 180),)
THREE = ((30, 40), (50, 60), (70, 80))


def read(dataset: str, text: str, **scale) -> Answer:
    return parse(text, TASKS[dataset], **scale)


def times(answer: Answer) -> list[tuple]:
    return [(event.label, event.modality, event.start, event.end) for event in answer.events]


@pytest.mark.parametrize(
    "dataset, text, expected",
    [
        # As the first Crab's page shows it.
        (
            "ave",
            "In this video ... <event> Male speech, man speaking </event>, and the time range is <range> 0,8 </range>.",
            [("Male speech, man speaking", "both", 0, 8)],
        ),
        (
            "ave",
            "Male speech is heard. <event>Male speech, man speaking, [0,8]</event>",
            [("Male speech, man speaking", "both", 0, 8)],
        ),
        (
            "avvp",
            "So <visual>Chainsaw,(0 10)</visual> and <audio>Chainsaw,(0 10)</audio>",
            [("Chainsaw", "visual", 0, 10), ("Chainsaw", "audio", 0, 10)],
        ),
        (
            "avvp",
            "<visual_event>Chainsaw, [0,1],[3,6],[9,10]</visual_event>",
            [("Chainsaw", "visual", 0, 1), ("Chainsaw", "visual", 3, 6), ("Chainsaw", "visual", 9, 10)],
        ),
        # As Crab+ writes it.
        (
            "unav",
            "Therefore, the events and time range are <event>people eating, (0 3)(7 10)</event> "
            "<event>dog barking, (2 4)</event>.",
            [("people eating", "both", 0, 3), ("people eating", "both", 7, 10), ("dog barking", "both", 2, 4)],
        ),
        ("ave", "<event>Church bell, (0 10)</event>.", [("Church bell", "both", 0, 10)]),
        (
            "avvp",
            "<visual_event>Dog,(0 3)(7 10)</visual_event> <audio_event>Dog, (1 2)</audio_event>",
            [("Dog", "visual", 0, 3), ("Dog", "visual", 7, 10), ("Dog", "audio", 1, 2)],
        ),
        # Near misses.
        (
            "unav",
            "< event > dog  barking ( 0.5 , 3.25 ) ( 7 - 10 ) </ EVENT>",
            [("dog barking", "both", 0.5, 3.25), ("dog barking", "both", 7, 10)],
        ),
        ("unav", "<event>dog(0,8)</event>", [("dog", "both", 0, 8)]),
        ("unav", "<event>dog, (0 8</event>", [("dog", "both", 0, 8)]),
        (
            "unav",
            "<event>dog, (0 3) and (5 to 7) <event>cat, (1 2), a cat.",
            [("dog", "both", 0, 3), ("dog", "both", 5, 7), ("cat", "both", 1, 2)],
        ),
        ("unav", "<event>dog (a big one), (0 3)</event>", [("dog (a big one)", "both", 0, 3)]),
        ("ave", "<event> dog <range> 0 to 8 </range> </event>", [("dog", "both", 0, 8)]),
        ("ave", "<event>dog</event> <range>(0 3), (5 8)</range>", [("dog", "both", 0, 3), ("dog", "both", 5, 8)]),
        ("ave", "<event> dog </event> <range>0,8</ra", [("dog", "both", 0, 8)]),
        ("ave", "<event>dog, (0 8)</event> at <range>0,8</range>", [("dog", "both", 0, 8)]),
        ("ave", "<event>dog, (0 8)</event></s> <event>cat, (0 8)</event>", [("dog", "both", 0, 8)]),
        ("avqa", "Asked freely: <audio_event>dog, (0 3)</audio_event>", [("dog", "audio", 0, 3)]),
        # Turned round, cut, dropped.
        ("unav", "<event>dog, (8 3)</event>", [("dog", "both", 3, 8)]),
        ("unav", "<event>dog, (-2 3)(9 14)(10 12)(-3 -1)</event>", [("dog", "both", 0, 3), ("dog", "both", 9, 10)]),
        ("unav", "<event>mp3 4, (0 3)</event>", [("mp3 4", "both", 0, 3)]),
        ("unav", "<event>dog, (−2 3)</event>", [("dog", "both", 0, 3)]),
        ("unav", "<event>dog, (0 " + "9" * 400 + ")</event>", [("dog", "both", 0, 10)]),
        ("unav", "<event>, (0 3)</event><event>dog</event><range>1,2", []),
    ],
)
def test_events(dataset, text, expected):
    assert times(read(dataset, text)) == expected


@pytest.mark.parametrize("written", [
    "dog, (3 7)", "dog, {3, 7}", "dog: (3; 7)", "dog, (3 , 7 ,)", "dog, ((3 7))", "dog, [(3 7", "dog, from (3 7)",
    "dog, （3，7）", "dog，［３、７］", "dog，【３；７】", "dog,　(3　7)", "dog：（00：03，00：07）",
    "dog, (3-7)", "dog, (3 –7)", "dog, (3‑7)", "dog, (3 — 7)", "dog, (3〜7)", "dog, (3~7)", "dog, (3->7)", "dog, (3→7)",
    "dog, (3..7)", "dog, (3 until 7)", "dog, (from 3 to 7)", "dog, (between 3 and 7)", "dog, (7 3)",
    "dog, (3s, 7s)", "dog, (3 s 7 s)", "dog, (3-7 sec)", "dog, (3.0s to 7.00 Seconds)", "dog, (3秒，7秒)",
    "dog, (00:03 00:07)", "dog, (0:03-0:07)", "dog, (00:00:03 – 00:00:07.0)",
    "dog, 3-7", "dog 3 7", "dog, 3, 7", "dog: 3 to 7 s", "dog from 3 to 7 seconds.", "dog, between 3 and 7",
    "dog — 3–7 s",
    '["dog", 3, 7]', '["dog", [3, 7]]', "['dog', (3, 7)]", "（“dog”，（3，7））", '{"dog": [3, 7]}',
])  # fmt: skip
def test_a_range_is_read_however_it_is_written(written):
    for closed in (f"<event>{written}</event>", f"<event>{written} <event>cat, (1 2)"):
        answer = read("unav", closed)
        assert times(answer)[0] == ("dog", "both", 3, 7) and not answer.notes and answer.reasoning == ""


@pytest.mark.parametrize("written", [
    "dog, (3 7)(8 9)", "dog, [(3, 7), (8, 9)]", "dog, [[3,7],[8,9]]", "dog, ((3 7) and (8 9))", "dog, (3 7)-(8 9)",
    "dog, (3 7, 8 9)", "dog, (3-7, 8-9)", "dog, (3 to 7 and 8 to 9)", "dog, (3,7;8,9)", "dog, (3, 7 & 8, 9)",
    "dog, （3，7；8，9）", "dog, (3 s to 7 s; 8 s to 9 s)", "dog, [3, 7] seconds, [8, 9] seconds", "dog, 3-7, 8-9",
    "dog, 3-7, (8 9)", "dog, (3 7), 8-9", "dog, from 3 to 7 and from 8 to 9", "dog, (3, 7), (8, 9",
    "dog, (00:03 00:07, 8 9)",
])  # fmt: skip
def test_several_ranges_are_read_where_it_is_plain_which_times_belong_together(written):
    answer = read("unav", f"<event>{written}</event>")
    assert times(answer) == [("dog", "both", 3, 7), ("dog", "both", 8, 9)] and not answer.notes


@pytest.mark.parametrize("written", [
    "dog, [(3, 7), (8, 9)]", "dog, [[3,7],[8,9]]", "dog, [([3 7], [8 9])]", "dog, [[3, 7]], [[8, 9]]",
])  # fmt: skip
def test_a_block_whose_closing_tag_is_missing_ends_with_its_list(written):
    for text in (f"<event>{written} <event>cat, (1 2)</event>", f"<event>{written}, which barks."):
        answer = read("unav", text)
        assert times(answer)[:2] == [("dog", "both", 3, 7), ("dog", "both", 8, 9)] and not answer.notes
        assert text[answer.spans[0].start : answer.spans[0].end] == f"<event>{written}"


@pytest.mark.parametrize("written", [
    "3s, 7s", "0:03-0:07", "[3, 7]", "（3，7）", "from 3 to 7", "between 3 and 7", "3 to 7 seconds", "3, 7,", "3~7",
])  # fmt: skip
def test_a_range_of_the_first_crab_is_read_however_it_is_written(written):
    for text in (f"<event>dog</event> at <range>{written}</range>", f"<event>dog <range>{written}\nSo it is."):
        assert times(read("ave", text)) == [("dog", "both", 3, 7)] and not read("ave", text).notes
    assert not read("ave", f"<event>radio 5</event> at <range>{written}</range>").notes


@pytest.mark.parametrize("text, label, unread", [
    ("<event>dog, (3, 7, 8, 9)</event>", "dog", "(3, 7, 8, 9)"),  # two ranges, or four seconds?
    ("<event>dog, (3,5 - 7,5)</event>", "dog", "(3,5 - 7,5)"),  # decimals, or ranges?
    ("<event>dog, (3:7)</event>", "dog", "(3:7)"),
    ("<event>dog, (0:3, 5:7)</event>", "dog", "(0:3, 5:7)"),  # ranges, or minutes?
    ("<event>dog, (3/7)</event>", "dog", "(3/7)"),
    ("<event>dog, (3%, 7%)</event>", "dog", "(3%, 7%)"),
    ("<event>dog, (0m3s, 0m7s)</event>", "dog", "(0m3s, 0m7s)"),
    ("<event>dog, (3)(7)</event>", "dog", "(3)(7)"),
    ("<event>dog (no 5) barking, (3)</event>", "dog (no 5) barking", "(3)"),
    ("<event>dog, (start: 3, end: 7)</event>", "dog", "(start: 3, end: 7)"),
    ("<event>dog, 3, 7, 8</event>", "dog, 3, 7, 8", "dog, 3, 7, 8"),
    ("<event>channel 5, 3-7</event>", "channel 5, 3-7", "channel 5, 3-7"),
    ("<event>dog at 3 s</event>", "dog at 3 s", "dog at 3 s"),
    ("<event>dog, (three to seven)</event>", "dog, (three to seven)", "dog, (three to seven)"),
    ("<event>dog</event>", "dog", "dog"),
    ("<event>dog, (1:30, 2:00)</event>", "dog", "1:30, 2:00"),  # outside the clip
    ("<event>dog, (10 12)</event>", "dog", "10 12"),
    ("<event>dog</event> <range>three</range>", "dog", "three"),
    ("<event>dog</event> <range>12, 14</range>", "dog", "12, 14"),
    ("<event>dog</event> <range>3, 7%</range>", "dog", "3, 7%"),
    ("<event>dog</event> <range>3, 7:3</range>", "dog", "3, 7:3"),
    ("<event>dog</event> <range>3, 7.5.2</range>", "dog", "3, 7.5.2"),
    ("<event>mp3 7</event>", "mp3 7", "mp3 7"),
    ("<event>dog, 3", "dog, 3", "dog, 3"),  # the answer was cut short
])  # fmt: skip
def test_a_time_that_is_not_read_is_told(text, label, unread):
    answer = read("unav", text)
    assert answer.events == () and answer.spans[0].label == label
    assert answer.notes == (f"No time in the clip could be read in “{unread}”.",)


@pytest.mark.parametrize(
    "text, events, unread",
    [
        ("<event>dog, (0 3)(12 14)</event>", [(0, 3)], "12 14"),
        ("<event>dog, (0 3, 12 14)</event>", [(0, 3)], "12 14"),
        ("<event>dog, (0 3)(7", [(0, 3)], "(7"),
        ("<event>dog, (0 3) then a cat at 5, (8 9)</event>", [(0, 3), (8, 9)], "then a cat at 5"),
        ("<event>dog, (0 3), 5 6 7, (8 9)</event>", [(0, 3), (8, 9)], "5 6 7"),
        ("<event>dog</event> <range>0 3 8</range>", [(0, 3)], "8"),
    ],
)
def test_what_is_not_read_beside_a_range_is_told(text, events, unread):
    answer = read("unav", text)
    assert [(event.start, event.end) for event in answer.events] == events
    assert answer.notes == (f"No time in the clip could be read in “{unread}”.",)


def test_each_range_that_is_not_read_is_told():
    answer = read("ave", "<event>dog</event> <range>three</range> <range>0,8</range> <range>9 %</range>")
    assert len(answer.events) == 1 and [note.partition("“")[2] for note in answer.notes] == ["three”.", "9 %”."]


@pytest.mark.parametrize("text", ["<event>(3 7)</event>", "<range>3 7</range>", '<event>{"start": 3}</event>'])
def test_a_time_of_nothing_is_told(text):
    [note] = read("unav", text).notes
    assert note.startswith("No event with a name could be read in “")


def test_a_long_piece_that_is_not_read_is_told_in_short():
    [note] = read("unav", f"<event>dog, ({'1 ' * 99})</event>").notes
    assert len(note) < 120 and note.endswith("…”.")


@pytest.mark.parametrize(
    "dataset, text, choice",
    [
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
    ],
)
def test_choice(dataset, text, choice):
    assert read(dataset, text).choice == choice


@pytest.mark.parametrize(
    "dataset, text, boxes, points",
    [
        (
            "s4",
            "The object making the sound in the video is dog. Its bounding box is [10,20,200,180] and three points are "
            "[30,40],[50,60],[70,80].",
            DOG_BOX,
            THREE,
        ),
        (
            "ms3",
            "The sounding object is a dog, its box is [ 10.0, 20, 200, 180 ], points: [30, 40] [50, 60] [70, 80]",
            DOG_BOX,
            THREE,
        ),
        ("s4", "[1,2] [10,20,200,180] [30,40] [50,60] [70,80] [0,0,9,9]", (Box("", 10, 20, 200, 180),), THREE),
        ("s4", "[10,20,200,180]", (Box("", 10, 20, 200, 180),), ()),
        ("s4", "[30,40] [50,60] [70,80] [9", (), THREE),
        ("s4", "The object making the sound is a dog, [10,20,200,180]", DOG_BOX, ()),
        ("s4", "[200,180,10,20]", (Box("", 10, 20, 200, 180),), ()),
        ("s4", "[0,-5,224,300]", (Box("", 0, 0, 224, 224),), ()),
        ("s4", "[10,20,10,180]", (), ()),
        (
            "arig",
            "The sounding object is male speech, man speaking. Its coordinates are <obj>(10,20)(200,180)</obj>.",
            (Box("male speech, man speaking", 10, 20, 200, 180),),
            (),
        ),
        ("arig", "<obj>(0,0)(9,9)</obj> no, <obj> (10, 20), (200, 180) </obj>", (Box("", 10, 20, 200, 180),), ()),
        ("arig", "<obj>(10,20)(200,180)", (Box("", 10, 20, 200, 180),), ()),
        ("arig", "<obj>(10,20)(200,18", (), ()),
        ("arig", "<obj>10,20,200,18", (), ()),
        ("arig", "<obj>[10,20,200,180]</obj>", (Box("", 10, 20, 200, 180),), ()),
        (
            "arig",
            "The sounding object is dog. Its coordinate of top left corner is (10,20) and coordinate of bottom right "
            "corner is (200,180)",
            DOG_BOX,
            (),
        ),
        ("arig", "The sounding object is dog. (10,20)(200,180)", DOG_BOX, ()),
        ("arig", "No object: (1000,1000)(1000,1000)", (), ()),
        ("avqa", "Between [10,20,200,180] and [1,2]", (), ()),
    ],
)
def test_boxes_and_points(dataset, text, boxes, points):
    answer = read(dataset, text)
    assert (answer.boxes, answer.points) == (boxes, points)


@pytest.mark.parametrize("text", [
    "[[10,20],[200,180]]", "((10,20),(200,180))", "10,20,200,180", "（10，20）（200，180）", "(10 20) (200 180)",
    "(10px, 20px)(200px, 180px)", "(10,20)-(200,180)", "(10,20;200,180)", "[10 20 200 180]",
    '{"box": [10, 20, 200, 180]}',
])  # fmt: skip
def test_a_box_is_read_however_it_is_written(text):
    answer = read("arig", f"<obj>{text}</obj>")
    assert answer.boxes == (Box("", 10, 20, 200, 180),) and not answer.notes


@pytest.mark.parametrize("text", [
    "[10,20,200,180] (30,40),(50,60),(70,80)", "(10,20)(200,180), (30,40),(50,60),(70,80)",
    "[10,20,200,180] [[30,40],[50,60],[70,80]]", "【10，20，200，180】［30，40］，［50，60］、［70，80］",
    "{10,20,200,180} [30px, 40px] [50px, 60px] [70px, 80px]",
])  # fmt: skip
def test_points_are_read_however_they_are_written(text):
    answer = read("s4", text)
    assert answer.boxes == (Box("", 10, 20, 200, 180),) and answer.points == THREE and not answer.notes


def test_the_corners_of_a_box_are_no_points():
    assert read("s4", "(10,20)(200,180) and (30,40)").points == ((30, 40),)


@pytest.mark.parametrize(
    "dataset, text, unread",
    [
        ("arig", "<obj>x1=10, y1=20, x2=200, y2=180</obj>", ["x1=10, y1=20, x2=200, y2=180"]),
        ("arig", "<obj>(10,20)</obj>", ["(10,20)"]),
        ("arig", "<obj>[10,20,10,180]</obj>", ["[10,20,10,180]"]),
        ("arig", "<obj>none</obj>", ["none"]),
        ("arig", "<obj>(10,20)(200,18", ["(10,20)(200,18"]),
        ("s4", "[10,20,200,180], [30,40,50,60,70,80]", ["[30,40,50,60,70,80]"]),
        ("s4", "[10%, 20%, 90%, 80%] at [30;40]", ["[10%, 20%, 90%, 80%]", "[30;40]"]),
        ("s4", "It is dog (30). [10,20,200,180]", []),  # one number is no place
        ("ref_avs", "<answer>false</answer> [1,2,3]", []),
        ("avqa", "[1,2,3]", []),
    ],
)
def test_a_place_that_is_not_read_is_told(dataset, text, unread):
    notes = [f"No place in the picture could be read in “{piece}”." for piece in unread]
    assert list(read(dataset, text).notes) == notes


@pytest.mark.parametrize(
    "text, exists, boxes, points",
    [
        ("<answer>true</answer>. The object is the dog. [10,20,200,180] [30,40],[50,60],[70,80]", True, DOG_BOX, THREE),
        ("<answer>True.</answer> The object is located at [10,20,200,180]", True, (Box("", 10, 20, 200, 180),), ()),
        ("<answer>false</answer>. The object is absent.", False, (), ()),
        ("<answer>false</answer>, not at [10,20,200,180] [1,2]", False, (), ()),
        ("It is here: [10,20,200,180]", None, (Box("", 10, 20, 200, 180),), ()),
        ("<answer>tru", None, (), ()),
    ],
)
def test_whether_the_described_object_is_there(text, exists, boxes, points):
    answer = read("ref_avs", text)
    assert (answer.exists, answer.choice, answer.boxes, answer.points) == (exists, None, boxes, points)


def test_times_are_seconds_of_the_clip():
    assert times(read("unav", "<event>dog, (0 2.5)(5 12)</event>", duration=62.0)) == [
        ("dog", "both", 0, 15.5),
        ("dog", "both", 31, 62),
    ]


def test_a_picture_has_no_clock():
    assert read("unav", "<event>dog, (0 2.5)</event>", duration=0.0).events == ()


def test_places_are_pixels_of_the_frame():
    answer = read("s4", "[0,56,112,224] [112,112]", size=(1280, 720))
    assert answer.boxes == (Box("", 0, 180, 640, 720),)
    assert answer.points == ((640, 360),)


@pytest.mark.parametrize(
    "dataset, text, reasoning",
    [
        (
            "avqa",
            "Two play. The left one starts, so it is <answer>the sax</answer>.",
            "Two play. The left one starts, so it is",
        ),
        ("avqa", "It is <answer>the sax</answer>, as its sound comes first.", "It is as its sound comes first."),
        ("avqa", "It is the sax.", "It is the sax."),
        ("avqa", "<answer>the sax</answer>.", ""),
        ("avqa", "It is the sax <answ", "It is the sax"),
        ("unav", "Dogs bark. <event>dog, (0 3)</event> <event>cat, (0 3)</event>.", "Dogs bark."),
        ("unav", "Dogs bark. <event>dog, (0", "Dogs bark."),
        (
            "unav",
            "I hear <event>dog, (0 3)</event>, <event>cat, (0 3)</event> and <event>cow, (0 3)</event>.",
            "I hear",
        ),
        ("unav", "<event>dog, (0 3)</event> and more.", "and more."),
        (
            "s4",
            "The object making the sound in the video is dog. [1,2,3,4] [1,2],[1,2],[1,2].",
            "The object making the sound in the video is dog.",
        ),
        ("avcap", "A dog barks.", ""),
    ],
)
def test_reasoning_is_the_prose_without_the_result(dataset, text, reasoning):
    assert read(dataset, text).reasoning == reasoning


@pytest.mark.parametrize(
    "dataset, text, chips",
    [
        (
            "unav",
            "At <event>dog barking, (0 4)(5 7.5)</event>.",
            [("event", "<event>dog barking, (0 4)(5 7.5)</event>", "dog barking 0–8, 10–15 s", "dog barking")],
        ),
        ("avvp", "<audio>dog,(0 4)</audio>", [("audio_event", "<audio>dog,(0 4)</audio>", "dog 0–8 s", "dog")]),
        (
            "ave",
            "<event> dog </event> at <range> 0,4 </range>",
            [("event", "<event> dog </event>", "dog", "dog"), ("range", "<range> 0,4 </range>", "0–8 s", "dog")],
        ),
        (
            "ave",
            "<event>dog, <range>0,4</range></event>",
            [
                ("event", "<event>dog, ", "dog", "dog"),
                ("range", "<range>0,4</range>", "0–8 s", "dog"),
                ("reasoning", "</event>", "", ""),
            ],
        ),
        ("unav", "Hm <event>dog bark", [("event", "<event>dog bark", "dog bark …", "dog bark")]),
        ("unav", "Hm <visual_ev", [("reasoning", "<visual_ev", "", "")]),
        ("unav", "Hm <event>dog, (0 4), as it is heard.", [("event", "<event>dog, (0 4)", "dog 0–8 s", "dog")]),
        ("unav", "3 < 4 <b>", []),
        ("a2v", "It is <answer>one</answer>.", [("answer", "<answer>one</answer>", "one", "one")]),
        (
            "s4",
            "The object making the sound is dog. [0,0,112,224] [56,56]",
            [
                ("box", "[0,0,112,224]", "dog 0, 0 – 320, 360 px", "dog"),
                ("point", "[56,56]", "point 160, 90 px", "dog"),
            ],
        ),
        ("arig", "<obj>(0,0)(112,224)</obj>", [("object", "<obj>(0,0)(112,224)</obj>", "box 0, 0 – 320, 360 px", "")]),
    ],
)
def test_chips_cover_the_tags(dataset, text, chips):
    answer = read(dataset, text, duration=20.0, size=(640, 360))
    assert [(span.kind, text[span.start : span.end], span.shown, span.label) for span in answer.spans] == chips


# ---- anything at all ----

PIECES = st.sampled_from(
    [
        "<event>",
        "</event>",
        "<visual_event>",
        "</visual_event>",
        "<audio>",
        "</audio>",
        "<range>",
        "</range>",
        "<answer>",
        "</answer>",
        "<obj>",
        "</obj>",
        "<",
        "</",
        "<eve",
        ">",
        "</s>",
        "dog",
        "The object is ",
        "one",
        "true",
        " ",
        "\n",
        ", ",
        ".",
        "(0 3)",
        "(7,10)",
        "[12, 4]",
        "[1,2,3,4]",
        "(",
        "[",
        ")",
        "1",
        "0.5",
        "-",
        " to ",
        " and ",
        "10,20",
        "ſ",
        "ı",
        "\0",
        "<viſual>",
        "top left corner is ",
        "3s",
        "00:03",
        ":",
        "（3，7）",
        "，",
        "3 7, 8 9",
        "{",
        "}",
        ";",
        "-7",
        "–",
        "between ",
        "from ",
        " s",
        " m",
        "%",
        "...",
        "<range>3, 7",
        "<event>dog, ",
        "７",
    ]
)
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
@example("<event>dog, <range>3 7, 8 9><> so", "ave")  # what looked like a tag that begins is none
def test_a_stream_only_ever_adds_events(text, dataset):
    told: tuple[Event, ...] = ()
    for end in range(len(text) + 1):
        events = read(dataset, text[:end]).events
        assert events[: len(told)] == told
        told = events


def _is_a_name(label: str) -> bool:
    """Whether no bracket of it is open where the ranges begin: it would be theirs."""
    return any(map(str.isalpha, label)) and label.count("(") == label.count(")") and not label.strip(" ,").endswith("(")


LABEL = st.text("abcdefgh ,'()", min_size=1, max_size=12).filter(_is_a_name)
RANGE = st.tuples(st.integers(0, 9), st.integers(1, 10)).filter(lambda pair: pair[0] < pair[1])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(LABEL, st.lists(RANGE, min_size=1, max_size=3, unique=True)), max_size=4))
def test_what_is_written_in_the_published_form_is_read_back(said):
    text = " ".join(
        f"<event>{label}, {''.join(f'({start} {end})' for start, end in ranges)}</event>" for label, ranges in said
    )
    expected = [
        (" ".join(label.split()).strip(" ,"), "both", start, end) for label, ranges in said for start, end in ranges
    ]
    assert times(read("unav", f"So the events and time range are {text}.")) == list(dict.fromkeys(expected))


SPACED = st.sampled_from([" ", "-", " - ", "–", " to ", " 〜 "])
STYLE = st.one_of(
    st.tuples(SPACED, st.sampled_from([", ", "，", "; ", " and "]), st.sampled_from(["()", "[]", "（）", "{}"])),
    st.tuples(st.just(", "), st.sampled_from(["; ", " and ", "; ", " & "]), st.sampled_from(["()", "[]", "【】"])),
    st.tuples(SPACED, st.just(", "), st.just(("", ""))),
)  # between the times of a range, between ranges, around them all
SECONDS = st.sampled_from([str, "{}s".format, "{} s".format, "{}.0".format, "0:{:02d}".format])


@settings(max_examples=300, deadline=None)
@given(LABEL, st.lists(RANGE, min_size=1, max_size=4, unique=True), STYLE, SECONDS)
def test_what_is_written_in_another_form_is_read_back_and_streams(label, ranges, style, seconds):
    between, then, (opened, closed) = style
    said = then.join(seconds(start) + between + seconds(end) for start, end in ranges)
    name = " ".join(label.split()).strip(" ,")
    text = f"<event>{name}, {opened}{said}{closed}</event>"
    expected = [(name, "both", start, end) for start, end in ranges]
    assert times(read("unav", text)) == expected and not read("unav", text).notes
    for end in range(len(text)):
        so_far = times(read("unav", text[:end]))
        assert so_far == expected[: len(so_far)]


JOINTS = st.sampled_from([" ", ", ", "; ", " to ", "–", "、", " s, ", "%, ", ") ", " (", ")(", "], [", " x ", " and "])


@settings(max_examples=500, deadline=None)
@given(st.permutations(range(1, 10)), st.lists(JOINTS, min_size=1, max_size=7), st.sampled_from(["", "(", "[("]))
def test_no_number_in_a_block_is_lost_without_a_word(numbers, joints, opened):
    body = opened + "".join(f"{number}{joint}" for number, joint in zip(numbers, joints))
    answer = read("unav", f"<event>dog, {body}</event>")
    read_as = {edge for event in answer.events for edge in (event.start, event.end)}
    told = [*answer.notes, *(span.label for span in answer.spans)]
    for number in numbers[: len(joints)]:
        assert number in read_as or any(str(number) in words for words in told)
