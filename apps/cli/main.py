"""The commands of ``mesmerize``, put together."""

import logging
import os
import sys
import warnings

# DataJoint warns at import when the current folder is not a project; our own message is better
warnings.filterwarnings("ignore", "No datajoint.json found", UserWarning)

import typer  # noqa: E402

from apps.cli import delete, look, params, project, work  # noqa: E402
from schemas.connection import DataJointError  # noqa: E402
from schemas.settings import ProjectError  # noqa: E402

DEBUG_VARIABLE = "MESMERIZE_DEBUG"
FAILED = 1
INTERRUPTED = 130

cli = typer.Typer(
    name="mesmerize",
    help="Calcium-imaging movies to annotated, analysed, shareable experiments.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
cli.command()(project.init)
cli.command()(project.ingest)
cli.add_typer(params.cli, name="params")
cli.add_typer(work.submit, name="submit")
cli.command()(work.populate)
cli.command()(work.status)
cli.command()(work.errors)
cli.command()(work.retry)
cli.add_typer(delete.cli, name="delete")
cli.command()(look.show)
cli.command()(look.sql)
cli.command()(look.app)
cli.command()(look.demo)


def main() -> None:
    """Run the command line; a failure is one sentence, and its traceback with MESMERIZE_DEBUG=1."""
    # DataJoint tells of each connection and error in its own words; ours follow
    logging.getLogger("datajoint").addFilter(lambda _: False)
    try:
        cli()
    except KeyboardInterrupt:
        print("interrupted; what was running is pending again", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except (ProjectError, DataJointError, ValueError, OSError) as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(FAILED)
