"""The command line: `python -m crab ask|weights|data|evaluate|train`. One function a sub-command; the work is elsewhere.

Exit status: 0 well, 1 where `data check` found faults, 2 for anything else that the person can put right, with a
sentence on standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from tqdm import tqdm

from crab import CrabError, tasks

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # its advice is for who writes models, not for who asks them

DEFAULT_MODEL = os.environ.get("CRAB_MODEL") or str(Path(__file__).parent.parent / "assets" / "crab-mini")


def main(arguments: list[str] | None = None) -> int:
    args = _parser().parse_args(arguments)
    try:
        return args.run(args) or 0
    except CrabError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output went away, `| head` for one
        sys.stderr.close()
        return 0
    except OSError as error:  # a disk that is full, a folder that may not be written
        print(f"{error.filename or 'The file'} cannot be used: {error.strerror}.", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m crab", description="Use and understand an audio-visual language model.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    ask = commands.add_parser("ask", help="ask one question about a clip")
    ask.add_argument("media", nargs="?", metavar="MEDIA", help="a video, sound or picture file")
    ask.add_argument("media2", nargs="?", metavar="MEDIA2", help="the second clip, for matching")
    ask.add_argument("--image", metavar="F", help="a picture, asked about together with --audio")
    ask.add_argument("--audio", metavar="F", help="the sound of --image, or in place of MEDIA's own")
    ask.add_argument("--frame", type=int, metavar="N", help="the second of the clip that a picture is of")
    ask.add_argument("--task", required=True, metavar="T", help="a dataset's name, e.g. avqa, ave, s4")
    ask.add_argument("--question", default="", metavar="Q", help="question, options or expression, where the task needs one")
    ask.add_argument("--segmenter", default="grabcut", metavar="S", help="grabcut, or a SAM 2 folder or hub id")
    ask.add_argument("--max-new-tokens", type=_positive, default=512, metavar="N")
    ask.add_argument("--json", action="store_true", help="print one JSON object instead of the answer")
    ask.add_argument("--routing", type=_new_file, metavar="FILE.npz", help="write the router weights there")
    _model_arguments(ask)
    ask.set_defaults(run=run_ask)

    weights = commands.add_parser("weights", help="look into adapter files")
    weights_commands = weights.add_subparsers(required=True, metavar="COMMAND")
    inspect = weights_commands.add_parser("inspect", help="say what an adapter file holds")
    inspect.add_argument("file", metavar="FILE")
    inspect.add_argument("--model", metavar="M", help="check that it fits this base")
    inspect.set_defaults(run=run_inspect)

    data = commands.add_parser("data", help="look into folders of the published layout")
    data_commands = data.add_subparsers(required=True, metavar="COMMAND")
    check = data_commands.add_parser("check", help="find missing media, malformed records and labels that do not parse")
    check.add_argument("folder", metavar="DIR", help="the folder that holds AVUIE_2")
    check.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    check.set_defaults(run=run_check)

    evaluate = commands.add_parser("evaluate", help="score a model on the published layout, or on unseen scenes")
    source = evaluate.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", metavar="DIR", help="the folder that holds AVUIE_2")
    source.add_argument("--scenes", type=_positive, metavar="N", help="N scenes never trained on; prints scores")
    evaluate.add_argument("--tasks", required=True, nargs="+", metavar="T")
    evaluate.add_argument("--split", choices=("test", "train"), default="test", help="of --data (default: test)")
    rows = evaluate.add_mutually_exclusive_group()
    rows.add_argument("--predictions", type=_new_file, metavar="FILE.jsonl", help="write the answers there")
    rows.add_argument("--score", metavar="FILE.jsonl", help="ask no model, score these answers to --data")
    evaluate.add_argument("--segmenter", default="grabcut", metavar="S", help="grabcut, or a SAM 2 folder or hub id")
    evaluate.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    evaluate.add_argument("--max-new-tokens", type=_positive, default=512, metavar="N")
    _model_arguments(evaluate)
    evaluate.set_defaults(run=run_evaluate)

    train = commands.add_parser("train", help="train an adapter on scenes, or go on with it")
    train.add_argument("--out", required=True, metavar="DIR", help="checkpoints and log; a run found there goes on")
    train.add_argument("--base", choices=("senses", "practice", "clips"), help="train this stage of crab-mini itself instead")
    train.add_argument("--ship", metavar="DIR", help="then write the folder that ships")
    train.add_argument("--seed", type=int, default=0, metavar="S")
    train.set_defaults(run=run_train)

    return parser


def _positive(typed: str) -> int:
    if not typed.isdecimal() or not int(typed):
        raise argparse.ArgumentTypeError(f"{typed} is not a whole number above 0")
    return int(typed)


def _new_file(typed: str) -> Path:
    """Looked at before a model is loaded, not after it has answered."""
    path = Path(typed)
    if path.is_dir() or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{typed} cannot be written: give a file in a folder that exists")
    return path


def _model_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", default=DEFAULT_MODEL, metavar="M",
                         help="folder or hub id (default: $CRAB_MODEL, or crab-mini)")
    command.add_argument("--adapter", default=os.environ.get("CRAB_ADAPTER"), metavar="A",
                         help="published .bin or PEFT folder (default: $CRAB_ADAPTER, or the model's own)")


def run_ask(args: argparse.Namespace) -> None:
    from crab import media
    from crab.ask import ask, to_json
    from crab.segment import load_segmenter
    from visualize.routing import save_npz

    task = _task(args.task)
    clip = media.open_clip(args.media, image=args.image, audio=args.audio, frame=args.frame)
    other = media.open_clip(args.media2) if args.media2 else None
    # What is missing is said before the model is loaded.
    if task.grammar == "match" and other is None:
        raise CrabError(f"{task.name} compares two clips: give a second one.")
    if task.grammar != "match" and other is not None:
        raise CrabError(f"{task.name} asks about one clip: leave out {args.media2}.")
    tasks.instruction(task, args.question)
    segmenter, crab = load_segmenter(args.segmenter), _load(args)
    if args.routing and crab.adapter is None:
        raise CrabError(f"{crab.name} has no adapter here and so no router weights: give one with --adapter.")
    shown = ""
    for result in ask(
        crab, clip, task, args.question, other=other, segmenter=segmenter, trace=bool(args.routing),
        max_new_tokens=args.max_new_tokens,
    ):  # fmt: skip
        if not args.json:
            print(result.text[len(shown) :], end="", flush=True)
            shown = result.text
    if args.json:
        print(json.dumps(to_json(result)))
    else:
        print("", *result.notes, result.knows, sep="\n")
    if args.routing:
        save_npz(result.routing, args.routing)


def run_inspect(args: argparse.Namespace) -> None:
    from crab.ilora import checkpoint
    from crab.model import RENAMES, skeleton

    model = skeleton(args.model) if args.model else None
    found = checkpoint.inspect(args.file, model=model, renames=RENAMES)
    alpha = "alpha not stated (2 r is meant)" if found.alpha is None else f"alpha {found.alpha:g}"
    print(f"{found.format} format, rank {found.r}, {found.heads} heads, {alpha}")
    for tower in found.towers:
        print(
            f"{tower.name}: {tower.sites} sites, {tower.parameters:,} parameters, {tower.bytes:,} bytes "
            f"({', '.join(tower.dtypes)}), largest |B| {tower.largest_B:.4g}, {tower.silent} sites silent"
        )
    if args.model:
        print(f"fits {args.model}")


def run_check(args: argparse.Namespace) -> int:
    from crab import avuie

    report = avuie.check(args.folder)
    if args.json:
        print(json.dumps(avuie.to_json(report)))
    else:
        for split in report.splits:
            print(f"{split.dataset}/{split.split}.json: {split.rows:,} records, {len(split.faults):,} faults")
            for fault in split.faults:
                print(f"  {'' if fault.row is None else f'record {fault.row}: '}{fault.text}")
        if report.absent:
            print(f"not there: {', '.join(report.absent)}")
        if report.ignored:
            print(f"no dataset: {', '.join(report.ignored)}")
    return int(any(split.faults for split in report.splits))


def run_evaluate(args: argparse.Namespace) -> None:
    from crab import avuie
    from crab.learn import evaluate
    from crab.scenes import questions
    from crab.segment import load_segmenter

    names = list(dict.fromkeys(_task(name).name for name in args.tasks))
    if args.scenes:
        if args.score:
            raise CrabError("Only answers to --data can be scored from a file: give its folder in place of --scenes.")
        if unasked := sorted(set(names) - set(questions.DATASETS)):
            raise CrabError(f"Drawn scenes are not asked {', '.join(unasked)}, only {', '.join(questions.DATASETS)}.")
        seeds = range(evaluate.SCENE_SEEDS, evaluate.SCENE_SEEDS + args.scenes)
        rows = _written(evaluate.scores(_load(args), seeds, names), args.predictions)
        print(json.dumps(evaluate.summary(rows), indent=1))
        return
    # All records are looked over before the first is asked, and the segmenter is there before its masks are needed.
    records = [record for name in names for record in avuie.read(args.data, name, split=args.split)]
    segmenter = load_segmenter(args.segmenter)
    if args.score:
        rows = evaluate.read_rows(args.score, names)
        rows += evaluate.unanswered(rows, records)
    else:
        predicted = evaluate.predict(_load(args), records, max_new_tokens=args.max_new_tokens)
        rows = _written(predicted, args.predictions)
    report = evaluate.score(rows, root=args.data, segmenter=segmenter)
    print(json.dumps(evaluate.to_json(report)) if args.json else evaluate.table(report))


def _written(rows: Iterable[dict], path: Path | None) -> list[dict]:
    """All `rows`, each on its way into the file as soon as it is there."""
    written = []
    with open(path or os.devnull, "w") as file:
        for row in tqdm(rows, unit=" answers"):
            file.write(json.dumps(row) + "\n")
            file.flush()
            written.append(row)
    return written


def run_train(args: argparse.Namespace) -> None:
    from crab.learn import train

    if args.base:
        train.train_base(args.out, args.base, seed=args.seed)
    else:
        train.train_adapter(args.out, seed=args.seed)
    if args.ship:
        train.ship(args.out, args.ship)


def _task(name: str) -> tasks.Task:
    if name not in tasks.TASKS:
        raise CrabError(f"There is no task {name!r}; choose one of: {', '.join(tasks.TASKS)}.")
    return tasks.TASKS[name]


def _load(args: argparse.Namespace):
    from crab.model import Crab

    return Crab.load(args.model, args.adapter)


if __name__ == "__main__":
    sys.exit(main())
