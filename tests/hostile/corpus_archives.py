"""Hostile files of runs and weights: saved runs, router weights, atlases, adapters, models and archives of records."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from corpus_media import EXAMPLES, ROOT, Case, cut, flipped

GOLDEN = ROOT / "tests" / "golden"
ADAPTER, MODEL = GOLDEN / "finetune_weights.bin", GOLDEN / "tiny-omni"
FIRST = EXAMPLES / "first.npz"


class Code:
    """What would be executed where it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, ("raise SystemExit('a pickle was executed')",)


@cache
def run_saved() -> bytes:
    """A saved run of the example that ships, made without asking a model."""
    from crab import answer, saved, trace
    from crab.media import open_clip
    from crab.prompt import gather
    from crab.result import Result, Seconds, Window
    from crab.seen import Seen
    from crab.tasks import TASKS

    told = json.loads((EXAMPLES / "first.json").read_text(encoding="utf-8"))
    clip, task = open_clip(EXAMPLES / told["clip"]), TASKS[told["task"]]
    said = answer.parse(told["text"], task, duration=clip.duration)
    run = Result(
        clip, task, told["question"], told["model"], "", told["text"], said, tuple(told["token_ids"]),
        routing=trace.load(FIRST), seen=Seen(clip.duration).with_more(gather(clip, task)), seconds=Seconds(), done=True,
        windows=(Window(0.0, clip.duration, said),),
    )  # fmt: skip
    with TemporaryDirectory() as folder:
        saved.write(run, Path(folder) / "run.zip")
        return (Path(folder) / "run.zip").read_bytes()


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as box:
        return {name: box.read(name) for name in box.namelist()}


