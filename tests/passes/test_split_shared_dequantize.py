"""Every reader of a real number has a computation of its own, from the integers on."""

from tvm import relax

from tests.tools.assert_pass import assert_becomes, names_in
from tests.tools.kernel_runner import dequantized, module_of, quantized
from tinycc.passes.split_shared_dequantize import SplitSharedDequantize

IMAGE = [((1, 4, 4, 2), "int8")]


def test_a_dequantize_with_one_reader_stays() -> None:
    module = module_of(IMAGE, lambda x: quantized(relax.op.tanh(dequantized(x, 0.1)), 0.01))
    assert_becomes(SplitSharedDequantize(), module, module)


def test_two_readers_get_one_each() -> None:
    def body(x: relax.Expr) -> list[relax.Expr]:
        return [
            quantized(function(dequantized(x, 0.1)), 0.01) for function in (relax.op.tanh, relax.op.sigmoid)
        ]

    shared = relax.transform.EliminateCommonSubexpr()(module_of(IMAGE, body))
    assert names_in(shared).count("dequantize") == 1
    assert names_in(SplitSharedDequantize()(shared)).count("dequantize") == 2


def test_two_quantizations_of_one_value_compute_it_twice() -> None:
    def shared(x: relax.Expr) -> list[relax.Expr]:
        value = relax.op.tanh(dequantized(x, 0.1))
        return [quantized(value, 0.01), quantized(value, 0.02)]

    def apart(x: relax.Expr) -> list[relax.Expr]:
        return [quantized(relax.op.tanh(dequantized(x, 0.1)), scale) for scale in (0.01, 0.02)]

    after = SplitSharedDequantize()(relax.transform.EliminateCommonSubexpr()(module_of(IMAGE, shared)))
    assert names_in(after).count("tanh") == names_in(after).count("dequantize") == 2
    assert len(names_in(module_of(IMAGE, apart))) == len(names_in(after))
