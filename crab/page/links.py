"""What stands after the page's address: what was asked, so that whoever opens it asks the same. Words only.

A link names a clip that ships with the page, or describes a scene. Whether there is such a clip, and what a person may
type, is looked at where the link is followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from crab.compose import Form, of_link, to_link


@dataclass(frozen=True)
class ClipLink:
    """An example by its file's name, the dataset it was asked as, and what was typed and ticked."""

    clip: str
    task: str = ""
    question: str = ""
    second: str = ""
    stretch: str = ""  # seconds of the clip, as they are typed
    masks_over_time: bool = False


@dataclass(frozen=True)
class SceneLink:
    """A composed scene, the question from its list by `crab.compose.key`, and a question of one's own."""

    scene: Form
    question: str = ""
    own: str = ""


def write(link: ClipLink | SceneLink) -> str:
    """What to put after the page's address, with its question mark."""
    words = vars(link) | ({"scene": to_link(link.scene)} if isinstance(link, SceneLink) else {})
    return "?" + urlencode({name: "yes" if value is True else value for name, value in words.items() if value})


def read(words: Mapping[str, str]) -> ClipLink | SceneLink | None:
    """What an address says, by its words; None where it says nothing of this kind. Raises CrabError as `of_link`."""
    if "scene" in words:
        return SceneLink(of_link(words["scene"]), words.get("question", ""), words.get("own", ""))
    if "clip" in words:
        given = {name: words[name] for name in ("task", "question", "second", "stretch") if name in words}
        return ClipLink(words["clip"], **given, masks_over_time="masks_over_time" in words)
    return None
