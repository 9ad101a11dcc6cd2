"""Numbers of things, in words."""


def counted(count: int, thing: str) -> str:
    """Return a number with what it counts, in singular or plural.

    Parameters
    ----------
    count : int
        How many.
    thing : str
        Its singular, whose plural ends in s.

    Examples
    --------
    >>> counted(1, "sample"), counted(1200, "ROI")
    ('1 sample', '1,200 ROIs')
    """
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
