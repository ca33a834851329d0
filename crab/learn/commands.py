"""The commands that teach and score: `python -m crab evaluate|calibrate|train|transfer`."""

from __future__ import annotations

import argparse
import json

from crab import CrabError
from crab.arguments import (
    DEFAULT_MODEL,
    Commands,
    answering_arguments,
    loaded_model,
    named_segmenter,
    new_file,
    positive,
    segmenter_argument,
    whole,
)
from crab.tasks import dataset_named


def add_evaluate(commands: Commands) -> None:
    evaluate = commands.add_parser("evaluate", help="score a model on the published layout")
    evaluate.add_argument("--data", required=True, metavar="DIR", help="the folder that holds AVUIE_2")
    evaluate.add_argument("--tasks", required=True, nargs="+", metavar="T")
    evaluate.add_argument("--split", choices=("test", "train"), default="test", help="(default: test)")
    rows = evaluate.add_mutually_exclusive_group()
    rows.add_argument("--predictions", type=new_file, metavar="FILE.jsonl", help="write the answers there")
    rows.add_argument("--score", metavar="FILE.jsonl", help="ask no model, score these answers to --data")
    evaluate.add_argument("--candidates", action="store_true",
                          help="write eight sampled answers beside each, for calibrate to hold against the truth")  # fmt: skip
    segmenter_argument(evaluate)
    evaluate.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    answering_arguments(evaluate)
    evaluate.set_defaults(run=run_evaluate)


def run_evaluate(args: argparse.Namespace) -> None:
    from crab import avuie
    from crab.learn import evaluate
    from crab.learn.processes import device, process
    from crab.learn.rows import read_rows
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
        alone = process().num_processes == 1
        crab = loaded_model(args, device=None if alone else device())
        rows = evaluate.answered(
            crab, records, args.predictions, max_new_tokens=args.max_new_tokens, sampled=args.candidates
        )
        if not process().is_main_process:
            return
        report = evaluate.score(rows, root=args.data, segmenter=segmenter)
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
    rows = read_rows(args.check or args.answers, list(TASKS))
    held = calibrate.reliability(calibrate.judged(rows), fitted)
    agreed = calibrate.agreement(rows)
    confidence.save(fitted, held if args.check else (), args.out, agreed=agreed)
    print(*held, sep="\n")
    if agreed:
        print("How large a share of sampled answers agrees, and how often that is right:", *agreed, sep="\n")


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
        names = list(dict.fromkeys(dataset_named(name).name for name in args.tasks))
        train.train_data(
            args.out, args.data, args.model, names=names, cache=args.cache, epochs=args.epochs, steps=args.steps,
            seed=args.seed,
        )  # fmt: skip
    else:
        train.train_adapter(args.out, seed=args.seed)
    if args.ship:
        train.ship(args.out, args.ship)


def add_transfer(commands: Commands) -> None:
    transfer = commands.add_parser(
        "transfer", help="find out whether training tasks together helps them, and what makes it help",
        description="Trains every arm of the transfer laboratory on drawn scenes around the frozen base of a model and "
        "prints what came of it. What DIR holds already is not done again, so a run that was cut short goes on.",
    )  # fmt: skip
    transfer.add_argument("--out", required=True, metavar="DIR", help="features, runs and results.json")
    transfer.add_argument("--quick", action="store_true", help="smaller, and unless --arms says else, the first three")
    transfer.add_argument("--arms", nargs="+", metavar="A", help="(default: all; see crab/learn/arms.py)")
    transfer.add_argument("--seeds", type=positive, metavar="N", help="how many (default: 3 of the first three arms)")
    transfer.add_argument("--seed", type=whole, default=0, metavar="S", help="the first of them (default: 0)")
    transfer.add_argument("--model", default=DEFAULT_MODEL, metavar="M", help="whose base: folder or hub id")
    transfer.set_defaults(run=run_transfer)


def run_transfer(args: argparse.Namespace) -> None:
    from crab.learn import transfer
    from crab.learn.arms import ARMS, MAIN, arms_named
    from crab.routing import lab

    size = transfer.QUICK if args.quick else transfer.FULL
    seeds = {
        name: range(args.seed, args.seed + (args.seeds or (3 if name in MAIN and not args.quick else 1)))
        for name in arms_named(args.arms or (MAIN if args.quick else ARMS))
    }
    print(lab.table(transfer.transfer(args.out, args.model, size, seeds)))
