"""The plan: kernel calls in order and where their buffers lie in the arena."""

from tinycc.plan.build import build_plan, plan_of
from tinycc.plan.model import Buffer, Plan, RowInput, Step

__all__ = ["Buffer", "Plan", "RowInput", "Step", "build_plan", "plan_of"]
