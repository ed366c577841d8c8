"""Train the spoken-digit network, quantise it to int8 and keep it as ONNX.

    python models/spoken_digits/train.py --data fsdd_8k_int16.npz

writes spoken_digits.onnx and held_out.npz beside this file. The network is a DS-CNN (Zhang et al.,
"Hello Edge: Keyword Spotting on Microcontrollers", 2017) of 16 thousand weights on the features of
features.py. Training is seeded and runs on one thread, so that it gives the same file again on the
same machine and versions. README.md says where the data come from.
"""

import argparse
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from features import BANDS, FRAMES, SAMPLES, centred, log_mel, place
from numpy.typing import NDArray
from onnxruntime import quantization
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

FOLDER = Path(__file__).resolve().parent
DIGITS = 10
SEED = 2

Floats = NDArray[np.float32]


class Recordings:
    """The recordings of the Free Spoken Digit Dataset, from one .npz.

    samples: int16 at 8 kHz, end to end; recording i is samples[offset[i]:offset[i + 1]].
    label: the digit spoken; speaker: index into speakers; index: the number of the take.
    """

    def __init__(self, path: Path) -> None:
        with np.load(path) as data:
            self.samples, self.offset = data["samples"], data["offset"]
            self.label, self.speaker = data["label"].astype(np.int64), data["speaker"].astype(np.int64)
            self.index, self.speakers = data["index"].astype(np.int64), list(data["speakers"])

    def recording(self, i: int) -> NDArray[np.int16]:
        """Return recording i, as long as it was spoken."""
        return self.samples[self.offset[i] : self.offset[i + 1]]

    def split(self, speaker: str | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Choose the recordings to train on and those to hold out.

        Held out are takes 0 to 4 of everyone, which is the data set's own test split (300 recordings),
        or, with `speaker`, all that this person said. Sorted by take, speaker and digit: the first
        60 n of the 300 hold n takes of each digit by each speaker.
        """
        held_out = self.index < 5 if speaker is None else self.speaker == self.speakers.index(speaker)
        order = np.lexsort((self.label, self.speaker, self.index))
        return np.flatnonzero(~held_out), order[held_out[order]]

    def features(self, which: NDArray[np.int64]) -> Floats:
        """Features of whole recordings, centred: [N, 1, FRAMES, BANDS]."""
        return log_mel(np.stack([centred(self.recording(i)) for i in which]))[:, None]

    def varied_features(self, which: NDArray[np.int64], random: np.random.Generator) -> Floats:
        """Features with speed (and with it pitch), position, loudness and background noise at random."""
        clips = np.empty((which.size, SAMPLES), np.float32)
        for row, i in enumerate(which):
            recording = self.recording(i)
            length = int(recording.size / random.uniform(0.85, 1.15))
            times = np.linspace(0, recording.size - 1, length)
            stretched = np.interp(times, np.arange(recording.size), recording).astype(np.int16)
            slack = SAMPLES - length
            start = slack // 2 + int(random.uniform(-1, 1) * max(800, slack // 3))
            clips[row] = place(stretched, start)
        clips *= 10.0 ** random.uniform(-0.6, 0.4, (which.size, 1))
        noise = random.standard_normal(clips.shape, np.float32)
        clips += noise * 10.0 ** random.uniform(-1.0, 2.0, (which.size, 1)).astype(np.float32)
        return log_mel(np.clip(clips, -32768, 32767))[:, None]


class Unit(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv: nn.Module = nn.Conv2d(
            inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False
        )
        self.norm: nn.Module = nn.BatchNorm2d(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map [N, inputs, H, W] to [N, outputs, H', W']."""
        return torch.relu(self.norm(self.conv(x)))

    def fold(self) -> None:
        """Put the batch normalisation's factors into the weights, for inference."""
        assert isinstance(self.conv, nn.Conv2d) and isinstance(self.norm, nn.BatchNorm2d)
        self.conv, self.norm = fuse_conv_bn_eval(self.conv, self.norm), nn.Identity()


class SpokenDigits(nn.Sequential):
    """Features [N, 1, 49, 20] to a score for each digit [N, 10]."""

    def __init__(self) -> None:
        layers: list[nn.Module] = [Unit(1, 32, 5, stride=2)]
        for inputs, outputs, stride in ((32, 48, 1), (48, 64, 2), (64, 64, 1), (64, 64, 1)):
            layers += [Unit(inputs, inputs, 3, stride, groups=inputs), Unit(inputs, outputs, 1)]
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(64, DIGITS)]
        super().__init__(*layers)


