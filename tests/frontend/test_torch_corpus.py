"""The corpus's torch models, quantized with PT2E, agree with torch layer by layer."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tinycc

pytest.importorskip("torch")
pytest.importorskip("torchao.quantization.pt2e")

import torch

from tests.frontend.torch_tools import (
    layer_steps,
    output_steps,
    quantized_program,
    random_case,
    xnnpack,
)
from tinycc.torch import Quantizer

SLOW = os.environ.get("TINYCC_SLOW") == "1"

# Name of the model: how it is made, its input, the largest difference of an output in steps, and whether it
# runs by default. Rounding differences of single layers add up over the depth of a network.
MODELS: dict[str, tuple[Callable[[ModuleType], Any], tuple[int, ...], int, bool]] = {
    "mlperf_ic_resnet8": (lambda models: models.ResNet8(), (1, 3, 32, 32), 4, True),
    "mlperf_kws_dscnn": (lambda models: models.DSCNN(), (1, 1, 49, 10), 2, True),
    "mlperf_ad_ae": (lambda models: models.ToyCarAE(), (1, 640), 2, False),
    "mlperf_vww_mbv1": (lambda models: models.MobileNetV1(), (1, 3, 96, 96), 4, False),
    "tt_mcunet-5fps": (
        lambda models: models.MBNet(models.load_cfg(models.folder / "tt_mcunet-5fps.json"), bn=False),
        (1, 3, 128, 128),
        8,
        False,
    ),
}


@pytest.fixture(scope="module")
def models(corpus: Path) -> ModuleType:
    """The corpus's definitions of the networks."""
    path = corpus / "torch" / "tiny_models.py"
    spec = importlib.util.spec_from_file_location("tiny_models", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.folder = path.parent  # type: ignore[attr-defined]
    return module


@pytest.mark.parametrize("quantizer", [Quantizer, xnnpack])
@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if SLOW or model[3]])
def test_a_model_agrees_with_torch(
    models: ModuleType,
    name: str,
    quantizer: Callable[[], Any],
    record_property: Callable[[str, object], None],
) -> None:
    make, shape, tolerance, _ = MODELS[name]
    network = models.load_npz(make(models), models.folder / f"{name}.npz")
    program = quantized_program(network, [shape], quantizer())
    compiled = tinycc.compile(program)
    assert not compiled.report["fallbacks"]
    layers = layer_steps(program, compiled, random_case([shape], 100))
    for layer, histogram in layers.items():
        record_property(layer, dict(sorted(histogram.items())))
        assert max(histogram) <= 1, layer
    outputs = output_steps(program, compiled, [random_case([shape], seed) for seed in range(200, 204)])
    print(f"{name}, {len(layers)} layers, outputs: int8 steps {dict(sorted(outputs.items()))}")
    record_property("outputs", dict(sorted(outputs.items())))
    assert max(outputs) <= tolerance


@pytest.mark.parametrize("name", [name for name in MODELS if SLOW or name == "mlperf_kws_dscnn"])
def test_a_float_model_agrees_with_torch(name: str, models: ModuleType) -> None:
    """To 1e-4 of the largest output, and by kernels alone."""
    make, shape, *_ = MODELS[name]
    module = models.load_npz(make(models), models.folder / f"{name}.npz").eval()
    inputs = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = module(inputs).numpy()
    compiled = tinycc.compile(module, example_inputs=inputs, allow_float=True)
    assert not compiled.report["fallbacks"]
    [found] = compiled.run([inputs[None].numpy()])
    assert np.abs(found.reshape(expected.shape) - expected).max() <= 1e-4 * np.abs(expected).max()
