"""Stimulus types, and the stimulus periods of recordings."""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from apps import queries
from apps.cli import config
from apps.table_files import check_table_file, save_table
from pipeline.readers.mes_stimuli import auxiliary_periods, read_auxiliary
from pipeline.readers.registry import split_item
from pipeline.stimuli import choose_columns, read_stimulus_table
from schemas import stimuli
from schemas.connection import connect
from schemas.ingest import Trial
from schemas.settings import ProjectError

cli = typer.Typer(help="Stimulus types, and when stimuli were given.", no_args_is_help=True)
cli.add_typer(config.stimuli, name="types")

Animal = Annotated[str, typer.Option(help="The animal.")]
Session = Annotated[str, typer.Option(help="The session.")]
Trial_ = Annotated[str, typer.Option("--trial", help="The trial.")]
Type = Annotated[str, typer.Argument(metavar="TYPE", help="A stimulus type.")]


@cli.command("import")
def import_periods(
    path: Annotated[Path, typer.Argument(help="A table (.csv, .tsv, .xlsx) or a .mes file.")],
    animal: Animal,
    session: Session,
    trial: Trial_,
    mapping: Annotated[
        list[str],
        typer.Option(
            "--map",
            metavar="TYPE=COLUMN",
            help="A stimulus type and the column with the names of its stimuli, or the auxiliary "
            "channel of a .mes file; may be given several times.",
        ),
    ],
    unit: Annotated[
        str | None, typer.Option(help="Of begin and end in a table: `s` or `frames`.")
    ] = None,
    start: Annotated[str, typer.Option(help="Column of the begin.")] = "start",
    end: Annotated[str, typer.Option(help="Column of the end.")] = "end",
    color: Annotated[str | None, typer.Option(help="Column of colours, as #1f77b4.")] = None,
    volts: Annotated[
        list[str] | None,
        typer.Option(
            "--volts",
            metavar="VOLTS=NAME",
            help="The stimulus that a voltage of a .mes file stands for; without it every voltage "
            "is one. May be given several times.",
        ),
    ] = None,
) -> None:
    """Take stimulus periods from a table; those that were there stay as an older version.

    Example: `mesmerize stimuli import t1.csv --animal m1 --session 2026-11-22 --trial t1 \
--map orientation=ori --unit frames`
    """
    database, key = connect(), _key(animal, session, trial)
    columns = dict(_pair(text, "--map", "TYPE=COLUMN") for text in mapping)
    if _is_mes(path):
        names = {_volts(v): n for v, n in (_pair(t, "--volts", "5.0=NAME") for t in volts or [])}
        auxiliary = read_auxiliary(path)
        tables = {t: auxiliary_periods(auxiliary, c, names or None) for t, c in columns.items()}
    elif unit is None:
        raise ProjectError("a table does not tell its unit; give --unit s or --unit frames.")
    else:
        table = read_stimulus_table(path)
        tables = {
            label: choose_columns(table, column, start=start, end=end, color=color)
            for label, column in columns.items()
        }
    placed = {
        label: stimuli.place(database, key, found, unit=unit or "s")
        for label, found in tables.items()
    }
    stimuli.enter_periods(database, key, placed, source=path.name)
    for label, found in placed.items():
        print(f"{label}: {stimuli.said(found)}")


@cli.command("channels")
def list_channels(
    path: Annotated[Path, typer.Argument(help="A .mes file; FILE::IF0001 chooses a recording.")],
) -> None:
    """List the auxiliary channels of a .mes file with their voltages.

    Example: `mesmerize stimuli channels t1.mes`
    """
    channels = read_auxiliary(path).channels
    for name, steps in channels.items():
        levels = ", ".join(f"{volts:g}" for volts in sorted(set(steps.volts.tolist())))
        print(f"{name}: {len(steps.volts)} steps between {levels} V")
    if not channels:
        print(f"{path.name} tells no auxiliary channels.")


@cli.command("list")
def list_periods(animal: Animal, session: Session, trial: Trial_) -> None:
    """List the stimulus periods of a recording.

    Example: `mesmerize stimuli list --animal m1 --session 2026-11-22 --trial t1`
    """
    table = _table(animal, session, trial)
    print(table.to_string(index=False) if len(table) else "There are no stimulus periods.")


@cli.command("export")
def export_periods(
    path: Annotated[Path, typer.Argument(help="A new file: .csv, .tsv, .xlsx or .parquet.")],
    animal: Animal,
    session: Session,
    trial: Trial_,
) -> None:
    """Write the stimulus periods of a recording into a table.

    Example: `mesmerize stimuli export t1.csv --animal m1 --session 2026-11-22 --trial t1`
    """
    check_table_file(path)
    table = _table(animal, session, trial)
    save_table(table, path)
    print(f"Wrote {len(table)} periods into {path}.")


@cli.command("undo")
def undo_periods(label: Type, animal: Animal, session: Session, trial: Trial_) -> None:
    """Go back to the periods of a type that were there before the last change.

    Example: `mesmerize stimuli undo orientation --animal m1 --session 2026-11-22 --trial t1`
    """
    stimuli.undo_periods(connect(), _key(animal, session, trial), label)
    print(f"The periods of {label!r} are again those of before the last change.")


def _is_mes(path: Path) -> bool:
    return split_item(path)[0].suffix.lower() == ".mes"


def _pair(text: str, option: str, form: str) -> tuple[str, str]:
    """Return both sides of an equals sign."""
    left, equals, right = text.partition("=")
    if not equals or not left.strip() or not right.strip():
        raise ProjectError(f"{option} is written as {form}; got {text!r}.")
    return left.strip(), right.strip()


def _volts(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ProjectError(f"--volts is written as 5.0=NAME; got {text!r}.") from None


def _key(animal: str, session: str, trial: str) -> queries.Key:
    """Return the key of a recording, or refuse what cannot be one."""
    return dict(Trial(animal=animal, session=session, trial=trial).key)


def _table(animal: str, session: str, trial: str) -> pd.DataFrame:
    """Return all periods of a recording."""
    database, key = connect(), _key(animal, session, trial)
    if queries.recording(database, key) is None:
        raise ProjectError(f"there is no recording {animal} / {session} / {trial}.")
    found = [p.table.assign(type=p.label) for p in stimuli.stimulus_periods(database, key)]
    table = pd.concat(found) if found else pd.DataFrame(columns=["type", *stimuli.PERIOD])
    return table[["type", *stimuli.PERIOD]]
