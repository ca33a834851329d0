"""Checkpoints by name: from a hub of our own on loopback, which speaks as much of the hub's language as is needed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from crab import CrabError, weights
from crab.__main__ import main
from crab.model import Crab
from crab.weights import Checkpoint, hub, names

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


@pytest.fixture(scope="session")
def sam(tmp_path_factory):
    """A SAM 2 of small dimensions."""
    from transformers import Sam2Config, Sam2HieraDetConfig, Sam2Model, Sam2Processor, Sam2VisionConfig
    from transformers.models.sam2.image_processing_sam2_fast import Sam2ImageProcessorFast

    folder = tmp_path_factory.mktemp("sam")
    return folder


@pytest.fixture
def online(tmp_path, monkeypatch):
    """A hub to fetch from and a cache of its own."""
    server = Stub()
    cache = tmp_path / "cache"
    for name, value in {"HF_HUB_OFFLINE": False, "ENDPOINT": server.address, "HF_HUB_CACHE": str(cache / "hub"),
                        "HF_ASSETS_CACHE": str(cache / "assets")}.items():  # fmt: skip
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.address + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(hub, "LARGE", 10_000)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def crab_plus(online, published, released):
    online.add(BASE, published)
    online.add(ADAPTER, released, kind="dataset")
    return online


def test_find(crab_plus, capsys):
    t=time.time()
    found = weights.find("crab-plus")
    print(found, time.time()-t)
    print(crab_plus.files())
    crab = Crab.load("crab-plus", device="cpu")
    print(crab.adapter, crab.name)
