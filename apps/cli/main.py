"""The commands of ``mesmerize``, put together; a run imports what its own command needs."""

import importlib
import logging
import os
import sys
import warnings
from collections.abc import Collection, Mapping
from typing import NamedTuple

# DataJoint warns at import when the current folder is not a project; our own message is better
warnings.filterwarnings("ignore", "No datajoint.json found", UserWarning)

import typer  # noqa: E402

DEBUG_VARIABLE = "MESMERIZE_DEBUG"
FAILED = 1
INTERRUPTED = 130


class Command(NamedTuple):
    """Where a command, or a group of them, is found."""

    module: str
    """Of `apps.cli`."""

    function: str
    """The function, or the `typer.Typer` of a group."""

    summary: str
    """The first line of its help, known without an import."""


COMMANDS: Mapping[str, Command] = {
    "init": Command(
        "project", "init", "Make a project: its folder, its database, its default parameter sets."
    ),
    "ingest": Command(
        "project", "ingest", "Take a movie into the project; the file stays where it is."
    ),
    "params": Command("params", "cli", "Parameter sets: list, show, add, delete."),
    "config": Command(
        "config", "cli", "Stimulus types, ROI tag types and custom columns; changed at any time."
    ),
    "samples": Command(
        "samples", "cli", "Recordings with the ROIs that were chosen, comments and custom values."
    ),
    "stimuli": Command("stimuli", "cli", "Stimulus types, and when stimuli were given."),
    "datasets": Command(
        "datasets",
        "cli",
        "ROIs chosen by a filter, kept under a name; which they are never changes.",
    ),
    "import": Command("imports", "cli", "Take in what other programs found."),
    "export": Command("exports", "cli", "Write recordings and ROIs as NWB, or for other programs."),
    "flow": Command("flow", "cli", "Flowcharts: what is computed from datasets."),
    "rois": Command("rois", "cli", "ROIs: what they are now, and what people decide about them."),
    "submit": Command("work", "submit", "Ask for a step of recordings."),
    "work": Command("work", "work", "Compute what was asked for, until Ctrl-C."),
    "status": Command("work", "status", "Show how far every step is."),
    "errors": Command("work", "errors", "Show why jobs failed, the newest first."),
    "jobs": Command("jobs", "cli", "See and control the jobs."),
    "reap": Command("jobs", "reap", "Free the jobs of workers that died."),
    "delete": Command(
        "delete", "cli", "Delete results, and free their disk space; recorded movies always stay."
    ),
    "users": Command(
        "users", "cli", "Accounts of the people of this project, and what each may do."
    ),
    "check": Command(
        "check", "check", "Compare the files of recordings, and the store, with the database."
    ),
    "backup": Command(
        "backup",
        "backup",
        "Save all rows, the settings and the store in one archive; work may go on meanwhile.",
    ),
    "restore": Command(
        "backup",
        "restore",
        "Fill an empty project, on any kind of server, with what a backup holds.",
    ),
    "health": Command(
        "health",
        "health",
        "Tell whether the database server answers and the store is there; exit code 1: no.",
    ),
    "show": Command(
        "look",
        "show",
        "Print the rows of a table, or without TABLE, all tables with their names in SQL.",
    ),
    "sql": Command("look", "sql", "Run a SELECT; nothing can be changed this way."),
    "app": Command(
        "look",
        "app",
        "Serve the app to browsers, until Ctrl-C; on a lab server, everybody signs in.",
    ),
    "demo": Command(
        "look",
        "demo",
        "Simulate a movie with known cells, take it through every step, and compare.",
    ),
}


def command_line(loaded: Collection[str]) -> typer.Typer:
    """Put the commands together.

    Parameters
    ----------
    loaded : collection of str
        Names of those that are going to be used; the others are there to be listed.
    """
    cli = typer.Typer(
        name="mesmerize",
        help="Calcium-imaging movies to annotated, analysed, shareable experiments.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
    )
    for name, command in COMMANDS.items():
        if name not in loaded:
            cli.command(name, help=command.summary)(_not_loaded)
            continue
        found = getattr(importlib.import_module(f"apps.cli.{command.module}"), command.function)
        if isinstance(found, typer.Typer):
            cli.add_typer(found, name=name)
        else:
            cli.command(name)(found)
    return cli


def main() -> None:
    """Run the command line; a failure is one sentence, and its traceback with MESMERIZE_DEBUG=1."""
    # DataJoint tells of each connection and error in its own words; ours follow
    logging.getLogger("datajoint").addFilter(lambda _: False)
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    try:
        command_line(words[:1])()
    except SystemExit:
        raise
    except KeyboardInterrupt:
        print("interrupted; what was running is pending again", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except _refusals() as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(FAILED)


def _refusals() -> tuple[type[Exception], ...]:
    """Return the errors that are told in one sentence."""
    from schemas.connection import DataJointError  # here, because only a failure needs them
    from schemas.settings import ProjectError

    return ProjectError, DataJointError, ValueError, OSError


def _not_loaded() -> None:
    """Stand for a command that is listed, and not run."""
