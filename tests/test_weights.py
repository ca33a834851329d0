"""Checkpoints by name: from a hub of our own on loopback, which speaks as much of the hub's language as is needed."""

from __future__ import annotations

import errno
import hashlib
import importlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from conftest import served
from gradio_client import Client, handle_file
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from crab import CrabError, __version__, weights
from crab.__main__ import main
from crab.model import Crab
from crab.weights import Checkpoint, Place, hub, names

plan_module = importlib.import_module("crab.weights.plan")
GOLDEN = Path(__file__).parent / "golden"
BASE, ADAPTER, SEGMENTER = "Qwen/Qwen2.5-Omni-7B", "Jayson236/Crab_Plus", "facebook/sam2.1-hiera-large"
DECOYS = ("model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors")


class Stub(ThreadingHTTPServer):
    """A hub. `repos`: (kind, name) -> commit -> folder; the last commit is `main`. `served`: (method, file, bytes)."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answering)
        self.repos, self.served, self.cut, self.gated = {}, [], {}, set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def add(self, repo: str, folder: Path, *, kind: str = "model") -> str:
        commits = self.repos.setdefault((kind, repo), {})
        commit = hashlib.sha1(f"{repo}{len(commits)}".encode()).hexdigest()
        commits[commit] = folder
        return commit

    def got(self, file: str) -> int:
        """Bytes of a file that were sent."""
        return sum(size for method, name, size in self.served if method == "GET" and name == file)

    def files(self) -> set[str]:
        return {name for method, name, _ in self.served if method == "GET"}


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        parts = [part for part in self.path.partition("?")[0].split("/") if part]
        if parts[0] == "api":
            kind, repo, rest = parts[1][:-1], "/".join(parts[2:4]), parts[4:]
            commit, folder = self.find(kind, repo, rest[1] if rest else "main")
            if folder:
                self.tell(self.tree(folder) if rest[:1] == ["tree"] else self.info(repo, commit, folder))
        else:
            kind = parts.pop(0)[:-1] if parts[0] == "datasets" else "model"
            repo, revision, name = "/".join(parts[:2]), parts[3], "/".join(parts[4:])
            commit, folder = self.find(kind, repo, revision)
            if folder and (folder / name).is_file():
                self.send_file(folder / name, name, commit)
            elif folder:
                self.refuse(404, "EntryNotFound")

    def find(self, kind, repo, revision):
        commits = self.server.repos.get((kind, repo))
        if repo in self.server.gated:
            return None, self.refuse(403, "GatedRepo")
        if commits is None:
            return None, self.refuse(404, "RepoNotFound")
        commit = list(commits)[-1] if revision == "main" else revision
        return (commit, commits[commit]) if commit in commits else (None, self.refuse(404, "RevisionNotFound"))

    def described(self, folder):
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            data = path.read_bytes()
            lfs = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
            yield path, data, lfs if path.suffix in (".safetensors", ".bin", ".pt") else None

    def info(self, repo, commit, folder):
        siblings = [
            {"rfilename": p.relative_to(folder).as_posix(), "size": len(data), "blobId": _blob(data), "lfs": lfs}
            for p, data, lfs in self.described(folder)
        ]
        return {"id": repo, "sha": commit, "siblings": siblings, "private": False, "tags": [], "downloads": 0}

    def tree(self, folder):
        return [
            {"type": "file", "path": p.relative_to(folder).as_posix(), "size": len(data), "oid": _blob(data)}
            | ({"lfs": {"oid": lfs["sha256"], "size": lfs["size"], "pointerSize": 130}} if lfs else {})
            for p, data, lfs in self.described(folder)
        ]

    def tell(self, data):
        body = json.dumps(data).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status, code):
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send_file(self, path, name, commit):
        data = path.read_bytes()
        large = path.suffix in (".safetensors", ".bin", ".pt")
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        self.send_response(206 if start else 200)
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest() if large else _blob(data)}"')
        self.send_header("X-Repo-Commit", commit)
        self.send_header("Content-Length", str(len(data) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if self.command == "HEAD":
            self.server.served.append(("HEAD", name, 0))
            return
        end = min(len(data), start + self.server.cut.get(name, len(data)))
        self.server.served.append(("GET", name, end - start))
        self.wfile.write(data[start:end])
        if end < len(data):
            self.close_connection = True

    def log_message(self, *_):
        pass


def _blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@pytest.fixture(scope="session")
def published(golden, tmp_path_factory):
    """The tiny checkpoint as the 7B one is published: in shards, two of which hold no thinker tensor."""
    folder = tmp_path_factory.mktemp("published")
    shutil.copytree(golden / "tiny-omni", folder, dirs_exist_ok=True)
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    shards = [tensors, {"talker.model.norm.weight": torch.ones(8)}, {"token2wav.dit.norm.weight": torch.ones(8)}]
    index = {"metadata": {"total_size": 1}, "weight_map": {}}
    for number, shard in enumerate(shards, 1):
        name = f"model-{number:05}-of-00003.safetensors"
        save_file(shard, folder / name, metadata={"format": "pt"})
        index["weight_map"] |= dict.fromkeys(shard, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "spk_dict.pt").write_bytes(b"voices")
    (folder / "README.md").write_text("A card.")
    return folder


@pytest.fixture
def released(golden, tmp_path):
    """The data set repository: adapter and annotations."""
    folder = tmp_path / "released"
    folder.mkdir()
    shutil.copy(golden / "finetune_weights.bin", folder)
    (folder / "AVUIE_2.zip").write_bytes(b"annotations")
    return folder


@pytest.fixture
def online(tmp_path, monkeypatch):
    """A hub to fetch from and a cache of its own."""
    server = Stub()
    for name, value in {"HF_HUB_OFFLINE": False, "ENDPOINT": server.address, "HF_HUB_CACHE": str(tmp_path / "hub"),
                        "HF_ASSETS_CACHE": str(tmp_path / "assets")}.items():  # fmt: skip
        monkeypatch.setattr(constants, name, value)
    template = server.address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(hub, "PIECE", 10_000)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def crab_plus(online, published, released):
    """The hub with base and adapter of crab-plus. Tests that need the segmenter bring it."""
    online.add(BASE, published)
    online.add(ADAPTER, released, kind="dataset")
    return online


# ---- names ----


def test_crab_plus_is_the_released_base_adapter_and_segmenter():
    assert weights.meant("crab-plus") == Checkpoint(BASE, f"datasets/{ADAPTER}/finetune_weights.bin", SEGMENTER)
    assert weights.meant("crab-mini").segmenter == weights.meant("some/folder").segmenter == "grabcut"


def test_each_part_may_be_named_beside_the_checkpoint():
    mine = weights.meant("crab-plus", "my/adapter@v2", "grabcut")
    assert mine == Checkpoint(BASE, "my/adapter@v2", "grabcut")


@pytest.mark.parametrize(("name", "place"), [
    ("user/repo", Place("user/repo")),
    ("user/repo@v1.0", Place("user/repo", revision="v1.0")),
    ("models/user/repo@refs/pr/3", Place("user/repo", revision="refs/pr/3")),
    ("datasets/user/repo", Place("user/repo", ("dataset",))),
])  # fmt: skip
def test_a_name_says_where_on_the_hub(name, place):
    assert names.place(name) == place


def test_an_adapters_name_goes_on_into_its_repository():
    assert names.place("user/repo/a/b.bin@x", files=True) == Place("user/repo", ("model", "dataset"), "a/b.bin", "x")


@pytest.mark.parametrize("name", ["grabcut", "crab-plus", "/nowhere", "./a/b", "../a/b", "a/b/c", "a b/c", "", "a/b@"])
def test_what_is_no_place_on_the_hub_is_taken_for_a_path(name):
    assert names.place(name) is None


def test_a_folder_that_is_here_is_never_looked_for_on_the_hub(tmp_path, monkeypatch):
    (tmp_path / "user" / "repo").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert names.place("user/repo") is None
    assert weights.find("user/repo") == weights.Found("repo", "user/repo", None)


# ---- fetching ----


def test_crab_plus_loads_from_the_hub_and_answers_as_the_same_files_do(crab_plus, tiny, golden_prompts):
    crab = Crab.load("crab-plus", device="cpu")
    assert crab.name == "crab-plus" and crab.adapter.sites == tiny.adapter.sites
    assert torch.equal(crab.logits(golden_prompts["s4"])[-1], tiny.logits(golden_prompts["s4"])[-1])


def test_shards_without_a_thinker_tensor_are_never_fetched(crab_plus):
    found = weights.find("crab-plus")
    got = crab_plus.files()
    assert "model-00001-of-00003.safetensors" in got and "config.json" in got
    assert not got & {*DECOYS, "spk_dict.pt", "README.md", "AVUIE_2.zip"}
    index = json.loads((Path(found.base) / "model.safetensors.index.json").read_text())
    assert set(index["weight_map"].values()) == {"model-00001-of-00003.safetensors"}


def test_what_was_fetched_is_used_without_the_hub(crab_plus, monkeypatch):
    found = weights.find("crab-plus")
    crab_plus.served.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert weights.find("crab-plus") == found and crab_plus.served == []


def test_a_dropped_connection_goes_on_from_where_it_was(crab_plus, golden):
    size = (golden / "finetune_weights.bin").stat().st_size
    crab_plus.cut = {"finetune_weights.bin": 200_000}
    found = weights.find("crab-plus")
    assert Path(found.adapter).read_bytes() == (golden / "finetune_weights.bin").read_bytes()
    assert [n for method, name, n in crab_plus.served if (method, name) == ("GET", "finetune_weights.bin")] == [
        200_000, size - 200_000,
    ]  # fmt: skip


def test_a_download_that_was_cut_goes_on_when_called_again(crab_plus, golden, monkeypatch):
    """In another process, days later: what came is kept, which the hub's own client does not do."""
    size = (golden / "finetune_weights.bin").stat().st_size
    wanted = Checkpoint(str(golden / "tiny-omni"), f"{ADAPTER}/finetune_weights.bin")

    def dropped(url, out, **options):
        out.write((golden / "finetune_weights.bin").read_bytes()[:123_456])
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr(hub, "http_get", dropped)
        with pytest.raises(CrabError, match="run the same again, which goes on where it stopped"):
            weights.fetch(wanted, say=lambda line: None)
    told = []
    weights.fetch(wanted, say=told.append)
    assert crab_plus.got("finetune_weights.bin") == size - 123_456
    assert "0.3 MB, 0.2 MB to fetch" in told[0]


