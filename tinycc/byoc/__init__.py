"""tinycc as a code generator of TVM: regions of a module that relax.build compiles run on its kernels.

`backend` is what `import tvm` finds, `partition` chooses the regions, `codegen` makes libraries of them.
"""
