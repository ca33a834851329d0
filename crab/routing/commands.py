"""The commands that look at routing and change it: `python -m crab route|atlas|claims`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Literal

from tqdm import tqdm

from crab import CrabError, trace
from crab.arguments import (
    Commands,
    answering_arguments,
    asked,
    loaded_model,
    new_file,
    positive,
    question_arguments,
    whole,
)

CLAIMS = Path(__file__).parent.parent.parent / "assets" / "claims.json"


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
    from crab.ask import ask
    from crab.intervention import Intervention
    from crab.routing import effects
    from crab.segment import load_segmenter

    task, clip, other = asked(args)
    where: dict[str, Any] = {
        name: getattr(args, name) and tuple(getattr(args, name)) for name in ("layers", "modules", "towers")
    }
    heads = args.mute or ([args.force] if args.force else [])
    what: Literal["mute", "force", "uniform"] | None
    what = "mute" if args.mute else "force" if args.force else "uniform" if args.uniform else None
    if what is None and any(where.values()):
        raise CrabError("Say what to do there: --mute, --force or --uniform.")
    crab = loaded_model(args, routed=True)
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
