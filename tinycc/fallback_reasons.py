"""Reasons for a fallback that the report gives advice on."""

FLOAT_WEIGHTS = "float weights beside a quantized input"
