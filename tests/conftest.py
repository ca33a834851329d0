"""What several test files share: where things lie, and models that are loaded once."""

from __future__ import annotations

import json
import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may wait for a network
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
GOLDEN = ROOT / "tests" / "golden"
MINI = ROOT / "assets" / "crab-mini"


@pytest.fixture(scope="session")
def golden() -> Path:
    return GOLDEN


@pytest.fixture(scope="session")
def golden_cases() -> dict[str, dict]:
    """Dataset -> what the released code computed for its one record."""
    return json.loads((GOLDEN / "golden.json").read_text())


@pytest.fixture(scope="session")
def golden_arrays() -> dict[str, np.ndarray]:
    return dict(np.load(GOLDEN / "golden.npz"))


@pytest.fixture(scope="session")
def tiny():
    """The tiny random checkpoint of the golden cases, with its adapter, in float32 on the CPU."""
    from crab.model import Crab

    return Crab.load(GOLDEN / "tiny-omni", GOLDEN / "finetune_weights.bin", device="cpu")


@pytest.fixture(scope="session")
def golden_prompts(tiny) -> dict:
    """Dataset -> the Prompt of its golden record, built from the files on disk."""
    from crab import avuie

    prompts = {}
    for dataset in json.loads((GOLDEN / "golden.json").read_text()):
        [record] = avuie.read(GOLDEN, dataset)
        clip, other = record.open()
        prompts[dataset] = tiny.prompt(clip, record.task, record.question, other=other)
    return prompts


@pytest.fixture(scope="session")
def mini():
    """The model that ships."""
    from crab.model import Crab

    return Crab.load(MINI, device="cpu")


@pytest.fixture(scope="session")
def clips() -> Path:
    """Real clips that are not part of this repository."""
    folder = ROOT.parent / "shared" / "clips"
    if not folder.is_dir():
        pytest.skip("the folder of real clips (../shared/clips) is not here")
    return folder


@pytest.fixture(scope="session")
def scene_clip(tmp_path_factory) -> Path:
    """One drawn scene as a video file."""
    from crab.scenes import render, script

    path = tmp_path_factory.mktemp("scene") / "scene.mp4"
    render.write_clip(script.write(5), path, size=(160, 120))
    return path
