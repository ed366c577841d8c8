"""Average pooling."""

from dataclasses import dataclass
from typing import ClassVar

from tvm.relax.dpl import is_op
from tvm.relax.transform import FusionPattern, PatternCheckContext

from tinycc import tvm_adapter
from tinycc.ops.base import KernelCall, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import activation_range
from tinycc.ops.patterns import activated, dequantized, quantized
from tinycc.ops.window import Window


def _keeps_scale(context: PatternCheckContext) -> bool:
    """TFLite's average pooling does not rescale."""
    source, result = context.annotated_expr["source"], context.annotated_expr["result"]
    return all(
        bool(tvm_adapter.constant_value(one) == tvm_adapter.constant_value(other))
        for one, other in zip(source.args[1:3], result.args[1:3], strict=True)
    )


@dataclass(frozen=True, eq=False)
class AveragePool2D(Operator):
    """Mean over the part of a window that lies in the NHWC input, input and output of one scale.

    output_range: clamp of the result.
    """

    window: Window
    output_range: tuple[int, int]

    kind: ClassVar[str] = "average_pool2d"

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(activation(avg_pool2d(dequantize(x))))."""
        source = dequantized()
        result = quantized(activated(is_op("relax.nn.avg_pool2d")(source)))
        annotations = {"source": source, "result": result}
        return [FusionPattern("tinycc.average_pool2d", result, annotations, _keeps_scale)]

    @classmethod
    def from_composite(cls, composite: Composite) -> "AveragePool2D":
        """Read the window."""
        call = composite.call("relax.nn.avg_pool2d")
        source, output = composite.tensor(call.args[0]), composite.result()
        height, width = (int(size) for size in call.attrs.pool_size)
        bounds = activation_range(
            *composite.activation_bounds(), output.real_scale, output.zero_point, output.dtype
        )
        return cls((source,), (output,), Window.of_call(call, (height, width)), bounds)

    def overlap_distance(self, index: int) -> int | None:
        """A channel is written once its taps are read."""
        return self.window.channelwise_overlap(self.inputs[0], self.outputs[0])

    def kernel(self) -> KernelCall:
        """One call for each output row."""
        source, output = self.inputs[0], self.outputs[0]
        return KernelCall(
            header="pool2d.h",
            function=f"tinycc_average_pool2d_{source.dtype}",
            struct="tinycc_pool2d",
            shape=self.window.kernel_shape(source),
            data={"output_min": self.output_range[0], "output_max": self.output_range[1]},
            windows=(self.window.rows_of(source),),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )

    def describe(self) -> str:
        """Kernel and stride."""
        return self.window.describe()
