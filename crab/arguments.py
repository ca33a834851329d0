"""What the arguments of several commands have in common: their kinds, and those that name a model.

A kind raises argparse.ArgumentTypeError with a sentence where what is typed is not of it.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from crab import CrabError

if TYPE_CHECKING:
    from crab.media import Clip
    from crab.tasks import Task

DEFAULT_MODEL = os.environ.get("CRAB_MODEL") or str(Path(__file__).parent.parent / "assets" / "crab-mini")
Commands = argparse._SubParsersAction  # what a command adds its parser to


def positive(typed: str) -> int:
    if not typed.isdecimal() or not int(typed):
        raise argparse.ArgumentTypeError(f"{typed} is not a whole number above 0")
    return int(typed)


def whole(typed: str) -> int:
    if not typed.isdecimal():
        raise argparse.ArgumentTypeError(f"{typed} is not a whole number")
    return int(typed)


def gigabytes(typed: str) -> float:
    try:
        size = float(typed)
    except ValueError:
        size = 0
    if not 0 < size < 1e6:
        raise argparse.ArgumentTypeError(f"{typed} is not a number of gigabytes")
    return size


def stretch(typed: str) -> tuple[float, float]:
    from crab.windows import read_stretch

    try:
        return read_stretch(typed)
    except CrabError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def new_file(typed: str) -> Path:
    """Looked at before a model is loaded, not after it has answered."""
    path = Path(typed)
    try:
        fits = not path.is_dir() and path.parent.is_dir()
    except OSError:  # a name that is too long for any
        fits = False
    if not fits:
        raise argparse.ArgumentTypeError(f"{typed} cannot be written: give a file in a folder that exists")
    return path


def new_folder(typed: str) -> Path:
    """As `new_file`: one that nothing is in, so that nothing is written over."""
    path = Path(typed)
    try:
        fits = not any(path.iterdir()) if path.is_dir() else not path.exists() and path.parent.is_dir()
    except OSError:
        fits = False
    if not fits:
        raise argparse.ArgumentTypeError(f"{typed} cannot be filled: give a folder that is empty or not there yet")
    return path


def question_arguments(command: argparse.ArgumentParser, *, nargs: str | None = None) -> None:
    """A clip, for matching two, and what to ask; `nargs` "?" where a clip can also be given in another way."""
    command.add_argument("media", nargs=nargs, metavar="MEDIA", help="a video, sound or picture file")
    command.add_argument("media2", nargs="?", metavar="MEDIA2", help="the second clip, for matching")
    command.add_argument("--frame", type=int, metavar="N", help="the second of the clip that a picture is of")
    command.add_argument("--task", required=True, metavar="T", help="a dataset's name, e.g. avqa, ave, s4")
    command.add_argument("--question", default="", metavar="Q",
                         help="question, options or expression, where the task needs one")  # fmt: skip


def asked(args: argparse.Namespace) -> tuple[Task, Clip, Clip | None]:
    """What `question_arguments` were given: whose question it is, the clip, and for matching the other one.

    Raises CrabError for what is missing or too much, before a clip is opened wherever that can be said.
    """
    from crab import media
    from crab.tasks import check_question, dataset_named

    task = dataset_named(args.task)
    check_question(task, args.question)
    if task.grammar != "match" and args.media2:
        raise CrabError(f"{task.name} asks about one clip: leave out {args.media2}.")
    if task.grammar == "match" and not args.media2:
        raise CrabError(f"{task.name} compares two clips: give a second one.")
    sources = {name: getattr(args, name, None) for name in ("image", "audio")}
    clip = media.open_clip(args.media, frame=args.frame, **sources)
    return task, clip, media.open_clip(args.media2) if args.media2 else None


def answering_arguments(command: argparse.ArgumentParser, *, length: bool = True) -> None:
    """A model that answers, in how many bits, and where its answers may have any, how long they may be."""
    if length:
        command.add_argument("--max-new-tokens", type=positive, default=512, metavar="N")
    model_arguments(command)
    command.add_argument("--quantize", choices=("4bit", "8bit"), default=os.environ.get("CRAB_QUANTIZE") or None,
                         help="keep the language model's layers in so many bits; needs bitsandbytes (default: "
                         "$CRAB_QUANTIZE, or not)")  # fmt: skip


def model_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        metavar="M",
        help="crab-mini, crab-plus, a folder or a hub id (default: $CRAB_MODEL, or crab-mini)",
    )
    adapter_argument(command)


def adapter_argument(command: argparse.ArgumentParser) -> None:
    command.add_argument("--adapter", default=os.environ.get("CRAB_ADAPTER"), metavar="A",
                         help="published .bin or PEFT folder, here or on the hub (default: $CRAB_ADAPTER, or the "
                         "model's own)")  # fmt: skip


def segmenter_argument(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--segmenter",
        default=os.environ.get("CRAB_SEGMENTER"),
        metavar="S",
        help="grabcut, or a SAM 2 or SAM 3 folder or hub id (default: $CRAB_SEGMENTER, or the model's own)",
    )


def named_segmenter(args: argparse.Namespace) -> str:
    """Which one `segmenter_argument` and the model mean."""
    from crab import weights

    return weights.meant(args.model, segmenter=args.segmenter).segmenter


def loaded_model(args: argparse.Namespace, *, routed: bool = False, device: str | None = None):
    """The `Crab` that `answering_arguments` name. Raises CrabError where it is to be `routed` and has no routers."""
    from crab.model import Crab

    crab = Crab.load(args.model, args.adapter, quantize=args.quantize, device=device)
    if routed and crab.adapter is None:
        raise CrabError(f"{crab.name} has no adapter here and so no router weights: give one with --adapter.")
    return crab