def test_a_file_that_went_on_from_something_else_is_put_away(crab_plus, golden):
    [part] = weights.fetch(Checkpoint(str(golden / "tiny-omni"), ADAPTER), say=lambda line: None)
    [file] = part.files
    blob = hub._blob(part.place, file)
    blob.unlink()
    shutil.rmtree(blob.parents[1] / "snapshots")
    hub._begun(part.place, file).write_bytes(b"x" * 1000)
    with pytest.raises(CrabError, match="arrived damaged and was put away"):
        weights.find(golden / "tiny-omni", ADAPTER)
    found = weights.find(golden / "tiny-omni", ADAPTER)
    assert Path(found.adapter).read_bytes() == (golden / "finetune_weights.bin").read_bytes()


def test_a_disk_that_is_too_small_is_told_with_both_figures_before_anything_large_comes(crab_plus, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(hub.shutil, "disk_usage", lambda folder: usage(1_500_000))
    with pytest.raises(CrabError, match=r"2.4 MB are to be fetched and 1.5 MB are free in .*hub.*HF_HOME"):
        weights.find("crab-plus")
    assert crab_plus.files() == {"model.safetensors.index.json"}


def test_a_disk_that_becomes_full_on_the_way_is_a_sentence(crab_plus, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(hub, "http_get", full)
    with pytest.raises(CrabError, match="disk became full .* goes on from there"):
        weights.find("crab-plus")


# ---- adapters ----


def test_an_adapter_in_pefts_format_comes_from_a_model_repository(online, tiny, golden, tmp_path):
    folder = tmp_path / "peft"
    tiny.model.save_pretrained(folder)
    online.add("me/mine", folder)
    found = weights.find(golden / "tiny-omni", "me/mine")
    assert {"adapter_model.safetensors", "adapter_config.json"} <= {p.name for p in Path(found.adapter).iterdir()}
    crab = Crab.load(golden / "tiny-omni", "me/mine", device="cpu")
    assert crab.adapter.r == 8 and crab.adapter.heads == 3


def test_a_repository_without_an_adapter_says_what_it_has(online, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "notes.txt").write_text("x")
    online.add("me/other", folder)
    with pytest.raises(CrabError, match=r"me/other has no .*: it has notes.txt, and me/other/FILE names one"):
        weights.find("crab-mini", "me/other")


def test_fetch_names_the_tensor_that_is_wrong(crab_plus, released, capsys):
    tensors = torch.load(released / "finetune_weights.bin", weights_only=True)
    wrong = next(name for name in tensors if "lora_B1" in name)
    tensors[wrong] = tensors[wrong][:, :5]
    torch.save(tensors, released / "finetune_weights.bin")
    assert main(["weights", "fetch", "crab-plus", "--segmenter", "grabcut"]) == 2
    told = capsys.readouterr()
    assert wrong in told.err and "ready" not in told.out


def test_fetch_says_sizes_first_then_what_came_and_how_to_pin_it(crab_plus, released, capsys):
    commit = list(crab_plus.repos["dataset", ADAPTER])[0]
    assert main(["weights", "fetch", "crab-plus", "--segmenter", "grabcut"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{BASE}@main (") and "2.0 MB to fetch" in lines[0]
    assert "free in" in lines[2]
    assert any("published format, rank 8, 3 heads" in line for line in lines)
    assert f"datasets/{ADAPTER}/finetune_weights.bin@main is commit {commit}" in lines
    assert lines[-1] == "ready: CRAB_MODEL=crab-plus python app.py"


# ---- revisions ----


def test_a_revision_is_pinned_and_main_moves_on_only_when_fetched(crab_plus, released, golden, tmp_path):
    old = list(crab_plus.repos["dataset", ADAPTER])[0]
    first = weights.find("crab-plus")
    changed = tmp_path / "changed"
    shutil.copytree(released, changed)
    tensors = torch.load(changed / "finetune_weights.bin", weights_only=True)
    torch.save({name: tensor + 1 for name, tensor in tensors.items()}, changed / "finetune_weights.bin")
    new = crab_plus.add(ADAPTER, changed, kind="dataset")
    assert weights.find("crab-plus") == first  # nobody's answers change overnight
    weights.fetch(weights.meant("crab-plus", segmenter="grabcut"), say=lambda line: None)
    assert new in weights.find("crab-plus").adapter
    pinned = weights.find("crab-plus", f"datasets/{ADAPTER}@{old}").adapter
    assert Path(pinned).read_bytes() == (golden / "finetune_weights.bin").read_bytes()


@pytest.mark.parametrize(("model", "adapter", "sentence"), [
    (f"{BASE}@v9", None, "has no revision v9"),
    ("nobody/nothing", None, "no folder nobody/nothing here, and no repository of that name"),
    ("crab-mini", "nobody/nothing", "no folder nobody/nothing here, and no repository of that name"),
    ("closed/model", None, "accept its terms"),
])  # fmt: skip
def test_what_the_hub_does_not_give_is_a_sentence(crab_plus, model, adapter, sentence):
    crab_plus.gated.add("closed/model")
    with pytest.raises(CrabError, match=sentence):
        weights.find(model, adapter)


# ---- without a network ----


def test_offline_is_a_sentence(crab_plus, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CrabError, match=f"{BASE}@main is not here yet, and HF_HUB_OFFLINE forbids"):
        weights.find("crab-plus")


def test_no_network_is_a_sentence_at_once(crab_plus, monkeypatch):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(CrabError, match=r"the hub \(http://127.* cannot be reached: connect to a network"):
            weights.find("crab-plus")
        assert time.monotonic() - began < hub.PATIENCE


# ---- the segmenter ----


def test_the_segmenter_comes_from_the_hub_without_the_original_checkpoint(online, tmp_path):
    folder = tmp_path / "sam"
    folder.mkdir()
    for name in ("config.json", "preprocessor_config.json", "model.safetensors", "sam2.1_hiera_large.pt"):
        (folder / name).write_text("{}")
    online.add(SEGMENTER, folder)
    found = Path(weights.find_segmenter(SEGMENTER))
    assert {path.name for path in found.iterdir()} == {"config.json", "preprocessor_config.json", "model.safetensors"}
    assert weights.find_segmenter("grabcut") == "grabcut"


# ---- as people type it ----


def test_a_question_is_answered_by_crab_plus_from_the_environment(crab_plus, golden, tmp_path):
    environment = os.environ | {
        "HF_ENDPOINT": crab_plus.address, "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "home"),
        "CRAB_MODEL": "crab-plus", "CRAB_SEGMENTER": "grabcut",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "crab", "ask", str(golden / "media" / "a.mp4"), "--task", "ave", "--max-new-tokens", "2",
         "--json"], env=environment, capture_output=True, text=True, cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["task"] == "ave"
    assert not crab_plus.files() & set(DECOYS)


def test_the_page_starts_with_crab_plus_from_the_hub_and_answers(crab_plus, golden, tmp_path):
    environment = {"HF_ENDPOINT": crab_plus.address, "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "home"),
                   "CRAB_MODEL": "crab-plus", "CRAB_SEGMENTER": "grabcut"}  # fmt: skip
    with served(tmp_path / "log.txt", **environment) as (_, address):
        clip = handle_file(str(golden / "media" / "a.mp4"))
        *_, result, routing = Client(address, verbose=False).predict(clip, "ave", "", None, api_name="/ask")
    assert result["model"] == "crab-plus" and result["tokens"]["generated"] > 0 and routing
    assert not crab_plus.files() & set(DECOYS)


# ---- what memory it takes ----


def _bytes(tensors) -> int:
    return sum(t.numel() * t.element_size() for t in tensors)


@pytest.mark.parametrize(("loaded", "model"), [("mini", "crab-mini"), ("tiny", None)])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_weights_and_adapter_are_planned_to_the_byte(loaded, model, dtype, golden, request):
    crab = request.getfixturevalue(loaded)
    made = weights.plan(model or golden / "tiny-omni", None if model else golden / "finetune_weights.bin")
    [need] = [need for need in made.answering if need.setting == dtype]
    size = 4 if dtype == "float32" else 2
    own = [p for name, p in crab.model.named_parameters() if "ilora_" in name]
    assert need.weights == size * (sum(p.numel() for p in crab.model.parameters()) - sum(p.numel() for p in own))
    assert need.adapter == size * sum(p.numel() for p in own)


def test_the_cache_is_planned_to_the_byte(mini):
    from transformers import DynamicCache

    made = weights.plan("crab-mini")
    cache = DynamicCache(config=mini.thinker.config.text_config)
    ids = torch.zeros(1, made.prompt + plan_module.WRITTEN, dtype=torch.long)
    with torch.inference_mode():
        mini.thinker.model.language_model(input_ids=ids, cache=cache, use_cache=True)
    assert made.answering[0].cache == _bytes(t for layer in cache.layers for t in (layer.keys, layer.values))


def test_a_usual_question_is_as_long_as_planned(mini, golden, golden_prompts):
    assert weights.plan(golden / "tiny-omni").prompt == pytest.approx(len(golden_prompts["ave"].map.tokens), rel=0.05)


def test_training_is_planned_with_the_gradients_and_the_optimiser_of_a_fresh_adapter(golden):
    from crab.ilora import ILoRAConfig
    from crab.learn.train import adapted

    made = weights.plan(golden / "tiny-omni", train=True)
    model = adapted(Crab.load(golden / "tiny-omni", device="cpu").thinker, ILoRAConfig())
    trained = [p for p in model.parameters() if p.requires_grad]
    for p in trained:
        p.grad = torch.zeros_like(p)
    optimizer = torch.optim.AdamW(trained)
    optimizer.step()
    need = made.training[0]
    assert need.adapter == need.gradients == _bytes(trained)
    kept = [t for state in optimizer.state.values() for t in state.values() if t.ndim]
    assert need.optimizer == _bytes(kept)


def test_crab_plus_is_planned_for_before_anything_is_fetched(capsys):
    made = weights.plan("crab-plus", gpus=[24e9], train=True)
    assert (made.parameters, made.adapter_parameters) == (8_931_813_888, 870_480_512)
    assert made.fitting == ("bfloat16", "8bit", "4bit") and made.trainable == ()
    assert weights.plan("crab-plus", gpus=[12e9]).fitting == ("4bit",)
    assert [need.devices for need in weights.plan("crab-plus", gpus=[12e9, 12e9]).answering] == [2, 2, 1]
    assert weights.plan("crab-plus", gpus=[12e9, 12e9], train=True).trainable == ()  # a process has one of them
    assert weights.plan("crab-plus", gpus=[80e9], train=True).trainable == ("bfloat16",)
    assert main(["plan", "--model", "crab-plus", "--gpus", "1", "--gpu-memory", "24", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["fitting"] == ["bfloat16", "8bit", "4bit"] and told["crab"] == __version__
    assert told["answering"][0]["total"] == made.answering[0].total
    assert [need["setting"] for need in told["answering"]] == told["fitting"]
    assert main(["plan", "--model", "crab-plus", "--gpus", "1", "--gpu-memory", "8"]) == 0
    assert "8.0 GB on GPUs: too little to answer" in capsys.readouterr().out
    assert main(["plan", "--model", "crab-plus", "--gpus", "2", "--gpu-memory", "12"]) == 0
    told = capsys.readouterr().out
    assert "12.0 GB + 12.0 GB on GPUs: answers in bfloat16 (over 2), 8bit (over 2), 4bit" in told


def test_half_a_description_of_gpus_is_a_sentence(capsys):
    assert main(["plan", "--gpus", "2"]) == 2
    assert "give both --gpus and --gpu-memory" in capsys.readouterr().err


def test_a_configuration_alone_comes_from_the_hub(crab_plus):
    crab_plus.add("me/base", next(iter(crab_plus.repos["model", BASE].values())))
    assert weights.plan("me/base").parameters == weights.plan(GOLDEN / "tiny-omni").parameters
    assert crab_plus.files() == {"config.json"}


@pytest.mark.parametrize(("free", "dtype"), [(1.1e9, torch.float32), (0.88e9, torch.bfloat16)])
def test_bfloat16_takes_the_place_of_float32_where_there_is_no_room_and_says_so(free, dtype, monkeypatch, capsys):
    monkeypatch.setattr(plan_module, "SMALL", 0)
    monkeypatch.setattr(plan_module, "machine_here", lambda device: plan_module.Machine("cpu", (int(free),)))
    assert Crab.load("crab-mini", device="cpu").dtype == dtype
    told = "crab-mini computes in bfloat16: float32 would take" in capsys.readouterr().err
    assert told == (dtype == torch.bfloat16)


def test_too_little_memory_is_a_sentence_before_the_load(monkeypatch):
    monkeypatch.setattr(plan_module, "SMALL", 0)
    monkeypatch.setattr(plan_module, "machine_here", lambda device: plan_module.Machine("cpu", (500_000_000,)))
    sentence = r"crab-mini takes 0.9 GB of memory to answer, and 0.5 GB are free: close"
    with pytest.raises(CrabError, match=sentence):
        Crab.load("crab-mini", device="cpu")
    with pytest.raises(CrabError, match=sentence):
        weights.settle(weights.find("crab-mini"), "cpu", "4bit")
