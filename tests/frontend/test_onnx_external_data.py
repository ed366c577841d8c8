"""Weights in a file beside the model are read from its own folder only, and are as many as the model says."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

import tinycc
from tests.tools.onnx_graph import Graph
from tinycc.errors import ModelError, TinyccError
from tinycc.frontend.onnx import load_onnx


def _saved(folder: Path) -> Path:
    """A model whose weights are in weights.bin beside it, behind four bytes of something else."""
    graph = Graph(13)
    graph.output(graph.call("MatMul", [graph.input((1, 6)), graph.weights((6, 5))])[0], 0.2)
    model, path = graph.model(), folder / "model.onnx"
    tensor = next(item for item in model.graph.initializer if list(item.dims) == [6, 5])
    (folder / "weights.bin").write_bytes(b"else" + tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "weights.bin"), ("offset", "4"), ("length", "30")):
        tensor.external_data.add(key=key, value=value)
    path.write_bytes(model.SerializeToString())
    return path


def _changed(path: Path, change: Callable[[TensorProto], None]) -> Path:
    model = onnx.load(path, load_external_data=False)
    change(next(item for item in model.graph.initializer if item.external_data))
    path.write_bytes(model.SerializeToString())
    return path


def _set(key: str, value: str) -> Callable[[TensorProto], None]:
    def change(tensor: TensorProto) -> None:
        next(entry for entry in tensor.external_data if entry.key == key).value = value

    return change


def test_it_is_as_if_it_were_in_the_file(tmp_path: Path) -> None:
    path = _saved(tmp_path)
    inside = tmp_path / "inside.onnx"
    onnx.save(onnx.load(path), inside)
    case = np.arange(-3, 3, dtype=np.int8).reshape(1, 6)
    results = [tinycc.compile(file).run([case])[0] for file in (path, inside)]
    np.testing.assert_array_equal(*results)


def _link(path: Path) -> None:
    outside = path.parent.parent / "outside.bin"
    outside.write_bytes(bytes(34))
    (path.parent / "link.bin").symlink_to(outside)


HOSTILE: dict[str, tuple[Callable[[TensorProto], None], str]] = {
    "a parent": (_set("location", "../outside.bin"), "is outside of the model's folder"),
    "a link": (_set("location", "link.bin"), "is outside of the model's folder"),
    "another place": (_set("location", "/etc/passwd"), "is outside of the model's folder"),
    "nothing": (_set("location", "absent.bin"), "is not beside the model"),
    "no name": (_set("location", ""), "is outside of the model's folder"),
    "a folder": (_set("location", "folder"), "is no file"),
    "a null byte": (_set("location", "a\0b"), "is not beside the model"),
    "too few bytes": (_set("offset", "5"), "ends beyond weights.bin"),
    "an offset that is no number": (_set("offset", "x"), "says no place of its data"),
    "a negative offset": (_set("offset", "-4"), "by its place in another file"),
    "another length": (_set("length", "31"), "has 30 bytes by its shape, 31 by its place"),
    "a huge shape": (lambda tensor: tensor.dims.append(1 << 40), "by its place in another file"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_leads_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    (folder / "folder").mkdir(parents=True)
    path = _saved(folder)
    _link(path)
    change, reason = HOSTILE[name]
    with pytest.raises(ModelError, match=reason) as caught:
        load_onnx(_changed(path, change))
    assert "\n" not in str(caught.value)


def test_a_huge_file_of_data_is_refused_unread(tmp_path: Path) -> None:
    def change(tensor: TensorProto) -> None:
        tensor.dims[0] = 1 << 30
        _set("length", str(5 << 30))(tensor)

    with pytest.raises(TinyccError, match="more than 256 MB of data beside it"):
        load_onnx(_changed(_saved(tmp_path), change))
