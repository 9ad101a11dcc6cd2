"""NWB, the standard in which recordings of neurons are published."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pynwb import NWBHDF5IO, NWBFile
from pynwb.base import Images
from pynwb.epoch import TimeIntervals
from pynwb.file import Subject
from pynwb.image import GrayscaleImage
from pynwb.ophys import ImageSegmentation, ImagingPlane, OpticalChannel

from pipeline.exporters.new_files import written_whole
from pipeline.exporters.nwb_facts import SEXES, NwbFacts, check_complete
from pipeline.exporters.nwb_movie import Corrected, MovieFile, motion_correction, photon_series
from pipeline.exporters.nwb_rois import add_responses, segmentation
from pipeline.movie import Movie
from pipeline.roi_file import RoiFile, column_name

UM_TO_M = 1e-6
PERIOD = ("name", "start_s", "end_s", "color")


@dataclass(frozen=True, kw_only=True)
class NwbRecording:
    """What a file tells of a recording."""

    animal: str
    """As the lab calls it."""

    session: str
    """As the lab calls it."""

    trial: str
    """As the lab calls it."""

    movie: Movie
    """As recorded, with its rate."""

    files: Sequence[MovieFile] | None
    """Where it lies, for a link; None: it is copied."""

    corrected: Corrected | None = None
    """Corrected for motion."""

    images: Mapping[str, NDArray[np.floating]] = field(default_factory=dict)
    """Projections of the movie by name, ``([n_planes,] n_rows, n_cols)``."""

    rois: RoiFile | None = None
    """ROIs with traces."""

    roi_keys: NDArray[np.integer] | None = None
    """Their numbers in the project, ``(n_rois,)``; None: from 0."""

    stimuli: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    """By type: a row for each period, with name, start_s, end_s, color."""

    comments: str = ""
    """Free text."""


def write_nwb(recording: NwbRecording, facts: NwbFacts, path: Path) -> None:
    """Write a recording.

    Parameters
    ----------
    recording : NwbRecording
        What the tables tell.
    facts : NwbFacts
        What people tell; nothing is made up.
    path : Path
        A new file ``.nwb``.

    Raises
    ------
    ValueError
        If NWB needs what is not told, or the file is there or has another name.

    Notes
    -----
    Movies are read and written in blocks. Images and masks have x first, then y, then z.

    References
    ----------
    .. [1] Ruebel O. et al. (2022). The Neurodata Without Borders ecosystem for neurophysiological
       data science. eLife 11, e78362. doi:10.7554/eLife.78362
    """
    check_complete(facts)
    if path.suffix.lower() != ".nwb":
        raise ValueError(f"a file of NWB ends in .nwb; got {path.name!r}.")
    file = _described(recording, facts)
    plane = _imaging_plane(file, recording, facts)
    series = photon_series(
        str(facts.imaging), plane, recording.movie, files=recording.files, beside=path.parent
    )
    file.add_acquisition(series)
    ophys = file.create_processing_module("ophys", "ROIs of the movie, and their traces")
    if recording.corrected is not None:
        ophys.add(motion_correction(recording.corrected, series))
    if recording.images:
        ophys.add(_images(recording.images))
    rois = recording.rois
    if rois is not None and rois.n_rois:
        keys = np.arange(rois.n_rois) if recording.roi_keys is None else recording.roi_keys
        table = segmentation(rois, plane, keys)
        ophys.add(ImageSegmentation(plane_segmentations=[table]))
        add_responses(ophys, rois, table, rois.rate_hz or float(series.rate))
    for label, table in recording.stimuli.items():
        if len(table):
            file.add_time_intervals(_intervals(label, table))
    with written_whole(path) as new, NWBHDF5IO(new, "w") as io:
        io.write(file)


def _described(recording: NwbRecording, facts: NwbFacts) -> NWBFile:
    """Return a file that tells what it is of."""
    words = f"{recording.animal} / {recording.session} / {recording.trial}"
    told = {
        name: getattr(facts, name)
        for name in ("lab", "institution", "experiment_description")
        if getattr(facts, name) is not None
    }
    for name in ("experimenter", "keywords"):
        value = getattr(facts, name)
        if value is not None:
            told[name] = [value] if isinstance(value, str) else list(value)
    file = NWBFile(
        session_description=f"Calcium imaging: animal, session and trial {words}",
        identifier=str(uuid.uuid5(uuid.NAMESPACE_OID, words)),
        session_start_time=facts.began,
        session_id="_".join((recording.session, recording.trial)).replace("/", "-"),
        **({"notes": recording.comments} if recording.comments else {}),
        **told,
    )
    file.subject = _subject(recording.animal, facts)
    return file


def _subject(animal: str, facts: NwbFacts) -> Subject:
    """Return the animal."""
    told = {
        name: getattr(facts, name)
        for name in ("species", "age", "genotype", "strain", "weight")
        if getattr(facts, name) is not None
    }
    if facts.age is None:
        told["date_of_birth"] = facts.born
    return Subject(subject_id=animal.replace("/", "-"), sex=SEXES[str(facts.sex)], **told)


def _imaging_plane(file: NWBFile, recording: NwbRecording, facts: NwbFacts) -> ImagingPlane:
    """Return where the movie was taken, and with what."""
    about = {"description": facts.device_description, "manufacturer": facts.device_manufacturer}
    device = file.create_device(
        name=str(facts.device).replace("/", "-"),
        **{name: value for name, value in about.items() if value is not None},
    )
    size_um = recording.movie.pixel_size_um
    spacing = {}
    if size_um is not None:
        spacing = {
            "grid_spacing": [UM_TO_M * length for length in size_um[::-1]],
            "grid_spacing_unit": "meters",
        }
    channel = OpticalChannel(
        name="OpticalChannel",
        description=f"light of {facts.indicator}",
        emission_lambda=float(facts.emission_nm or np.nan),
    )
    return file.create_imaging_plane(
        name="ImagingPlane",
        optical_channel=channel,
        description=f"field of view of trial {recording.trial}",
        device=device,
        excitation_lambda=float(facts.excitation_nm or np.nan),
        indicator=facts.indicator,
        location=facts.location,
        imaging_rate=float(recording.movie.require_rate_hz()),
        **spacing,
    )


def _images(images: Mapping[str, NDArray[np.floating]]) -> Images:
    """Return projections, of a volume plane by plane."""
    found = []
    for name, image in images.items():
        planes = image if image.ndim > 2 else image[np.newaxis]  # noqa: PLR2004 rows, columns
        for number, plane in enumerate(planes):
            called = name if len(planes) == 1 else f"{name}_plane{number}"
            words = f"{name} of the movie over time, x first"
            data = np.ascontiguousarray(np.asarray(plane, np.float32).T)
            found.append(GrayscaleImage(name=called, data=data, description=words))
    return Images(name="SegmentationImages", images=found, description="projections of the movie")


def _intervals(label: str, table: pd.DataFrame) -> TimeIntervals:
    """Return the periods of one type of stimulus."""
    intervals = TimeIntervals(name=column_name(label), description=f"stimuli of the type {label!r}")
    intervals.add_column(name="stimulus_name", description="which one")
    colored = bool((table["color"] != "").any())
    if colored:
        intervals.add_column(name="color", description="in which it is drawn")
    for row in table.sort_values(["start_s", "end_s"]).to_dict("records"):
        more = {"color": str(row["color"])} if colored else {}
        intervals.add_interval(
            start_time=float(row["start_s"]),
            stop_time=float(row["end_s"]),
            stimulus_name=str(row["name"]),
            **more,
        )
    return intervals
