"""The integer reference against TFLite Micro's own interpreter, operator by operator, to the bit."""

import numpy as np
import pytest

from tests.reference.handlers import HANDLERS
from tests.reference.interpreter import run_tflite
from tests.tools.corpus import SLOW
from tests.tools.random_operators import DRAWS, random_model
from tests.tools.tflm import needs_tflm, run_tflm


@needs_tflm
@pytest.mark.parametrize(("kind", "dtype"), [draw for draw in DRAWS if draw[0].split()[0] in HANDLERS])
def test_equals_tflite_micro(kind: str, dtype: str) -> None:
    for seed in range(50 if SLOW else 2):
        model = random_model(kind, dtype, seed)
        content = model.content
        expected = run_tflm(content, [value[None] for value in model.inputs])
        for result, [right] in zip(run_tflite(content, model.inputs), expected, strict=True):
            np.testing.assert_array_equal(result, right)
