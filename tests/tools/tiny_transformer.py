"""A transformer of two blocks, as torch users write it: embedding, attention masked or not, GELU."""

import math
from typing import Literal

import torch
from torch import nn

VOCABULARY, WIDTH, HEADS, LENGTH = 32, 16, 2, 8
# No mask, one that is given to nn.MultiheadAttention, or scores that are filled by hand.
Mask = Literal["none", "given", "filled"]


class _OwnAttention(nn.Module):
    """Causal attention from its parts."""

    def __init__(self) -> None:
        super().__init__()
        self.inside, self.outside = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.register_buffer("seen", torch.tril(torch.ones(1, 1, LENGTH, LENGTH)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        heads = [part.view(1, LENGTH, HEADS, -1).transpose(1, 2) for part in self.inside(x).chunk(3, -1)]
        query, key, value = heads
        scores = query @ key.transpose(-2, -1) / math.sqrt(WIDTH // HEADS)
        scores = scores.masked_fill(self.seen == 0, -math.inf)
        mixed = (torch.softmax(scores, -1) @ value).transpose(1, 2).reshape(1, LENGTH, WIDTH)
        return self.outside(mixed)


class _Block(nn.Module):
    def __init__(self, mask: Mask) -> None:
        super().__init__()
        own = mask == "filled"
        self.attention = _OwnAttention() if own else nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(2))
        self.layers = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        y = self.norms[0](x)
        if isinstance(self.attention, _OwnAttention):
            x = x + self.attention(y)
        else:
            x = x + self.attention(y, y, y, attn_mask=mask, need_weights=False)[0]
        return x + self.layers(self.norms[1](x))


class TinyTransformer(nn.Module):
    """Tokens [1, LENGTH] to scores [1, LENGTH, VOCABULARY]; its attention is sharp, as in a trained one."""

    def __init__(self, mask: Mask = "none") -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.position = nn.Parameter(0.3 * torch.randn(1, LENGTH, WIDTH))
        self.blocks = nn.ModuleList(_Block(mask) for _ in range(2))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, VOCABULARY)
        closed = torch.triu(torch.full((LENGTH, LENGTH), -math.inf), 1)
        self.register_buffer("mask", closed if mask == "given" else None)
        with torch.no_grad():
            for name, weights in self.named_parameters():
                if "in_proj_weight" in name or "inside.weight" in name:
                    weights.mul_(3)
        self.eval()

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embedding(tokens) + self.position
        for block in self.blocks:
            x = block(x, self.mask)
        return self.head(self.norm(x))


def sentences(count: int, seed: int, dtype: torch.dtype = torch.int64) -> torch.Tensor:
    """Random tokens [count, 1, LENGTH]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, VOCABULARY, (count, 1, LENGTH), generator=generator, dtype=dtype)