def train(recordings: Recordings, which: NDArray[np.int64], epochs: int) -> SpokenDigits:
    """Train a network and fold its batch normalisation."""
    torch.manual_seed(SEED)
    random = np.random.default_rng(SEED)
    net, batch = SpokenDigits(), 64
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=1e-2)
    steps = epochs * (which.size // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=6e-3, total_steps=steps)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.05)
    for epoch in range(epochs):
        order, total = random.permutation(which), 0.0
        for start in range(0, which.size - batch + 1, batch):
            chosen = order[start : start + batch]
            features = torch.from_numpy(recordings.varied_features(chosen, random))
            loss = loss_of(net(features), torch.from_numpy(recordings.label[chosen]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1:2d} of {epochs}: loss {total / (which.size // batch):.3f}", flush=True)
    net.eval()
    for layer in net:
        if isinstance(layer, Unit):
            layer.fold()
    return net


class Calibration(quantization.CalibrationDataReader):
    """Gives onnxruntime's quantiser one clip at a time."""

    def __init__(self, features: Floats) -> None:
        self.clips: Iterator[Floats] = iter(features)

    def get_next(self) -> dict[str, Floats] | None:
        """Return the model's input for the next clip, None after the last."""
        clip = next(self.clips, None)
        return None if clip is None else {"features": clip[None]}


def export(net: SpokenDigits, path: Path) -> None:
    """Write the float network to `path` as ONNX."""
    names: dict[str, Any] = {"input_names": ["features"], "output_names": ["scores"]}
    example = (torch.zeros(1, 1, FRAMES, BANDS),)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the other exporter wants a further package
        torch.onnx.export(net, example, str(path), dynamo=False, opset_version=17, **names)


def quantise(net: SpokenDigits, calibration: Floats, path: Path) -> None:
    """Write the network to `path` as int8 QDQ ONNX, weights per output channel.

    Activations keep a zero point, so that a ReLU is no more than the lower end of the range of the
    convolution before it; the quantiser drops the node.
    """
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "float.onnx"
        export(net, exported)
        quantization.quantize_static(
            str(exported),
            str(path),
            Calibration(calibration),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            activation_type=quantization.QuantType.QInt8,
            weight_type=quantization.QuantType.QInt8,
            extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
        )


def parameter(model: onnx.ModelProto, name: str) -> NDArray[Any]:
    """Return the value of an initializer."""
    found = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    return onnx.numpy_helper.to_array(found)


def quantised(model: onnx.ModelProto, tensor: str, values: Floats) -> NDArray[np.int8]:
    """`values` as the model's QuantizeLinear of `tensor` gives them (or gave them, for an output)."""
    node = next(
        n
        for n in model.graph.node
        if (n.op_type == "QuantizeLinear" and n.input[0] == tensor)
        or (n.op_type == "DequantizeLinear" and n.output[0] == tensor)
    )
    scale, zero_point = parameter(model, node.input[1]), parameter(model, node.input[2])
    steps = np.rint(values / scale) + zero_point.astype(np.float32)
    return np.clip(steps, -128, 127).astype(np.int8)


def run_onnx(path: Path, features: Floats) -> Floats:
    """Scores [N, 10] from onnxruntime, a clip at a time, every node as written."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"features": clip[None]})[0] for clip in features])


def main() -> None:
    """Train, quantise, measure and write."""
    parser = argparse.ArgumentParser(description="Train the spoken-digit network.")
    parser.add_argument("--data", type=Path, required=True, help="recordings, as an .npz of int16 samples")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument(
        "--hold-out-speaker", metavar="NAME", help="only measure, on a person who was never heard"
    )
    parser.add_argument("--out", type=Path, default=FOLDER, help="where model and held-out clips go")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)

    recordings = Recordings(arguments.data)
    training, held_out = recordings.split(arguments.hold_out_speaker)
    net = train(recordings, training, arguments.epochs)
    features, labels = recordings.features(held_out), recordings.label[held_out]
    with torch.no_grad():
        scores = net(torch.from_numpy(features)).numpy()
    print(f"float: {np.mean(scores.argmax(1) == labels):.2%} of {held_out.size} clips")
    if arguments.hold_out_speaker is not None:
        return

    path = arguments.out / "spoken_digits.onnx"
    chosen = np.random.default_rng(SEED).choice(training, 300, replace=False)
    quantise(net, recordings.features(chosen), path)
    model = onnx.load(path)
    scores = run_onnx(path, features)
    print(f"int8:  {np.mean(scores.argmax(1) == labels):.2%}, {path.stat().st_size:,} bytes")
    np.savez_compressed(
        arguments.out / "held_out.npz",
        in0=quantised(model, "features", features),
        out0=quantised(model, "scores", scores),
        label=labels.astype(np.uint8),
    )


if __name__ == "__main__":
    main()
