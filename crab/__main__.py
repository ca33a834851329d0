"""The command line: `python -m crab ask|weights|plan|data|scenes|evaluate|route|atlas|claims|figure|train`.

A sub-command is two functions, what it takes and what it does; the work is elsewhere.

Exit status: 0 well, 1 where `data check` found faults, 2 for anything else that the person can put right, with a
sentence on standard error, 130 where it was interrupted (Ctrl-C, SIGTERM).
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any, Literal

from tqdm import tqdm

from crab import CrabError, __version__, trace
from crab.arguments import (
    DEFAULT_MODEL,
    adapter_argument,
    answering_arguments,
    gigabytes,
    loaded_model,
    model_arguments,
    named_segmenter,
    new_file,
    new_folder,
    positive,
    question_arguments,
    segmenter_argument,
    whole,
)
from crab.tasks import dataset_named

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # its advice is for who writes models, not for who asks them
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # where it is there, it advises on kernels when imported

CLAIMS = Path(__file__).parent.parent / "assets" / "claims.json"
Commands = argparse._SubParsersAction  # what a command adds its parser to


def from_shell() -> int:
    """`main` as a program of its own: what ends it (SIGTERM) ends it as Ctrl-C does, with what is written whole."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return main()


def main(arguments: list[str] | None = None) -> int:
    """Run one sub-command; returns the exit status. argparse leaves with SystemExit where it cannot read `arguments`."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal's or a pipe's characters are its owner's choice; what it has none for is written as \u72ac.
        sys.stdout.reconfigure(errors="backslashreplace")
    args = _parser().parse_args(arguments)
    try:
        return args.run(args) or 0
    except CrabError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output went away, `| head` for one
        sys.stderr.close()
        return 0
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "crab", "visualize"):
            raise
        print(f"{package} is not installed, and this needs it: pip install -r requirements.txt", file=sys.stderr)
        return 2
    except OSError as error:  # a disk that is full, a folder that may not be written
        print(f"{error.filename or 'The file'} cannot be used: {error.strerror}.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m crab", description="Use and understand an audio-visual language model."
    )
    parser.add_argument("--version", action="version", version=f"crab-plus {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (
        add_ask,
        add_weights,
        add_plan,
        add_data,
        add_scenes,
        add_evaluate,
        add_calibrate,
        add_route,
        add_atlas,
        add_claims,
        add_figure,
        add_train,
    ):
        add(commands)
    return parser


def add_ask(commands: Commands) -> None:
    ask = commands.add_parser("ask", help="ask one question about a clip")
    question_arguments(ask, nargs="?")
    ask.add_argument("--image", metavar="F", help="a picture, asked about together with --audio")
    ask.add_argument("--audio", metavar="F", help="the sound of --image, or in place of MEDIA's own")
    segmenter_argument(ask)
    ask.add_argument("--json", action="store_true", help="print one JSON object instead of the answer")
    ask.add_argument("--routing", type=new_file, metavar="FILE.npz", help="write the router weights there")
    ask.add_argument("--export", type=new_folder, metavar="DIR", help="write the answer there in all its formats")
    answering_arguments(ask)
    ask.set_defaults(run=run_ask)


def run_ask(args: argparse.Namespace) -> None:
    from crab import media, prompt
    from crab.ask import ask, to_json
    from crab.segment import load_segmenter

    task = dataset_named(args.task)
    prompt.check_question(task, args.question)  # what is missing is said before a clip is opened or the model loaded
    clip = media.open_clip(args.media, image=args.image, audio=args.audio, frame=args.frame)
    other = media.open_clip(args.media2) if args.media2 else None
    if task.grammar == "match" and other is None:
        raise CrabError(f"{task.name} compares two clips: give a second one.")
    if task.grammar != "match" and other is not None:
        raise CrabError(f"{task.name} asks about one clip: leave out {args.media2}.")
    segmenter, crab = load_segmenter(named_segmenter(args)), loaded_model(args)
    if args.routing and crab.adapter is None:
        raise CrabError(f"{crab.name} has no adapter here and so no router weights: give one with --adapter.")
    shown = ""
    for result in ask(
        crab, clip, task, args.question, other=other, segmenter=segmenter,
        trace=bool(args.routing or args.export), max_new_tokens=args.max_new_tokens,
    ):  # fmt: skip
        if not args.json:
            print(result.text[len(shown) :], end="", flush=True)
            shown = result.text
    if args.json:
        print(json.dumps(to_json(result)))
    else:
        print("", *result.notes, result.knows, sep="\n")
    if args.routing:
        assert result.routing is not None
        trace.save(result.routing, args.routing)
    if args.export:
        from visualize import bundle

        with tqdm(total=100, unit="%", desc="export", bar_format="{desc}: {n:.0f} %|{bar}|", delay=1) as bar:
            bundle.write(result, args.export, say=lambda share: bar.update(100 * share - bar.n))


def add_weights(commands: Commands) -> None:
    weights = commands.add_parser("weights", help="fetch released weights, look into adapter files")
    weights_commands = weights.add_subparsers(required=True, metavar="COMMAND")
    fetch = weights_commands.add_parser(
        "fetch", help="bring a model from the hub beforehand, and check its adapter tensor by tensor",
        description="Bring base, adapter and segmenter of a model from the Hugging Face hub into its cache. Says sizes "
        "first and fetches nothing where the disk is too small; what is cut goes on when called again.",
    )  # fmt: skip
    fetch.add_argument("model", metavar="M", help="crab-plus, or the hub id of a base; with @REVISION to pin it")
    adapter_argument(fetch)
    segmenter_argument(fetch)
    fetch.set_defaults(run=run_fetch)
    inspect = weights_commands.add_parser("inspect", help="say what an adapter file holds")
    inspect.add_argument("file", metavar="FILE")
    inspect.add_argument("--model", metavar="M", help="check that it fits this base")
    inspect.set_defaults(run=run_inspect)


def run_fetch(args: argparse.Namespace) -> None:
    from crab import weights
    from crab.ilora import checkpoint
    from crab.loading import RENAMES, skeleton

    parts = weights.fetch(weights.meant(args.model, args.adapter, args.segmenter), say=print)
    found = weights.find(args.model, args.adapter)
    if found.adapter:
        print(checkpoint.inspect(found.adapter, model=skeleton(found.base), renames=RENAMES))
    for part in parts:
        print(f"{part.place} is commit {part.commit}")
    print(f"ready: CRAB_MODEL={args.model} python app.py")


def run_inspect(args: argparse.Namespace) -> None:
    from crab import weights
    from crab.ilora import checkpoint
    from crab.loading import RENAMES, skeleton

    model = skeleton(weights.config_folder(args.model)) if args.model else None
    print(checkpoint.inspect(args.file, model=model, renames=RENAMES))
    if args.model:
        print(f"fits {args.model}")


def add_plan(commands: Commands) -> None:
    plan = commands.add_parser(
        "plan", help="tell what memory answering or training takes, and which settings fit",
        description="From the model's configuration alone, nothing is loaded: what memory a usual question takes in "
        "each data type and quantised, and which of these fit this machine, or the GPUs that are named.",
    )  # fmt: skip
    model_arguments(plan)
    plan.add_argument("--gpus", type=positive, metavar="N", help="this many GPUs, instead of this machine's")
    plan.add_argument("--gpu-memory", type=gigabytes, metavar="G", help="gigabytes of each of them")
    plan.add_argument("--train", action="store_true", help="what training an adapter takes, too")
    plan.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    plan.set_defaults(run=run_plan)


def run_plan(args: argparse.Namespace) -> None:
    from crab import weights

    if (args.gpus is None) != (args.gpu_memory is None):
        raise CrabError("GPUs are named by how many and how large: give both --gpus and --gpu-memory.")
    gpus = (args.gpu_memory * 1e9,) * args.gpus if args.gpus else None
    made = weights.plan(args.model, args.adapter, gpus=gpus, train=args.train)
    print(json.dumps(weights.to_json(made)) if args.json else weights.table(made))


def add_data(commands: Commands) -> None:
    data = commands.add_parser("data", help="look into folders of the published layout")
    data_commands = data.add_subparsers(required=True, metavar="COMMAND")
    check = data_commands.add_parser("check", help="find missing media, malformed records and labels that do not parse")
    check.add_argument("folder", metavar="DIR", help="the folder that holds AVUIE_2, or AVUIE_2.zip as published")
    check.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    check.set_defaults(run=run_check)


def run_check(args: argparse.Namespace) -> int:
    from crab import avuie

    report = avuie.check(args.folder)
    print(json.dumps(avuie.to_json(report)) if args.json else report)
    return int(any(split.faults for split in report.splits))


def add_scenes(commands: Commands) -> None:
    scenes = commands.add_parser("scenes", help="draw scenes: a data set of them, or one to look at")
    scenes_commands = scenes.add_subparsers(required=True, metavar="COMMAND")
    make = scenes_commands.add_parser(
        "make", help="write scenes in the published layout",
        description="Write OUT/AVUIE_2 with the scenes of N seeds, one of each kind that the data sets ask about. The "
        "same seeds give the same files. Media found there are kept, so a run that was cut short goes on; records are "
        "replaced. Scenes from seed 1,000,000 on are in no training of crab-mini.",
    )  # fmt: skip
    make.add_argument("out", metavar="OUT", help="the folder for AVUIE_2")
    make.add_argument("--seed", required=True, type=whole, metavar="S", help="the first seed")
    make.add_argument("--count", required=True, type=positive, metavar="N", help="how many seeds from there on")
    make.add_argument("--datasets", nargs="+", metavar="D", help="(default: all)")
    make.add_argument(
        "--split",
        choices=("train", "test"),
        default="train",
        help="(default: train); unav, avcap and mer24 have no test split and get a train.json in either "
        "case, so give each split a folder of its own",
    )
    make.add_argument("--size", type=positive, default=224, metavar="PIXELS", help="a side of pictures (default: 224)")
    make.set_defaults(run=run_scenes_make)
    show = scenes_commands.add_parser("show", help="write one scene as a film and say what is true of it")
    show.add_argument("--seed", required=True, type=whole, metavar="S")
    show.add_argument(
        "--kind", choices=("objects", "action", "emotion", "pair"), default="objects", help="(default: objects)"
    )
    show.add_argument(
        "--out", type=new_file, metavar="FILE.mp4", help="(default: scene-S.mp4); of a pair, FILE-1.mp4 and FILE-2.mp4"
    )
    show.set_defaults(run=run_scenes_show)


def run_scenes_make(args: argparse.Namespace) -> None:
    from crab.scenes import dataset

    names = list(dict.fromkeys(dataset_named(name).name for name in args.datasets or dataset.DATASETS))
    seeds = range(args.seed, args.seed + args.count)
    for file, records in dataset.make(args.out, seeds, datasets=names, split=args.split, size=args.size).items():
        print(f"{file}: {records:,} records")


def run_scenes_show(args: argparse.Namespace) -> None:
    from crab.scenes import dataset

    for line in dataset.show(args.seed, args.kind, args.out or f"scene-{args.seed}.mp4"):
        print(line)


def add_evaluate(commands: Commands) -> None:
    evaluate = commands.add_parser("evaluate", help="score a model on the published layout")
    evaluate.add_argument("--data", required=True, metavar="DIR", help="the folder that holds AVUIE_2")
    evaluate.add_argument("--tasks", required=True, nargs="+", metavar="T")
    evaluate.add_argument("--split", choices=("test", "train"), default="test", help="(default: test)")
    rows = evaluate.add_mutually_exclusive_group()
    rows.add_argument("--predictions", type=new_file, metavar="FILE.jsonl", help="write the answers there")
    rows.add_argument("--score", metavar="FILE.jsonl", help="ask no model, score these answers to --data")
    segmenter_argument(evaluate)
    evaluate.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    answering_arguments(evaluate)
    evaluate.set_defaults(run=run_evaluate)


def run_evaluate(args: argparse.Namespace) -> None:
    from crab import avuie
    from crab.learn import evaluate
    from crab.learn.rows import read_rows, written
    from crab.segment import load_segmenter

    names = list(dict.fromkeys(dataset_named(name).name for name in args.tasks))
    # All records are looked over before the first is asked, and the segmenter is there before its masks are needed.
    records = []
    for name in names:
        found = list(avuie.read(args.data, name, split=args.split))
        if not found:
            raise CrabError(f"{name}/{args.split}.json under {args.data} holds no records: there is nothing to score.")
        records += found
    segmenter = load_segmenter(named_segmenter(args))
    if args.score:
        rows = read_rows(args.score, names)
        report = evaluate.score_answers(rows, records, root=args.data, segmenter=segmenter)
    else:
        predicted = evaluate.predict(loaded_model(args), records, max_new_tokens=args.max_new_tokens)
        report = evaluate.score(
            written(tqdm(predicted, unit=" answers"), args.predictions), root=args.data, segmenter=segmenter
        )
    print(json.dumps(evaluate.to_json(report)) if args.json else evaluate.table(report))


def add_calibrate(commands: Commands) -> None:
    calibrate = commands.add_parser(
        "calibrate", help="from answers and their truth, how far a model's own certainty goes"
    )
    calibrate.add_argument(
        "--answers", required=True, metavar="FILE.jsonl", help="that evaluate --split train --predictions wrote"
    )
    calibrate.add_argument(
        "--check", metavar="FILE.jsonl", help="such answers about other clips, to tell how well it holds"
    )
    calibrate.add_argument(
        "--out", required=True, type=new_file, metavar="FILE.json", help="confidence.json in the model's folder is used"
    )
    calibrate.set_defaults(run=run_calibrate)


def run_calibrate(args: argparse.Namespace) -> None:
    from crab import confidence
    from crab.learn import calibrate
    from crab.learn.rows import read_rows
    from crab.tasks import TASKS

    fitted = calibrate.fit(calibrate.judged(read_rows(args.answers, list(TASKS))))
    if not fitted.curves:
        raise CrabError(f"{args.answers} holds too few results, or none that is right or none that is wrong: there is "
                        f"nothing to fit. At least {calibrate.FEW} of a kind are needed.")  # fmt: skip
    confidence.save(fitted, args.out)
    rows = read_rows(args.check or args.answers, list(TASKS))
    print(*calibrate.reliability(calibrate.judged(rows), fitted), sep="\n")


def add_route(commands: Commands) -> None:
    route = commands.add_parser("route", help="ask once and write the router weights; change them and see")
    question_arguments(route)
    change = route.add_mutually_exclusive_group()
    change.add_argument("--mute", nargs="+", type=positive, metavar="H", help="these heads, from 1 on, add nothing")
    change.add_argument("--force", type=positive, metavar="H", help="this head has every token")
    change.add_argument("--uniform", action="store_true", help="all heads share every token equally")
    route.add_argument("--layers", nargs="+", type=whole, metavar="L", help="only there, from 0 on (default: all)")
    route.add_argument("--modules", nargs="+", metavar="M", help="only there, e.g. q_proj (default: all)")
    route.add_argument("--towers", nargs="+", choices=("language", "audio", "vision"), help="only there (default: all)")
    route.add_argument("--out", required=True, type=new_file, metavar="TRACE.npz", help="of the changed run if one is")
    answering_arguments(route)
    route.set_defaults(run=run_route)


def run_route(args: argparse.Namespace) -> None:
    from crab import media
    from crab.ask import ask
    from crab.ilora import Intervention
    from crab.routing import effects
    from crab.segment import load_segmenter

    task = dataset_named(args.task)
    clip = media.open_clip(args.media, frame=args.frame)
    other = media.open_clip(args.media2) if args.media2 else None
    where: dict[str, Any] = {
        name: getattr(args, name) and tuple(getattr(args, name)) for name in ("layers", "modules", "towers")
    }
    heads = args.mute or ([args.force] if args.force else [])
    what: Literal["mute", "force", "uniform"] | None
    what = "mute" if args.mute else "force" if args.force else "uniform" if args.uniform else None
    if what is None and any(where.values()):
        raise CrabError("Say what to do there: --mute, --force or --uniform.")
    crab = loaded_model(args)
    if crab.adapter is None:
        raise CrabError(f"{crab.name} has no adapter here and so no router weights: give one with --adapter.")
    changes: list[Intervention | None] = [None]
    if what is not None:
        changes.append(Intervention(what, tuple(head - 1 for head in heads), **where))
    results = []
    for change in changes:
        *_, result = ask(
            crab, clip, task, args.question, other=other, segmenter=load_segmenter("grabcut"), intervention=change,
            max_new_tokens=args.max_new_tokens,
        )  # fmt: skip
        print(result.text, *result.notes, sep="\n", end="\n\n")
        results.append(result)
    if len(results) == 2:
        print(effects.compare(*results, crab=crab))
    print(result.knows)
    assert result.routing is not None
    trace.save(result.routing, args.out)


def add_atlas(commands: Commands) -> None:
    atlas = commands.add_parser("atlas", help="say whether tasks lie apart by routing, over many questions")
    atlas.add_argument("--data", required=True, metavar="DIR", help="the folder that holds AVUIE_2")
    atlas.add_argument("--out", required=True, type=new_file, metavar="FILE.npz", help="write the signatures there")
    atlas.add_argument("--count", type=positive, metavar="N", help="records of every dataset (default: all)")
    atlas.add_argument("--split", choices=("test", "train"), default="train", help="(default: train)")
    atlas.add_argument(
        "--damage",
        type=new_file,
        metavar="FILE.json",
        help="also mute each head in turn, print how much worse the answers get and write it there",
    )
    answering_arguments(atlas, length=False)
    atlas.set_defaults(run=run_atlas)


def run_atlas(args: argparse.Namespace) -> None:
    from crab.routing import atlas as atlases
    from crab.routing import effects, separation, sites
    from crab.routing.survey import survey

    asked = list(atlases.questions(args.data, count=args.count, split=args.split))
    if args.damage and not all(one.target for one in asked):
        raise CrabError(f"What is lost cannot be told without targets: {args.data} needs a train.json of each dataset.")
    crab = loaded_model(args)
    atlas = survey(crab, tqdm(asked, unit=" answers"))
    atlases.save(atlas, args.out)
    for by in ("family", "dataset"):
        print(atlases.separation(atlas, by=by))
    verdicts = (separation.verdict(atlas.controls, by) for by in ("family", "dataset"))
    print(separation.table(atlas.controls), *verdicts, sites.summary(atlas.usage), sep="\n")
    if args.damage:
        found = effects.damage(crab, tqdm(asked, unit=" questions"))
        effects.save(found, args.damage)
        print(effects.damage_table(found))


def add_claims(commands: Commands) -> None:
    claims = commands.add_parser("claims", help="test claims about what heads are for, on records with true answers")
    claims.add_argument("--data", required=True, metavar="DIR", help="the folder that holds AVUIE_2")
    claims.add_argument(
        "--file", default=str(CLAIMS), metavar="FILE.json", help="the claims (default: those that ship)"
    )
    claims.add_argument("--count", type=positive, metavar="N", help="records of every dataset (default: all)")
    claims.add_argument("--out", type=new_file, metavar="FILE.json", help="write claims and outcomes there")
    answering_arguments(claims, length=False)
    claims.set_defaults(run=run_claims)


def run_claims(args: argparse.Namespace) -> None:
    from crab.routing import atlas as atlases
    from crab.routing import claims

    told = claims.read(args.file)
    asked = list(atlases.questions(args.data, count=args.count, split="train"))
    outcomes = claims.examine(loaded_model(args), told, tqdm(asked, unit=" questions"))
    print(*outcomes, sep="\n")
    if args.out:
        claims.write(outcomes, args.out)


def add_figure(commands: Commands) -> None:
    figure = commands.add_parser("figure", help="draw saved router weights: for the screen, for a paper, as a table")
    figure.add_argument("trace", metavar="TRACE.npz", help="what ask --routing or route --out wrote")
    figure.add_argument("--kind", choices=("overview", "tokens", "modality", "heatmap", "compare"), default="overview")
    figure.add_argument("--other", metavar="TRACE2.npz", help="with compare: the run to hold against it")
    figure.add_argument("--tower", default="language", metavar="T", help="language (default), audio or vision")
    figure.add_argument("--out", required=True, type=new_file, metavar="FILE", help=".html, .svg, .pdf, .png or .csv")
    figure.set_defaults(run=run_figure)


def run_figure(args: argparse.Namespace) -> None:
    from visualize import export

    routed, other = trace.load(args.trace), trace.load(args.other) if args.other else None
    title = f"Router weights: {Path(args.trace).stem}" + (f" and {Path(args.other).stem}" if other else "")
    export.write(routed, args.out, kind=args.kind, other=other, tower=args.tower, title=title)


def add_train(commands: Commands) -> None:
    train = commands.add_parser("train", help="train an adapter on scenes or on published records, or go on with it")
    train.add_argument("--out", required=True, metavar="DIR", help="checkpoints and log; a run found there goes on")
    what = train.add_mutually_exclusive_group()
    what.add_argument("--base", choices=("senses", "practice", "speaks"), help="a stage of crab-mini itself instead")
    what.add_argument("--data", metavar="DIR", help="the folder that holds AVUIE_2, instead of scenes")
    what.add_argument("--ship", metavar="DIR", help="after training on scenes, write the folder that ships")
    train.add_argument("--model", default=DEFAULT_MODEL, metavar="M", help="with --data, the base: folder or hub id")
    train.add_argument("--tasks", nargs="+", default=[], metavar="T", help="with --data, these datasets only")
    train.add_argument("--cache", metavar="DIR", help="with --data, keep decoded clips there")
    train.add_argument("--epochs", type=positive, default=5, metavar="N", help="with --data, times through it")
    train.add_argument("--steps", type=positive, metavar="N", help="instead of --epochs")
    train.add_argument("--seed", type=int, default=0, metavar="S")
    train.set_defaults(run=run_train)


def run_train(args: argparse.Namespace) -> None:
    from crab.learn import train

    if args.base:
        train.train_base(args.out, args.base, seed=args.seed)
    elif args.data:
        names = [dataset_named(name).name for name in args.tasks]
        train.train_data(
            args.out, args.data, args.model, names=names, cache=args.cache, epochs=args.epochs, steps=args.steps,
            seed=args.seed,
        )  # fmt: skip
    else:
        train.train_adapter(args.out, seed=args.seed)
    if args.ship:
        train.ship(args.out, args.ship)


if __name__ == "__main__":
    sys.exit(from_shell())
