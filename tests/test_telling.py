"""What the base is told is true of the scene, and its second half follows from its first."""

import re
from collections import Counter

import numpy as np
import pytest

from crab.answer import GRID
from crab.scenes.asking import drill, hearing, questions, seeing, telling
from crab.scenes.asking.told import TOPICS
from crab.scenes.asking.words import NUMBERS
from crab.scenes.world import render, script
from crab.scenes.world.cast import ACTIONS, ACTORS, EMOTIONS, OBJECTS
from crab.scenes.world.script import heard_parts, seen_parts

SEEDS = range(40)
NAME = r"\b(?:" + "|".join(sorted(OBJECTS, key=len, reverse=True)) + r")\b"


def rng(seed):
    return np.random.default_rng(seed)


def films(seed):
    for write in (script.write, script.write_crowd):
        scene = write(seed)
        yield scene, telling.film(scene, rng(seed))


def every():
    for seed in SEEDS:
        yield from (told for _, found in films(seed) for told in found)
        for write in (script.write_action, script.write_emotion):
            yield from telling.film(write(seed), rng(seed)) + hearing.sound(write(seed), rng(seed))
        yield from seeing.picture(script.write_picture(seed), 3.5, rng(seed))
        yield from telling.still(script.write(seed), 3.5, script.heard_at(script.write(seed), 3.5), rng(seed))
        for films_of in (True, False):
            yield from telling.pair(script.write_pair(seed), seed % 2, rng(seed), films=films_of)


def test_everything_told_has_a_topic_and_begins_with_what_is_given():
    topics = Counter()
    for told in every():
        topics[told.topic] += 1
        assert told.question and told.answer.startswith(told.given) and len(told.answer) > len(told.given) + 3
        assert told.answer.endswith(".") and "  " not in told.answer and told.question[-1] in "?."
        assert not re.search(rf"\b(?:an?|the) (?:{'|'.join((*ACTIONS, *EMOTIONS))})\b", told.question + told.answer)
    assert set(topics) == set(TOPICS) - {"drill"}


def test_one_seed_is_one_set_of_questions():
    for seed in SEEDS[:5]:
        assert telling.film(script.write(seed), rng(seed)) == telling.film(script.write(seed), rng(seed))


def test_who_is_there_is_told_from_left_to_right():
    for seed in SEEDS:
        for scene, found in films(seed):
            names = [part.actor for part in seen_parts(scene)]
            for told in found:
                if "Going right I see" in told.answer:
                    sentence = re.search(r"Going right I see [^.]+\.", told.answer)[0]
                    assert re.findall(NAME, sentence) == names


def test_yes_and_no_are_true():
    met = Counter()
    for seed in range(120):
        for scene, found in films(seed):
            names = [part.actor for part in seen_parts(scene)]
            heard = {part.actor: part for part in heard_parts(scene)}
            for told in found:
                said = told.answer.removeprefix(told.given)
                if not (whether := re.search(r": (yes|no)\.$", said)):
                    continue
                asked = re.findall(NAME, told.question)
                if "left of" in told.question or "right of" in told.question:
                    one, other = map(names.index, asked)
                    true = one < other if "left of" in told.question else one > other
                elif "longer" in told.question:
                    lasts = {n: sum(end - start for start, end in part.heard) for n, part in heard.items()}
                    true = lasts[asked[0]] > lasts[asked[1]]
                elif "hear" in told.question and asked:
                    true = asked[0] in heard
                elif asked:
                    true = asked[0] in names
                else:
                    one, other = ({t for a, b in p.heard for t in range(a, b)} for p in heard.values())
                    true = bool(one & other)
                assert (whether[1] == "yes") == true, told
                met[told.question.split()[0], whether[1]] += 1
    assert {word for word, _ in met} >= {"Is", "Do", "Does", "Can"}
    for word in ("Is", "Do", "Does", "Can"):
        yes, no = met[word, "yes"], met[word, "no"]
        assert min(yes, no) > 0.3 * (yes + no)


def test_times_are_those_of_the_scene():
    for seed in SEEDS:
        for scene, found in films(seed):
            [told] = [told for told in found if told.question in (
                "What do you hear, and when?", "What can be heard at which time?")]  # fmt: skip
            for part in heard_parts(scene):
                spans = re.search(rf"{ACTORS[part.actor].label} ((?:second \d+ to \d+(?: and )?)+)", told.answer)[1]
                assert [tuple(map(int, s)) for s in re.findall(r"(\d+) to (\d+)", spans)] == list(part.heard)
            for told in found:
                if told.question.startswith("Who is heard before"):
                    assert told.answer.endswith(f"The earliest is the {heard_parts(scene)[0].actor}.")
                if told.question.startswith("How many") and "hear" in told.question:
                    assert told.answer.endswith(f"makes {NUMBERS[len(heard_parts(scene))]}.")


