"""How far a training is, in a file that appears whole or not at all, and is of this training or refused."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from tinycc.errors import TrainingError
from tinycc.output_file import new_file

_MARK = "tinycc training checkpoint 1"


def write_checkpoint(path: Path, identity: Mapping[str, str], state: Mapping[str, Any]) -> None:
    """Replace what stands at the path.

    identity: what the training is of, by name. state: tensors, numbers, and dicts and lists of them.
    Raises OutputError.
    """
    with new_file(path) as place:
        torch.save({"mark": _MARK, "identity": dict(identity), "state": dict(state)}, place)


def read_checkpoint(path: Path, identity: Mapping[str, str]) -> dict[str, Any] | None:
    """The state of a training; None where there is no file yet.

    Raises TrainingError for a damaged file, and for the checkpoint of another training: it says what differs.
    """
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever torch and pickle stumble over in a damaged file
        raise TrainingError(f"{path} is no readable checkpoint: remove it to train from the start") from error
    if not isinstance(content, dict) or content.get("mark") != _MARK:
        raise TrainingError(f"{path} is no checkpoint of a training: give another path")
    found: dict[str, str] = content["identity"]
    different = sorted(name for name in {*found, *identity} if found.get(name) != identity.get(name))
    if different:
        raise TrainingError(
            f"{path} is the checkpoint of a training with other {', '.join(different)}: give another path, "
            "or remove it"
        )
    state: dict[str, Any] = content["state"]
    return state


def weights_digest(network: torch.nn.Module) -> str:
    """Of parameters and statistics."""
    total = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        total.update(name.encode())
        total.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()
