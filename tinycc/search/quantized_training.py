"""A trained float network learns to be one of int8: what is rounded on the device is rounded in training.

Batch norms are put into the weights of the convolutions before them first, with their statistics as they are:
training of a few epochs at a low rate changes them little, and what is trained is what is compiled.

Source: quantization-aware training, Jacob et al., "Quantization and training of neural networks for efficient
integer-arithmetic-only inference" (2018).
"""

from copy import deepcopy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchao.quantization.pt2e import move_exported_model_to_eval
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_qat_pt2e

from tinycc.quantization.pt2e import quietly
from tinycc.search.batches import Batches, device_named
from tinycc.search.data import Dataset
from tinycc.search.network import Network
from tinycc.search.normalization import Normalization
from tinycc.search.retraining import Progress, TrainingOptions, descent, epoch_generator, run_epoch
from tinycc.torch import Quantizer

# Few, at a rate with which weights stay about where they are.
QUANTIZED_TRAINING = TrainingOptions(epochs=5, rate=0.005)


def quantized(
    network: Network,
    train: Dataset,
    normalization: Normalization,
    options: TrainingOptions = QUANTIZED_TRAINING,
    *,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress = lambda items, _: items,
) -> torch.export.ExportedProgram:
    """The network with int8 weights and activations, as `tinycc.compile` takes it; batch 1.

    network: trained, see `retraining.trained`; it stays as it is.
    The input has the scale and zero point of `normalization`. Raises TrainingError for a loss that is not
    finite.
    """
    place = device_named(device)
    example = torch.zeros(2, *(network.architecture.input_shape[place] for place in (2, 0, 1)))
    with quietly():
        shapes = ({0: torch.export.Dim("batch", min=2, max=1 << 16)},)
        exported = torch.export.export(without_batch_norms(network), (example,), dynamic_shapes=shapes)
        quantizer = Quantizer(inputs=(normalization.scale, normalization.zero_point), is_qat=True)
        prepared = prepare_qat_pt2e(exported.module(), quantizer).to(place)
    batches = Batches(train, normalization, place)
    optimizer, schedule = descent(prepared, options, batches.steps(options.batch))
    for epoch in progress(range(options.epochs), "training in int8"):
        generator = epoch_generator(seed, epoch)
        run_epoch(prepared, batches, options, optimizer, schedule, generator, is_mixed=False)
    with quietly(), torch.no_grad():
        converted = convert_pt2e(move_exported_model_to_eval(prepared.to("cpu")))
        return torch.export.export(converted, (example[:1],))


def without_batch_norms(network: Network) -> Network:
    """A copy whose convolutions compute what they and the batch norms behind them did."""
    folded = deepcopy(network).to("cpu").eval()
    for layer in folded.layers:
        if isinstance(layer, nn.Sequential):
            convolution, norm = layer[0], layer[1]
            assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
            layer[0], layer[1] = fuse_conv_bn_eval(convolution, norm), nn.Identity()
    return folded
