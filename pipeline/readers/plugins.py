"""Readers and metadata formats of other packages, found by their entry points.

A package declares them in its ``pyproject.toml``; they are imported when a file asks for them::

    [project.entry-points."mesmerize.readers"]
    ".abc" = "my_lab.abc:read_abc"            # read_abc(path, item) -> list of Stack

    [project.entry-points."mesmerize.metadata_formats"]
    my_rig = "my_lab.abc:read_rig"            # read_rig(path) -> {"fps": 30.0, ...}
"""

from importlib.metadata import EntryPoint, entry_points
from typing import Any

READERS_GROUP = "mesmerize.readers"
METADATA_GROUP = "mesmerize.metadata_formats"


def plugin_names(group: str) -> list[str]:
    """Return the names under which other packages offer something, in order.

    Parameters
    ----------
    group : str
        `READERS_GROUP` or `METADATA_GROUP`.
    """
    return sorted({point.name for point in entry_points(group=group)})


def load_plugin(group: str, name: str) -> Any | None:
    """Return what a package offers under a name, None where none does.

    Parameters
    ----------
    group : str
        `READERS_GROUP` or `METADATA_GROUP`.
    name : str
        A suffix as ``.abc``, or the name of a metadata format; case is ignored.

    Returns
    -------
    object or None
        Something that can be called.

    Raises
    ------
    ValueError
        If two packages offer it, or it cannot be imported, or not be called.
    """
    points = [p for p in entry_points(group=group) if p.name.lower() == name.lower()]
    if len({point.value for point in points}) > 1:
        packages = " and ".join(sorted({_package(point) for point in points}))
        raise ValueError(f"{packages} both offer a reader for {name!r}; uninstall one of them.")
    return _load(points[0], name) if points else None


def _load(point: EntryPoint, name: str) -> Any:
    package = _package(point)
    try:
        found = point.load()
    except Exception as error:  # noqa: BLE001 - of a package that we do not know
        raise ValueError(
            f"the plug-in {package} for {name!r} cannot be loaded "
            f"({type(error).__name__}: {error}); update or uninstall it."
        ) from error
    if not callable(found):
        raise ValueError(  # noqa: TRY004
            f"the plug-in {package} for {name!r} must be a function; got {type(found).__name__}."
        )
    return found


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value
