"""Small edits of .tflite files, on the objects of LiteRT's schema."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinycc.quantization.extra import library
from tinycc.quantization.raw_input import RawInput

KEY = "serving_default"


@dataclass(frozen=True)
class Signature:
    """What the file calls its inputs, in the order of the graph; `key` names the signature itself."""

    key: str
    inputs: tuple[str, ...]


def read_object(content: bytes) -> Any:
    """The model as an object that can be changed.

    Old files have the code of an operator in the old field only, where the quantizer does not look.
    """
    model = library("ai_edge_litert.tools.flatbuffer_utils").read_model_from_bytearray(content)
    for code in model.operatorCodes:
        code.builtinCode = max(code.builtinCode, code.deprecatedBuiltinCode)
    return model


def write(model: Any) -> bytes:
    """The content of a file."""
    return bytes(library("ai_edge_litert.tools.flatbuffer_utils").convert_object_to_bytearray(model))


def add_signature(model: Any) -> Signature:
    """The signature of the first subgraph; one is made where the file has none."""
    graph = model.subgraphs[0]
    for known in model.signatureDefs or ():
        if known.subgraphIndex == 0 and len(known.inputs) == len(graph.inputs):
            names = {entry.tensorIndex: entry.name.decode() for entry in known.inputs}
            return Signature(known.signatureKey.decode(), tuple(names[index] for index in graph.inputs))
    schema = library("ai_edge_litert.schema_py_generated")

    def entries(indices: Iterable[int], side: str) -> list[Any]:
        return [schema.TensorMapT(f"{side}{place}", index) for place, index in enumerate(indices)]

    inputs, outputs = entries(graph.inputs, "input"), entries(graph.outputs, "output")
    model.signatureDefs = [
        *(model.signatureDefs or ()),
        schema.SignatureDefT(inputs, outputs, KEY, 0),
    ]
    return Signature(KEY, tuple(entry.name for entry in inputs))


def fold_float16_weights(model: Any) -> None:
    """Constants of float16 that are dequantized become float32; the quantizer sees no weights otherwise."""
    schema = library("ai_edge_litert.schema_py_generated")
    for graph in model.subgraphs:
        kept = []
        for operator in graph.operators:
            source, target = (graph.tensors[indices[0]] for indices in (operator.inputs, operator.outputs))
            stored = model.buffers[source.buffer].data
            code = model.operatorCodes[operator.opcodeIndex].builtinCode
            is_constant = stored is not None and len(stored) > 0
            if code != schema.BuiltinOperator.DEQUANTIZE or source.type != schema.TensorType.FLOAT16:
                kept.append(operator)
            elif is_constant:
                wide = np.frombuffer(bytes(stored), "<f2").astype("<f4")
                target.buffer = len(model.buffers)
                model.buffers.append(schema.BufferT(wide.view(np.uint8)))
            else:
                kept.append(operator)
        graph.operators = kept


def widen_int4_constants(content: bytes) -> bytes:
    """A file with the same integers in int8 wherever constants are int4; the file itself if none are.

    LiteRT takes a hundred times as long for int4.
    """
    schema = library("ai_edge_litert.schema_py_generated")
    model = read_object(content)
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    narrow = [tensor for tensor in tensors if tensor.type == schema.TensorType.INT4]
    for tensor in narrow:
        pairs = np.frombuffer(bytes(model.buffers[tensor.buffer].data), np.int8)
        integers = np.stack([pairs << 4 >> 4, pairs >> 4], axis=1).reshape(-1)[: np.prod(tensor.shape)]
        tensor.type, tensor.buffer = schema.TensorType.INT8, len(model.buffers)
        model.buffers.append(schema.BufferT(integers.view(np.uint8)))
    return write(model) if narrow else content


def add_metadata(model: Any, name: str, text: str) -> None:
    """Add a named text to the file."""
    schema = library("ai_edge_litert.schema_py_generated")
    model.buffers.append(schema.BufferT(np.frombuffer(text.encode(), np.uint8)))
    entry = schema.MetadataT(name.encode(), len(model.buffers) - 1)
    model.metadata = [*(model.metadata or ()), entry]


def metadata(model: Any, name: str) -> str | None:
    """A named text of the file; None where it has none."""
    for entry in model.metadata or ():
        if entry.name == name.encode():
            return bytes(model.buffers[entry.buffer].data).decode()
    return None


def take_pixels(model: Any, raw: RawInput) -> None:
    """The input of a quantized model becomes uint8; an operator in front makes of it what the input was.

    That is int8, or float where the first layers are not quantized.
    """
    schema = library("ai_edge_litert.schema_py_generated")
    graph = model.subgraphs[0]
    index = graph.inputs[0]
    inner = graph.tensors[index]
    is_int8 = inner.type == schema.TensorType.INT8
    scale = list(inner.quantization.scale) if is_int8 else [raw.scale]
    pixels = schema.TensorT(
        shape=inner.shape,
        shapeSignature=inner.shapeSignature,
        hasRank=inner.hasRank,
        type=schema.TensorType.UINT8,
        buffer=0,
        name=inner.name,
        quantization=schema.QuantizationParametersT(scale=scale, zeroPoint=[raw.zero_point]),
    )
    inner.name += b"_of_pixels"
    graph.tensors.append(pixels)
    outer = len(graph.tensors) - 1
    graph.inputs = [outer, *graph.inputs[1:]]
    for signature in model.signatureDefs:
        for entry in signature.inputs:
            if signature.subgraphIndex == 0 and entry.tensorIndex == index:
                entry.tensorIndex = outer
    kind = schema.BuiltinOperator.QUANTIZE if is_int8 else schema.BuiltinOperator.DEQUANTIZE
    model.operatorCodes.append(
        schema.OperatorCodeT(builtinCode=kind, deprecatedBuiltinCode=kind, version=1 if is_int8 else 2)
    )
    place = len(model.operatorCodes) - 1
    graph.operators.insert(0, schema.OperatorT(opcodeIndex=place, inputs=[outer], outputs=[index]))
