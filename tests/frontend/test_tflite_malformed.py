"""Malformed TFLite files: a module or one clear line, never a crash."""

import os
import random
import time
from pathlib import Path

import pytest

from tinycc.errors import ModelError, TinyccError
from tinycc.frontend.tflite import load_tflite
from tinycc.frontend.tflite.description import describe_tflite

MUTATIONS = 3000 if os.environ.get("TINYCC_SLOW") == "1" else 100
SEEDS = [
    "int8/tflm_hello_world_int8",
    "int8/tflm_simple_add",
    "int8/tmaix_mnist_dw_q",
    "int8/tflm_keyword_scrambled_8bit",
    "int8/tflm_mnist_lstm_int8",
    "layers/mlonmcu_resnet_layer0",
]


def _mutated(content: bytes, generator: random.Random) -> bytes:
    """`content` cut off, or with bytes changed, mostly in the tables at its ends."""
    if generator.random() < 0.1:
        return content[: generator.randrange(len(content))]
    changed = bytearray(content)
    size = len(changed)
    for _ in range(generator.choice([1, 1, 2, 8, 64])):
        position = generator.choice(
            [
                generator.randrange(size),
                generator.randrange(min(size, 1500)),
                size - 1 - generator.randrange(min(size, 4000)),
            ]
        )
        flipped = changed[position] ^ (1 << generator.randrange(8))
        changed[position] = generator.choice([0, 127, 128, 255, generator.randrange(256), flipped])
    return bytes(changed)


@pytest.mark.parametrize("name", SEEDS)
def test_mutated_files_give_a_module_or_one_line(name: str, corpus: Path, tmp_path: Path) -> None:
    content = (corpus / "tflite" / f"{name}.tflite").read_bytes()
    generator = random.Random(name)
    path = tmp_path / "mutated.tflite"
    for _ in range(MUTATIONS):
        path.write_bytes(_mutated(content, generator))
        for read in (load_tflite, describe_tflite):
            start = time.monotonic()
            try:
                read(path)
            except TinyccError as error:
                assert str(path) in str(error)
                assert "\n" not in str(error)
            assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 15, b"\0\0\0\0TFL3", b"\x10\0\0\0TFL3" + b"\xff" * 64, bytes(range(256)) * 8]
)
def test_what_is_no_model_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "noise.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"noise\.tflite"):
        load_tflite(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        load_tflite(tmp_path / "absent.tflite")
