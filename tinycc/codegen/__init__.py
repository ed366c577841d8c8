"""The plan becomes a folder of C."""

from tinycc.codegen.folder import write_folder

__all__ = ["write_folder"]
