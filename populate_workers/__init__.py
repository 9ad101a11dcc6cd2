"""The processes that fill the computed tables."""
