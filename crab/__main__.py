"""The command line: `python -m crab COMMAND`.

A sub-command is two functions, what it takes and what it does; the work is elsewhere. Here are those that look at one
answer or one file; drawing, teaching and the study of routing have theirs in `commands` of their rooms.

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

from tqdm import tqdm

from crab import CrabError, __version__, trace
from crab.arguments import (
    Commands,
    adapter_argument,
    answering_arguments,
    asked,
    gigabytes,
    loaded_model,
    model_arguments,
    named_segmenter,
    new_file,
    new_folder,
    positive,
    question_arguments,
    segmenter_argument,
    stretch,
)
from crab.bench.commands import add_bench
from crab.learn.commands import add_calibrate, add_evaluate, add_train, add_transfer
from crab.routing.commands import add_atlas, add_claims, add_route
from crab.scenes.commands import add_scenes

LABORATORY = ("changes", "crossings")  # kinds of figure
RELIABILITY = "reliability"  # another

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # its advice is for who writes models, not for who asks them
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # where it is there, it advises on kernels when imported


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
        print(f"{error.filename or 'The disk'} cannot be used: {error.strerror or error}.", file=sys.stderr)
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
        add_transfer,
        add_bench,
    ):
        add(commands)
    return parser


def add_ask(commands: Commands) -> None:
    ask = commands.add_parser("ask", help="ask one question about a clip")
    question_arguments(ask, nargs="?")
    ask.add_argument("--image", metavar="F", help="a picture, asked about together with --audio")
    ask.add_argument("--audio", metavar="F", help="the sound of --image, or in place of MEDIA's own")
    ask.add_argument("--stretch", type=stretch, metavar="A-B", help="ask about these seconds of the clip alone")
    ask.add_argument("--masks-over-time", action="store_true",
                     help="point at something in every second, and cut it out (s4, ms3, ref_avs, arig)")  # fmt: skip
    ask.add_argument("--candidates", action="store_true",
                     help="sample eight more answers, and tell how many of them say the same")  # fmt: skip
    segmenter_argument(ask)
    ask.add_argument("--json", action="store_true", help="print one JSON object instead of the answer")
    ask.add_argument("--routing", type=new_file, metavar="FILE.npz", help="write the router weights there")
    ask.add_argument("--export", type=new_folder, metavar="DIR", help="write the answer there in all its formats")
    answering_arguments(ask)
    ask.set_defaults(run=run_ask)


def run_ask(args: argparse.Namespace) -> None:
    from crab import candidates
    from crab.ask import ask, to_json
    from crab.memory import Memory
    from crab.segment import load_segmenter

    task, clip, other = asked(args)
    if args.candidates and (why := candidates.lacking(
        clip, task, stretch=args.stretch, over_time=args.masks_over_time
    )):  # fmt: skip
        raise CrabError(why)
    segmenter, crab = load_segmenter(named_segmenter(args)), loaded_model(args, routed=bool(args.routing))
    shown, memory = "", Memory() if args.candidates else None
    for result in ask(
        crab, clip, task, args.question, other=other, segmenter=segmenter,
        trace=bool(args.routing or args.export), max_new_tokens=args.max_new_tokens, stretch=args.stretch,
        over_time=args.masks_over_time, memory=memory,
    ):  # fmt: skip
        if not args.json:
            print(result.text[len(shown) :], end="", flush=True)
            shown = result.text
    if args.candidates:
        result = candidates.draw(crab, result, memory=memory, max_new_tokens=args.max_new_tokens)
    if args.json:
        print(json.dumps(to_json(result)))
    else:
        for (start, end), why in result.unmasked:
            print(f"\n{start:g}-{end:g} s has no mask: {why}", end="")
        print("", *candidates.lines(result), *result.notes, result.knows, sep="\n")
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


def add_figure(commands: Commands) -> None:
    figure = commands.add_parser("figure", help="draw saved router weights: for the screen, for a paper, as a table")
    figure.add_argument(
        "trace", metavar="FILE",
        help="what ask --routing or route --out wrote, transfer's results.json, or calibrate's confidence.json",
    )  # fmt: skip
    kinds = ("overview", "tokens", "modality", "heatmap", "compare", *LABORATORY, RELIABILITY)
    figure.add_argument("--kind", choices=kinds, default="overview",
                        help="changes and crossings are of transfer's results.json, reliability of confidence.json")  # fmt: skip
    figure.add_argument("--other", metavar="TRACE2.npz", help="with compare: the run to hold against it")
    figure.add_argument("--tower", default="language", metavar="T", help="language (default), audio or vision")
    figure.add_argument("--arm", default="ilora", metavar="A", help="with changes: held against training alone")
    figure.add_argument("--out", required=True, type=new_file, metavar="FILE", help=".html, .svg, .pdf, .png or .csv")
    figure.set_defaults(run=run_figure)


def run_figure(args: argparse.Namespace) -> None:
    from visualize import export

    if args.kind in LABORATORY:
        return _laboratory(args)
    if args.kind == RELIABILITY:
        return _reliability(args)
    routed, other = trace.load(args.trace), trace.load(args.other) if args.other else None
    title = f"Router weights: {Path(args.trace).stem}" + (f" and {Path(args.other).stem}" if other else "")
    export.write(routed, args.out, kind=args.kind, other=other, tower=args.tower, title=title)


def _reliability(args: argparse.Namespace) -> None:
    """How sure a model is against how often it is right, as `calibrate` wrote it."""
    from crab.confidence import reliability_of
    from crab.disk import whole
    from visualize import paper, reliability

    if args.out.suffix not in (".svg", ".pdf", ".png"):
        raise CrabError(f"{args.out} cannot be written: {args.kind} is a .svg, .pdf or .png.")
    found = reliability_of(args.trace)
    title, facts = "How sure it is, and how often it is right", reliability.facts(*found)
    figure = paper.described(reliability.figure(*found), title, facts)
    with whole(args.out) as part:
        paper.save(figure, part, title=title, facts=facts)


def _laboratory(args: argparse.Namespace) -> None:
    """The figures of the transfer laboratory, of runs that were trained until they stopped improving."""
    from crab.routing import lab
    from visualize import laboratory

    if args.out.suffix != ".html":
        raise CrabError(f"{args.out} cannot be written: {args.kind} is a .html.")
    results = lab.load(args.trace)
    note = f"{results.model}, {lab.BUDGETS['until']}."
    if args.kind == "changes":
        found = lab.changed(lab.compare(results, args.arm, "until"))
        figure = laboratory.changes(*found, note=f"{args.arm} against one adapter a task; {note}")
    else:
        mean, low, high = lab.crossed(results)
        figure = laboratory.crossings(mean, results.tasks, low=low, high=high, note=note)
    figure.write_html(args.out)


if __name__ == "__main__":
    sys.exit(from_shell())
