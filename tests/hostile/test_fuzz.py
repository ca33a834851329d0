"""What reads words and files from anywhere, on inputs that Hypothesis makes up: an answer, or a sentence."""

from __future__ import annotations

import json
import re
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from corpus_archives import FIRST, packed, trace_of, words
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from crab import CrabError, answer, finite_json, reference, saved, trace
from crab.answer import CLOCK, GRID, parse
from crab.compose import MOST, Form, Row, of_link, stretches, to_link
from crab.media import Clip
from crab.result import Result
from crab.tasks import TASKS

# The same examples in every run, so that a run tells of a change and not of chance; more of them are looked at by hand,
# with `derandomize=False`, and what is found stays as an `@example`.
SOME = settings(
    max_examples=60, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip

# Words that the grammars are made of, put together by chance, are likelier to find something than chance letters.
PIECES = st.sampled_from([
    "<event>", "</event>", "<audio_event>", "</visual_event>", "<range>", "</range>", "<answer>", "</answer>", "<obj>", "</obj>",
    "dog", ", ", "(0 3)", "(3", "7)", "[12,30,200,180]", "[60,70]", "(", ")", "[", "]", " to ", " and ", "between ", "from ", "0", "9.5",
    "-1", "00:03", ":", ".", "%", "s", "true", "one", "second", "neither", "</s>", "<", ">", "/", "\n", "（", "，", "１", "\ud800", "\0",
    "the object is a dog", "top left corner is ", "1e9", "9" * 400,
])  # fmt: skip
TEXT = st.one_of(st.lists(PIECES, max_size=25).map("".join), st.text(max_size=60))
TASK = st.sampled_from(list(TASKS.values()))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@SOME
@given(TEXT, TASK, st.floats(0, 600), st.floats(0, 600), st.tuples(st.integers(1, 9000), st.integers(1, 9000)))
@example("<event>dog, (" + "9" * 5000 + " 3)</event>", TASKS["avvp"], 0.0, 10.0, GRID)
def test_any_text_is_an_answer_within_its_clip_and_its_frame(text, task, start, duration, size):
    said = parse(text, task, start=start, duration=duration, size=size)
    assert said.text == text
    for event in said.events:
        assert event.label and start <= event.start <= event.end <= start + duration + 1e-6 * (start + duration)
    for box in said.boxes:
        assert 0 <= box.x1 < box.x2 <= size[0] and 0 <= box.y1 < box.y2 <= size[1]
    for x, y in said.points:
        assert 0 <= x <= size[0] and 0 <= y <= size[1]
    ends = [0, *(span.end for span in said.spans)]
    assert all(0 <= before <= span.start <= span.end <= len(text) for before, span in zip(ends, said.spans))


@SOME
@given(TEXT, TASK)
def test_a_stream_only_ever_adds_events(text, task):
    before = ()
    for length in range(len(text) + 1):
        now = parse(text[:length], task, duration=CLOCK).events
        assert now[: len(before)] == before, text[:length]
        before = now


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory() as place:
        yield Path(place)


def run_of(task: str) -> Result:
    clip = Clip("clip.mp4", video=Path("clip.mp4"), duration=10.0, width=64, height=48)
    return Result(clip, TASKS[task], "What?", "crab-mini", "", answer=answer.NOTHING, size=(64, 48), done=True)


FIELDS = st.sampled_from([
    "video_path", "audio_path", "visual_path", "event", "question", "answer", "a_obj", "frame_idx", "vid", "uid", "start_time",
    "end_time", "top_left", "bottom_right", "object", "split", "version", "task", "events", "text", "masks", "clip", "caption",
])  # fmt: skip
VALUES = st.one_of(
    JSON,
    st.sampled_from(["clip.mp4", "What?", "<event>dog, (0 3)</event>", "{'audio': {'a': [[0, 3]]}}", "5", "test_n"]),
)


@SOME
@given(
    st.one_of(JSON, st.lists(st.dictionaries(FIELDS, VALUES, max_size=8), max_size=3)),
    st.sampled_from(["ave", "avvp", "avqa", "s4", "arig"]),
)
def test_any_json_is_a_reference_or_a_sentence(folder, told, task):
    (folder / "a.json").write_text(json.dumps(told), encoding="utf-8")
    with suppress(CrabError):
        assert isinstance(reference.read(folder / "a.json", run_of(task)), reference.Reference)


STAMPS = st.sampled_from(["00:01.000", "00:02.500", "99:59:59.999", "00:00.000", "1:2", "00:61.000", "-00:01.000"])
CUES = st.lists(st.one_of(
    st.sampled_from(["\n\n", "\n", "\r\n", "WEBVTT", "NOTE x", "STYLE", " --> ", "<c.heard>", "</c>", "♪ ", " (heard)", "dog", "&amp;", "<", "(("]),
    STAMPS, st.tuples(STAMPS, STAMPS).map(lambda two: f"\n\n{two[0]} --> {two[1]}\n"),
), max_size=20).map(lambda parts: "WEBVTT\n" + "".join(parts))  # fmt: skip


@SOME
@given(CUES)
def test_any_cues_are_events_or_a_sentence(folder, cues):
    (folder / "a.vtt").write_text(cues, encoding="utf-8")
    with suppress(CrabError):
        for event in reference.read(folder / "a.vtt", run_of("avvp")).answer.events:
            assert event.label and 0 <= event.start < event.end


@SOME
@given(JSON)
def test_what_is_read_as_json_is_what_was_written_or_has_a_number_that_is_none(told):
    written = json.dumps(told)
    odd = any(word in written.replace('"', " ").split() for word in ("NaN", "Infinity")) or re.search(
        r"NaN|Infinity", written
    )
    try:
        assert finite_json(written) == told
    except ValueError:
        assert odd


@SOME
@given(JSON, JSON)
def test_any_weights_are_read_or_a_sentence(folder, sites, tokens):
    made = trace_of(sites=words(json.dumps(sites)), tokens=words(json.dumps(tokens)))
    (folder / "a.npz").write_bytes(made)
    with suppress(CrabError):
        assert trace.load(folder / "a.npz")["language"].weights.shape == (1, 1, 3)


@SOME
@given(st.integers(0, 5000), st.binary(min_size=1, max_size=8))
@example(1095, b"\0")  # a header of an array that does not end
@example(0, b"\1\0\0")  # a place before the file's beginning
def test_weights_with_other_bytes_are_read_or_a_sentence(folder, place, data):
    whole = FIRST.read_bytes()
    for at in (place, len(whole) - place - len(data)):
        (folder / "a.npz").write_bytes(whole[:at] + data + whole[at + len(data) :])
        with suppress(CrabError):
            trace.load(folder / "a.npz")


@SOME
@given(st.sampled_from(["run.json", "answer.json"]), JSON)
def test_any_json_in_a_saved_run_is_a_sentence_that_leaves_nothing(folder, name, told):
    out = {"run.json": b"{}", "answer.json": b"{}"} | {name: json.dumps(told).encode()}
    (folder / "run.zip").write_bytes(packed(out))
    with pytest.raises(CrabError):
        saved.read(folder / "run.zip", folder / "opened")
    assert [file.name for file in folder.iterdir()] == ["run.zip"]


NUMBER = st.one_of(st.integers(-5, 10**10), st.floats(), st.booleans(), st.none(), st.text(max_size=3))
ROW = st.builds(Row, st.sampled_from(["", "dog", "cat", "piano", "<b>"]) | st.text(max_size=4), NUMBER, NUMBER,
                st.sampled_from(["0-3", "0-10", "", "3-1", "0-3, 6-8"]) | st.text(max_size=12), st.sampled_from(["", "2-6"]), NUMBER)  # fmt: skip


@SOME
@given(
    st.builds(
        Form,
        st.sampled_from(["room", "evening", "moon"]),
        NUMBER,
        st.lists(ROW, min_size=MOST, max_size=MOST).map(tuple),
    )
)
def test_a_forms_link_comes_back_or_is_a_sentence(form):
    with suppress(CrabError):
        back = of_link(to_link(form))
        assert back == form and back.scene().parts


@SOME
@given(st.text(max_size=80) | JSON.map(json.dumps))
def test_any_link_is_a_scene_or_a_sentence(link):
    with suppress(CrabError):
        assert of_link(link).scene()


@SOME
@given(
    st.lists(st.sampled_from(["0", "3", "10", "-", " to ", ",", ";", " and ", "–", "x", "99999"]), max_size=12).map(
        "".join
    )
)
def test_stretches_are_in_order_and_apart_or_a_sentence(typed):
    with suppress(CrabError):
        found = stretches(typed)
        assert all(0 <= start < end <= 10 for start, end in found)
        assert all(one[1] < other[0] for one, other in zip(found, found[1:]))
