"""Transmission, the table that goes from node to node, and the history that goes with it.

What a table holds of each row is a single value or an array; each array knows its sampling rate
and where it begins, each column its kind and its unit, each row the block of the history it is in.
"""

from pipeline.transmission.column import ArrayColumn, ColumnInfo, join_arrays
from pipeline.transmission.graph import history_graphviz, history_mermaid, history_text
from pipeline.transmission.history import Block, HistoryTrace, content_key, make_block
from pipeline.transmission.parquet import write_blocks, write_table
from pipeline.transmission.table import (
    BLOCK,
    RECORDING_ID,
    ROW_ID,
    STIMULUS_COLUMNS,
    Transmission,
    concatenate,
)
from pipeline.transmission.table_file import TableFile, open_table, read_table

__all__ = [
    "BLOCK",
    "RECORDING_ID",
    "ROW_ID",
    "STIMULUS_COLUMNS",
    "ArrayColumn",
    "Block",
    "ColumnInfo",
    "HistoryTrace",
    "TableFile",
    "Transmission",
    "concatenate",
    "content_key",
    "history_graphviz",
    "history_mermaid",
    "history_text",
    "join_arrays",
    "make_block",
    "open_table",
    "read_table",
    "write_blocks",
    "write_table",
]
