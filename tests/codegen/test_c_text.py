"""Values and types as C."""

import numpy as np
import pytest

from tinycc.codegen.c_text import c_array, c_struct, c_type, c_value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-5, "-5"),
        (2**31 - 1, "2147483647"),
        (-(2**31), "INT32_MIN"),
        (2**31, "INT64_C(2147483648)"),
        (-(2**40), "INT64_C(-1099511627776)"),
        (np.int8(-128), "-128"),
    ],
)
def test_integers_have_their_own_type(value: int, text: str) -> None:
    assert c_value(value) == text


@pytest.mark.parametrize("value", [0.1, -3.0, 1e-30, 123456.789])
def test_floats_survive_the_way_to_c_and_back(value: float) -> None:
    text = c_value(value)
    assert text.endswith("f") and np.float32(
        float.fromhex(text[:-1]) if "0x" in text else float(text[:-1])
    ) == np.float32(value)


def test_an_array_tells_its_shape_and_stays_within_the_line() -> None:
    text = c_array("weights", np.arange(120, dtype=np.int8).reshape(3, 40))
    first, second = text.split("\n")[:2]
    assert first == "/* 3x40 */" and second == "static const int8_t weights[120] = {"
    assert max(map(len, text.split("\n"))) <= 110


def test_fields_of_a_structure_are_named() -> None:
    assert c_struct("pair", "p", {"a": "1", "b": "table"}) == (
        "static const pair p = {\n    .a = 1,\n    .b = table,\n};"
    )


@pytest.mark.parametrize(("dtype", "text"), [("int8", "int8_t"), ("bool", "int8_t"), ("float32", "float")])
def test_types(dtype: str, text: str) -> None:
    assert c_type(dtype) == text
