"""Float edges become integer edges, with their meaning written down."""

from tvm import relax

from tests.tools.assert_pass import names_in
from tests.tools.kernel_runner import dequantized, module_of, quantized
from tinycc import tvm_adapter
from tinycc.edges import read_edges
from tinycc.passes.drop_edge_quantization import DropEdgeQuantization

SHAPE = (1, 4, 4, 2)


def test_quantize_and_dequantize_at_the_edges_go() -> None:
    def body(x: relax.Expr) -> relax.Expr:
        pooled = relax.op.nn.max_pool2d(quantized(x, 0.1, 3), (2, 2), layout="NHWC")
        return dequantized(pooled, 0.1, 3)

    module = relax.transform.CanonicalizeBindings()(module_of([(SHAPE, "float32")], body))
    after = DropEdgeQuantization()(module)
    assert names_in(after) == ["nn.max_pool2d"]
    edges = read_edges(after)
    for edge in (*edges.inputs, *edges.outputs):
        assert (edge.dtype, round(edge.scale or 0, 6), edge.zero_point) == ("float32", 0.1, 3)


def test_an_input_with_other_readers_stays_float() -> None:
    def body(x: relax.Expr) -> list[relax.Expr]:
        return [quantized(x, 0.1, 3), relax.op.add(x, x)]

    module = module_of([(SHAPE, "float32")], body)
    assert names_in(DropEdgeQuantization()(module)) == names_in(module)


def test_two_different_quantizations_of_an_input_stay() -> None:
    module = module_of([(SHAPE, "float32")], lambda x: [quantized(x, 0.1, 3), quantized(x, 0.2, 3)])
    assert names_in(DropEdgeQuantization()(module)).count("quantize") == 2


def test_integer_edges_are_left_alone() -> None:
    module = module_of([(SHAPE, "int8")], lambda x: relax.op.nn.max_pool2d(x, (2, 2), layout="NHWC"))
    after = DropEdgeQuantization()(module)
    assert read_edges(after) == read_edges(module) and names_in(after) == ["nn.max_pool2d"]


def test_two_equal_quantizations_of_an_input_become_one_input() -> None:
    def body(x: relax.Expr) -> list[relax.Expr]:
        windows = ((2, 2), (3, 3))
        return [relax.op.nn.max_pool2d(quantized(x, 0.1, 3), size, layout="NHWC") for size in windows]

    after = DropEdgeQuantization()(module_of([(SHAPE, "float32")], body))
    assert names_in(after) == ["nn.max_pool2d", "nn.max_pool2d"]
    assert [tvm_adapter.dtype_of(parameter) for parameter in after["main"].params] == ["int8"]


def test_an_input_that_is_given_out_as_it_is_stays_float() -> None:
    module = module_of([(SHAPE, "float32")], lambda x: [quantized(x, 0.1, 3), x])
    after = DropEdgeQuantization()(relax.transform.CanonicalizeBindings()(module))
    assert relax.analysis.check_well_formed(after)
    assert tvm_adapter.dtype_of(after["main"].params[0]) == "float32"


def test_a_result_that_is_the_input_again_is_the_integers() -> None:
    module = module_of([(SHAPE, "float32")], lambda x: dequantized(quantized(x, 0.1, 3), 0.1, 3))
    after = DropEdgeQuantization()(relax.transform.CanonicalizeBindings()(module))
    assert relax.analysis.check_well_formed(after)
    assert names_in(after) == []
