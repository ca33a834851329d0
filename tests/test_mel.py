"""The mel spectrogram under the clip's seconds."""

import numpy as np
import pytest

from visualize import mel

TONE = np.sin(2 * np.pi * 1000 * np.arange(4 * 16_000) / 16_000).astype(np.float32)


def test_a_tone_lies_in_its_band_at_its_level():
    level, step = mel.log_mel(TONE, columns=360)
    middle = level[:, level.shape[1] // 2]
    centres = mel.mel_edges()[1:-1]
    assert abs(centres[middle.argmax()] - 1000) < 120
    assert middle.max() == pytest.approx(0, abs=4)  # a full-scale sine
    assert step * level.shape[1] == pytest.approx(4, abs=0.05) and level.shape == (mel.MELS, 200)
