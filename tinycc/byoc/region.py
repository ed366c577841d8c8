"""A region: a function of calls to composites that stand within it, as MergeCompositeFunctions makes it."""

from tvm import relax

from tinycc import tvm_adapter

# A region as it was partitioned: what passes that run until RunCodegen make of its body is of no concern.
# TVM's FoldConstant would leave float weights in it.
_ATTRIBUTE = "tinycc.region"


def with_name(region: relax.Function, name: str) -> relax.Function:
    """`region` under the name by which its library is called, and with what it is now kept."""
    named = region.with_attr("global_symbol", name)
    return named.with_attr(_ATTRIBUTE, named)


def as_partitioned(region: relax.Function) -> relax.Function:
    """The region that `with_name` kept."""
    return tvm_adapter.attribute(region, _ATTRIBUTE, region)


def composites_of(region: relax.Function) -> list[str]:
    """The kinds of its composites, in order."""
    return [
        str(tvm_adapter.attribute(binding.value, "Composite"))
        for binding in tvm_adapter.bindings_of(region)
        if isinstance(binding.value, relax.Function)
    ]


def flat(region: relax.Function) -> relax.Function:
    """The operators of a region without its composites."""
    builder = relax.BlockBuilder()
    values: dict[relax.Var, relax.Expr] = {}
    members: dict[relax.Var, relax.Function] = {}
    with builder.function("main", list(region.params)):
        with builder.dataflow():
            for binding in tvm_adapter.bindings_of(region):
                if isinstance(binding.value, relax.Function):
                    members[binding.var] = binding.value
                elif isinstance(binding.value, relax.Call) and binding.value.op in members:
                    arguments = [tvm_adapter.substitute(item, values) for item in binding.value.args]
                    values[binding.var] = _emitted(builder, members[binding.value.op], arguments)
                else:
                    values[binding.var] = builder.emit(tvm_adapter.substitute(binding.value, values))
            results = [tvm_adapter.substitute(item, values) for item in tvm_adapter.returned(region)]
            output = builder.emit_output(results[0] if len(results) == 1 else relax.Tuple(results))
        builder.emit_func_output(output)
    return builder.get()["main"]


def _emitted(builder: relax.BlockBuilder, member: relax.Function, arguments: list[relax.Expr]) -> relax.Expr:
    """The operators of a member on other operands, and their result."""
    values = dict(zip(member.params, arguments, strict=True))
    for binding in tvm_adapter.bindings_of(member):
        values[binding.var] = builder.emit(tvm_adapter.substitute(binding.value, values))
    [result] = tvm_adapter.returned(member)
    return tvm_adapter.substitute(result, values)