def test_places_are_shares_of_the_picture_or_units_of_a_named_one():
    met = Counter()
    for seed in SEEDS:
        scene = script.write_picture(seed)
        shown = {part.actor: mask for part, mask in render.masks(scene, 3.5, GRID)}
        for told in seeing.picture(scene, 3.5, rng(seed)):
            sized = re.match(r"The picture is (\d+) wide and \1 high\. ", told.question)
            side = int(sized[1]) if sized else 100
            met[side] += told.topic == "places"
            assert ("percent" in told.answer) == (told.topic == "places" and not sized)
            if "reaches from" in told.answer:
                name = re.search(NAME, told.answer)[0] if re.search(NAME, told.answer) else None
                if name is None:
                    continue
                x1, x2, y1, y2 = (int(n) * 224 / side for n in re.findall(r"\d+", told.answer))
                true = np.array(render.box(shown[name])) + (0, 0, 1, 1)
                assert np.abs(true - (x1, y1, x2, y2)).max() <= 112 / side + 1e-6
            if "one touch" in told.question and (name := re.search(NAME, told.answer)):
                points = re.findall(r"(\d+) across and (\d+) down", told.answer)
                near = render.masks(scene, 3.5, GRID) and shown[name[0]]
                for x, y in points:
                    row, column = round(int(y) * 224 / side), round(int(x) * 224 / side)
                    assert near[max(row - 3, 0) : row + 4, max(column - 3, 0) : column + 4].any()
    assert met[100] > 30 and len(met) > 5 and max(met) <= 220  # never the grid that answers are written on


def test_a_third_is_the_one_the_middle_is_in():
    thirds = set()
    for seed in range(80):
        for told in seeing.picture(script.write_picture(seed), 3.5, rng(seed)):
            if "third" in told.question:
                x = int(re.search(r"(\d+) percent", told.given)[1])
                third = ("left", "middle", "right")[x * 3 // 100]
                assert told.answer.endswith(f"the {third} third.") and min(abs(x - 33.3), abs(x - 66.7)) > 1
                thirds.add(third)
    assert thirds == {"left", "middle", "right"}


def test_what_is_found_in_a_still_fits_the_words_and_what_is_missing_is_not_there():
    met = Counter()
    for seed in range(80):
        scene = script.write_crowd(seed)
        heard = script.heard_at(scene, 3.5)
        shown = {part.actor: (part, mask) for part, mask in render.masks(scene, 3.5, GRID)}
        for told in telling.still(scene, 3.5, heard, rng(seed)):
            said = told.answer.removeprefix(told.given)
            if "none" in said:
                group = re.search(r"(instrument|animal|vehicle|person)\.$", told.question)
                absent = re.search(NAME, told.question)
                assert absent[0] not in shown if absent else all(ACTORS[n].group != group[1] for n in shown)
                met["none"] += 1
                continue
            name = re.search(rf"[Ii]t is the ({NAME})", told.answer)[1]
            part, _ = shown[name]
            for words, fits in {
                "heard": part in heard, "whoever makes": part in heard, "quiet": part not in heard,
                "left end": name == next(iter(shown)), "right end": name == list(shown)[-1],
                "an instrument": ACTORS[name].group == "instrument", "an animal": ACTORS[name].group == "animal",
            }.items():  # fmt: skip
                if words in told.question:
                    assert fits, told
                    met[words] += 1
    for words in ("none", "heard", "whoever makes", "quiet", "left end", "right end", "an animal"):
        assert met[words], words


@pytest.mark.parametrize("films_of", [True, False])
def test_a_pair_is_told_by_what_is_both_seen_and_heard(films_of):
    for seed in SEEDS:
        scenes, match = script.write_pair(seed), seed % 2
        told = telling.pair(scenes, match, rng(seed), films=films_of)[0]
        assert told.answer.endswith(f"{'film' if films_of else 'sound'} {NUMBERS[match + 1]}.")
        name = heard_parts(scenes[match])[0].actor
        named = name if films_of else ACTORS[name].label
        assert f"{named} {NUMBERS[match + 1]}" in told.given


def test_feelings_are_those_of_face_and_voice():
    for seed in SEEDS:
        scene = script.write_emotion(seed)
        [told] = telling.film(scene, rng(seed))
        feeling = scene.parts[0].actor
        assert told.answer.endswith(f"It feels {feeling}.")
        assert all(look in told.given for look in questions.LOOKS[feeling])
    assert feeling in EMOTIONS


def test_every_piece_of_the_vocabulary_comes_up_in_drills_and_no_tag_does():
    pieces = [f" {word}" for word in OBJECTS] + ["<", "answer", ">", "</", "obj", "(", ")", "[", "],["]
    said = [drill.drill(pieces, rng(seed)) for seed in range(1200)]
    text = " ".join(told.answer for told in said)
    assert all(piece.strip() in text for piece in pieces)
    assert not re.search(r"</?[a-z_]+>", text)
    for told in said:
        if told.question.startswith("Say again: "):
            assert told.question == f"Say again: {told.answer}"
        elif share := re.fullmatch(r"What is (\d+) percent of (\d+)\?", told.question):
            assert told.answer == f"That is {round(int(share[1]) * int(share[2]) / 100)}."
        elif told.question.startswith("Count on"):
            numbers = list(map(int, re.findall(r"\d+", f"{told.question} {told.answer}")))
            assert len(numbers) == 6 and len(set(np.diff(numbers))) == 1 and max(numbers) <= 224
    assert len({told.question.split()[0] for told in said}) == 4
