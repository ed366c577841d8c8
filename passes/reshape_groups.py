"""How a reshape joins and splits axes."""

from collections.abc import Sequence
from dataclasses import dataclass

Axes = tuple[int, ...]


@dataclass(frozen=True)
class ReshapeGroups:
    """Runs of the operand's axes and the runs of the result's axes that have the same elements.

    pairs: positions in the operand and in the result, in order; axes of size 1 belong to no run.
    single: positions of axes of size 1 in the operand.
    rank: of the result.
    """

    pairs: tuple[tuple[Axes, Axes], ...]
    single: Axes
    rank: int

    @classmethod
    def of(cls, before: Sequence[int], after: Sequence[int]) -> "ReshapeGroups":
        """The groups of a reshape from one shape to another, as small as they can be."""
        pairs: list[tuple[Axes, Axes]] = []
        sides = [[axis for axis, size in enumerate(shape) if size != 1] for shape in (before, after)]
        while sides[0]:
            runs: tuple[list[int], list[int]] = ([sides[0].pop(0)], [sides[1].pop(0)])
            elements = [before[runs[0][0]], after[runs[1][0]]]
            while elements[0] != elements[1]:
                smaller = int(elements[1] < elements[0])
                axis = sides[smaller].pop(0)
                runs[smaller].append(axis)
                elements[smaller] *= (before, after)[smaller][axis]
            pairs.append((tuple(runs[0]), tuple(runs[1])))
        single = tuple(axis for axis, size in enumerate(before) if size == 1)
        return cls(tuple(pairs), single, len(after))

    def are_runs(self, axes: Axes) -> bool:
        """Whether each group of permute_dims(stored, axes) is a run of `stored`, too."""
        stored = sorted(axes[position] for operand, _ in self.pairs for position in operand)
        for operand, _ in self.pairs:
            first = stored.index(axes[operand[0]])
            if stored[first : first + len(operand)] != [axes[position] for position in operand]:
                return False
        return True

    def stored_order(self, axes: Axes) -> Axes:
        """The result's axes in the order of `stored`, where the operand is permute_dims(stored, axes)."""
        ordered = sorted(self.pairs, key=lambda pair: axes[pair[0][0]])
        positions = [position for _, result in ordered for position in result]
        order = list(range(self.rank))
        for slot, position in zip(sorted(positions), positions, strict=True):
            order[slot] = position
        return tuple(order)

    def keeps_runs(self, order: Axes) -> bool:
        """Whether the result's axes, taken in this order, leave each group's together."""
        large = {position for _, result in self.pairs for position in result}
        wanted = [position for position in order if position in large]
        for _, result in self.pairs:
            first = wanted.index(result[0])
            if tuple(wanted[first : first + len(result)]) != result:
                return False
        return True

    def operand_order(self, order: Axes) -> Axes:
        """The operand's axes in an order of which a reshape makes the result's axes in `order`."""
        ordered = sorted(self.pairs, key=lambda pair: order.index(pair[1][0]))
        return (*self.single, *(position for operand, _ in ordered for position in operand))
