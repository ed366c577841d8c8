"""The plan: kernel calls in order and where their buffers lie in the arena."""

from tinycc.plan.bottleneck import bottleneck
from tinycc.plan.build import build_plan, plan_of
from tinycc.plan.model import Buffer, Plan, RowInput, Step
from tinycc.plan.program import INVOKE, TRAIN, Program, build_program

__all__ = [
    "INVOKE",
    "TRAIN",
    "Buffer",
    "Plan",
    "Program",
    "RowInput",
    "Step",
    "bottleneck",
    "build_plan",
    "build_program",
    "plan_of",
]
