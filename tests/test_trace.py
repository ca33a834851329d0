"""What a routing trace says before it is drawn."""

import json
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from test_live import random_trace

from crab import CrabError, __version__, trace
from crab.trace import RoutingTrace, Site, Token
from visualize import trace as read


def towers():
    """A clip of four seconds as three towers saw it: two grid steps of 2 × 2 cells, 4 × 4 patches; 40 and 20 ms."""

    def cells(n):
        return tuple(
            Token("video", start=2.0 * t, end=2.0 * t + 1, row=i // n, col=i % n) for t in (0, 1) for i in range(n * n)
        )

    def sounds(step):
        return tuple(Token("audio", start=step * i, end=step * (i + 1)) for i in range(round(4 / step)))

    def traced(tower, tokens, modules):
        sites = tuple(Site(tower, layer, module) for layer in range(2) for module in modules)
        weights = np.random.default_rng(0).dirichlet(np.ones(3), (len(sites), len(tokens))).astype(np.float16)
        return RoutingTrace(weights, sites, tokens)

    words = tuple(Token("generated", text=word) for word in ("I ", "hear ", "<a>", " dog\n"))
    return {
        "language": traced(
            "language", (Token("text", text="Look "), *cells(2), *sounds(0.04), *words), ("q_proj", "o_proj", "up_proj")
        ),
        "audio": traced("audio", sounds(0.02), ("k_proj", "q_proj")),
        "vision": traced("vision", cells(4), ("gate_proj", "up_proj")),
    }


def counterparts(traces: Mapping[str, RoutingTrace], tower: str, i: int) -> dict[str, np.ndarray]:
    """For every tower, the tokens (mask) that stand for the same piece of the clip as token `i` of `tower`.

    A sound token of the language model is the positions of the sound encoder within its seconds, a picture cell is the
    patches it was merged from, and the other way round. A word has no counterpart: its masks elsewhere are all false.
    """
    token = traces[tower].tokens[i]
    masks = {name: np.zeros(len(of.tokens), bool) for name, of in traces.items()}
    masks[tower][i] = True
    if token.start is None:
        return masks
    ours = _grids(traces[tower].tokens).get(token.modality)
    for name, of in traces.items():
        theirs = _grids(of.tokens).get(token.modality)
        if name != tower and theirs is not None:
            masks[name][:] = [
                other.modality == token.modality
                and other.source == token.source
                and _overlap((token.start, token.end), (other.start, other.end))
                and (token.row is None or all(
                    _overlap((a / n, (a + 1) / n), (b / m, (b + 1) / m))
                    for a, n, b, m in zip((token.row, token.col), ours, (other.row, other.col), theirs)
                ))
                for other in of.tokens
            ]  # fmt: skip
    return masks


def _grids(tokens: Sequence[Token]) -> dict[str, tuple[int, int]]:
    """Rows and columns of the grid of each modality; (1, 1) of what has none."""
    grids: dict[str, tuple[int, int]] = {}
    for token in tokens:
        rows, cols = grids.get(token.modality, (1, 1))
        grids[token.modality] = (max(rows, (token.row or 0) + 1), max(cols, (token.col or 0) + 1))
    return grids


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether two stretches share more than an end; a moment lies in a stretch, and in its equal."""
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return shared > 1e-6 or (one == other)


def test_a_cell_is_the_patches_it_was_merged_from():
    traces = towers()
    masks = counterparts(traces, "language", 1 + 4 + 3)  # second step, last cell
    patches = [traces["vision"].tokens[i] for i in np.flatnonzero(masks["vision"])]
    assert [(p.start, p.row, p.col) for p in patches] == [(2.0, r, c) for r in (2, 3) for c in (2, 3)]
    assert not masks["audio"].any() and masks["language"].sum() == 1


def test_a_sound_is_its_seconds_in_the_other_tower_too():
    traces = towers()
    assert list(np.flatnonzero(counterparts(traces, "language", 9 + 10)["audio"])) == [20, 21]
    assert list(np.flatnonzero(counterparts(traces, "audio", 21)["language"])) == [9 + 10]


def test_a_second_of_one_clip_is_not_that_of_the_other():
    tokens = tuple(Token("audio", start=i, end=i + 1, source=clip) for clip in (0, 1) for i in range(4))
    weights = np.full((1, len(tokens), 2), 0.5, np.float16)
    traces = {tower: RoutingTrace(weights, (Site(tower, 0, "q_proj"),), tokens) for tower in ("language", "audio")}
    assert list(np.flatnonzero(counterparts(traces, "language", 6)["audio"])) == [6]  # the third of the second clip


def test_a_word_stands_for_no_piece_of_the_clip():
    masks = counterparts(towers(), "language", 0)
    assert not masks["audio"].any() and not masks["vision"].any()


def test_entropy_and_distance_run_from_all_alike_to_one_head():
    shares = np.array([[1 / 3] * 3, [1, 0, 0], [0.5, 0.5, 0]])
    assert read.entropy(shares) == pytest.approx([np.log2(3), 0, 1], abs=1e-5)
    assert read.distance(shares) == pytest.approx([0, 1, 0.25], abs=1e-5)


def test_modules_come_in_the_order_of_the_forward_pass_unadapted_ones_in_their_place():
    traces = towers()
    assert read.modules(traces["audio"], read.UNADAPTED["audio"]) == ["q_proj", "k_proj", "out_proj", "fc1", "fc2"]
    assert read.modules(traces["vision"], ("attn.q",)) == ["attn.q", "gate_proj", "up_proj"]


def test_the_file_describes_itself(tmp_path):
    trace.save(towers(), tmp_path / "t.npz")
    with np.load(tmp_path / "t.npz") as file:
        schema = json.loads(str(file["schema"]))
    saved = schema["properties"]["T/tokens"]["items"]["properties"]
    assert set(saved) == set(vars(Token("text")))
    assert list(trace.load(tmp_path / "t.npz")) == ["language", "audio", "vision"]


@pytest.mark.parametrize("content", [b"", b"no numbers", None])
def test_another_file_is_named_in_a_sentence(tmp_path, content):
    path = tmp_path / "x.npz"
    path.write_bytes(content) if content is not None else np.savez(path, a=np.ones(3))
    with pytest.raises(CrabError, match="routing file|router weights"):
        trace.load(path)


def test_groups_part_the_tokens_by_modality():
    trace = random_trace()
    groups = read.token_groups(trace)
    assert list(groups) == ["text", "video", "audio", "generated"]
    assert [int(mask.sum()) for mask in groups.values()] == [24, 80, 50, 20]
    assert (sum(mask.astype(int) for mask in groups.values()) == 1).all()


@pytest.mark.parametrize(
    "token, name",
    [
        (Token("text", text="dog\n"), "text “dog↵”"),
        (Token("generated", text="<event>"), "answer “<event>”"),
        (Token("audio", start=1.2, end=1.24), "sound 1.20–1.24 s"),
        (Token("video", start=2.0, end=4.0, row=0, col=3), "video 2.00–4.00 s, row 1, column 4"),
        (Token("image", row=1, col=1, source=1), "picture, row 2, column 2, second clip"),
    ],
)
def test_tokens_have_names_for_people(token, name):
    assert read.token_name(token) == name


def test_a_saved_trace_comes_back_the_same(tmp_path):
    saved = {"language": random_trace(), "audio": random_trace(layers=1, text=0, moments=0, generated=0)}
    trace.save(saved, tmp_path / "weights.npz")
    again = trace.load(tmp_path / "weights.npz")
    assert list(again) == ["language", "audio"]
    for tower, one in saved.items():
        assert again[tower].weights.dtype == np.float16
        assert (again[tower].weights == one.weights).all()
        assert again[tower].sites == one.sites
        assert [vars(token) for token in again[tower].tokens] == [vars(token) for token in one.tokens]


def test_the_file_is_named_as_asked_and_needs_numpy_alone(tmp_path):
    trace.save({"language": random_trace()}, tmp_path / "weights.bin")
    with np.load(tmp_path / "weights.bin", allow_pickle=False) as file:
        assert file["language/weights"].shape == (14, 174, 3)
        assert str(file["crab"]) == __version__
        assert json.loads(str(file["language/sites"]))[0] == ["language", 0, "q_proj"]
        assert json.loads(str(file["language/tokens"]))[-1]["text"] == "word19 "


def test_a_file_that_would_unpack_to_more_than_any_answer_has_is_refused_unread(tmp_path, monkeypatch):
    trace.save(towers(), tmp_path / "a.npz")
    monkeypatch.setattr("crab.trace.UNPACKED", 1000)
    monkeypatch.setattr(np, "load", lambda path: pytest.fail("it was read"))
    with pytest.raises(CrabError, match="is no routing file"):
        trace.load(tmp_path / "a.npz")
