"""DataJoint tables, one module a schema; a ``make`` reads, calls one pipeline function, inserts."""
