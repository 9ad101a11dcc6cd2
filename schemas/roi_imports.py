"""ROIs of other programs, from their files into the tables."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pipeline.extraction.manual_params import ManualParams
from pipeline.extraction.methods import MANUAL
from pipeline.importers.batch import BatchItem, read_batch, table_of
from pipeline.importers.registry import import_rois
from pipeline.params import params_hash
from pipeline.readers.registry import ITEM_SEPARATOR
from pipeline.roi_file import RoiFile
from schemas.connection import Database
from schemas.labels import Key
from schemas.params import add_params
from schemas.roi_sets import enter_rois, frame_shape
from schemas.roi_states import RECORDING
from schemas.settings import ProjectError

SAME_RATE = 0.01
"""Part by which two rates may differ that are the same."""


class Imported(NamedTuple):
    """What was taken in."""

    segmentation: Key
    """Key of the segmentation that workers make of it."""

    file: RoiFile
    """What the file holds."""

    notes: list[str]
    """Sentences for the person who imports it."""


def import_file(
    database: Database,
    recording: Key,
    path: Path,
    *,
    motion: str | None = None,
    as_recorded: bool = False,
    with_tags: bool = True,
) -> Imported:
    """Enter the ROIs that another program found in a recording, all or none.

    Parameters
    ----------
    database : Database
        The connected tables.
    recording : dict
        Key of the recording, whose movie was read.
    path : Path
        A file or folder that `pipeline.importers.registry.import_rois` reads.
    motion : str or None
        Name of the motion parameters whose corrected movie belongs to them. None: of ROIs that came
        with traces, the movie as it was recorded, since the program corrected its own; of others,
        the corrected movie, if there is one.
    as_recorded : bool
        The movie as it was recorded belongs to them in any case.
    with_tags : bool
        Take their tags in too. Types that the project lacks are made.

    Raises
    ------
    ProjectError
        If the movie has not been read, the ROIs do not fit it, or this account may not make the
        types of their tags.
    ValueError
        If the file is damaged, or holds no ROIs.

    Notes
    -----
    Traces that the program wrote are kept as they are; only what it did not write is computed from
    them. Where it wrote none, as ImageJ, they are measured in the movie. The ROIs have their tags
    from the moment that the segmentation is there.
    """
    found = import_rois(path, frame_shape(database, recording))
    entered = _enter(
        database,
        recording,
        found if with_tags else replace(found, tags={}),
        path.resolve().name,
        motion=motion,
        as_recorded=as_recorded,
    )
    return entered._replace(file=found)


def _enter(
    database: Database,
    recording: Key,
    found: RoiFile,
    name: str,
    *,
    motion: str | None = None,
    as_recorded: bool = False,
) -> Imported:
    """Enter the ROIs of a file, which is remembered by a name."""
    notes = [*found.left_out, *_about_the_rate(database, recording, found)]
    segmentation = enter_rois(
        database,
        recording,
        replace(found.rois, background=found.background, tags=found.tags, file=name),
        params=_params(database, found),
        motion=motion,
        as_recorded=as_recorded or (motion is None and bool(found.rois.traces)),
    )
    return Imported(segmentation, found, notes)


class BatchImport(NamedTuple):
    """What became of an item of a batch."""

    item: BatchItem
    """What the batch tells of it."""

    recording: Key | None
    """Key of the recording that it was taken into; None: it was not."""

    what: str
    """How many ROIs it has, or why it was left out, in a few words."""

    notes: list[str]
    """Sentences for the person who imports it."""


def import_batch(database: Database, path: Path, *, pretend: bool = False) -> Iterator[BatchImport]:
    """Enter what CaImAn found in all recordings of a batch of mesmerize-core.

    Parameters
    ----------
    database : Database
        The connected tables.
    path : Path
        The table of the batch, or its folder.
    pretend : bool
        Enter nothing, and tell what would be entered.

    Yields
    ------
    BatchImport
        For each item, when it was entered or left out. An item that is damaged, or does not fit
        its recording, is left out and the next one is read.

    Raises
    ------
    ValueError
        If the table is damaged.

    Notes
    -----
    An item is of the recording with a movie file of the name that the batch tells, whatever its
    folder. What was imported before is not entered a second time.
    """
    table = table_of(path)
    recordings = _recordings_by_movie(database)
    for item in read_batch(table):
        found = recordings[item.movie]
        if item.result is None:
            yield BatchImport(item, None, "found no components", [])
        elif len(found) != 1:
            of = f"{len(found)} recordings have" if found else "no recording has"
            yield BatchImport(item, None, f"{of} a movie {item.movie!r}", [])
        elif pretend:
            yield BatchImport(item, found[0], "would be taken in", [])
        else:
            yield _import_item(database, found[0], table, item, item.result)


def _import_item(
    database: Database, recording: Key, table: Path, item: BatchItem, result: Path
) -> BatchImport:
    """Enter an item, or tell why not; it is remembered as if it had been named by itself."""
    try:
        found = import_rois(result, frame_shape(database, recording))
        done = _enter(database, recording, found, f"{table.name}{ITEM_SEPARATOR}{item.uuid}")
    except (ValueError, ProjectError) as error:
        return BatchImport(item, None, str(error), [])
    return BatchImport(item, recording, f"{done.file.n_rois} ROIs", done.notes)


def _recordings_by_movie(database: Database) -> dict[str, list[Key]]:
    """Return the keys of the recordings with a movie file of each name."""
    files = database.session.Recording.File & "kind <> 'metadata'"
    found: dict[str, list[Key]] = defaultdict(list)
    for row in files.proj("path").to_dicts(order_by="KEY"):
        keys = found[PurePosixPath(row["path"]).name]
        key = {name: row[name] for name in RECORDING}
        if key not in keys:  # a movie may be cut in several files
            keys.append(key)
    return found


def _about_the_rate(database: Database, recording: Key, found: RoiFile) -> list[str]:
    """Tell where the program believed in another rate than the recording has."""
    rate_hz = float((database.session.RecordingInfo() & recording).fetch1("rate_hz"))
    if found.rate_hz is None or abs(found.rate_hz / rate_hz - 1) < SAME_RATE:
        return []
    return [
        f"{found.rois.source} was told {found.rate_hz:g} frames a second, and the recording has "
        f"{rate_hz:g}: what it computed with that, as spikes, is of the other rate."
    ]


def _params(database: Database, found: RoiFile) -> str | None:
    """Return the parameter set with the program's own neuropil coefficient; None: the standard."""
    coefficient = found.neuropil_coefficient
    if coefficient is None or "neuropil" not in found.rois.traces:
        return None
    params = ManualParams(neuropil_coefficient=coefficient)
    if params == ManualParams():
        return None
    name = f"{MANUAL}, neuropil {coefficient:g}"
    table = database.roi.SegmentationParams()
    if not table & {"segmentation_hash": params_hash(params)}:
        add_params(table, name, params)
    return str((table & {"segmentation_hash": params_hash(params)}).fetch1("name"))
