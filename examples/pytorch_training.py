"""Quantization-aware training that ends in the integers of the board, beside torch.

python examples/pytorch_training.py    (needs tinycc-mcu[torch])
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torchao.quantization.pt2e import move_exported_model_to_eval
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_qat_pt2e

import tinycc
from tinycc.torch import Quantizer


def rings(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy rings of one of four sizes, [count, 1, 16, 16], and which size it is."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (count,), generator=generator)
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, 16), torch.linspace(-1, 1, 16), indexing="ij")
    radius = (0.3 + 0.15 * labels)[:, None, None]
    images = torch.exp(-(((rows**2 + columns**2).sqrt() - radius) ** 2) / 0.01)
    return (images + 0.5 * torch.randn(images.shape, generator=generator))[:, None], labels


def main() -> None:
    """Train as if quantized, convert, compile, compare."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 16, 3, padding=1), nn.Hardswish(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 4),
    )  # fmt: skip
    images, labels = rings(1024, 0)
    batch = torch.export.Dim("batch", min=2, max=4096)
    exported = torch.export.export(network.train(), (images[:2],), dynamic_shapes=({0: batch},))
    prepared = prepare_qat_pt2e(exported.module(), Quantizer(is_qat=True))
    optimizer = torch.optim.Adam(prepared.parameters(), 3e-3)
    for _ in range(4):
        for inputs, wanted in zip(images.split(64), labels.split(64), strict=True):
            optimizer.zero_grad()
            F.cross_entropy(prepared(inputs), wanted).backward()
            optimizer.step()
    move_exported_model_to_eval(prepared)
    converted = convert_pt2e(prepared)

    compiled = tinycc.compile(converted, example_inputs=images[:1], target="cortex-m4")
    images, labels = rings(1000, 1)
    with torch.no_grad():
        expected = converted(images).numpy()
    [scores] = compiled.run([images[:, np.newaxis].numpy()])
    for name, result in (("torch", expected), ("C", scores[:, 0])):
        print(f"{name:>5}: {(result.argmax(1) == labels.numpy()).mean():.1%} are right")


if __name__ == "__main__":
    main()
