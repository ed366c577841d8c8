"""The plan becomes a folder of C."""

from tinycc.codegen.folder import check_name, write_folder
from tinycc.codegen.operator_code import OperatorCode
from tinycc.codegen.plan_code import generate_operators

__all__ = ["OperatorCode", "check_name", "generate_operators", "write_folder"]
