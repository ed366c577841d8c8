"""On which channels of its inputs an operator's channels depend: what the analysis of dead channels asks."""

from collections.abc import Sequence

import numpy as np

from tinycc.ops.base import Operator
from tinycc.ops.channel_ranges import ChannelRanges


class ChannelDependence(Operator):
    """An operator of which something is known of its channels; of any other each may depend on all."""

    @property
    def is_channelwise(self) -> bool:
        """Whether channel c of the output depends on channel c of the inputs alone."""
        return False

    @property
    def mixing_weights(self) -> np.ndarray | None:
        """Weights less their zero point, where outputs are weighted sums of all channels of the only input.

        int64 [output channels, taps, input channels]; None for any other operator.
        """
        return None

    @property
    def reads_padding(self) -> bool:
        """Whether the zero point stands for some elements outside the input."""
        return False

    def channel_ranges(self, inputs: Sequence[ChannelRanges]) -> ChannelRanges:
        """What the output's channels can be, given what the channels of each input can be."""
        return ChannelRanges.of(self.outputs[0])
