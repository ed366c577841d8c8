"""The plan becomes a folder of C."""

from tinycc.codegen.folder import check_name, write_folder
from tinycc.codegen.operator_code import OperatorCode
from tinycc.codegen.plan_code import generate_operators, generate_program
from tinycc.codegen.training_code import TrainingCode, training_code

__all__ = [
    "OperatorCode",
    "TrainingCode",
    "check_name",
    "generate_operators",
    "generate_program",
    "training_code",
    "write_folder",
]
