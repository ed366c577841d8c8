"""A small CNN, quantized with PT2E, compiled from Python without touching a file, beside torch.

python examples/pytorch_pt2e.py    (needs tinycc-mcu[torch])
"""

import numpy as np
import torch
from torch import nn
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

import tinycc
from tinycc.torch import Quantizer

CASE = (1, 3, 32, 32)


def network() -> nn.Module:
    """Convolution, depthwise and pointwise convolution, pooling, linear layer."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1, groups=16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 10),
    ).eval()


def quantized(model: nn.Module) -> torch.export.ExportedProgram:
    """int8 with weights per channel; any static quantizer that annotates the operators' outputs will do.

    tinycc.quantization.pt2e.quantize_program does the same, and says what does not fit.
    """
    prepared = prepare_pt2e(torch.export.export(model, (torch.randn(CASE),)).module(), Quantizer())
    for _ in range(16):  # calibration: give it data of your own
        prepared(torch.randn(CASE))
    return torch.export.export(convert_pt2e(prepared), (torch.randn(CASE),))


def main() -> None:
    """Quantize, compile, run on the host, compare."""
    torch.manual_seed(0)
    program = quantized(network())
    compiled = tinycc.compile(program, target="cortex-m4")
    report = compiled.report
    print(f"an arena of {report['arena_bytes']:,} bytes, {report['weight_bytes']:,} bytes of constants")

    image = torch.randn(CASE)
    [output] = compiled.run([image.numpy()[np.newaxis]])
    [edge] = compiled.plan.edges.outputs
    expected = program.module()(image).detach().numpy()
    steps = np.round(expected / edge.scale) + edge.zero_point - output[0]
    print("torch:  ", np.round(expected[0], 3))
    print("tinycc: ", np.round((output[0].astype(np.float32) - edge.zero_point) * edge.scale, 3))
    print(f"largest difference: {int(np.abs(steps).max())} int8 steps")


if __name__ == "__main__":
    main()
