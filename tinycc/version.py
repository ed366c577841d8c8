"""The version of tinycc."""

VERSION = "0.1.0"
