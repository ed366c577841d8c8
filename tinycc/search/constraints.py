"""What a network may cost."""

from dataclasses import dataclass, field

from tinycc.errors import BudgetError
from tinycc.search.architecture import Architecture
from tinycc.search.cost import Cost, CostModel, Device
from tinycc.search.space import Space
from tinycc.target import parse_size


@dataclass(frozen=True)
class Constraints:
    """Limits of one inference on a device, whose `sram` is one of them; None for no limit.

    flash: constants, in bytes or as "64K". instructions: predicted.
    """

    device: Device = field(default_factory=Device)
    flash: str | int | None = None
    instructions: int | None = None

    def judge(self) -> "Judge":
        """Who says what networks cost."""
        return Judge(self)


class Judge:
    """Costs of networks that keep within constraints; each is asked for once.

    costs: of all that were looked at; None where there is not memory enough.
    """

    def __init__(self, constraints: Constraints) -> None:
        """Raises a tinycc.errors.TinyccError where an option of the device is wrong."""
        self.constraints = constraints
        self.costs: dict[Architecture, Cost | None] = {}
        self._model = CostModel(constraints.device)
        self._flash = None if constraints.flash is None else parse_size(str(constraints.flash))

    def allowed(self, architecture: Architecture) -> Cost | None:
        """What a network costs; None where that is too much of something."""
        if architecture not in self.costs:
            self.costs[architecture] = self._model.cost_within(architecture)
        cost = self.costs[architecture]
        if cost is None or (self._flash is not None and cost.flash_bytes > self._flash):
            return None
        most = self.constraints.instructions
        return cost if most is None or cost.instructions <= most else None

    def check(self, space: Space) -> None:
        """BudgetError where not even the smallest network of a space is allowed; it says what that costs."""
        smallest = space.architecture(space.smallest())
        if self.allowed(smallest) is None:
            cost = self._model.cost(smallest)
            raise BudgetError(
                f"no network of the space keeps within the limits: the smallest, {smallest.summary}, takes "
                f"{cost.sram_bytes:,} bytes of SRAM, {cost.flash_bytes:,} of constants and "
                f"{cost.instructions:,} instructions"
            )
