"""The C of a whole plan: operators on whole tensors, and stages."""

from tinycc.codegen.operator_code import OperatorCode, add_operator
from tinycc.codegen.stage_code import add_stage
from tinycc.plan import Plan


def generate_operators(plan: Plan, name: str = "model") -> OperatorCode:
    """The C of all steps of a plan.

    name: prefix of the C symbols.
    """
    code = OperatorCode()
    index = 0
    for step in plan.steps:
        if step.members:
            add_stage(code, plan, step, index, f"{name.upper()}_AFTER")
        else:
            add_operator(code, plan, step, index)
        index += max(1, len(step.members))
    return code
