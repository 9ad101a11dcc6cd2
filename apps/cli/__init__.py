"""The command line ``mesmerize``: a command parses, calls one function, prints."""
