"""Data of a programme: schemas, reading, validation, frozen tables, and synthetic data from the same schemas."""

from __future__ import annotations

from .read import TableSource, read_table
from .schema import Constraints, Field, TableSchema, codebook, compile_schema, load_schema, template_csv
from .synthetic import BASELINE_FIELDS, synthetic_programme_tables, synthetic_table
from .tables import DataSpecification, Tables, read_data

__all__ = [
    "BASELINE_FIELDS",
    "Constraints",
    "DataSpecification",
    "Field",
    "TableSchema",
    "TableSource",
    "Tables",
    "codebook",
    "compile_schema",
    "load_schema",
    "read_data",
    "read_table",
    "synthetic_programme_tables",
    "synthetic_table",
    "template_csv",
]
