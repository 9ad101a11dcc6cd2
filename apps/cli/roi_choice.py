"""Which segmentation a command is about."""

from dataclasses import dataclass
from typing import Annotated

import typer

from apps import queries
from schemas.connection import Database, connect
from schemas.ingest import Trial
from schemas.sample_replacement import find_segmentation
from schemas.settings import ProjectError

Animal = Annotated[str, typer.Option(help="The animal.")]
Session = Annotated[str, typer.Option(help="The session.")]
Trial_ = Annotated[str, typer.Option("--trial", help="The trial.")]
Params = Annotated[
    str | None,
    typer.Option(help="The segmentation: name of its parameter set, where several are done."),
]


@dataclass(frozen=True)
class Chosen:
    """The segmentation that a command is about."""

    database: Database
    """The connected tables."""

    key: queries.Key
    """Of the segmentation."""


def chosen_segmentation(animal: str, session: str, trial: str, params: str | None) -> Chosen:
    """Return the segmentation that is meant, or say which there are."""
    database = connect()
    key = dict(Trial(animal=animal, session=session, trial=trial).key)
    if queries.recording(database, key) is None:
        raise ProjectError(f"there is no recording {animal} / {session} / {trial}.")
    number = find_segmentation(database, key, params)
    if number is None:
        raise ProjectError(
            f"{animal} / {session} / {trial} has no ROIs yet; find some with: mesmerize submit "
            "segmentation, or draw them with: mesmerize rois draw; then: mesmerize work"
        )
    return Chosen(database, {**key, "segmentation_id": number})
