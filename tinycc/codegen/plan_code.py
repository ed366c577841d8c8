"""The C of a whole plan: operators on whole tensors, and stages."""

from tinycc.codegen.operator_code import OperatorCall, OperatorCode, add_operator
from tinycc.codegen.stage_code import add_stage
from tinycc.plan import INVOKE, Plan, Program


def generate_operators(plan: Plan, name: str = "model") -> OperatorCode:
    """The C of all steps of a plan.

    name: prefix of the C symbols.
    """
    code = OperatorCode()
    _add_steps(code, plan, name, 0)
    return code


def generate_program(
    program: Program, name: str = "model"
) -> tuple[OperatorCode, dict[str, list[OperatorCall]]]:
    """The C of all entries, whose constants are shared, and what each entry but an inference calls.

    Operators are counted through, those of an inference first.
    """
    code = OperatorCode(shares_constants=len(program.entries) > 1)
    index = _add_steps(code, program.entries[INVOKE], name, 0)
    invoked, entries = code.calls, {}
    for entry, plan in program.entries.items():
        if entry != INVOKE:
            code.calls = []
            index = _add_steps(code, plan, name, index)
            entries[entry] = code.calls
    code.calls = invoked
    return code, entries


def _add_steps(code: OperatorCode, plan: Plan, name: str, index: int) -> int:
    """The C of a plan whose first operator has this index; that behind its last."""
    for step in plan.steps:
        if step.members:
            add_stage(code, plan, step, index, f"{name.upper()}_AFTER")
        else:
            add_operator(code, plan, step, index)
        index += max(1, len(step.members))
    return index
