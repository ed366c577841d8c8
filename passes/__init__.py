"""The passes of tinycc: Relax in, Relax out, each in its own file; `pipeline` has them in order."""

if __name__ != "tinycc.passes":
    raise ImportError("the passes of tinycc are imported as tinycc.passes")
