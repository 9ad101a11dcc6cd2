"""Filters of tables: what somebody writes, as a tree that a server can be asked with.

A missing value fulfils no condition but ``is missing``, and ``not`` chooses exactly the other rows,
as in pandas. An empty text is a missing one.
"""

from pipeline.filters.columns import Column, Columns, short_name
from pipeline.filters.grammar import FilterError, parse_filter
from pipeline.filters.pandas_form import pandas_form
from pipeline.filters.patterns import write_pattern
from pipeline.filters.tree import (
    COMPARISONS,
    All,
    AnyOf,
    Condition,
    Filter,
    Kind,
    Not,
    Span,
    Value,
    columns_of,
    filter_from_dict,
    filter_to_dict,
)

__all__ = [
    "COMPARISONS",
    "All",
    "AnyOf",
    "Column",
    "Columns",
    "Condition",
    "Filter",
    "FilterError",
    "Kind",
    "Not",
    "Span",
    "Value",
    "columns_of",
    "filter_from_dict",
    "filter_to_dict",
    "pandas_form",
    "parse_filter",
    "short_name",
    "write_pattern",
]
