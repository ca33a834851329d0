"""The sound of a clip as a picture: levels by mel band and time."""

from __future__ import annotations

import numpy as np

from crab.seen import SAMPLE_RATE

MELS, WINDOW = 48, 400  # mel bands; samples a window
LOUD = (-90.0, -10.0)  # decibels of a full-scale sine that the grey scale spans, fixed


def mel_edges() -> np.ndarray:
    """Edges of the mel bands in hertz, (MELS + 2,), 0…8 kHz, on Slaney's scale as Whisper's filters have it.

    Linear to 1 kHz (66.7 Hz a mel), logarithmic above (27 mels for a factor of 6.4); Slaney 1998, Auditory Toolbox.
    """
    top = 15 + 27 * np.log(8000 / 1000) / np.log(6.4)
    mels = np.linspace(0, top, MELS + 2)
    return np.where(mels < 15, mels * 200 / 3, 1000 * np.exp((mels - 15) * np.log(6.4) / 27))


def log_mel(samples: np.ndarray, *, columns: int) -> tuple[np.ndarray, float]:
    """Level by mel band and time of 16 kHz `samples`: (MELS, at most `columns`) decibels; and seconds a column.

    0 dB is a full-scale sine. A window is 25 ms (Hann) every 10 ms; a column is the mean power of its windows.
    """
    samples = np.asarray(samples, np.float32)
    hop = 160
    padded = np.pad(samples, (WINDOW // 2, WINDOW // 2 + hop))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::hop][: max(1, -(-len(samples) // hop))]
    window = np.hanning(WINDOW).astype(np.float32)
    hertz = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE)
    edges = mel_edges()
    rise = (hertz[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - hertz[None]) / (edges[2:] - edges[1:-1])[:, None]
    filters = np.clip(np.minimum(rise, fall), 0, None)  # (mels, bins)
    # The narrowest bands may fall between two bins: they take the nearest.
    for band in np.flatnonzero(filters.sum(1) < 1e-3):
        filters[band, np.abs(hertz - edges[band + 1]).argmin()] = 1
    full = (window.sum() / 2) ** 2
    n = len(frames)
    each = -(-n // columns)
    power = np.concatenate([
        (np.abs(np.fft.rfft(frames[i : i + 4096] * window, axis=1)) ** 2 / full) @ filters.T for i in range(0, n, 4096)
    ])  # (frames, mels); in pieces, because an hour would be gigabytes  # fmt: skip
    power = np.add.reduceat(power, np.arange(0, n, each)) / np.diff([*range(0, n, each), n])[:, None]
    return 10 * np.log10(np.maximum(power.T, 1e-12)).astype(np.float32), each * hop / SAMPLE_RATE