def packed(there: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as box:
        for name, content in there.items():
            box.writestr(name, content)
    return out.getvalue()


def with_json(name: str, change: Callable[[dict], dict]) -> Callable[[], bytes]:
    def make() -> bytes:
        there = members(run_saved())
        return packed(there | {name: json.dumps(change(json.loads(there[name]))).encode()})

    return make


def with_member(name: str, content: bytes | Callable[[], bytes]) -> Callable[[], bytes]:
    return lambda: packed(members(run_saved()) | {name: content() if callable(content) else content})


def renamed(new: str) -> bytes:
    """The clip's file by another name, in the directory and in what is said of it."""
    there = members(run_saved())
    clip = next(name for name in there if name.startswith("clip/"))
    rest = json.loads(there["run.json"])
    rest["clip"]["media"] = new
    there[f"clip/media/{new}"] = there.pop(clip)
    return packed(there | {"run.json": json.dumps(rest).encode()})


def lying_size(data: bytes, size: int) -> bytes:
    """The directory says that every member unpacks to `size` bytes."""
    spoilt, at = bytearray(data), 0
    while (at := spoilt.find(b"PK\x01\x02", at)) >= 0:
        spoilt[at + 24 : at + 28] = struct.pack("<I", size)
        at += 4
    return bytes(spoilt)


def npy(array_of: str, shape: tuple[int, ...], data: bytes = b"") -> bytes:
    """An array whose header says what it likes."""
    head = f"{{'descr': {array_of}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data


def words(text: str) -> bytes:
    out = io.BytesIO()
    np.save(out, np.array(text))
    return out.getvalue()


def trace_of(**instead: bytes) -> bytes:
    """A small file of router weights, with other members by the last part of their names."""
    whole = {"weights": npy("'<f4'", (1, 1, 3), np.full(3, 1 / 3, "<f4").tobytes()),
             "sites": words('[["language", 0, "q_proj"]]'), "tokens": words('[{"modality": "text"}]')}  # fmt: skip
    return packed({f"language/{name}.npy": content for name, content in (whole | instead).items()})


def objects(value: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, np.array([[[value] * 3]], dtype=object), allow_pickle=True)
    return out.getvalue()


WEIGHTS: dict[str, Callable[[], bytes]] = {
    "whole": lambda: trace_of(), "no zip": lambda: b"PK\3\4" + bytes(500), "empty zip": lambda: packed({}), "cut": lambda: cut(FIRST.read_bytes(), 0.5),
    "cut late": lambda: cut(FIRST.read_bytes(), 0.99), **{f"flipped {n}": lambda n=n: flipped(FIRST.read_bytes(), n, 0.0005) for n in range(6)},
    "a pickle": lambda: pickle.dumps(Code()), "objects": lambda: trace_of(weights=objects(Code())),
    "a lone array": lambda: npy("'<f4'", (1, 1, 3), bytes(12)), "4 TB": lambda: trace_of(weights=npy("'<f4'", (10**6, 10**6, 1))),
    "minus": lambda: trace_of(weights=npy("'<f4'", (-1, 1, 3))), "2^70": lambda: trace_of(weights=npy("'<f4'", (2**70, 1, 3))),
    "a header of code": lambda: trace_of(weights=npy("__import__('os')", (1, 1, 3), bytes(12))),
    "a header of brackets": lambda: trace_of(weights=b"\x93NUMPY\x02\x00" + struct.pack("<I", 60_000) + b"(" * 60_000),
    "sites of brackets": lambda: trace_of(sites=words("[" * 100_000)), "sites that are none": lambda: trace_of(sites=words("5")),
    "sites of two": lambda: trace_of(sites=words('[["a", 1]]')), "tokens of code": lambda: trace_of(tokens=words('[{"__class__": 1}]')),
    "tokens of none": lambda: trace_of(tokens=words("[null]")), "NaN in sites": lambda: trace_of(sites=words("[[NaN, NaN, NaN]]")),
    "noughts": lambda: trace_of(weights=npy("'<f4'", (0, 0, 0)), sites=words("[]"), tokens=words("[]")),
    "not numbers": lambda: trace_of(weights=npy("'<f4'", (1, 1, 3), np.full(3, np.nan, "<f4").tobytes())),
    "words for weights": lambda: trace_of(weights=npy("'<U1'", (1, 1, 3), "abc".encode("utf-32-le"))),
    "a bomb": lambda: packed({"language/weights.npy": npy("'<f4'", (1, 250_000_000, 1), bytes(1_000_000_000))}, zipfile.ZIP_DEFLATED),
    "an unknown packing": lambda: trace_of().replace(b"\0\0\0\0!\0", b"\0\0\x63\0!\0"), "locked": lambda: locked(trace_of()),
}  # fmt: skip


def locked(data: bytes) -> bytes:
    """Every member says that it is encrypted."""
    spoilt = bytearray(data)
    for mark, skip in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = 0
        while (place := spoilt.find(mark, place)) >= 0:
            spoilt[place + skip] |= 1
            place += 4
    return bytes(spoilt)


def saved_runs() -> Iterator[tuple[str, Callable[[], bytes]]]:
    for share in (0.0, 0.2, 0.9, 0.999):
        yield f"cut at {share}", lambda s=share: cut(run_saved(), s)
    for seed in range(8):
        yield f"flipped {seed}", lambda n=seed: flipped(run_saved(), n, 0.0002)
    yield "whole", run_saved
    yield "locked", lambda: locked(run_saved())
    for name in (
        "../../run.mp4",
        "/etc/cron.d/a.mp4",
        "..",
        ".",
        "",
        "a" * 5000,
        "a\0b.mp4",
        "C:\\a.mp4",
        "a/b.mp4",
        "\u202e.mp4",
    ):
        yield f"named {name[:20]!a}", lambda n=name: renamed(n)
    for size in (0, 5, 0xFFFFFFF0):
        yield f"a directory of {size}", lambda s=size: lying_size(run_saved(), s)
    bomb = {"run.json": bytes(300_000_000)}
    yield "a bomb", lambda: packed(members(run_saved()) | bomb, zipfile.ZIP_DEFLATED)
    yield "a quiet bomb", lambda: lying_size(packed(members(run_saved()) | bomb, zipfile.ZIP_DEFLATED), 500)
    yield "a zip in a zip", lambda: packed({"run.json": run_saved(), "answer.json": run_saved()})
    yield "5,000 members", lambda: packed({str(n): b"" for n in range(5000)})
    for name in ("run.json", "answer.json"):
        for kind, content in (("brackets", b"[" * 1_000_000), ("NaN", b"NaN"), ("bytes", bytes(range(256))), ("null", b"null"),
                              ("a pickle", pickle.dumps(Code())), ("digits", b"9" * 100_000)):  # fmt: skip
            yield f"{name} of {kind}", with_member(name, content)
    for kind, make in WEIGHTS.items():
        yield f"weights: {kind}", with_member("routing.npz", make)
    for kind, clip in (("no clip", b"nothing"), ("a playlist", b"#EXTM3U\n#EXTINF:9,\n/etc/passwd\n")):
        yield (
            f"{kind} in it",
            lambda c=clip: packed(
                {name: c if name.startswith("clip/") else data for name, data in members(run_saved()).items()}
            ),
        )
    for what, change in {
        "version 2": lambda rest: rest | {"version": 2}, "version true": lambda rest: rest | {"version": True},
        "version 1e400": lambda rest: rest | {"version": 10**400}, "no windows": lambda rest: rest | {"windows": []},
        "a window of html": lambda rest: rest | {"windows": [rest["windows"][0] | {"text": "<script>alert(1)</script>"}]},
        "windows beyond": lambda rest: rest | {"windows": [rest["windows"][0] | {"start": 5, "end": 1e300}]},
        "a window backwards": lambda rest: rest | {"windows": [rest["windows"][0] | {"start": 5, "end": 1}]},
        "much traced": lambda rest: rest | {"windows": [rest["windows"][0] | {"traced": {"language": 10**15}}]},
        "another tower traced": lambda rest: rest | {"windows": [rest["windows"][0] | {"traced": {"__class__": 5}}]},
        "sure of words": lambda rest: rest | {"sure": [[0.5, 7]]}, "sure beyond": lambda rest: rest | {"sure": [[10**30, 10**30]]},
        "a frame beyond": lambda rest: rest | {"clip": rest["clip"] | {"frame": 1e300}},
        "a change of all": lambda rest: rest | {"change": {"what": "average", "heads": [0] * 1000, "towers": None, "layers": [10**15],
                                                           "modules": ["a" * 100], "kinds": ["x"], "whose": "<b>"}},
        "knows html": lambda rest: rest | {"knows": "<script>alert(1)</script>", "caveat": "<b>"},
        "ends beyond": lambda rest: rest | {"ends": [10**30]},
    }.items():  # fmt: skip
        yield what, with_json("run.json", change)
    for what, change in {
        "a question of 100 kB": lambda told: told | {"question": "a" * 100_000}, "a task that is none": lambda told: told | {"task": "sing"},
        "large masks": lambda told: told | {"masks": [{"time": 0, "label": "", "rle": {"size": [2**20, 2**20], "counts": [2**40]}}]},
        "seconds of words": lambda told: told | {"seconds": {"open": "a"}}, "token ids of 10^30": lambda told: told | {"token_ids": [10**30]},
        "minus tokens": lambda told: told | {"tokens": {"prompt": -5, "generated": -5}},
        "another text": lambda told: told | {"text": "something else"}, "a model of html": lambda told: told | {"model": "<script>"},
    }.items():  # fmt: skip
        yield what, with_json("answer.json", change)


def adapters() -> Iterator[tuple[str, Callable[[Path], None]]]:
    """What is written in an adapter's place."""
    import torch

    def with_value(value: float, path: Path) -> None:
        tensors = torch.load(ADAPTER, weights_only=True)
        next(iter(tensors.values())).view(-1)[0] = value
        torch.save(tensors, path)

    for value in (float("nan"), float("inf"), -float("inf")):
        yield f"{value}", partial(with_value, value)
    for name, what in {
        "a list": [1, 2], "nothing": {}, "words": {"a": "b"}, "numbers for names": {5: torch.zeros(2)}, "a tensor": torch.zeros(3),
        "other names": {"a.b.c": torch.zeros(3, 3)}, "no sizes": {"base_model.model.a.lora_A.weight": torch.zeros(0, 0)},
        "sparse": {"base_model.model.a.lora_A.weight": torch.zeros(2, 2).to_sparse()},
        "complex": {name: tensor.to(torch.complex64) for name, tensor in torch.load(ADAPTER, weights_only=True).items()},
        "whole numbers": {name: tensor.to(torch.int8) for name, tensor in torch.load(ADAPTER, weights_only=True).items()},
        "of one row": {name: tensor[:1] for name, tensor in torch.load(ADAPTER, weights_only=True).items()},
    }.items():  # fmt: skip
        yield name, lambda path, w=what: torch.save(w, path)
    yield "code", lambda path: torch.save({"a": Code()}, path)
    for name, data in (("a pickle", pickle.dumps(Code())), ("an old pickle", pickle.dumps({"a": 1}, 0)), ("noughts", bytes(5000)),
                       ("empty", b""), ("a clip", b"")):  # fmt: skip
        yield name, lambda path, d=data: path.write_bytes(d)
    yield (
        "a bomb",
        lambda path: path.write_bytes(packed({"archive/data.pkl": bytes(500_000_000)}, zipfile.ZIP_DEFLATED)),
    )
    for share in (0.1, 0.5, 0.99):
        yield f"cut at {share}", lambda path, s=share: path.write_bytes(cut(ADAPTER.read_bytes(), s))
    for seed in range(6):
        yield f"flipped {seed}", lambda path, n=seed: path.write_bytes(flipped(ADAPTER.read_bytes(), n, 0.0005))


def adapter(write: Callable[[Path], object], folder: Path) -> Path:
    write(folder / "adapter.bin")
    return folder / "adapter.bin"


def safetensors(header: bytes, says: int | None = None, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header) if says is None else says) + header + data


