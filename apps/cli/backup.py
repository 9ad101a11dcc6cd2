"""Backups, and projects made of them."""

from pathlib import Path
from typing import Annotated

import typer

from apps.cli.progress import reporter
from schemas.backup import remove_old_backups, save_backup, size_text
from schemas.connection import connect
from schemas.restore import restore_backup
from schemas.settings import SETTINGS_FILE, ProjectError


def backup(
    target: Annotated[Path, typer.Argument(help="The archive, or a folder that it is put into.")],
    store: Annotated[
        bool, typer.Option(help="Also corrected movies, arrays and matrices of the store.")
    ] = True,
    keep: Annotated[
        int | None,
        typer.Option(min=1, help="In a folder: how many backups stay; the oldest ones go."),
    ] = None,
) -> None:
    """Save all rows, the settings and the store in one archive; work may go on meanwhile.

    The recorded movies are not in it, nor any password.

    Example: `mesmerize backup /backups --keep 14`
    """
    if keep is not None and not target.is_dir():
        raise ProjectError(f"--keep needs a folder that holds backups; {target} is none.")
    database = connect()
    with reporter() as progress:
        saved = save_backup(database, target, store=store, progress=progress)
    print(f"Saved {saved.rows:,} rows in {saved.path} ({size_text(saved.size_bytes)}).")
    for path in remove_old_backups(database, target, keep) if keep is not None else []:
        print(f"Removed the old backup {path}.")


def restore(
    archive: Annotated[Path, typer.Argument(help="A backup.", exists=True, dir_okay=False)],
) -> None:
    """Fill an empty project, on any kind of server, with what a backup holds.

    Example: `mesmerize init again; cd again; mesmerize restore /backups/lab-20261122.mesmerize.tar`
    """
    database = connect()
    with reporter() as progress:
        restored = restore_backup(database, archive, progress=progress)
    print(f"Restored {restored.rows:,} rows and {restored.files:,} files of the store.")
    for name, folder in restored.missing_roots.items():
        print(
            f"Movies of the data root {name!r} were in {folder}: "
            f"add it to [data.roots] in {database.settings.folder / SETTINGS_FILE}"
        )
    print("Compare it with the files: mesmerize check")
