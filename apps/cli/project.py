"""Making a project and taking movies into it."""

import getpass
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from apps.cli.progress import reporter
from schemas.connection import connect
from schemas.ingest import Trial
from schemas.ingest import ingest as ingest_trial
from schemas.resources import RESOURCES, Resources
from schemas.setup import EMBEDDED, ServerAddress, create_project, parse_server


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="The project folder.")] = Path(),
    server: Annotated[
        str, typer.Option(help="`embedded`, or `mysql://user@host:port` of a lab server.")
    ] = EMBEDDED,
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]FOLDER",
            help="Where movies may be read from; may be given several times. "
            "Default: the folder `data` of the project.",
        ),
    ] = None,
    prefix: Annotated[
        str, typer.Option(help="What the names of all schemas begin with.")
    ] = "mesmerize_",
    store: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where corrected movies and other large arrays are kept, as on a large disk or a "
            "network share; the project's alone. Default: the folder `store` of the project.",
        ),
    ] = None,
) -> None:
    """Make a project: its folder, its database, its default parameter sets.

    Example: `mesmerize init lab --data /data/movies --store /bigdisk/lab`
    """
    address = None if server == EMBEDDED else _with_password(parse_server(server))
    database = create_project(
        folder, address=address, roots=_roots(data), prefix=prefix, store=store
    )
    settings = database.settings
    print(
        f"Project {settings.folder} is ready; the server is {server.partition('@')[2] or server}."
    )
    for name, root in settings.roots.items():
        print(f"Movies are read from {root} (data root {name!r}).")
    print(f"Corrected movies and other large arrays are kept in {settings.store}.")
    if database.session.Recording():
        print(
            "The project has recordings already: [store] and [data.roots] of mesmerize.toml must "
            "name the same folders as where they were taken in."
        )
    print("Next, in that folder: mesmerize ingest MOVIE --animal A --session YYYY-MM-DD --trial T")


def _with_password(address: ServerAddress) -> ServerAddress:
    """Take the password from the address, the environment, or the person at the terminal."""
    if address.password is not None:
        return address
    password = os.environ.get("DJ_PASS")
    if password is None and sys.stdin.isatty():
        password = getpass.getpass(f"Password of {address.user} at {address.host}: ")
    return replace(address, password=password or "")


def _roots(data: list[str] | None) -> dict[str, str] | None:
    """Return the data roots by name; a folder without a name takes its own."""
    roots = {}
    for text in data or []:
        name, equals, path = text.partition("=")
        folder = Path(path if equals else text).resolve()
        roots[name if equals else folder.name] = str(folder)
    return roots or None


def ingest(
    paths: Annotated[
        list[Path], typer.Argument(help="The movie; its files in order of time, or their folder.")
    ],
    animal: Annotated[str, typer.Option(help="The animal, as the lab calls it.")],
    session: Annotated[
        str, typer.Option(metavar="DATE", help="The day, YYYY-MM-DD; a second one is 2026-11-22b.")
    ],
    trial: Annotated[str, typer.Option(help="Name of the trial, unique in its session.")],
    rate_hz: Annotated[
        float | None, typer.Option(help="Frames (volumes) per second, where no file tells.")
    ] = None,
    axes: Annotated[
        str | None, typer.Option(help="Order of the axes by letters, as TYX, TZYX or TCYX.")
    ] = None,
    channel: Annotated[
        int | None, typer.Option(help="Channel of the movie, from 0, where the file has several.")
    ] = None,
    metadata: Annotated[Path | None, typer.Option(help="Metadata file.")] = None,
    metadata_format: Annotated[
        str | None,
        typer.Option(
            help="Its format: json_minimal, AwesomeImager, inscopix, ome_tiff, miniscope."
        ),
    ] = None,
) -> None:
    """Take a movie into the project; the file stays where it is.

    Example: `mesmerize ingest data/t1.tif --animal m1 --session 2026-11-22 --trial t1 --rate-hz 30`
    """
    new = Trial(
        animal=animal,
        session=session,
        trial=trial,
        axes=axes,
        channel=channel,
        rate_hz=rate_hz,
        metadata=metadata,
        metadata_format=metadata_format,
    )
    database = connect()
    with reporter() as progress:
        RESOURCES.set(Resources(settings=database.settings, progress=progress))
        ingest_trial(new, paths)
    print(f"Ingested {', '.join(path.name for path in paths)} as {animal} / {session} / {trial}.")
    print("Next: mesmerize submit motion, mesmerize submit segmentation, mesmerize work")
