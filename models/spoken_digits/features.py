"""Log-mel features of one second of speech: what the spoken-digit model sees.

The recipe uses only a window, an FFT of 256 points, a matrix of mel weights and a logarithm, so that a
device can compute it too, a frame at a time:

    49 frames of 256 samples (32 ms), one every 160 (20 ms), Hann window
    -> power spectrum (129 bins) -> 20 triangular mel bands, 60 Hz to 3.8 kHz
    -> (ln(energy + FLOOR) - MEAN) / SPREAD

Samples are int16 at 8 kHz, taken as -1.0 to 1.0. The mel scale is 2595 log10(1 + f / 700)
(O'Shaughnessy, Speech Communication: Human and Machine, 1987).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE = 8000  # samples a second
SAMPLES = 8000  # in one clip
WINDOW = 256
HOP = 160
FRAMES = (SAMPLES - WINDOW) // HOP + 1
BANDS = 20
BAND_EDGES_HZ = (60.0, 3800.0)
FLOOR = 1e-3  # about the energy of noise two bits above the least significant one
MEAN, SPREAD = -2.0, 4.0  # bring speech roughly to zero mean and unit deviation


def mel_weights() -> NDArray[np.float32]:
    """Triangles with peak 1, equally spaced in mel: [WINDOW // 2 + 1, BANDS]."""
    low, high = (2595.0 * np.log10(1.0 + hz / 700.0) for hz in BAND_EDGES_HZ)
    corners = 700.0 * (10.0 ** (np.linspace(low, high, BANDS + 2) / 2595.0) - 1.0)
    bins = np.arange(WINDOW // 2 + 1)[:, None] * (RATE / WINDOW)
    rising = (bins - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - bins) / (corners[2:] - corners[1:-1])
    return np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)


def log_mel(samples: NDArray[np.int16] | NDArray[np.float32]) -> NDArray[np.float32]:
    """Features [..., FRAMES, BANDS] of clips [..., SAMPLES] in int16 units."""
    frames: NDArray[Any] = np.lib.stride_tricks.sliding_window_view(samples, WINDOW, axis=-1)[..., ::HOP, :]
    hann = np.hanning(WINDOW + 1)[:-1].astype(np.float32) / np.float32(32768.0)
    spectrum = np.fft.rfft(frames * hann)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    return ((np.log(power @ mel_weights() + np.float32(FLOOR)) - MEAN) / SPREAD).astype(np.float32)


def place(samples: NDArray[np.int16], start: int) -> NDArray[np.int16]:
    """Make a clip of SAMPLES with silence around `samples`, which begin at `start` (below 0: cut off)."""
    clip = np.zeros(SAMPLES, np.int16)
    first, last = max(start, 0), min(start + samples.size, SAMPLES)
    clip[first:last] = samples[first - start : last - start]
    return clip


def centred(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """Place the recording in the middle of a clip of SAMPLES; longer ones lose both ends."""
    return place(samples, (SAMPLES - samples.size) // 2)
