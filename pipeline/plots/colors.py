"""Colours that stay: a ROI has the same one in every picture, on every day."""

# a circle of twelve hues of similar strength, in steps of 150 degrees, so that neighbours differ
CYCLE = (
    "#f05653",
    "#00c99e",
    "#b64ebd",
    "#909d00",
    "#699dff",
    "#d15600",
    "#00afc9",
    "#fc69ab",
    "#009b28",
    "#9d74f8",
    "#da9700",
    "#008cdf",
)
QUIET = "#9a9a9a"
"""Of what is there to compare with: raw traces, rejected ROIs."""


def roi_color(roi_id: int) -> str:
    """Return the colour of a ROI; it can be told apart on white and on grey images.

    Parameters
    ----------
    roi_id : int
        Number of the ROI in its segmentation.

    Returns
    -------
    str
        As ``#rrggbb``.

    Examples
    --------
    >>> roi_color(0) == roi_color(12), roi_color(0) == roi_color(1)
    (True, False)
    """
    return CYCLE[roi_id % len(CYCLE)]
