"""The commands that draw: `python -m crab scenes make|show`."""

from __future__ import annotations

import argparse

from crab.arguments import Commands, new_file, positive, whole
from crab.tasks import dataset_named


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
