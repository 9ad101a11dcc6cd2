"""Figures: they draw what they are given, and compute nothing but where to draw it."""

from pipeline.plots.colors import roi_color
from pipeline.plots.grid import grid_figure
from pipeline.plots.motion import correlation_figure, shifts_figure
from pipeline.plots.periods import shade_periods, stimulus_colors
from pipeline.plots.picture import contact_sheet, grey_png
from pipeline.plots.seeds import seeds_figure
from pipeline.plots.traces import traces_figure

__all__ = [
    "contact_sheet",
    "correlation_figure",
    "grey_png",
    "grid_figure",
    "roi_color",
    "seeds_figure",
    "shade_periods",
    "shifts_figure",
    "stimulus_colors",
    "traces_figure",
]
