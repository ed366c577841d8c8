"""How accurate a network will be found, told from those that were measured: ridge regression on its genes.

A gene is as many features as it has options, of which the one that was chosen is 1; those of blocks that a
smaller depth leaves out are all 0, so that equal networks have equal features. Whether that ranks networks
well is said by pairs that were held out, and nobody should use it where it does not.

Source: the accuracy predictor of once-for-all networks (Cai et al., 2020), whose features these are; it has a
perceptron in place of the regression.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from tinycc.search.space import Genome, Space

# Of networks that were measured one in so many is held out at a time.
_FOLDS = 5
LEAST_NETWORKS = 4 * _FOLDS
_PENALTIES = 10.0 ** np.arange(-2, 4)

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Quality:
    """How well networks that were held out are predicted.

    kendall: rank correlation; of two networks the more accurate one is told in (1 + kendall) / 2 of cases. 0
        where all are the same.
    mean_error: the absolute difference of accuracies, in the mean.
    """

    kendall: float
    mean_error: float


@dataclass(frozen=True)
class Predictor:
    """Accuracies that follow from genes.

    weights: of each feature. mean: accuracy of what was measured.
    """

    space: Space
    weights: Matrix
    mean: float
    quality: Quality

    def __call__(self, genomes: Sequence[Genome]) -> Matrix:
        """The accuracy of each: [networks]."""
        return _features(self.space, genomes) @ self.weights + self.mean


def trained_predictor(space: Space, genomes: Sequence[Genome], accuracies: Sequence[float]) -> Predictor:
    """A predictor of networks that were measured; ValueError with fewer.

    What is held out is predicted by those trained on the rest, each with a penalty of its own.
    """
    if len(genomes) < LEAST_NETWORKS:
        raise ValueError(f"{len(genomes)} networks are too few to hold out some: give {LEAST_NETWORKS}")
    features, measured = _features(space, genomes), np.asarray(accuracies, float)
    held_out = np.empty_like(measured)
    for rest, fold in _folds(len(measured)):
        held_out[fold] = _predicted(features[rest], measured[rest], features[fold])
    weights = _regression(features, measured, _penalty(features, measured))
    # Not a number where all are the same, which says nothing of ranks.
    kendall = float(np.nan_to_num(kendalltau(measured, held_out).statistic))
    quality = Quality(kendall, float(np.abs(measured - held_out).mean()))
    return Predictor(space, weights, float(measured.mean()), quality)


def _features(space: Space, genomes: Sequence[Genome]) -> Matrix:
    """[networks, options of all genes], 0 or 1."""
    starts = np.cumsum([0] + [len(gene.options) for gene in space.genes])
    features = np.zeros((len(genomes), starts[-1]))
    for row, genome in zip(features, genomes, strict=True):
        for index in space.active_genes(genome):
            row[starts[index] + genome[index]] = 1
    return features


def _predicted(features: Matrix, measured: Matrix, others: Matrix) -> Matrix:
    """The accuracies of others."""
    return others @ _regression(features, measured, _penalty(features, measured)) + measured.mean()


def _penalty(features: Matrix, measured: Matrix) -> float:
    """Of weights: that with which what is held out is predicted best."""
    errors = np.zeros(len(_PENALTIES))
    for rest, fold in _folds(len(measured)):
        for index, penalty in enumerate(_PENALTIES):
            weights = _regression(features[rest], measured[rest], penalty)
            predicted = features[fold] @ weights + measured[rest].mean()
            errors[index] += ((predicted - measured[fold]) ** 2).sum()
    return float(_PENALTIES[errors.argmin()])


def _regression(features: Matrix, measured: Matrix, penalty: float) -> Matrix:
    """Weights of features that give what is measured above its mean."""
    products = features.T @ features + penalty * np.eye(features.shape[1])
    return np.linalg.solve(products, features.T @ (measured - measured.mean()))


def _folds(count: int) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """What is left and what is held out: one in `_FOLDS`, so that each has networks of every generation."""
    places = np.arange(count) % _FOLDS
    return [(places != fold, places == fold) for fold in range(_FOLDS)]
