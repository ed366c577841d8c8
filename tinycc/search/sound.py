"""Sound as an image: the logarithm of its energy in bands of frequency, frame by frame.

A device can compute it, too, a frame at a time: a window, an FFT, a matrix of weights and a logarithm.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tinycc.errors import InputDataError

_FULL_SCALE = 32768.0


@dataclass(frozen=True)
class Spectrogram:
    """Log-mel features of a clip; by default those of models/spoken_digits/features.py, not yet normalized.

    rate: samples a second. seconds: of a clip; recordings are padded with silence, or cut, on both sides.
    window, hop: samples of a frame, and from one to the next. bands: features of a frame.
    low, high: the frequencies between which bands lie, in Hz.
    floor: what is added to an energy before its logarithm.

    Bands are triangles, equally wide on the mel scale, 2595 log10(1 + f / 700) (O'Shaughnessy, "Speech
    communication: human and machine", 1987).
    """

    rate: int = 8000
    seconds: float = 1.0
    window: int = 256
    hop: int = 160
    bands: int = 20
    low: float = 60.0
    high: float = 3800.0
    floor: float = 1e-3

    def __post_init__(self) -> None:
        """InputDataError for parameters that do not go together."""
        if not 0 < self.window <= self.samples or self.hop < 1 or self.bands < 1 or self.floor <= 0:
            raise InputDataError(
                f"a clip of {self.samples} samples has no frames of {self.window}, one every {self.hop}, "
                f"with {self.bands} bands"
            )
        if not 0 <= self.low < self.high <= self.rate / 2:
            raise InputDataError(
                f"bands from {self.low:g} to {self.high:g} Hz are not within 0 to {self.rate / 2:g} Hz, half "
                "the rate"
            )
        if not self._weights.any(axis=0).all():
            raise InputDataError(
                f"{self.bands} bands are narrower than an FFT of {self.window} samples tells apart: take "
                "fewer bands or a longer window"
            )

    @property
    def samples(self) -> int:
        """Of a clip."""
        return round(self.rate * self.seconds)

    @property
    def size(self) -> tuple[int, int]:
        """Frames, and bands of each."""
        return (self.samples - self.window) // self.hop + 1, self.bands

    @property
    def description(self) -> str:
        """For those who write the code before the network."""
        frames, bands = self.size
        return (
            f"Sound at {self.rate} Hz becomes {frames} frames of {bands} features: Hann windows of "
            f"{self.window} samples (-1 to 1), one every {self.hop}, power spectra, triangular mel bands "
            f"from {self.low:g} to {self.high:g} Hz, ln(energy + {self.floor:g})."
        )

    @cached_property
    def _weights(self) -> np.ndarray:
        """Of each frequency in each band: triangles with peak 1, [window // 2 + 1, bands], float32."""
        low, high = (2595.0 * np.log10(1.0 + hertz / 700.0) for hertz in (self.low, self.high))
        corners = 700.0 * (10.0 ** (np.linspace(low, high, self.bands + 2) / 2595.0) - 1.0)
        frequencies = np.arange(self.window // 2 + 1)[:, np.newaxis] * (self.rate / self.window)
        rising = (frequencies - corners[:-2]) / (corners[1:-1] - corners[:-2])
        falling = (corners[2:] - frequencies) / (corners[2:] - corners[1:-1])
        return np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)

    def features(self, recording: np.ndarray) -> np.ndarray:
        """Of int16 samples [length] at `rate`: float32 [frames, bands, 1]."""
        frames = np.lib.stride_tricks.sliding_window_view(self._clip(recording), self.window)[:: self.hop]
        hann = np.hanning(self.window + 1)[:-1].astype(np.float32) / np.float32(_FULL_SCALE)
        spectrum = np.fft.rfft(frames * hann)
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
        return np.log(power @ self._weights + np.float32(self.floor))[:, :, np.newaxis].astype(np.float32)

    def _clip(self, recording: np.ndarray) -> np.ndarray:
        """The middle of it, or all of it with silence on both sides, [samples]."""
        missing = self.samples - len(recording)
        before = missing // 2
        if missing >= 0:
            return np.pad(recording, (before, missing - before))
        return recording[-before : -before + self.samples]
