"""What `python -m crab bench` measures is what it says: turns, ratios, floors, and ways that compute the same."""

import json
from itertools import count

import pytest
import torch

from crab import bench
from crab.__main__ import main
from crab.bench import clips, commands, generation, layers
from crab.ilora import ILoRALinear

SMALL = {"hidden_size": 256, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
         "intermediate_size": 64, "vocab_size": 128, "max_position_embeddings": 64}  # fmt: skip


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(bench, "ROUNDS", 1)
    monkeypatch.setattr(bench, "SECONDS", 0.0)


class Clock:
    """One that goes only when somebody works."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def works(self, *seconds):
        turns = (seconds[min(turn, len(seconds) - 1)] for turn in count())

        def way():
            self.now += next(turns)

        return way


def test_ratios_are_the_middle_of_those_of_each_round_and_the_first_round_is_to_warm_up(monkeypatch):
    monkeypatch.setattr(bench, "ROUNDS", 3)
    clock = Clock()
    ways = {"bare": clock.works(50, 1, 2, 4), "ours": clock.works(900, 2, 8, 4), "told": lambda: 3.0}
    made = bench.table("layer", "a site", ways, floors={"ours": (1.5, 1.25)}, clock=clock)
    bare, ours, told = made.rows
    assert made.rounds == 3 and (bare.ratio, bare.low, bare.high, bare.seconds) == (1, 1, 1, 2)
    assert (ours.ratio, ours.low, ours.high, ours.seconds) == (2, 1.5, 3, 4)  # of 2, 4 and 1
    assert (ours.floor_bytes, ours.floor_flop, bare.floor_bytes) == (1.5, 1.25, None)
    assert told.seconds == 3  # its own clock
    assert "2.000 x  (1.500 to 3.000)" in str(made) and "floor 1.50 by bytes, 1.25 by FLOP" in str(made)


def test_no_way_always_comes_first(monkeypatch):
    monkeypatch.setattr(bench, "ROUNDS", 3)
    came = []
    bench.table("layer", "", {name: lambda name=name: came.append(name) for name in "abc"})
    assert "".join(came) == "abcbcacababc"


def test_measuring_goes_on_for_its_seconds_and_no_longer_than_its_rounds(monkeypatch):
    monkeypatch.setattr(bench, "SECONDS", 10.0)
    clock = Clock()
    assert bench.table("layer", "", {"bare": clock.works(1.0)}, clock=clock).rounds == 9  # and one to warm up
    clock = Clock()
    assert bench.table("layer", "", {"bare": clock.works(0.01)}, clock=clock).rounds == bench.MOST_ROUNDS


@pytest.mark.parametrize("kind", [layers.Attention, layers.FeedForward])
def test_ways_to_adapt_stand_on_one_base_and_the_loop_computes_what_ours_does(kind):
    shape = (16, 8, 24)
    torch.manual_seed(0)
    bare = kind(*shape).requires_grad_(False)
    made = layers.adapted(lambda: layers._twin(kind, bare, shape), 4)
    weights = bare.q_proj.weight if kind is layers.Attention else bare.up_proj.weight
    for model in made.values():
        assert any(weight.data_ptr() == weights.data_ptr() for weight in model.parameters())
    x, own = torch.randn(1, 3, 16), ILoRALinear.forward
    with torch.inference_mode():
        plain, ours = bare(x), made["ours"](x)
        with layers.loop_over_heads():
            torch.testing.assert_close(made["loop over heads"](x), ours, rtol=1e-5, atol=1e-5)
            assert ILoRALinear.forward is not own
        assert ILoRALinear.forward is own
        assert all(not torch.allclose(model(x), plain, atol=1e-4) for model in made.values())
    [many] = [model for name, model in made.items() if "as many" in name]
    ratio = layers._count(many, "lora_") / layers._count(made["ours"], "ilora_")
    assert 0.8 < ratio < 1.25


def test_floors_count_weights_and_what_is_moved():
    bare = torch.nn.ModuleDict({"q_proj": torch.nn.Linear(4, 6, bias=False)})
    made = torch.nn.ModuleDict({"base_layer": bare, "ilora": torch.nn.Linear(4, 3, bias=False)})
    assert layers._floors(bare, made, 2) == (1 + 12 / (24 + 2 * 10), 1 + 12 / 24)


def test_every_part_of_generation_is_measured_with_and_without_adapter(monkeypatch):
    monkeypatch.setattr(generation, "RANKS", (4,))
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    tables = list(generation.measure(shape=SMALL, prompt=12))
    assert [table.what.split(",")[0] for table in tables] == [
        "prefill of 12", "a token", "a token for each of 8", "a token for each of 8"
    ]  # fmt: skip
    for table in tables[:3]:
        assert [row.name for row in table.rows] == ["no adapter", "loop over heads", "ours", "ours, traced"]
        assert all(row.seconds > 0 for row in table.rows) and all(row.floor_flop > 1 for row in table.rows[1:])
    assert tables[3].rows[1].ratio < 1  # a batch shares weights


def test_a_film_is_opened_three_ways():
    [made] = clips.opening(size=(64, 48), seconds=1)
    assert [row.name for row in made.rows] == ["MoviePy's iterator", "a whole decode", "ours"]


def test_a_question_is_asked_first_and_second():
    tables = list(clips.question(most=1))
    for table in tables:
        first, second = table.rows
        assert second.seconds > 0 and first.ratio == 1


def test_the_command_prints_tables_or_one_object(monkeypatch, capsys):
    made = bench.Table("clip", "a film", 3, (bench.Row("ours", 1.0, 1.0, 1.0, 0.5),))
    monkeypatch.setattr(commands, "measuring", lambda part: lambda: iter([made]) if part == "clip" else iter(()))
    assert main(["bench", "--only", "clip"]) == 0
    assert capsys.readouterr().out == str(made) + "\n"
    assert main(["bench", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["tables"] == [{"part": "clip", "what": "a film", "rounds": 3, "rows": [
        {"name": "ours", "ratio": 1.0, "low": 1.0, "high": 1.0, "seconds": 0.5, "floor_bytes": None,
         "floor_flop": None}]}]  # fmt: skip
    assert told["machine"]["threads"] == torch.get_num_threads()
