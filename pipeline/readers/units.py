"""Names that files give to units of time and length."""

TIMES_S = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("µs", "μs", "us", "usec", "microsecond", "microseconds"), 1e-6),
    "ns": 1e-9,
    **dict.fromkeys(("min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
    "d": 86400.0,
}
"""Seconds in a unit of time."""

LENGTHS_UM = {
    **dict.fromkeys(("µm", "μm", "um", "micron", "microns", "micrometer", "micrometre"), 1.0),
    **dict.fromkeys(("micrometers", "micrometres"), 1.0),
    "nm": 1e-3,
    **dict.fromkeys(("mm", "millimeter", "millimeters"), 1e3),
    "cm": 1e4,
    **dict.fromkeys(("m", "meter", "meters"), 1e6),
    "inch": 25400.0,
}
"""Micrometres in a unit of length."""
