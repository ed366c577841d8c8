"""The kept spoken-digit model does what its README says."""

import importlib.util
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "models" / "spoken_digits"


def test_held_out_clips_give_the_kept_scores() -> None:
    path = FOLDER / "spoken_digits.onnx"
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    with np.load(FOLDER / "held_out.npz") as data:
        clips, kept, labels = data["in0"], data["out0"], data["label"]
    floats = (clips - constants["features_zero_point"].astype(np.float32)) * constants["features_scale"]
    scores = np.concatenate([session.run(None, {"features": clip[None]})[0] for clip in floats])
    steps = np.rint(scores / constants["scores_scale"]) + constants["scores_zero_point"]
    # Float arithmetic between two quantizations may round the other way on another processor.
    assert np.abs(steps - kept).max() <= 2
    assert np.mean(kept.argmax(1) == labels) >= 0.95
    assert np.array_equal(np.bincount(labels[:60]), np.full(10, 6))


@pytest.mark.parametrize("hertz", [200.0, 1000.0, 3000.0])
def test_features_of_a_tone_peak_in_its_band(hertz: float) -> None:
    spec = importlib.util.spec_from_file_location("spoken_digit_features", FOLDER / "features.py")
    assert spec is not None and spec.loader is not None
    features = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(features)
    tone = 8000 * np.sin(2 * np.pi * hertz * np.arange(features.SAMPLES) / features.RATE)
    bands = features.log_mel(tone.astype(np.int16))
    assert bands.shape == (features.FRAMES, features.BANDS)
    nearest = np.abs(features.mel_weights().argmax(0) * features.RATE / features.WINDOW - hertz).argmin()
    assert np.all(bands.argmax(1) == nearest)
