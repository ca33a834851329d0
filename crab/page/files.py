"""What the page reads from its folder and writes into Gradio's: examples, downloads, films, the explorer's data."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from threading import Event
from typing import Any
from uuid import uuid4

import gradio as gr
from tokenizers import Tokenizer

from crab import CrabError, answer, trace, weights
from crab.about import about_of
from crab.answer import Answer
from crab.ask import to_json
from crab.confidence import confidence
from crab.media import Clip, open_clip
from crab.page.parts import ASSETS
from crab.page.runs import same_file
from crab.prompt import gather
from crab.result import Result, Seconds
from crab.scenes.world import render
from crab.scenes.world.script import Scene
from crab.seen import Seen
from crab.tasks import Task, task_named
from crab.truth import Drawn, Verdict, judged
from visualize import bundle, standalone
from visualize.bundle import file_name
from visualize.text import told

FILM = (320, 240)  # width and height of a composed scene


@dataclass(frozen=True)
class Example:
    """What to ask of clips that ship; `files` by the form's fields: a `video`, for matching what stands beside it.

    They are scenes of this project, so that what is true of them is known from `drawn`.
    """

    files: dict[str, Path]
    task: Task
    question: str
    drawn: Drawn

    @property
    def clip(self) -> str:
        """The name that a link calls it by."""
        return self.files["video"].name

    @property
    def label(self) -> str:
        return self.question or self.task.title

    @property
    def picture(self) -> Path:
        """A small picture of the clip's middle."""
        return self.files["video"].parent / "small" / f"{self.files['video'].stem}.jpg"

    def has(self, clip: Clip, other: Clip | None) -> bool:
        """Whether a visitor's clip is this one, by what is in the files; of a pair both, and the same sound."""
        mine = [self.files.get(name) for name in ("video", "sound", "other_video")]
        theirs = (clip.video, None if clip.audio == clip.video else clip.audio, other.video if other else None)
        return all(map(same_file, mine, theirs))


def listed_examples() -> tuple[Example, ...]:
    """What to ask of the clips in assets/examples, as its examples.json lists it."""
    folder = ASSETS / "examples"
    if not (folder / "examples.json").exists():
        return ()
    examples = []
    for row in json.loads((folder / "examples.json").read_text(encoding="utf-8")):
        task, question = task_named(row.pop("ask")), row.pop("question", "")
        drawn = Drawn(row.pop("kind"), row.pop("seed"), row.pop("which", 0))
        examples.append(Example({field: folder / name for field, name in row.items()}, task, question, drawn))
    return tuple(examples)


def judged_example(examples: Sequence[Example], result: Result) -> tuple[Answer | None, Verdict] | None:
    """What is true, and whether a whole answer says it, where the clip is an example and so its scene is known."""
    example = next((example for example in examples if example.has(result.clip, result.other)), None)
    if example is None or not result.done:
        return None
    size = result.size if result.frame is not None else (result.clip.width, result.clip.height)
    where: dict[str, Any] = {"time": result.frame_time, "size": size}
    return judged(example.drawn, result.task, result.question, result.answer, **where)


def first_answer(example: Example) -> Result | None:
    """The answer of crab-mini to an example that ships beside it, with its router weights, as `ask --json` and `route`
    wrote them; None where there is none. No model is asked, or has to be there."""
    answered, routed = (example.files["video"].parent / f"first.{kind}" for kind in ("json", "npz"))
    if not answered.exists() or not routed.exists():
        return None
    told, clip, task = json.loads(answered.read_text(encoding="utf-8")), open_clip(example.files["video"]), example.task
    said = answer.parse(told["text"], task, duration=clip.duration)
    shipped = weights.find("crab-mini")
    about, tokens = about_of(shipped), Tokenizer.from_file(str(Path(shipped.base, "tokenizer.json")))
    ids, logprobs = told["token_ids"], tuple(told.get("logprobs", ()))
    ends = tuple(len(tokens.decode(ids[: i + 1]).strip()) for i in range(len(ids)))  # as `Crab.ends`
    return Result(
        clip,
        task,
        example.question,
        told["model"],
        about.knows,
        told["text"],
        said,
        tuple(ids),
        logprobs,
        ends,
        confidence(said, ends, logprobs, about.calibration),
        prompt_tokens=told["tokens"]["prompt"],
        routing=trace.load(routed),
        seen=Seen(clip.duration).with_more(gather(clip, task).small()),
        notes=tuple(told["notes"]),
        seconds=Seconds(**told["seconds"]),
        done=True,
    )


