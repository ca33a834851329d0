"""Links: what is written is read again, whatever was typed."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crab import CrabError
from crab.compose import surprise
from crab.page.links import ClipLink, SceneLink, read, write

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def followed(link: str):
    assert link.startswith("?")
    return read(dict(parse_qsl(link[1:], strict_parsing=True)))


@given(st.builds(ClipLink, words.filter(bool), words, words, words, words, st.booleans()))
def test_a_clips_link_comes_back(link):
    assert followed(write(link)) == link


@given(st.builds(SceneLink, st.integers(0, 10**6).map(surprise), words, words))
def test_a_scenes_link_comes_back(link):
    assert followed(write(link)) == link


def test_what_was_not_typed_is_not_in_the_address():
    assert write(ClipLink("dog.mp4", "avqa", "How many?")) == "?clip=dog.mp4&task=avqa&question=How+many%3F"


def test_a_stretch_and_masks_over_time_are_in_the_address():
    link = ClipLink("dog.mp4", "s4", stretch="2-6", masks_over_time=True)
    assert write(link) == "?clip=dog.mp4&task=s4&stretch=2-6&masks_over_time=yes"


def test_an_address_without_a_clip_or_scene_is_no_link():
    assert read({}) is None and read({"question": "Why?", "__theme": "dark"}) is None


def test_a_scene_that_cannot_be_is_told():
    with pytest.raises(CrabError, match="does not name a scene"):
        read({"scene": "[1]"})
