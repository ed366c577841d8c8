"""Files of other opsets than those that are read as they are, and operators newer than their file's opset."""

import functools
from pathlib import Path

import onnx
from onnx import defs, version_converter

from tinycc.errors import ModelError, UnsupportedError
from tinycc.frontend.onnx.messages import first_line
from tinycc.frontend.onnx.rewriting import label, opset_of

OLDEST = 7
PLAIN = range(11, 29)
"""Read as they are: what operators mean since is known for each of them."""

_ASIDE = "tinycc.newer"


def in_known_opset(path: Path, model: onnx.ModelProto) -> tuple[onnx.ModelProto, list[str]]:
    """The model in an opset that has all of its operators and is read as it is, and what was done.

    Raises UnsupportedError for an opset that nothing converts, ModelError for a model that cannot be.
    """
    opset = opset_of(model)
    if not OLDEST <= opset <= min(PLAIN[-1], defs.onnx_opset_version()):
        raise UnsupportedError(
            f"{path}: opset {opset}; convert the model to one of {OLDEST} to {PLAIN[-1]} "
            "(onnx.version_converter)"
        )
    newer = [node for node in model.graph.node if node.domain == "" and _since(node) > opset]
    wanted = max(PLAIN[0], *map(_since, newer)) if newer else max(PLAIN[0], opset)
    if wanted == opset:
        return model, []
    # The converter knows no operator that is newer than the opset it comes from.
    for node in newer:
        node.domain = _ASIDE
    aside = model.opset_import.add(domain=_ASIDE, version=1)
    try:
        converted = version_converter.convert_version(model, wanted)
    except Exception as error:  # the converter raises what C++ raises
        raise ModelError(
            f"{path}: opset {opset} cannot be converted to {wanted} ({first_line(error)}); export it anew"
        ) from error
    converted.opset_import.remove(aside)
    for node in converted.graph.node:
        node.domain = "" if node.domain == _ASIDE else node.domain
    reason = f", as {label(newer[0])} is of opset {_since(newer[0])}" if newer else ""
    return converted, [f"The model was converted from ONNX opset {opset} to {wanted}{reason}."]


def _since(node: onnx.NodeProto) -> int:
    """The opset that introduced an operator; 1 for what ONNX does not have."""
    return _introductions().get(node.op_type, 1)


@functools.cache
def _introductions() -> dict[str, int]:
    schemas = [schema for schema in defs.get_all_schemas_with_history() if not schema.domain]
    latest_first = sorted(schemas, key=lambda schema: -int(schema.since_version))
    return {schema.name: int(schema.since_version) for schema in latest_first}
