"""Whether an operator is one that its signature allows: its operands, its options, their values."""

from typing import Any

import tflite

from tinycc.frontend.tflite.file import PARSER_ERRORS, FileOperator, TfliteFile
from tinycc.frontend.tflite.signatures import MANY, SIGNATURES, Signature


class _FieldCount:
    """Stands for a flatbuffer builder, to be told how many fields a table has."""

    def __init__(self, table: str) -> None:
        self.fields = 0
        getattr(tflite, f"{table}Start")(self)

    def StartObject(self, fields: int) -> None:  # noqa: N802 (the builder's name)
        """What the schema's code calls with the number of fields."""
        self.fields = fields


def option_fault(file: TfliteFile, op: FileOperator) -> str:
    """What an operator has that is not on the list, e.g. "has Beta = 2.0, only 1.0 is supported", or "".

    An operator without a signature may have no options at all.
    """
    try:
        return _fault(file, op, SIGNATURES.get(op.kind, Signature((1, MANY), MANY, outputs=None)))
    except PARSER_ERRORS:  # the table of options is read here only
        return "has options that are cut off or damaged"


def _fault(file: TfliteFile, op: FileOperator, signature: Signature) -> str:
    low, high = signature.inputs
    outputs = max(1, len(op.outputs)) if signature.outputs is None else signature.outputs
    if not low <= len(op.inputs) <= high or len(op.outputs) != outputs:
        return f"has {len(op.inputs)} inputs and {len(op.outputs)} outputs, which no kernel takes"
    if op.version > signature.version:
        return f"has the version {op.version}, up to {signature.version} is supported"
    if op.table.BuiltinOptions2Type():
        return "has options of a newer type (builtin_options_2), which is not supported"
    if op.options is None:
        if op.table.BuiltinOptions() is not None:
            return f"has options of the unknown type {op.table.BuiltinOptionsType()}"
        fault = "has no options" if signature.is_required else ""
    else:
        fault = _table_fault(file, op, signature)
    return fault or _quantization_fault(file, op, signature)


def _table_fault(file: TfliteFile, op: FileOperator, signature: Signature) -> str:
    table, present = type(op.options).__name__, _present_fields(op.options)
    if table != signature.table:
        return f"has options of the type {table}" if present or signature.is_required else ""
    known = _FieldCount(table).fields
    if present and max(present) >= known:
        return f"has an option that is newer than tinycc (field {max(present)} of {table})"
    for name, values in signature.fields.items():
        if values.text:
            value = getattr(op.options, name)()
            if not values.hold(value, file, op):
                return f"has {name} = {value}, only {values.text} is supported"
    return ""


def _present_fields(options: Any) -> list[int]:
    """The numbers of the fields that a table stores, as the flatbuffer's vtable has them."""
    vtable_bytes = options._tab.Offset(0)
    return [(at - 4) // 2 for at in range(4, vtable_bytes, 2) if options._tab.Offset(at)]


def _quantization_fault(file: TfliteFile, op: FileOperator, signature: Signature) -> str:
    tensors = [file.tensors[index] for index in (*op.inputs, *op.outputs) if index >= 0]
    if not tensors:
        return ""
    source = file.tensor(op.inputs[signature.data]) if op.inputs else None
    if source is not None and not signature.changes_type:
        for tensor in (file.tensor(index) for index in op.outputs):
            if tensor is not None and tensor.dtype != source.dtype:
                return f"makes {tensor.dtype} of {source.dtype}, which TFLite refuses"
    if signature.keeps_quantization:
        meanings = {(tensor.scale, tensor.zero_point) for tensor in tensors if tensor.is_quantized}
        if len(meanings) > 1:
            return "has operands of different scales or zero points, which TFLite refuses"
    output = tensors[-1]
    if signature.result and source is not None and source.dtype != "float32":
        steps, zero_point = signature.result.get((source.dtype, output.dtype), (1, 0))
        if (
            not output.is_quantized
            or abs(output.scale * steps - 1) > 0.001
            or output.zero_point != zero_point
        ):
            return f"needs an output of scale 1/{steps} and zero point {zero_point}"
    return ""
