"""Which axis of a stored array is time, plane, channel, row or column."""

from pipeline.readers.lazy import DROPPED
from pipeline.readers.stack import Stack

IMAGE_AXES = "YX"
CHANNEL = "C"
MOVIE_LETTERS = (sorted("TYX"), sorted("TZYX"))
USUAL_AXES = {3: "TYX", 4: "TZYX"}


def parse_axes(axes: str) -> str:
    """Check the axes that somebody asked for.

    Parameters
    ----------
    axes : str
        ``T``, ``Y``, ``X``, ``Z`` for volumes and ``C`` for channels, in the order of the file;
        case is ignored.

    Returns
    -------
    str
        The letters in upper case.

    Raises
    ------
    ValueError
        If a letter is unknown, doubled or missing.

    Examples
    --------
    >>> parse_axes("yxt")
    'YXT'
    """
    letters = axes.upper()
    if sorted(letters.replace(CHANNEL, "", 1)) not in MOVIE_LETTERS:
        raise ValueError(
            "axes must name time T, rows Y and columns X, for volumes also planes Z, and channels "
            "C where there are several, each once and in the order of the file, such as 'TYX' or "
            f"'TCYX'; got {axes!r}."
        )
    return letters


def name_axes(stack: Stack, asked: str | None, *, alone: bool = True) -> str:
    """Return the role of each stored axis.

    Parameters
    ----------
    stack : Stack
        The stored array, with the letters of the file if it has any.
    asked : str or None
        From `parse_axes`; wins over the letters of the file.
    alone : bool
        Whether this is the whole movie; a part of one may be a single image.

    Returns
    -------
    str
        ``T``, ``Z``, ``C``, ``Y``, ``X`` or ``-`` (an axis of length 1, left out) for each stored
        axis.

    Raises
    ------
    ValueError
        If the axes do not make a movie, or are not those asked for.
    """
    ndim = len(stack.array.shape)
    found = stack.axes.upper() or USUAL_AXES.get(ndim, "?" * ndim)
    return _fit_asked(stack, found, asked) if asked else _fit_found(stack, found, alone=alone)


def _fit_asked(stack: Stack, found: str, asked: str) -> str:
    """Put the letters asked for on the stored axes, with fewer and fewer axes of length 1."""
    shape = stack.array.shape
    candidates = (
        [True] * len(shape),
        [n > 1 or letter in asked for n, letter in zip(shape, found, strict=True)],
        [n > 1 for n in shape],
    )
    for kept in candidates:
        if sum(kept) == len(asked):
            letters = iter(asked)
            return "".join(next(letters) if keep else DROPPED for keep in kept)
    raise ValueError(
        f"axes {asked!r} do not fit {stack.name}, which has {_described(stack, found)}; "
        "give one letter for each axis longer than 1."
    )


def _fit_found(stack: Stack, found: str, *, alone: bool) -> str:
    """Find time and planes among the axes of the file."""
    shape = stack.array.shape
    _refuse_colour(stack, found)
    if not set(IMAGE_AXES) <= set(found):
        raise ValueError(
            f"{stack.name} is not a movie: it has {_described(stack, found)}, and a movie has "
            "three axes (time, rows, columns) or four (time, planes, rows, columns)."
        )
    if sorted(found) in MOVIE_LETTERS:
        return "".join(
            DROPPED if letter == "Z" and n == 1 else letter
            for letter, n in zip(found, shape, strict=True)
        )
    others = [i for i, letter in enumerate(found) if letter not in IMAGE_AXES and shape[i] > 1]
    channels = [i for i in others if found[i] == CHANNEL] if len(others) > 1 else []
    others = [i for i in others if i not in channels]
    if not others and alone:
        raise ValueError(
            f"{stack.name} is not a movie but a single image with {_described(stack, found)}; give "
            "a recording of several frames."
        )
    roles = dict(zip(others, _roles(stack, found, others), strict=True))
    roles |= dict.fromkeys(channels, CHANNEL)
    return "".join(
        letter if letter in IMAGE_AXES else roles.get(i, DROPPED) for i, letter in enumerate(found)
    )


def _roles(stack: Stack, found: str, others: list[int]) -> str:
    """Give time and plane to the axes that are not rows or columns.

    A lone axis is time whatever its letter: ImageJ calls the frames of a plain stack slices.
    """
    letters = "".join(found[i] for i in others)
    if len(others) < len("TZ"):
        return "T" * len(others)
    if len(others) > len("TZ"):
        raise ValueError(_too_many_axes(stack, found))
    return "ZT" if letters[0] == "Z" or letters[1] == "T" else "TZ"


def _refuse_colour(stack: Stack, found: str) -> None:
    """Refuse pixels of several samples."""
    samples = [n for n, letter in zip(stack.array.shape, found, strict=True) if letter == "S"]
    if any(n > 1 for n in samples):
        raise ValueError(
            f"{stack.name} is not a movie but colour images ({max(samples)} samples a pixel); "
            "save the channel with the indicator as gray values."
        )


def _too_many_axes(stack: Stack, found: str) -> str:
    return (
        f"{stack.name} has {_described(stack, found)}, more than time, planes, channels, rows "
        "and columns; save one movie of it as a file of its own."
    )


def choose_channel(stack: Stack, letters: str, asked: int | None) -> int:
    """Return the channel to read.

    Parameters
    ----------
    stack : Stack
        The stored array.
    letters : str
        From `name_axes`.
    asked : int or None
        The channel that somebody asked for, from 0; None is enough where there is one.

    Raises
    ------
    ValueError
        If there are several and none is named, or there is no such channel.
    """
    n_channels = dict(zip(letters, stack.array.shape, strict=True)).get(CHANNEL, 1)
    if asked is None and n_channels > 1:
        names = f" ({', '.join(stack.channel_names)})" if stack.channel_names else ""
        raise ValueError(
            f"{stack.name} has {n_channels} channels{names}; name the one to analyse, "
            f"channel 0 to {n_channels - 1}."
        )
    channel = asked or 0
    if not 0 <= channel < n_channels:
        count = "one channel" if n_channels == 1 else f"{n_channels} channels"
        raise ValueError(f"{stack.name} has {count}, counted from 0; got channel {channel}.")
    return channel


def _described(stack: Stack, found: str) -> str:
    """Describe the stored axes in words."""
    shape = tuple(int(n) for n in stack.array.shape)
    names = f"axes {found} of shape" if set(found) - {"?"} else "shape"
    return f"{names} {shape}"
