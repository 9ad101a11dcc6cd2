"""Whether all that a process needs is there, for those who watch over it."""

from typing import Annotated
from urllib.error import URLError
from urllib.request import urlopen

import typer

from schemas.connection import open_connection
from schemas.settings import ProjectError, load_settings

TIMEOUT_S = 10


def health(
    app: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Ask an app whether it serves, and nothing else."),
    ] = None,
) -> None:
    """Tell whether the database server answers and the store is there; exit code 1: no.

    Example: `mesmerize health --app http://127.0.0.1:8501`
    """
    if app is not None:
        _ask_app(app)
        print(f"The app at {app} serves.")
        return
    settings = load_settings()
    connection = open_connection(settings)
    connection.close()
    if not settings.store.is_dir() and not settings.store.parent.is_dir():
        raise ProjectError(f"the store {settings.store} is missing; is its disk mounted?")
    print("The database server answers, and the store is there.")


def _ask_app(address: str) -> None:
    """Refuse an app that does not answer."""
    if not address.startswith(("http://", "https://")):
        raise ProjectError(
            f"the address of an app begins with http:// or https://; got {address!r}."
        )
    try:
        with urlopen(f"{address.rstrip('/')}/_stcore/health", timeout=TIMEOUT_S) as answer:  # noqa: S310
            if answer.status == 200:  # noqa: PLR2004
                return
            reason = f"status {answer.status}"
    except (URLError, OSError) as error:
        reason = str(error)
    raise ProjectError(f"the app at {address} does not serve: {reason}.")
