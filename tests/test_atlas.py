"""Signatures and the atlas: on planted data, and on real runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crab import CrabError, __version__, answer, avuie, media
from crab.__main__ import main
from crab.ask import ask
from crab.ilora import Intervention
from crab.result import Result
from crab.routing import atlas as atlases
from crab.routing.atlas import Atlas
from crab.routing.survey import survey
from crab.tasks import TASKS
from crab.trace import RoutingTrace, Site, Token

SITES = tuple(Site("language", layer, module) for layer in (0, 1) for module in ("q_proj", "v_proj"))


@pytest.fixture(scope="module")
def clip(golden):
    return media.open_clip(golden / "media" / "a.mp4")


@pytest.fixture(scope="module")
def run(tiny, clip):
    """Ask the tiny model about a clip, to the end."""

    def asked(dataset="ave", **how) -> Result:
        *_, result = ask(tiny, clip, TASKS[dataset], max_new_tokens=6, **how)
        return result

    return asked


@pytest.fixture(scope="module")
def own(run):
    return run()


@pytest.fixture(scope="module")
def forced(run):
    return run(intervention=Intervention("force", (0,)))


def result_of(text: str, dataset: str, **fields) -> Result:
    task = TASKS[dataset]
    clip = media.Clip("clip.mp4", duration=10.0, width=224, height=224)
    return replace(Result(clip, task, "", "m", "", text=text, answer=answer.parse(text, task)), **fields)


def planted(runs: int = 12, spread: float = 0.02, apart: float = 0.3) -> Atlas:
    """Runs of three datasets; two, of one family, are routed alike, the third elsewhere."""
    rng = np.random.default_rng(0)
    names = ["ave", "unav", "avqa"] * runs
    centre = {"ave": [0.6, 0.2, 0.2], "unav": [0.58, 0.22, 0.2], "avqa": [0.6 - apart, 0.2 + apart, 0.2]}
    weights = np.array([[centre[name]] * 4 for name in names]) + rng.normal(0, spread, (len(names), 4, 3))
    views = {view: weights[:, : 2 if "layers" in view else 4].astype(np.float16) for view in atlases.VIEWS}
    return Atlas(
        "m", tuple(names), tuple(TASKS[name].family for name in names), tuple(str(i // 3) for i in range(len(names))),
        (0, 1), SITES, **views,
    )  # fmt: skip


# Signatures


def test_a_signature_is_the_mean_over_layers_and_over_sites():
    weights = np.random.default_rng(0).dirichlet(np.ones(3), (4, 5)).astype(np.float32)
    tokens = (*[Token("text")] * 3, *[Token("generated")] * 2)
    seen = RoutingTrace(weights[:1, :2], (Site("vision", 0, "up_proj"),), (Token("video"),) * 2)
    routing = {"vision": seen, "language": RoutingTrace(weights, SITES, tokens)}
    found = atlases.signature(routing)
    assert found.layers == (0, 1) and found.sites == (*SITES, Site("vision", 0, "up_proj"))
    np.testing.assert_allclose(found.layers_answer[1], weights[2:, 3:].mean(axis=(0, 1)), rtol=1e-5)
    np.testing.assert_allclose(found.layers_all[0], weights[:2].mean(axis=(0, 1)), rtol=1e-5)
    np.testing.assert_allclose(found.sites_answer, weights[:, 3:].mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(found.sites_all[4], weights[0, :2].mean(axis=0), rtol=1e-5)


def test_an_answer_of_one_token_is_known_by_the_position_that_wrote_it(own):
    prompt = own.prompt_tokens
    language = own.routing["language"]
    short = RoutingTrace(language.weights[:, :prompt], language.sites, language.tokens[:prompt])
    found = atlases.signature({**own.routing, "language": short})
    np.testing.assert_array_equal(found.sites_answer, language.weights[:, prompt - 1])


# The atlas


def test_an_atlas_is_made_kept_and_read_back(tiny, golden, tmp_path):
    asked = list(atlases.questions(golden, count=1))
    assert [one.task.name for one in asked] == [name for name in TASKS if (golden / "AVUIE_2" / name).is_dir()]
    atlas = survey(tiny, asked[:3], draws=1, max_new_tokens=3)
    atlases.save(atlas, tmp_path / "atlas.npz")
    again = atlases.load(tmp_path / "atlas.npz")
    assert (again.model, again.datasets, again.sites) == (tiny.name, ("ave", "avqa", "meld"), atlas.sites)
    assert all(np.array_equal(getattr(again, view), getattr(atlas, view)) for view in atlases.VIEWS)
    assert again.controls == atlas.controls and again.usage["vision"].flags == atlas.usage["vision"].flags
    with np.load(tmp_path / "atlas.npz") as file:
        assert json.loads(str(file["about"]))["crab"] == __version__
    assert again.layers_answer.dtype == np.float16 and len(again.sites) == again.sites_all.shape[1] == 33
    (tmp_path / "none.npz").write_bytes(b"nothing")
    with pytest.raises(CrabError, match="is no atlas"):
        atlases.load(tmp_path / "none.npz")
    with pytest.raises(CrabError, match="no record"):
        list(atlases.questions(tmp_path))


def test_a_few_hundred_runs_are_below_a_megabyte(tmp_path):
    rng = np.random.default_rng(0)
    sites = tuple(Site("language", i, "q_proj") for i in range(66))  # as many as crab-mini has
    views = {view: rng.dirichlet(np.ones(3), (400, 6 if "layers" in view else 66)).astype(np.float16)
             for view in atlases.VIEWS}  # fmt: skip
    atlas = Atlas("m", ("ave",) * 400, ("localisation",) * 400, ("objects-1",) * 400, tuple(range(6)), sites, **views)
    atlases.save(atlas, tmp_path / "a.npz")
    assert (tmp_path / "a.npz").stat().st_size < 1_000_000


@pytest.mark.parametrize(("path", "scene"), [
    ("ave/video/objects-17.mp4", "objects-17"), ("a2v/video/pair-17-2.mp4", "pair-17"),
    ("s4/frames/objects-17/3.jpg", "objects-17"), ("ave/video/4f_x.mp4", "4f_x"),
])  # fmt: skip
def test_a_scene_is_known_by_its_files(path, scene):
    which = {"image": Path(path)} if path.endswith("jpg") else {"video": Path(path)}
    assert atlases._scene(avuie.Record(TASKS["ave"], 0, {}, "", "", **which)) == scene


def test_means_have_intervals_that_hold_them_and_shrink_with_runs():
    few, many = (atlases.means(planted(runs))["avqa"] for runs in (5, 80))
    for mean in (few, many):
        assert mean.mean.shape == (2, 3) and (mean.low <= mean.mean).all() and (mean.mean <= mean.high).all()
    assert (many.high - many.low).mean() < (few.high - few.low).mean() / 2 and many.runs == 80


def test_similar_tasks_are_similar():
    similar = atlases.similarity(planted())
    assert similar.names == ("ave", "unav", "avqa")
    assert similar.matrix[0, 1] > 0.5 > -0.5 > similar.matrix[0, 2]
    np.testing.assert_allclose(similar.matrix, similar.matrix.T)


def test_the_projection_lays_what_is_apart_apart_and_places_another_run():
    atlas = planted()
    found = atlases.project(atlas, view="sites_all")
    x = found.points[:, 0]
    other = atlas.kinds("dataset") == "avqa"
    assert x[other].min() > x[~other].max() or x[other].max() < x[~other].min()
    assert found.explained[0] > 0.8
    first = atlases.Signature(atlas.layers, atlas.sites, *(getattr(atlas, view)[0] for view in atlases.VIEWS))
    np.testing.assert_allclose(found.place(first), found.points[0], atol=1e-4)
    with pytest.raises(ValueError, match="another model"):
        found.place(replace(first, sites=SITES[:1]))


def test_the_projection_is_the_same_way_round_on_a_machine_that_finds_its_axes_the_other_way(monkeypatch):
    svd = np.linalg.svd

    def other_way(rows, **how):
        left, widths, right = svd(rows, **how)
        return -left, widths, -right

    here = atlases.project(planted())
    monkeypatch.setattr(np.linalg, "svd", other_way)
    np.testing.assert_array_equal(atlases.project(planted()).points, here.points)


def test_separation_tells_structure_from_noise():
    family = atlases.separation(planted(40))
    assert family.accuracy == 1.0 and family.low > 0.85 > family.chance and "better than chance" in str(family)
    assert family.chance == pytest.approx((2 / 3 * 2 / 3) + (1 / 3 * 1 / 3), abs=0.01)
    dataset = atlases.separation(planted(40, spread=0.1, apart=0), by="dataset")
    assert dataset.low < 1 / 3 < dataset.high and "not shown to be better than chance" in str(dataset)


# Two answers


@pytest.fixture
def model(golden):
    return ["--model", str(golden / "tiny-omni"), "--adapter", str(golden / "finetune_weights.bin")]


def test_atlas_writes_a_file_and_says_whether_tasks_lie_apart(golden, model, tmp_path, capsys):
    out = tmp_path / "atlas.npz"
    command = ["atlas", "--data", str(golden), "--out", str(out), *model]
    assert (
        main([*command, "--damage", str(tmp_path / "damage.json")]) == 2
        and "needs a train.json" in capsys.readouterr().err
    )
    assert main(command) == 0
    told = capsys.readouterr().out
    assert "family: the nearest run of another scene" in told and "chance" in told
    assert "random routers" in told and "what the routers learned" in told and "entropy by layer" in told
    assert len(atlases.load(out).datasets) == 7
