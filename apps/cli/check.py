"""Comparing what the database says with the files, and removing what nobody needs."""

from dataclasses import dataclass
from typing import Annotated

import typer

from apps import tables
from apps.cli.asking import may_delete
from apps.cli.progress import reporter
from apps.tables import all_tables
from schemas.check import Fault, check_recordings, check_store
from schemas.connection import Database, connect
from schemas.orphans import Orphan, clean, find_orphans
from schemas.settings import MEGABYTE

HOUR_S = 3600.0


@dataclass(frozen=True)
class Findings:
    """What a check has found."""

    faults: list[Fault]
    """Rows whose files are not as they say."""

    orphans: list[Orphan]
    """What no row refers to."""


def check(
    checksums: Annotated[
        bool, typer.Option("--checksums", help="Read all files, and compare their content too.")
    ] = False,
    clean_up: Annotated[
        bool,
        typer.Option("--clean", help="Remove what no row refers to; lists it first, and asks."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    older_than: Annotated[
        float,
        typer.Option(
            metavar="HOURS",
            help="What was written to since then may be somebody's work, and stays.",
        ),
    ] = 24.0,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Compare the files of recordings, and the store, with the database.

    Ends with exit code 1 where something is missing, changed or left over.

    Example: `mesmerize check --checksums`
    """
    database = connect()
    with reporter() as progress:
        faults = [
            *check_recordings(database, checksums=checksums, progress=progress),
            *check_store(database, checksums=checksums, progress=progress),
        ]
        findings = Findings(faults, find_orphans(database, older_than_s=older_than * HOUR_S))
    if as_json:
        print(_as_json(findings))
    else:
        _print(database, findings)
    is_clean = clean_up and _clean(database, findings.orphans, yes)
    if faults or (findings.orphans and not is_clean):
        raise typer.Exit(1)


def _print(database: Database, findings: Findings) -> None:
    """Print what is wrong, or that nothing is."""
    names = {f"{table.database}.{table.table_name}": name for name, table in all_tables(database)}
    for fault in findings.faults:
        key = " / ".join(map(str, fault.key.values()))
        print(f"{names.get(fault.table, fault.table)}  {key}\n    {fault.path} {fault.what}")
    for orphan in findings.orphans:
        hours = orphan.age_s / HOUR_S
        size = f"{orphan.size_bytes / MEGABYTE:,.1f} MB"
        print(f"no row refers to\n    {orphan.path} ({size}, written {hours:,.1f} hours ago)")
    total = sum(orphan.size_bytes for orphan in findings.orphans) / MEGABYTE
    print(
        f"{len(findings.faults)} files are missing or changed; "
        f"{len(findings.orphans)} things in the store are left over ({total:,.1f} MB)."
    )


def _as_json(findings: Findings) -> str:
    """Return what is wrong, for programs."""
    return tables.as_json(
        {
            "faults": [fault._asdict() for fault in findings.faults],
            "orphans": [orphan._asdict() for orphan in findings.orphans],
        }
    )


def _clean(database: Database, orphans: list[Orphan], yes: bool) -> bool:
    """Ask, and remove what was listed; return whether it is gone."""
    if not orphans:
        return True
    what = "all that is left over"
    if not may_delete(yes=yes, question=f"Remove {what}?", done="removed", what=f"{what} is"):
        return False
    print(f"Removed; {clean(database, orphans) / MEGABYTE:,.1f} MB are free again.")
    return True
