"""Which software a result was computed with."""

import platform
from importlib.metadata import version

PACKAGES = (
    "mesmerize-datajoint",
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "numba",
    "opencv-python-headless",
    "tifffile",
    "zarr",
)


def software_versions() -> dict[str, str]:
    """Return the versions of Python and of every package that can change a number.

    Returns
    -------
    dict
        Version by package name, ``python`` first.
    """
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
