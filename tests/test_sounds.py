"""The voices: each sounds, steadily, in a time that the drawing keeps too, and no two are alike."""

import numpy as np
import pytest

from crab.scenes.world import cast
from crab.scenes.world.cast import ACTORS
from crab.scenes.world.sounds import synth
from crab.scenes.world.sounds.synth import SAMPLE_RATE

SEEDS = range(4)
# Seconds for which a voice may pause; all others are loud in every half second, wherever one begins.
PAUSES = {"dog": 0.7, "bird": 0.6, "man": 0.6}


def voice(name, seconds=4, seed=7):
    return cast.synthesise(name, seconds, np.random.default_rng(seed))


def softest(sound, seconds):
    """The level of the quietest stretch of so many seconds."""
    power = np.concatenate([[0], np.cumsum(sound.astype(float) ** 2)])
    length = int(seconds * SAMPLE_RATE)
    return np.sqrt(np.maximum(power[length:] - power[:-length], 0).min() / length)


@pytest.mark.parametrize("name", ACTORS)
def test_a_voice_is_finite_loud_and_never_overdriven(name):
    for seed in SEEDS:
        for seconds in (1, 4, 10) if seed < 2 else (4,):
            sound = voice(name, seconds, seed)
            assert sound.shape == (seconds * SAMPLE_RATE,) and sound.dtype == np.float32
            assert np.isfinite(sound).all() and np.abs(sound).max() <= 0.81
            assert 0.025 < np.sqrt(np.mean(sound**2)) < 0.125


@pytest.mark.parametrize("name", ACTORS)
def test_a_voice_is_loud_in_every_half_second(name):
    for seed in range(8):
        assert softest(voice(name, 4, seed)[: int(3.9 * SAMPLE_RATE)], PAUSES.get(name, 0.5)) > 0.008, seed


@pytest.mark.parametrize("name", ACTORS)
def test_one_seed_is_one_voice_and_seeds_differ(name):
    assert np.array_equal(voice(name, 2), voice(name, 2))
    assert len({voice(name, 2, seed).tobytes() for seed in range(3)}) == 3


@pytest.mark.parametrize("seed", [7, 8])
def test_no_two_voices_are_alike(seed):
    spectra = []
    for name in ACTORS:
        power = np.abs(np.fft.rfft(voice(name, 4, seed))) ** 2
        octaves = np.add.reduceat(power, np.geomspace(200, 28000, 24).astype(int))
        spectra.append(np.log(octaves / octaves.sum() + 1e-6))
    apart = np.linalg.norm(np.array(spectra)[:, None] - np.array(spectra)[None], axis=2)
    names = list(ACTORS)
    np.fill_diagonal(apart, np.inf)
    one, other = np.unravel_index(apart.argmin(), apart.shape)
    assert apart.min() > 3.5, (names[one], names[other])


@pytest.mark.parametrize("name", ACTORS)
def test_the_tempo_is_the_first_thing_drawn(name):
    """So that the drawing, which draws nothing else of the voice, keeps the same."""
    low, high = ACTORS[name].tempo
    assert 0 < low < high
    for seed in range(3):
        beats = cast.tempo(name, np.random.default_rng(seed))
        assert low <= beats <= high
        rng = np.random.default_rng(seed)
        rng.uniform(low, high)
        made = ACTORS[name].voice(2 * SAMPLE_RATE, beats, rng)
        heard = voice(name, 2, seed)
        assert np.corrcoef(made, heard)[0, 1] > 0.9999


@pytest.mark.parametrize("name", ["drum", "clapping", "hammering", "bouncing ball", "chopping", "dog"])
def test_it_strikes_on_the_beat(name):
    for seed in range(3):
        beats = cast.tempo(name, np.random.default_rng(seed))
        sound, piece = voice(name, 6, seed), int(0.08 * SAMPLE_RATE)
        on = [int(beat * SAMPLE_RATE / beats) for beat in range(1, int(5 * beats))]
        after = np.mean([np.mean(sound[at : at + piece] ** 2) for at in on])
        before = np.mean([np.mean(sound[at - piece : at] ** 2) for at in on])
        assert after > 2 * before


# ---- what voices are made of -----------------------------------------------


def pitch(sound):
    """The strongest frequency, in Hz."""
    strength = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    strength[: int(40 * len(sound) / SAMPLE_RATE)] = 0  # what nobody hears
    return strength.argmax() * SAMPLE_RATE / len(sound)


def test_a_wave_has_the_frequency_it_is_asked_for():
    turns = synth.phase(440.0, SAMPLE_RATE)
    assert pitch(synth.periodic(turns, np.array([1.0, 0.3]))) == pytest.approx(440, abs=1.5)


def test_a_glide_ends_where_it_is_led():
    turns = synth.phase(np.linspace(200, 800, 2 * SAMPLE_RATE), 2 * SAMPLE_RATE)
    sound = synth.periodic(turns, np.array([1.0]))
    assert pitch(sound[: SAMPLE_RATE // 5]) < 260 and pitch(sound[-SAMPLE_RATE // 5 :]) > 740


@pytest.mark.parametrize("frequency", [98, 220, 520])
def test_a_string_sounds_its_note_and_dies_away(frequency):
    string = synth.pluck(frequency, 2.0, np.random.default_rng(0))
    assert string.shape == (2 * SAMPLE_RATE,)
    harmonic = pitch(string) / frequency
    assert harmonic == pytest.approx(round(harmonic), abs=0.06) and round(harmonic) >= 1
    assert np.abs(string[-4000:]).max() < 0.5 * np.abs(string[:4000]).max()


def test_harmonics_stay_below_the_highest_that_can_be_heard():
    for highest in (60, 500, 5000, 9000):
        partials = synth.falling(highest, 1.0)
        assert len(partials) == 1 or len(partials) * highest <= 7500
        assert (np.diff(partials) < 0).all()


def test_what_reaches_over_the_end_is_cut_there():
    out = np.zeros(10)
    synth.add_at(out, 7, np.ones(5))
    synth.add_at(out, 12, np.ones(5))
    assert out.tolist() == [0] * 7 + [1] * 3


def test_a_band_keeps_what_is_in_it():
    noise = np.random.default_rng(0).standard_normal(SAMPLE_RATE)
    power = np.abs(np.fft.rfft(synth.bandpass(noise, 1000, 2000))) ** 2
    assert power[1000:2000].mean() > 20 * power[4000:].mean()
    assert power[1000:2000].mean() > 20 * power[:400].mean()


def test_beats_come_at_their_tempo():
    assert synth.beat_samples(SAMPLE_RATE, 4).tolist() == [0, 4000, 8000, 12000]
