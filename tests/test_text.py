"""The answer as chips."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crab.answer import parse
from crab.tasks import TASKS
from visualize import theme
from visualize.text import chips, plain, windows


class Reader(HTMLParser):
    """What a browser would see: tags, and each chip's class, style and words."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.chips, self.times, self.words, self.open = set(), [], [], "", False
        self.feed(html.partition("</style>")[2])

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        attributes = dict(attributes)
        if "chip" in (attributes.get("class") or "").split():
            self.chips.append([attributes["class"], attributes["style"], ""])
            self.times.append(attributes.get("data-at"))
            self.open = True

    def handle_endtag(self, tag):
        self.open = self.open and tag != "span"

    def handle_data(self, data):
        self.words += data
        if self.open:
            self.chips[-1][2] += data


def read(text, task):
    answer = parse(text, TASKS[task])
    return Reader(chips(answer, colours=theme.answer_colours(answer)))


def test_each_result_is_a_chip_in_its_place_and_colour():
    page = read("First a dog. <event>dog barking, (2, 6)</event> <event>violin, (0, 9)</event>", "ave")
    assert [(style, words) for _, style, words in page.chips] == [
        (f"--c:{theme.LABELS[0]}", "♪◎dog barking 2–6 s"),
        (f"--c:{theme.LABELS[1]}", "♪◎violin 0–9 s"),
    ]
    assert page.words.startswith("First a dog.")


@pytest.mark.parametrize("kind, sign", [("audio_event", "♪"), ("visual_event", "◎")])
def test_heard_and_seen_differ_by_sign_and_pattern_not_by_hue(kind, sign):
    [(cls, style, words)] = read(f"<{kind}>dog, (0 3)</{kind}>", "avvp").chips
    assert cls == f"chip {kind}" and words.startswith(sign) and style == f"--c:{theme.LABELS[0]}"


def test_a_chip_that_has_a_time_says_where_it_begins():
    page = read("<event>dog, (7, 9)(2.5, 4)</event> <event>cat</event> <range>1,3</range> <answer>loud</answer>", "ave")
    assert page.times == ["2.5", None, "1", None]
    assert [words for _, _, words in page.chips][2:] == ["1–3 s", "loud"]


def test_reasoning_is_quiet_and_a_description_is_not():
    reasoned = parse("It is loud. <answer>saxophone</answer>", TASKS["avqa"])
    described = parse("A man plays the saxophone.", TASKS["avcap"])
    assert 'class="prose quiet"' in chips(reasoned, colours={})
    assert 'class="prose"' in chips(described, colours={})


def test_tags_and_lonely_punctuation_are_not_shown():
    page = read("<event>dog, (0, 3)</event>, <event>cat, (0, 3)</event>.", "ave")
    assert re.fullmatch(r"♪◎dog 0–3 s\s+♪◎cat 0–3 s", page.words.strip())


@given(
    st.text(alphabet="<>&\"'/=() ,03adegimnorstvx\n", max_size=80), st.sampled_from(["ave", "avqa", "arig", "avcap"])
)
def test_no_text_of_a_model_becomes_markup(text, task):
    assert read(text, task).tags <= {"div", "span", "b"}


@given(st.text(alphabet="<>&\"'ab", max_size=20))
def test_a_label_stays_text_inside_its_chip(label):
    page = read(f"<event>x{label}, (0, 3)</event>", "ave")
    assert page.tags <= {"div", "span", "b"}


def test_words_survive_escaping():
    assert read("A & B are < C.", "avcap").words == "A & B are < C."


def test_a_guess_is_told_for_one():
    answer = parse("<audio_event>dog, (0 3)</audio_event>", TASKS["avvp"])
    [span] = answer.spans
    html = chips(replace(answer, spans=(replace(span, kind="guess", label=""),)), colours={})
    assert 'class="chip guess"' in html and "a guess: there was nothing to know it by" in html and "dog 0–3 s" in html


def test_in_plain_words_results_are_in_seconds_and_pixels():
    said = "The dog is at <obj>(0,0)(112,224)</obj>, I think."
    assert plain(parse(said, TASKS["arig"], size=(640, 360))) == "The dog is at box 0, 0 – 320, 360 px, I think."
    assert plain(parse("<event>dog, (0 4)</event>.", TASKS["unav"], duration=20)) == "dog 0–8 s."


def test_windows_unfold_one_at_a_time_and_those_not_asked_are_left_out():
    parts = [(0, 10, parse("<event>dog, (0 3)</event>", TASKS["unav"])), (10, 20, parse("A <b>.", TASKS["unav"]))]
    html = windows([*parts, (170.5, 180.5, None)], colours={})
    summaries = re.findall(r"<details name='(\S+?)'( open)?><summary>(.*?)</summary>", html)
    assert summaries == [("crab-windows", "", "0–10 s"), ("crab-windows", " open", "10–20 s")]
    assert html.count("<style>") == 1 and "dog 0–3 s" in html and "A &lt;b&gt;." in html
    of_the_whole = windows([(0, 20, parts[1][2]), *parts], colours={})
    assert re.findall(r" open><summary>(.*?)</summary>", of_the_whole) == ["0–20 s"]