TENSORS: dict[str, bytes] = {
    "a long header": safetensors(b"{}", 1 << 62), "no json": safetensors(b"not json"), "brackets": safetensors(b"[" * 50_000),
    "beyond": safetensors(b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}'), "noughts": bytes(64),
    "backwards": safetensors(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}', data=bytes(8)),
    "10^30": safetensors(b'{"a":{"dtype":"F32","shape":[1000000000000000000000000000000],"data_offsets":[0,4]}}', data=bytes(4)),
    "unknown": safetensors(b'{"a":{"dtype":"X9","shape":[1],"data_offsets":[0,4]}}', data=bytes(4)),
}  # fmt: skip


def model(name: str, change: Callable[[bytes], bytes], folder: Path) -> Path:
    """The tiny checkpoint with one file spoilt."""
    shutil.copytree(MODEL, folder / "model")
    file = folder / "model" / name
    file.write_bytes(change(file.read_bytes() if file.exists() else b""))
    return folder / "model"


def models() -> Iterator[tuple[str, str, Callable[[bytes], bytes]]]:
    for name in (
        "config.json",
        "tokenizer.json",
        "preprocessor_config.json",
        "generation_config.json",
        "chat_template.json",
    ):
        for what, data in (
            ("brackets", b"[" * 100_000),
            ("null", b"null"),
            ("a list", b"[]"),
            ("half", b'{"model_type":'),
        ):
            yield f"{name}: {what}", name, lambda _, d=data: d
    said = json.loads((MODEL / "config.json").read_bytes())
    for what, instead in {
        "another type": {"model_type": "llama"},
        "a type of html": {"model_type": "<b>"},
        "a list of types": {"model_type": ["a"]},
    }.items():
        yield f"config.json: {what}", "config.json", lambda _, i=instead: json.dumps(said | i).encode()
    jinja = json.dumps({"chat_template": "{% for a in range(10**9) %}{% endfor %}{{ ''.__class__.__mro__ }}"}).encode()
    yield "a template of loops", "chat_template.json", lambda _: jinja
    for what, data in (("true", {"frame_size": True}), ("of 0", {"frame_size": 0}), ("minus", {"frame_size": -28}), ("large", {"frame_size": 10**9}),
                       ("a name", {"name": 5}), ("more", {"more": 1}), ("taught", {"taught": [1]})):  # fmt: skip
        yield f"crab.json: {what}", "crab.json", lambda _, d=data: json.dumps(d).encode()
    for what, data in (("a list", b"[1]"), ("NaN", b'{"event": [[NaN]]}'), ("words", b'{"event": "a"}')):
        yield f"confidence.json: {what}", "confidence.json", lambda _, d=data: d
    for what, data in TENSORS.items():
        yield f"model.safetensors: {what}", "model.safetensors", lambda _, d=data: d
    for seed in (1, 2):
        yield f"model.safetensors: flipped {seed}", "model.safetensors", lambda data, n=seed: flipped(data, n, 0.00001)
    yield "model.safetensors: cut", "model.safetensors", partial(cut, share=0.7)
    yield "a pickle beside it", "pytorch_model.bin", lambda _: pickle.dumps(Code())


