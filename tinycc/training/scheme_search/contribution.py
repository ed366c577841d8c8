"""What it gains to train parts of a network: measured once, for schemes under any memory budget.

The head, the last layer, trains always. On top of it are measured the biases of the last layers, and on top
of the biases of all layers that are looked at, a share of the weights of one of them.
Source:  contribution analysis of MCUNetV3 (Lin et al., "On-device training under 256KB memory", 2022).
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinycc.errors import TrainingError
from tinycc.output_file import new_file
from tinycc.training.layers import Layer
from tinycc.training.scheme import LayerScheme, Scheme, fingerprint

_FORMAT = 2


@dataclass(frozen=True)
class Parts:
    """What of a network trains, as it is searched for.

    depth: how many layers, the last ones, train their biases; the last of all, the head, its weights as well.
    shares: by layer, of the input channels whose weights train; layers are among these, the head is not.
    """

    depth: int
    shares: Mapping[str, float]

    @property
    def name(self) -> str:
        """What tells it from others."""
        weights = [f"{share:g} of {layer}" for layer, share in self.shares.items()]
        return ", ".join([f"biases of {self.depth}", *weights])

    def includes(self, other: "Parts") -> bool:
        """Whether all that the other has trains, or more."""
        shares = all(self.shares.get(layer, 0.0) >= share for layer, share in other.shares.items())
        return self.depth >= other.depth and shares

    def scheme(self, layers: Mapping[str, Layer]) -> Scheme:
        """Of a network's layers."""
        *names, head = list(layers)[-self.depth :]
        weights = {name: self.shares.get(name, 0.0) for name in names} | {head: 1.0}
        return Scheme(
            {name: LayerScheme(True, share) for name, share in weights.items()}, fingerprint(layers)
        )


@dataclass(frozen=True)
class Gain:
    """By how much the share of held-out cases that are right is greater, and the standard error of that."""

    mean: float
    error: float

    @property
    def sure(self) -> float:
        """The lower bound: what is chosen by it is less often chosen for what chance added to it."""
        return self.bound(1.0)

    def bound(self, caution: float) -> float:
        """The mean less so many standard errors."""
        return self.mean - caution * self.error

    def __add__(self, other: "Gain") -> "Gain":
        """Errors add up as well: gains over the same scores, of the same held-out cases, err together."""
        return Gain(self.mean + other.mean, self.error + other.error)


@dataclass(frozen=True)
class Contributions:
    """What has been measured.

    setup: all that scores depend on, as JSON has it: network, data, seeds, rates ...
    depths: for how many of the last layers biases are measured, 1 first.
    shares: those of each layer's weights that are.
    scores: accuracies on held-out cases by name of what trained, for each rate those of each seed; also of
        what was asked for before.
    cases: how many are held out.
    """

    setup: Mapping[str, Any]
    depths: Sequence[int]
    shares: Mapping[str, Sequence[float]]
    scores: Mapping[str, Sequence[Sequence[float]]]
    cases: int

    @property
    def missing(self) -> list[list[Parts]]:
        """What is to be measured yet, what trains the same layers together."""
        deepest = self.depths[-1]
        groups = [[Parts(depth, {})] for depth in self.depths]
        groups += [[Parts(deepest, {name: share}) for share in given] for name, given in self.shares.items()]
        return self.unmeasured(groups)

    def unmeasured(self, groups: Sequence[Sequence[Parts]]) -> list[list[Parts]]:
        """What of these has no scores."""
        missing = [[part for part in group if part.name not in self.scores] for group in groups]
        return [group for group in missing if group]

    @property
    def head(self) -> Gain:
        """The accuracy with the head alone."""
        return self._mean(self._best(Parts(1, {})))

    def biases(self, depth: int) -> Gain:
        """What biases of the last layers gain over the head alone."""
        return self._gain(Parts(depth, {}), Parts(1, {}))

    def weights(self, layer: str, share: float) -> Gain:
        """What a share of a layer's weights gains over all biases."""
        deepest = self.depths[-1]
        return self._gain(Parts(deepest, {layer: share}), Parts(deepest, {}))

    def gain(self, parts: Parts) -> Gain:
        """The sum of all that trains, over the head alone."""
        weights = (self.weights(layer, share) for layer, share in parts.shares.items())
        return sum(weights, start=self.biases(parts.depth))

    def has(self, parts: Parts) -> bool:
        """Whether all that trains was trained together."""
        return parts.name in self.scores

    def together(self, parts: Parts) -> Gain:
        """What all that trains gained over the head alone as it was measured, trained together."""
        return self._gain(parts, Parts(1, {}))

    def _gain(self, parts: Parts, base: Parts) -> Gain:
        """Of what trains, over less of it."""
        if parts == base:
            return Gain(0.0, 0.0)
        return self._mean(self._best(parts), self._best(base))

    def _mean(self, scores: np.ndarray, less: np.ndarray | None = None) -> Gain:
        """Of scores, or of what they are greater by, seed by seed.

        The error is of seeds, as they spread, and of held-out cases, binomial. All seeds have the same cases,
        so that no spread shows this error, and more seeds do not lessen it. Of a difference it is taken as if
        both were right independently of each other: an upper bound, as what is trained alike is mostly right
        in the same cases. With one seed the error is of cases alone.
        """
        terms = [scores] if less is None else [scores, less]
        values = scores if less is None else scores - less
        of_seeds = values.var(ddof=1) / len(values) if len(values) > 1 else 0.0
        of_cases = sum(term.mean() * (1 - term.mean()) for term in terms) / self.cases
        return Gain(float(values.mean()), math.sqrt(of_seeds + of_cases))

    def _best(self, parts: Parts) -> np.ndarray:
        """Accuracies of each seed, by the rate that is best on average."""
        if parts.name not in self.scores:
            raise TrainingError(f"the contributions are not measured to the end: {parts.name} is missing")
        return max((np.asarray(scores) for scores in self.scores[parts.name]), key=lambda item: item.mean())

    def check(self, layers: Mapping[str, Layer]) -> None:
        """TrainingError where they are of another network."""
        if self.setup["layers"] != fingerprint(layers):
            raise TrainingError("the contributions were measured of another model: measure those of this one")

    def save(self, path: Path) -> None:
        """Write it as JSON; the file appears whole or not at all. Raises OutputError."""
        content = {"format": _FORMAT, **asdict(self)}
        with new_file(path) as place:
            place.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Contributions":
        """Read what `save` wrote. Raises TrainingError where the file is something else."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] != _FORMAT:
                raise ValueError(f"its format is {content['format']}, not {_FORMAT}")
            setup = dict(content["setup"])
            depths = [int(depth) for depth in content["depths"]]
            shares = {name: [float(share) for share in given] for name, given in content["shares"].items()}
            scores = {name: np.asarray(told, float) for name, told in content["scores"].items()}
            counts, cases = (len(setup["rates"]), len(setup["seeds"])), int(content["cases"])
            if not depths or any(told.shape != counts for told in scores.values()):
                raise ValueError(f"it has no scores of {counts[0]} rates and {counts[1]} seeds")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise TrainingError(f"{path} holds no contributions: {error}") from error
        return cls(setup, depths, shares, {name: told.tolist() for name, told in scores.items()}, cases)
