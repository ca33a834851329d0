"""Captions cut into words. What is expected is what PTBTokenizer 3.4.1 and the striking out of pycocoevalcap 1.2 do."""

import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crab.metrics.caption import tokens

STRUCK_OUT = {"''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"}

TOGETHER = [  # read as one text: "C." is "c" because the next caption begins with "The"
    ("A dog doesn't bark, can't run and won't sit; it's the dogs' yard.",
     "a dog does n't bark ca n't run and wo n't sit it 's the dogs yard"),
    ("You cannot see it, but they're gonna hear it, I'd say: 'tis loud.",
     "you can not see it but they 're gon na hear it i 'd say 't is loud"),
    ("The 3,000-dollar piano of the U.S. band costs 1,234.56 or 50% more at 10:30 p.m.",
     "the 3,000-dollar piano of the u.s. band costs 1,234.56 or 50 % more at 10:30 p.m."),
    ("Mr. Smith and Dr. Lee, e.g., meet in St. Louis on Jan. 5.",
     "mr. smith and dr. lee e.g. meet in st. louis on jan. 5"),
    ("He lives in the U.S.", "he lives in the u.s."),
    ("She plays in C.", "she plays in c"),
    ("The choir sings in the 1990s style of rock 'n' roll...", "the choir sings in the 1990s style of rock 'n' roll"),
    ('A well-known man -- black-and-white shirt -- says: "Stop!" (twice).',
     "a well-known man black-and-white shirt says stop -lrb- twice -rrb-"),
    ("It costs $3.50, €7 or £8; 1st of 21 on and/or off.", "it costs $ 3.50 $ 7 or # 8 1st of 21 on and/or off"),
    ("“Hello,” he said, isn’t it? Café, naïve, Zürich — wow!!", "hello he said is n't it café naïve zürich wow !!"),
    ("😀 A smile :) and an e-mail to me@example.com via http://www.example.com/a?b=1.",
     "a smile :-rrb- and an e-mail to me@example.com via http://www.example.com/a?b=1"),
    ("2 1/2 cups, 3/4 full, ½ empty; call (555) 555-1234.",
     "2 1/2 cups 3/4 full 1/2 empty call -lrb-555-rrb- 555-1234"),
    ("Rock&Roll at AT&T, C++ [music] {x} a/b * 5.",
     "rock & roll at at&t c++ -lsb- music -rsb- -lcb- x -rcb- a/b * 5"),
    ("...", ""),
]  # fmt: skip


def test_the_words_of_captions_that_are_read_together():
    captions, words = zip(*TOGETHER)
    assert tokens(captions) == [of.split() for of in words]


@pytest.mark.parametrize(("caption", "words"), [
    ("She plays in C.", "she plays in c."),
    ("d'you o'clock y'all 'em ma'am", "d'you o'clock y' all 'em ma'am"),
    ("gotta wanna lemme gimme 'twas", "got ta wan na lem me gim me 't was"),
    ("we've she'll I'm dogs' dog's", "we 've she 'll i 'm dogs dog 's"),
    ("no. 5 or No. Fig. 3, fig. three", "no. 5 or no fig. 3 fig three"),
    ("a.m. etc. Inc. vs. Ph.D. approx.", "a.m. etc. inc. vs. ph.d. approx"),
    ("-5 +7 3/4/2014 21st '90s 1980's", "-5 +7 3/4/2014 21st '90s 1980 's"),
    ("x-ray, state-of-the-art. A.B.-C.D", "x-ray state-of-the-art a.b.-c d"),
    ("wait .. what .... - -- ----- ?! !!", "wait what ----- ?! !!"),
    ("soft\u00adhyphen naïve\u3000space", "softhyphen naïve space"),
    ("approx. 1st., 2., it.He, No.", "approx 1st. 2. it.he no"),
    ("Ελλάδα привет 東京 हिन्दी ٣", "ελλάδα привет 東京 हिन्दी ٣"),
    ("“quoted” ‘single’ «guillemets»", "quoted single guillemets"),
    ("photo.jpg v2.0 end.The one.Two", "photo.jpg v2 .0 end.the one.two"),
    ("\U0001f600one\U0001f600two", "one two"),
    ("50¢ ¥8 10° 5€ ½ ⅓", "50 cents ¥ 8 10 ° 5 $ 1/2 1/3"),
])  # fmt: skip
def test_the_words_of_one_caption(caption, words):
    assert tokens([caption]) == [words.split()]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8") | st.sampled_from("aI'.-\n\r\u2028<&;()1 "))))
def test_every_caption_has_its_words_whatever_is_in_it(captions):
    words = tokens(captions)
    assert len(words) == len(captions)
    for word in (word for of in words for word in of):
        assert word not in STRUCK_OUT and word == word.lower() and not re.search(r"\s", word)


@pytest.mark.parametrize("caption", [
    "a" * 100_000, "'" * 20_000, "<a " * 5_000, "1." * 20_000, "a.b@" * 5_000, "-a" * 20_000,
])  # fmt: skip
def test_a_long_caption_takes_no_minutes(caption):
    code = "import sys; from crab.metrics.caption import tokens; tokens([sys.stdin.read()])"
    subprocess.run([sys.executable, "-c", code], input=caption, text=True, timeout=60, check=True)
