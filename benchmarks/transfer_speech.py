"""Transfer on speech: a network of spoken digits learns from a speaker whom it never heard."""

import sys
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from torch import nn

from benchmarks.transfer_task import Task, pretrained
from tests.tools.corpus import ROOT, corpus_folder
from tinycc.frontend.load import load_model
from tinycc.training.simulation import Data

SPEAKER = "george"
PRETRAINING_EPOCHS = 20


def task(cache: Path, device: str) -> Task:
    """The network of models/spoken_digits without one speaker, and that speaker's recordings.

    cache: a folder for the weights that know the others.
    """
    sys.path.insert(0, str(ROOT / "models" / "spoken_digits"))
    train = import_module("train")  # beside its data, so no package

    recordings = train.Recordings(corpus_folder() / "data" / "fsdd_8k_int16.npz")
    others, own = recordings.split(SPEAKER)

    def learn(network: nn.Module) -> None:
        with redirect_stdout(sys.stderr):
            network.load_state_dict(train.train(recordings, others, PRETRAINING_EPOCHS).state_dict())

    floating = train.SpokenDigits().eval()
    for part in floating:
        if isinstance(part, train.Unit):
            part.fold()
    pretrained(floating, cache / "transfer_speech.pt", learn)
    chosen = np.random.default_rng(train.SEED).choice(others, 300, replace=False)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "digits.onnx"
        train.quantise(floating, recordings.features(chosen), path)
        model = load_model(path)
    # Takes are said one after the other: whole takes are in one part.
    take = recordings.index[own]
    learning, choosing, testing = (
        Data([recordings.features(part)], recordings.label[part])
        for part in (own[take % 2 == 0], own[take % 10 == 1], own[(take % 2 == 1) & (take % 10 != 1)])
    )
    return Task(
        floating, model, learning, choosing, testing, rates=(0.003, 0.01, 0.03, 0.1),
        rates_of_parts=(0.01, 0.03, 0.1, 0.3), batch=4, epochs=8, device=device,
        contributions={
            "path": cache / "transfer_speech_contributions.json", "shares": (0.25, 0.5, 1.0), "epochs": 2,
        },
    )  # fmt: skip
