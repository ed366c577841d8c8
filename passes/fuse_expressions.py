"""Group elementwise operators on real and logical tensors into composite functions, a loop of a kernel each.

Before:  lv = add(x, y); lv1 = sigmoid(lv); lv2 = multiply(lv, lv1)
After:   lv2 = fused_expression(x, y), a private function with Composite = "tinycc.expression", the same body
Requires: fuse_quantized_ops, whose patterns take bias and activation of layers.

An operator joins those that read it where all of them are of one group, and where no tensor has to be kept
for longer: it has one tensor to read, or the group has nothing else to wait for.
"""

from collections import defaultdict
from dataclasses import dataclass, field

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.expression import C_TYPES, FUNCTIONS, Expression, may_broadcast
from tinycc.ops.lookup.view import tensor_operands


@dataclass
class _Group:
    """Bindings of one composite. members: the last one first. reads: tensors that none of them computes."""

    members: list[relax.Var] = field(default_factory=list)
    reads: dict[relax.Var, None] = field(default_factory=dict)


class _Finder:
    """Finds the groups of a `main`. groups: by the variable of the last member."""

    def __init__(self, main: relax.Function) -> None:
        bindings = list(tvm_adapter.bindings_of(main))
        self.values = {binding.var: binding.value for binding in bindings}
        self.groups: dict[relax.Var, _Group] = {}
        results = set(tvm_adapter.returned(main))
        readers: dict[relax.Expr, list[relax.Var]] = defaultdict(list)
        for binding in bindings:
            for variable in tvm_adapter.variables_of(binding.value):
                readers[variable].append(binding.var)
        group_of: dict[relax.Var, _Group] = {}
        for binding in reversed(bindings):
            variable = binding.var
            if not _is_elementwise(variable, binding.value):
                continue
            group = self._of_all([group_of.get(reader) for reader in readers[variable]])
            if group is None or variable in results or not self._may_join(variable, group):
                group = self.groups[variable] = _Group()
            group_of[variable] = group
            group.members.append(variable)
            group.reads.pop(variable, None)
            group.reads.update(dict.fromkeys(tvm_adapter.variables_of(binding.value)))

    def _of_all(self, groups: list[_Group | None]) -> _Group | None:
        """The group that all readers are of."""
        first = groups[0] if groups else None
        return first if all(group is first for group in groups) else None

    def _may_join(self, variable: relax.Var, group: _Group) -> bool:
        """Whether shapes are the same, and no tensor is kept for longer."""
        if tvm_adapter.shape_of(variable) != tvm_adapter.shape_of(group.members[0]):
            return False
        others = group.reads.keys() - {variable}
        reads = set(tvm_adapter.variables_of(self.values[variable]))
        return len(reads - others) <= 1 or others <= reads


def _is_elementwise(variable: relax.Var, value: relax.Expr) -> bool:
    """Whether a binding is a function of the elements of real or logical tensors, some of them broadcast."""
    if tvm_adapter.op_name(value).removeprefix("relax.") not in FUNCTIONS:
        return False
    operands, shape = tensor_operands(value), tvm_adapter.shape_of(variable)
    if any(tvm_adapter.dtype_of(operand) not in C_TYPES for operand in (variable, *operands)):
        return False
    if tvm_adapter.op_name(value) == "relax.nn.prelu" and int(value.attrs.axis) not in (-1, len(shape) - 1):
        return False
    return bool(tvm_adapter.variables_of(value)) and all(
        may_broadcast(tvm_adapter.shape_of(operand), shape) for operand in operands
    )


@tvm.transform.module_pass(opt_level=0, name="FuseExpressions")
class FuseExpressions:
    """Module pass; see above."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Replace the last binding of each group by a call; what is left over is removed."""
        finder = _Finder(module["main"])
        if not finder.groups:
            return module
        builder = relax.BlockBuilder(module)
        bindings = []
        for variable, value in finder.values.items():
            group = finder.groups.get(variable)
            if group is not None:
                composite = builder.add_func(_composite(group, finder.values), "fused_expression")
                value = builder.normalize(relax.Call(composite, list(group.reads)))
            bindings.append(relax.VarBinding(variable, value))
        module = tvm_adapter.rebuild_main(builder.get(), bindings)
        cleanup = [relax.transform.Normalize(), relax.transform.DeadCodeElimination(["main"])]
        return tvm_adapter.run_passes(cleanup, module)


def _composite(group: _Group, values: dict[relax.Var, relax.Expr]) -> relax.Function:
    """A private function of what the members read that computes the last one."""
    builder = relax.BlockBuilder()
    mapping: dict[relax.Expr, relax.Expr] = {
        variable: relax.Var(f"x{index}", variable.ty) for index, variable in enumerate(group.reads)
    }
    with builder.function("expression", list(mapping.values()), private=True):
        with builder.dataflow():
            for variable in reversed(group.members[1:]):
                mapping[variable] = builder.emit(tvm_adapter.substitute(values[variable], mapping))
            result = builder.emit_output(tvm_adapter.substitute(values[group.members[0]], mapping))
        builder.emit_func_output(result)
    attributes = {"Composite": f"tinycc.{Expression.kind}", "Primitive": True}
    return builder.get()["expression"].with_attrs(attributes)
