"""From a plain torch module to a folder of C: quantized after training with data to calibrate on.

python examples/pytorch_module.py FOLDER    (needs tinycc-mcu[torch])
"""

import sys

import torch
from torch import nn

import tinycc


def main(folder: str) -> None:
    """An untrained network and random images, as it is only to be shown how."""
    module = nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(), nn.Linear(3600, 10)
    )
    images = torch.randn(100, 3, 32, 32)  # some of those that you trained with
    compiled = tinycc.compile(module, example_inputs=images[:1], calibration=images, target="cortex-m4")
    compiled.export(folder)
    print(f"{folder}: an arena of {compiled.report['arena_bytes']:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1])
