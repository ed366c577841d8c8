"""What a network may cost."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

from tinycc.errors import BudgetError
from tinycc.search.architecture import Architecture
from tinycc.search.cost import Cost, CostModel, Device
from tinycc.search.memory_models import Memory, cost_model
from tinycc.search.space import Space
from tinycc.search.space_checks import check_choice, read_space
from tinycc.target import parse_size


@dataclass(frozen=True)
class Constraints:
    """Limits of one inference on a device, whose `sram` is one of them; None for no limit.

    flash: constants, in bytes or as "64K". instructions: predicted. memory: whose SRAM is meant.
    """

    device: Device = field(default_factory=Device)
    flash: str | int | None = None
    instructions: int | None = None
    memory: Memory = "compiler"

    def judge(self) -> "Judge":
        """Who says what networks cost: with the schedule of least work that has room.

        Raises a tinycc.errors.TinyccError where an option of the device is wrong.
        """
        return Judge(self, [cost_model(self.device, self.memory)])

    def thrifty_judge(self) -> "Judge":
        """The same with the schedule of least memory, where that is within the limits.

        The same networks are allowed, but what they take of SRAM can be compared: of two with the least work
        for a budget either takes about all of it.
        """
        if self.memory != "compiler":
            return self.judge()  # whole tensors have one schedule
        return Judge(self, [CostModel(replace(self.device, optimize_for="memory")), CostModel(self.device)])


class Judge:
    """Costs of networks that keep within constraints; each is asked for once.

    costs: of all that were looked at; None where that is too much of something.
    """

    def __init__(self, constraints: Constraints, models: Sequence[CostModel]) -> None:
        """models: asked in this order until a cost is within the limits; the last tells the least."""
        self.constraints = constraints
        self.costs: dict[Architecture, Cost | None] = {}
        self._models = models
        self._flash = None if constraints.flash is None else parse_size(str(constraints.flash))

    def allowed(self, architecture: Architecture) -> Cost | None:
        """What a network costs; None where that is too much of something."""
        if architecture not in self.costs:
            self.costs[architecture] = self._cost(architecture)
        return self.costs[architecture]

    def check(self, space: Space) -> None:
        """Raises TinyccError where a space is none, has nothing to choose from, or nothing that is allowed.

        The last is a BudgetError that says what the smallest network costs.
        """
        read_space(asdict(space), "the space")
        check_choice(space)
        smallest = space.architecture(space.smallest())
        if self.allowed(smallest) is None:
            cost = self._models[-1].cost(smallest)
            raise BudgetError(
                f"no network of the space keeps within the limits: the smallest, {smallest.summary}, takes "
                f"{cost.sram_bytes:,} bytes of SRAM, {cost.flash_bytes:,} of constants and "
                f"{cost.instructions:,} instructions"
            )

    def _cost(self, architecture: Architecture) -> Cost | None:
        if self._flash is not None and architecture.weight_bytes > self._flash:
            return None  # sooner than by a schedule
        found = (model.cost_within(architecture) for model in self._models)
        return next((cost for cost in found if cost is not None and self._is_within(cost)), None)

    def _is_within(self, cost: Cost) -> bool:
        most = self.constraints.instructions
        return (self._flash is None or cost.flash_bytes <= self._flash) and (
            most is None or cost.instructions <= most
        )