def records() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """What is given in the place of `AVUIE_2.zip`."""
    rows = json.dumps([{"video_path": "a.mp4"}]).encode()
    for name in ("../ave/test.json", "/ave/test.json", "C:/ave/test.json", "ave\\..\\..\\test.json"):
        yield f"named {name}", lambda n=name: packed({f"AVUIE_2/{n}" if n[0] == "." else n: rows})
    for what, content in (("brackets", b"[" * 1_000_000), ("null", b"null"), ("a word", b'"a"'), ("rows of all", b"[null, 1, [], {}, true]"),
                          ("NaN", b'[{"video_path": NaN}]'), ("bytes", bytes(range(256))), ("digits", b"[" + b"9" * 10_000 + b"]"),
                          ("surrogates", b'[{"video_path": "\\ud800"}]'), ("long names", json.dumps([{"video_path": "a" * 100_000}]).encode())):  # fmt: skip
        yield f"of {what}", lambda c=content: packed({"AVUIE_2/ave/test.json": c})
    yield (
        "a bomb",
        lambda: packed({f"AVUIE_2/ave/{n}.json": bytes(400_000_000) for n in range(2)}, zipfile.ZIP_DEFLATED),
    )
    yield (
        "a quiet bomb",
        lambda: lying_size(packed({"AVUIE_2/ave/test.json": bytes(400_000_000)}, zipfile.ZIP_DEFLATED), 500),
    )
    yield "locked", lambda: locked(packed({"AVUIE_2/ave/test.json": rows}))
    yield "cut", lambda: cut(packed({"AVUIE_2/ave/test.json": rows}), 0.5)
    yield "150,000 members", lambda: packed({f"AVUIE_2/{n}": b"" for n in range(150_000)})


def put(name: str, make: Callable[[], bytes], folder: Path) -> Path:
    (folder / name).write_bytes(make())
    return folder / name


def cases() -> Iterator[Case]:
    for name, make in saved_runs():
        yield Case(f"saved: {name}", "saved", partial(put, "run.zip", make))
    for name, make in WEIGHTS.items():
        yield Case(f"trace: {name}", "trace", partial(put, "trace.npz", make))
        yield Case(f"atlas: {name}", "atlas", partial(put, "atlas.npz", make))
    for name, make in records():
        yield Case(f"records: {name}", "records", partial(put, "AVUIE_2.zip", make))
    for name, write in adapters():
        yield Case(f"adapter: {name}", "adapter", partial(adapter, write))
    for name, file, change in models():
        yield Case(f"model: {name}", "model", partial(model, file, change))