def new_folder(cache: str) -> Path:
    """A folder in Gradio's own, which `delete_cache` empties."""
    place = Path(cache) / uuid4().hex
    place.mkdir(parents=True)
    return place


def saved(result: Result, cache: str) -> tuple[str, str | None]:
    """Paths of the result as JSON and of its router weights, None if it has none."""
    place = new_folder(cache)
    answer, weights = place / file_name(result, "answer", "json"), place / file_name(result, "router weights", "npz")
    answer.write_text(json.dumps(to_json(result), indent=2), encoding="utf-8")
    if not result.routing:
        return str(answer), None
    trace.save(result.routing, weights)
    return str(answer), str(weights)


def pictured(result: Result, cache: str, truth: Answer | None = None) -> str:
    """The path of what `visualize.bundle.picture` draws."""
    path = new_folder(cache) / file_name(result, "picture", "png")
    bundle.save_picture(result, path, truth)
    return str(path)


def taken(result: Result, format: str, cache: str) -> str:
    """The path of a result's router weights as "csv" (all), "html" (the explorer, to use offline), "svg" or "pdf"."""
    from visualize import export  # with Matplotlib, which the page does not wait for when it starts

    path = new_folder(cache) / file_name(result, "router weights", format)
    title = f"Router weights · {result.task.title}"
    export.write(result.routing or {}, path, title=title, facts=told(result), seen=result.seen)
    return str(path)


def everything(result: Result, cache: str) -> Generator[float | str]:
    """Shares of the work as it is done, 0 to 1, and at its end the path of all of a result in one zip file.

    Closing it ends the work.
    """
    place = new_folder(cache) / Path(file_name(result, "everything", "zip")).stem
    shares: Queue[float | None] = Queue()
    gone = Event()

    def say(share: float) -> None:
        if gone.is_set():
            raise CrabError("Nobody waits for these files any more.")
        shares.put(share)

    with ThreadPoolExecutor(1) as worker:
        writing = worker.submit(bundle.write, result, place, say=say)
        writing.add_done_callback(lambda _: shares.put(None))
        try:
            yield from iter(shares.get, None)
        finally:
            gone.set()
    writing.result()  # where it failed, what it raises
    yield str(bundle.zipped(place))


def explorer(result: Result, keeper: gr.HTML, dark: bool, *, window: int = 0) -> str:
    """The frame that shows a result's router weights, of a clip in windows those of one; they come to it as a file,
    which `keeper` looks after."""
    routing = result.routing_in(window) if len(result.windows) > 1 else result.routing
    path = new_folder(keeper.GRADIO_CACHE) / "routing.json"
    path.write_text(standalone.data(routing or {}, seen=result.seen), encoding="utf-8")
    url = f"gradio_api/file={keeper.move_resource_to_block_cache(str(path))}"
    return standalone.frame(url, dark=dark, title="Router weights by word, layer, place and time")


def filmed(scene: Scene, before: tuple[Scene, str] | None, cache: str) -> tuple[Scene, str]:
    """The scene and its film: the one from before where it is of this scene, else a new one in Gradio's own folder."""
    if before and before[0] == scene and Path(before[1]).exists():
        return before
    actors = " and ".join(dict.fromkeys(part.actor.replace("_", " ") for part in scene.parts)) or "nobody"
    path = new_folder(cache) / f"scene with {actors}.mp4"
    render.write_clip(scene, path, FILM, fps=15)
    return scene, str(path)
