"""The earlier Mesmerize: what of its projects and batches can be taken in, and how."""

from pathlib import Path
from typing import NoReturn

PICKLES = (".pickle", ".pkl", ".pikl", ".pik", ".trn", ".ptrn", ".dfr", ".mzp", ".mzb")
RESULTS = ("*_results*.hdf5", "*/*.hdf5")
"""Where batches keep what CaImAn found."""


def is_mesmerize(path: Path) -> bool:
    """Tell whether a file or folder is of the earlier Mesmerize.

    Parameters
    ----------
    path : Path
        A project, a batch, or a file of them.
    """
    if path.is_dir():
        project = (path / "dataframes").is_dir() and (path / "images").is_dir()
        return project or any(path.glob("*.pickle")) or any(path.glob("dataframe.batch"))
    return path.suffix.lower() in PICKLES


def refuse_mesmerize(path: Path, frame_shape: tuple[int, ...]) -> NoReturn:  # noqa: ARG001
    """Tell what can be taken in instead.

    Parameters
    ----------
    path : Path
        A project, a batch, or a file of them.
    frame_shape : tuple of int
        Of the recorded frames.

    Raises
    ------
    ValueError
        Always: its tables are pickles of pandas, which run whatever is in them when they are
        opened, and which other versions of pandas cannot read.
    """
    raise ValueError(
        f"{path.name} is of the earlier Mesmerize, whose tables are pickles and would run a "
        f"program when they are opened; it was not opened: {advice_instead(path)}."
    )


def advice_instead(path: Path) -> str:
    """Tell what can be imported in place of a table that cannot be read.

    Parameters
    ----------
    path : Path
        A project, a batch, or a file of them.
    """
    folder = path if path.is_dir() else path.parent
    found = sorted(file for pattern in RESULTS for file in folder.glob(pattern))
    if found:
        return (
            f"what CaImAn found lies beside it and can be imported, {len(found)} files, the first "
            f"with: mesmerize import rois {found[0]}"
        )
    return (
        "import the HDF5 files of CaImAn that its batch wrote, and in the program that made it "
        "save tables with to_csv()"
    )
