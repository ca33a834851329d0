"""An answer as text, read back by programs that know nothing of ours."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from crab.answer import Box, Event, parse
from crab.media import Clip
from crab.result import Result, Window, packed
from crab.segment import Mask
from crab.tasks import TASKS
from visualize import tracks

CAVEAT = "crab-mini has only ever seen drawn scenes, and this is not known to be one: the answer means nothing."
OTHER = "The model sees 10 frames spread over the whole 12 s."
SAID = (
    "<event>dog barking, (2.5 5)</event> <visual_event>dog barking, (4 7)</visual_event> "
    "<audio_event>a <b> & “c” --> d, (0 1)</audio_event> <audio_event>bell, (3 3)</audio_event>"
)


def result(text: str = SAID, task: str = "avvp", **more) -> Result:
    """An answer about twelve seconds of a clip that is no drawn scene."""
    said = parse(text, TASKS[task], duration=12.0, size=(64, 48))
    given = {"clip": Clip("my clip, é.mp4", duration=12.0), "task": TASKS[task], "question": "", "model": "crab-mini"}
    given |= {"knows": "", "text": text, "answer": said, "size": (64, 48), "frame_time": 6.0, "done": True}
    return Result(**given | {"notes": (CAVEAT, OTHER), "caveat": CAVEAT} | more)


def masked() -> Result:
    """Two masks, one of which begins in the corner."""
    first = np.random.default_rng(0).random((48, 64)) > 0.6
    first[0, 0] = True
    second = np.zeros((48, 64), bool)
    second[10:20, 30:35] = True
    masks = (packed(Mask(6.0, "dog", first, 0.5)), packed(Mask(6.0, "", second, None)))
    return result("The sounding object is dog. Its coordinates are <obj>(7,14)(112,224)</obj>.", "arig", masks=masks)


EVENTS = [  # in order of time: label, whether heard, whether seen, start, end
    ("a <b> & “c” --> d", True, False, 0.0, 1.2),
    ("dog barking", True, True, 3.0, 6.0),
    ("bell", True, False, 3.6, 3.6),
    ("dog barking", False, True, 4.8, 8.4),
]


def test_the_events_under_test_are_what_was_said():
    def row(event: Event) -> tuple:
        heard, seen = (event.modality in (sense, "both") for sense in ("audio", "visual"))
        return event.label, heard, seen, pytest.approx(event.start), pytest.approx(event.end)

    assert sorted(map(row, result().answer.events), key=lambda one: one[3].expected) == EVENTS


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_events_as_a_table():
    rows = read_csv(tracks.events_csv(result()))
    told = [
        (row["label"], "heard" in row["sense"], "seen" in row["sense"], float(row["start"]), float(row["end"]))
        for row in rows
    ]
    assert told == EVENTS
    assert {row["sense"] for row in rows} == {"heard", "heard and seen", "seen"}
    assert all(row["clip"] == "my clip, é.mp4" and row["notes"] == f"{CAVEAT} {OTHER}" for row in rows)


def test_boxes_as_a_table_in_pixels_of_the_frame():
    [row] = read_csv(tracks.boxes_csv(masked()))
    corners = [float(row[side]) for side in ("x1", "y1", "x2", "y2", "width", "height", "time")]
    assert corners == [2, 3, 32, 48, 64, 48, 6]
    assert row["label"] == "dog" and CAVEAT in row["notes"]


def test_masks_as_a_table_of_how_large_they_are_and_where():
    first, second = read_csv(tracks.masks_csv(masked()))
    assert (first["label"], first["score"], second["label"], second["score"]) == ("dog", "0.5", "", "")
    assert [int(second[key]) for key in ("pixels", "x1", "y1", "x2", "y2")] == [50, 30, 10, 35, 20]
    assert int(first["pixels"]) == masked().masks[0].mask.sum() and CAVEAT in first["notes"]


def seconds(stamp: str) -> float:
    hours, minutes, rest = stamp.replace(",", ".").split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(rest)


def test_webvtt_by_its_grammar():
    first, note, *cues = tracks.vtt(result()).strip().split("\n\n")
    assert first == "WEBVTT" and note.startswith("NOTE\n") and "-->" not in note
    assert CAVEAT in note and OTHER in note and "Clip: my clip, é.mp4. Asked as avvp" in note
    read = []
    for number, cue in enumerate(cues, 1):
        name, timing, payload = cue.split("\n")
        assert name == str(number) and re.fullmatch(r"(\d\d:){2}\d\d\.\d{3} --> (\d\d:){2}\d\d\.\d{3}", timing)
        start, end = map(seconds, timing.split(" --> "))
        assert start < end and "-->" not in payload
        tag = ElementTree.fromstring(re.sub(r"<c\.([\w.]+)>", r'<c class="\1">', payload))  # escaped as XML is
        assert tag.text.endswith(f" ({' and '.join(tag.get('class').split('.'))})")
        read.append((tag.text[2:].strip(), tag.get("class"), start, round(end, 2)))
    assert read[0] == ("a <b> & “c” --> d (heard)", "heard", 0.0, 1.2)
    assert [sense for _, sense, *_ in read] == ["heard", "heard.seen", "heard", "seen"]
    assert [(start, end) for *_, start, end in read] == [event[3:] for event in EVENTS]


def test_subrip_has_the_caveat_over_the_whole_clip():
    blocks = [block.split("\n") for block in tracks.srt(result()).strip().split("\n\n")]
    assert [block[0] for block in blocks] == ["1", "2", "3", "4", "5"] and {len(block) for block in blocks} == {3}
    spans = [tuple(map(seconds, block[1].split(" --> "))) for block in blocks]
    assert (spans[0], blocks[0][2]) == ((0.0, 12.0), CAVEAT)
    assert [start for start, _ in spans[1:]] == [event[3] for event in EVENTS] and all(a < b for a, b in spans)
    assert blocks[2][2].endswith("dog barking (heard and seen)")
    assert tracks.srt(result(caveat="")).startswith("1\n00:00:00,000 --> 00:00:01,200\n")


def test_an_audacity_label_track():
    rows = [line.split("\t") for line in tracks.audacity(result()).splitlines()]
    assert rows[0] == ["0.000000", "12.000000", f"{CAVEAT} {OTHER}"]
    assert [(float(start), float(end)) for start, end, _ in rows[1:]] == [event[3:] for event in EVENTS]
    assert [label.split(" (")[-1] for *_, label in rows[1:]] == ["heard)", "heard and seen)", "heard)", "seen)"]


def test_an_elan_document_has_a_tier_a_label_and_sense():
    document = ElementTree.fromstring(tracks.eaf(result()).encode())
    assert [child.tag for child in document][:2] == ["HEADER", "TIME_ORDER"] and document.get("FORMAT") == "3.0"
    media = document.find("HEADER/MEDIA_DESCRIPTOR")
    assert media.get("RELATIVE_MEDIA_URL") == "./my%20clip%2C%20%C3%A9.mp4" and media.get("MIME_TYPE") == "video/mp4"
    notes = {one.get("NAME"): one.text for one in document.iterfind("HEADER/PROPERTY")}
    assert notes["notes"] == f"{CAVEAT}\n{OTHER}" and "Clip: my clip, é.mp4" in notes["about"]
    slots = {slot.get("TIME_SLOT_ID"): int(slot.get("TIME_VALUE")) for slot in document.iterfind("TIME_ORDER/*")}
    assert list(slots.values()) == sorted(slots.values()) and len(slots) == 10
    tiers = {
        tier.get("TIER_ID"): [
            (slots[one.get("TIME_SLOT_REF1")], slots[one.get("TIME_SLOT_REF2")], one.findtext("ANNOTATION_VALUE"))
            for one in tier.iter("ALIGNABLE_ANNOTATION")
        ]
        for tier in document.iterfind("TIER")
    }
    assert tiers == {
        "a <b> & “c” --> d (heard)": [(0, 1200, "a <b> & “c” --> d")],
        "dog barking (heard)": [(3000, 6000, "dog barking")],
        "dog barking (seen)": [(3000, 6000, "dog barking")],
        "bell (heard)": [(3600, 3601, "bell")],
        "dog barking (seen) 2": [(4800, 8400, "dog barking")],  # a tier has no room for two at a time
    }
    kinds = {kind.get("LINGUISTIC_TYPE_ID") for kind in document.iterfind("LINGUISTIC_TYPE")}
    assert {tier.get("LINGUISTIC_TYPE_REF") for tier in document.iterfind("TIER")} == kinds


def test_pycocotools_reads_the_same_pixels(tmp_path, capsys):
    from pycocotools import mask as rle
    from pycocotools.coco import COCO

    one = masked()
    (tmp_path / "masks.json").write_text(tracks.coco(one))
    read = COCO(tmp_path / "masks.json")
    [image] = read.loadImgs(read.getImgIds())
    assert (image["width"], image["height"], image["second"]) == (64, 48, 6.0)
    assert CAVEAT in read.dataset["info"]["description"]
    annotations = read.loadAnns(read.getAnnIds())
    assert [read.loadCats(one["category_id"])[0]["name"] for one in annotations] == ["dog", "object"]
    for annotation, mask in zip(annotations, one.masks, strict=True):
        assert np.array_equal(read.annToMask(annotation).astype(bool), mask.mask)
        coded = read.annToRLE(annotation)
        assert rle.area(coded) == annotation["area"] and rle.toBbox(coded).tolist() == annotation["bbox"]


def test_what_a_file_name_or_a_label_may_hold_breaks_no_format():
    label = "dog\tbark\ning \x07"
    said = replace(result().answer, events=(Event(label, "audio", 0.0, 1.0),), boxes=(Box(label, 0, 0, 1, 1),))
    odd = result(answer=said, clip=Clip("a\udc81\n-->.wav", duration=12.0), notes=("half \udc81",))
    for track in (tracks.events_csv, tracks.boxes_csv, tracks.vtt, tracks.srt, tracks.audacity, tracks.eaf):
        track(odd).encode()
    assert ElementTree.fromstring(tracks.eaf(odd).encode()).find(".//ANNOTATION_VALUE").text == "dog\tbark\ning �"
    assert len(tracks.audacity(odd).splitlines()) == 2 and "dog bark ing" in tracks.audacity(odd)
    assert len(tracks.vtt(odd).strip().split("\n\n")) == 3
    [row] = read_csv(tracks.events_csv(odd))
    assert row["clip"] == "a? -->.wav" and row["label"] == label


def over_time() -> Result:
    """Three seconds asked one by one: a dog, nothing, and a cat."""
    said = ["dog. Its box is [0,0,112,112].", "sound nobody makes.", "cat. Its box is [112,112,224,224]."]
    said = [f"The sounding object is {one}" for one in said]
    answers = [parse(one, TASKS["s4"], duration=1.0, size=(64, 48)) for one in said]
    windows = tuple(Window(float(n), n + 1.0, one) for n, one in enumerate(answers))
    masks = tuple(
        packed(Mask(n + 0.5, label, np.eye(48, 64, dtype=bool), None)) for n, label in ((0, "dog"), (2, "cat"))
    )
    clip = Clip("my clip.mp4", duration=3.0)
    more = {"windows": windows, "over_time": True, "masks": masks, "clip": clip, "frame_time": 0.5}
    return result(said[0], "s4", **more)


def test_over_time_every_second_has_its_boxes_and_its_image(tmp_path):
    one = over_time()
    rows = read_csv(tracks.boxes_csv(one))
    assert [(row["label"], row["time"], row["x1"]) for row in rows] == [("dog", "0.5", "0.0"), ("cat", "2.5", "32.0")]
    data = json.loads(tracks.coco(one))
    assert [(image["id"], image["second"]) for image in data["images"]] == [(1, 0.5), (2, 2.5)]
    assert [(of["image_id"], of["category_id"]) for of in data["annotations"]] == [(1, 1), (2, 2)]
