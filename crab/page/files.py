"""What the page reads from its folder and writes into Gradio's: examples, downloads, films, the explorer's data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import gradio as gr

from crab import trace
from crab.ask import Result, to_json
from crab.page.parts import ASSETS
from crab.scenes.world import render
from crab.scenes.world.script import Scene
from crab.tasks import Task, task_named
from visualize import standalone

FILM = (320, 240)  # width and height of a composed scene


@dataclass(frozen=True)
class Example:
    """What to ask of clips that ship; `files` by the form's fields: a `video`, for matching what stands beside it."""

    files: dict[str, Path]
    task: Task
    question: str

    @property
    def clip(self) -> str:
        """The name that a link calls it by."""
        return self.files["video"].name

    @property
    def label(self) -> str:
        return self.question or self.task.title


def listed_examples() -> tuple[Example, ...]:
    """What to ask of the clips in assets/examples, as its examples.json lists it."""
    folder = ASSETS / "examples"
    if not (folder / "examples.json").exists():
        return ()
    examples = []
    for row in json.loads((folder / "examples.json").read_text(encoding="utf-8")):
        task, question = task_named(row.pop("ask")), row.pop("question", "")
        examples.append(Example({field: folder / name for field, name in row.items()}, task, question))
    return tuple(examples)


def new_folder(cache: str) -> Path:
    """A folder in Gradio's own, which `delete_cache` empties."""
    place = Path(cache) / uuid4().hex
    place.mkdir(parents=True)
    return place


def saved(result: Result, cache: str) -> tuple[str, str | None]:
    """Paths of the result as JSON and of its router weights, None if it has none."""
    place = new_folder(cache)
    answer = place / "answer.json"
    answer.write_text(json.dumps(to_json(result), indent=2), encoding="utf-8")
    if not result.routing:
        return str(answer), None
    trace.save(result.routing, place / "routing.npz")
    return str(answer), str(place / "routing.npz")


def taken(result: Result, format: str, cache: str) -> str:
    """The path of a result's router weights as "csv" (all), "html" (the explorer, to use offline), "svg" or "pdf"."""
    path = new_folder(cache) / f"routing.{format}"
    title = f"Router weights · {result.task.title}"
    routing = result.routing or {}
    if format == "html":
        facts = [f"{result.model}: {result.text}", *([result.question] if result.question else [])]
        path.write_text(standalone.page(routing, title=title, facts=facts, seen=result.seen), encoding="utf-8")
    else:
        from visualize import export  # with Matplotlib, which the page does not wait for when it starts

        export.write(routing, path, title=title)
    return str(path)


def explorer(result: Result, keeper: gr.HTML, dark: bool) -> str:
    """The frame that shows all of a result's router weights; they come to it as a file, which `keeper` looks after."""
    path = new_folder(keeper.GRADIO_CACHE) / "routing.json"
    path.write_text(standalone.data(result.routing or {}, seen=result.seen), encoding="utf-8")
    url = f"gradio_api/file={keeper.move_resource_to_block_cache(str(path))}"
    return standalone.frame(url, dark=dark, title="Router weights by word, layer, place and time")


def filmed(scene: Scene, before: tuple[Scene, str] | None, cache: str) -> tuple[Scene, str]:
    """The scene and its film: the one from before where it is of this scene, else a new one in Gradio's own folder."""
    if before and before[0] == scene and Path(before[1]).exists():
        return before
    path = new_folder(cache) / "scene.mp4"
    render.write_clip(scene, path, FILM, fps=15)
    return scene, str(path)
