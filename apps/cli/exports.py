"""Recordings and their ROIs, out to NWB and to the files of other programs."""

import tomllib
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from apps import tables
from apps.table_files import check_table_file, save_table
from schemas.connection import Database, connect
from schemas.ingest import Trial
from schemas.labels import Key
from schemas.roi_exports import choose_segmentation, roi_file_of
from schemas.settings import ProjectError

cli = typer.Typer(
    help="Write recordings and ROIs as NWB, or for other programs.", no_args_is_help=True
)

FACTS_FILE = "nwb.toml"
"""In the project folder: what is true of all of its recordings."""

Animal = Annotated[str, typer.Option(help="The animal.")]
Session = Annotated[str, typer.Option(help="The session.")]
TrialName = Annotated[str, typer.Option("--trial", help="The trial.")]
Params = Annotated[
    str | None,
    typer.Option(
        help="The parameter set of the segmentation, or the begin of its id; without it, the one "
        "of the sample, or the only one."
    ),
]


@cli.command("suite2p")
def suite2p(
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
    animal: Animal,
    session: Session,
    trial: TrialName,
    params: Params = None,
) -> None:
    """Write ROIs and traces as a folder of suite2p.

    Example: `mesmerize export suite2p t1-suite2p --animal m1 --session 2026-11-22 --trial t1`
    """
    from pipeline.exporters.suite2p import write_suite2p

    database, segmentation = _chosen(_key(animal, session, trial), params)
    rois = roi_file_of(database, segmentation)
    image = (database.session.RecordingInfo() & _key(animal, session, trial)).fetch1("mean_image")
    write_suite2p(rois, folder, mean_image=image)
    print(f"Wrote {rois.n_rois} ROIs into {folder}.")


@cli.command("caiman")
def caiman(
    path: Annotated[Path, typer.Argument(help="A new file .hdf5.")],
    animal: Animal,
    session: Session,
    trial: TrialName,
    params: Params = None,
) -> None:
    """Write ROIs and traces as results of CaImAn, for its load_CNMF.

    Example: `mesmerize export caiman t1.hdf5 --animal m1 --session 2026-11-22 --trial t1`
    """
    from pipeline.exporters.caiman import write_caiman

    rois = roi_file_of(*_chosen(_key(animal, session, trial), params))
    write_caiman(rois, path)
    print(f"Wrote {rois.n_rois} ROIs into {path}.")


@cli.command("imagej")
def imagej(
    path: Annotated[Path, typer.Argument(help="A new file .zip.")],
    animal: Animal,
    session: Session,
    trial: TrialName,
    params: Params = None,
) -> None:
    """Write ROIs for the ROI Manager of ImageJ and Fiji.

    Example: `mesmerize export imagej t1.zip --animal m1 --session 2026-11-22 --trial t1`
    """
    from pipeline.exporters.imagej import write_imagej

    rois = roi_file_of(*_chosen(_key(animal, session, trial), params))
    write_imagej(rois, path)
    print(f"Wrote {rois.n_rois} ROIs into {path}.")


@cli.command("nwb")
def nwb(
    path: Annotated[Path, typer.Argument(help="A new file .nwb.")],
    animal: Animal,
    session: Session,
    trial: TrialName,
    params: Params = None,
    facts: Annotated[
        Path | None,
        typer.Option(
            help=f"TOML with what NWB needs and the project lacks; {FACTS_FILE} in the project "
            "folder is read before it."
        ),
    ] = None,
    fact: Annotated[
        list[str] | None, typer.Option(help="One of them, as species='Mus musculus'; repeatable.")
    ] = None,
    copy: Annotated[
        bool, typer.Option(help="Copy the movies; otherwise the file leads to the recorded one.")
    ] = False,
    with_rois: Annotated[bool, typer.Option("--rois/--no-rois", help="With ROIs.")] = True,
) -> None:
    """Write a recording as NWB: movie, motion correction, ROIs, traces, stimuli.

    Example: `mesmerize export nwb t1.nwb --animal m1 --session 2026-11-22 --trial t1 \
--facts t1.toml`
    """
    from schemas.nwb_export import export_nwb

    key = _key(animal, session, trial)
    if with_rois:
        database, segmentation = _chosen(key, params)
    else:
        database, segmentation = connect(), None
    told = _told(database.settings.folder / FACTS_FILE, needed=False)
    told |= _told(facts, needed=True) | _each(fact or [])
    export_nwb(database, key, path, told=told, segmentation=segmentation, copy_movies=copy)
    print(f"Wrote {path}.")


@cli.command("table")
def table(
    name: Annotated[
        str, typer.Argument(metavar="TABLE", help="As `recording` or `Segmentation.Roi`.")
    ],
    path: Annotated[Path, typer.Argument(help="A new file: .csv, .tsv, .xlsx or .parquet.")],
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=VALUE", help="Also < <= > >= !=; may be given several times."),
    ] = None,
) -> None:
    """Write the rows of any table of the project; arrays and objects are left out.

    Example: `mesmerize export table Segmentation.Roi rois.parquet --where 'snr>5'`
    """
    check_table_file(path)
    query = tables.find_table(connect(), name)
    rows = tables.rows(query, where or ())
    plain = [n for n in query().heading.names if query().heading[n].codec is None]
    save_table(pd.DataFrame(rows, columns=plain), path)
    print(f"Wrote {len(rows):,} rows into {path}.")


def _key(animal: str, session: str, trial: str) -> Key:
    """Return the key of a recording, or refuse what cannot be one."""
    return dict(Trial(animal=animal, session=session, trial=trial).key)


def _chosen(key: Key, params: str | None) -> tuple[Database, Key]:
    """Connect, and return the key of the segmentation that is meant."""
    database = connect()
    return database, choose_segmentation(database, key, params)


def _told(path: Path | None, *, needed: bool) -> dict[str, Any]:
    """Return what a file tells."""
    if path is None or (not needed and not path.exists()):
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ProjectError(
            f'{path} cannot be read: {error}; it has lines as species = "Mus musculus".'
        ) from error


def _each(words: list[str]) -> dict[str, str]:
    """Return what the command line tells."""
    told = {}
    for text in words:
        name, equals, value = text.partition("=")
        if not equals:
            raise ProjectError(f"--fact is written as name=value; got {text!r}.")
        told[name] = value
    return told
