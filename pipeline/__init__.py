"""Numerics, files and figures: arrays in, arrays out; no database and no screen.

Vocabulary, the same in every module and table:

* movie: ``(n_frames, n_rows, n_cols)`` or ``(n_frames, n_planes, n_rows, n_cols)``
* traces: ``(n_rois, n_frames)``
* footprints: sparse ``(n_pixels, n_rois)``, pixels in C order
* rows point down, columns right
* a shift is how far the content of a frame lies from the reference, in pixels, rows first
* time is in seconds, a range of frames is half-open ``[start, stop)``
* the unit is in the name: ``_s``, ``_hz``, ``_um``, ``_px``, ``_frames``
"""
