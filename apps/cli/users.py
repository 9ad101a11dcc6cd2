"""The people of a project: their accounts on its server, and what these may do."""

import getpass
import json
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from schemas import accounts
from schemas.access import ROLES, with_article
from schemas.connection import Database, connect
from schemas.settings import ProjectError

cli = typer.Typer(
    help="Accounts of the people of this project, and what each may do.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="The account, as its person signs in.")]
Ask = Annotated[bool, typer.Option("--ask", help="Type the password, instead of a made-up one.")]
FromInput = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the standard input.")
]


@cli.command()
def add(
    name: Name,
    role: Annotated[str, typer.Option(help=f"{', '.join(ROLES[:-1])} or {ROLES[-1]}.")],
    ask: Ask = False,
    password_stdin: FromInput = False,
) -> None:
    """Make an account with a role; its password is made up and shown once.

    Example: `mesmerize users add vera --role viewer`
    """
    database = connect()
    embedded = database.settings.embedded
    password = "" if embedded else _password(ask, password_stdin)
    is_new = accounts.add_member(database, name, role, password)
    print(f"{name} is {with_article(role)} of this project.")
    if embedded:
        print(
            "The embedded server serves the owner of this folder alone and asks for no password; "
            f"try what {name} may do with: MESMERIZE_USER={name} mesmerize status"
        )
    elif not is_new:
        print("The server had this account already; its password stays as it was.")
    else:
        _show(password, shown=not (ask or password_stdin))


@cli.command(name="list")
def list_accounts(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """List the accounts and their roles.

    Example: `mesmerize users list --json`
    """
    found = accounts.members(connect())
    if as_json:
        print(json.dumps([member._asdict() for member in found]))
        return
    if not found:
        print("No accounts yet; the owner of the server works alone.")
        return
    table = Table("account", "role")
    for member in found:
        table.add_row(escape(member.name), member.role)
    Console().print(table)


@cli.command()
def remove(name: Name) -> None:
    """Take an account out of the project, at once; its rows stay.

    Example: `mesmerize users remove vera`
    """
    if accounts.remove_member(connect(), name):
        print(f"The account {name} is removed.")
    else:
        print(f"{name} has no role in this project any more; other projects use the account.")


@cli.command()
def role(
    name: Name,
    role: Annotated[str, typer.Argument(help=f"{', '.join(ROLES[:-1])} or {ROLES[-1]}.")],
) -> None:
    """Give an account another role.

    Example: `mesmerize users role vera analyst`
    """
    accounts.change_role(connect(), name, role)
    print(f"{name} is {with_article(role)} now; new rights come with its next connection.")


@cli.command()
def password(
    name: Annotated[
        str | None, typer.Argument(help="The account; without: the one of this folder.")
    ] = None,
    ask: Ask = False,
    password_stdin: FromInput = False,
) -> None:
    """Give an account, or your own, another password; it is made up and shown once.

    Example: `mesmerize users password vera`
    """
    database = connect()
    _refuse_on_embedded(database)
    new = _password(ask, password_stdin)
    accounts.change_password(database, name, new)
    if name is None and accounts.renew_password(database.settings, new):
        print(f"This folder connects with it: {database.settings.folder / '.secrets'}")
    _show(new, shown=not (ask or password_stdin))


def _refuse_on_embedded(database: Database) -> None:
    """Say that the embedded server has no passwords."""
    if database.settings.embedded:
        raise ProjectError(
            "the embedded server has no passwords: it serves the owner of this folder alone; "
            "several people need a lab server, see: mesmerize init --help"
        )


def _password(ask: bool, from_input: bool) -> str:
    """Return a password that was typed, read or made up."""
    if from_input:
        given = sys.stdin.readline().rstrip("\r\n")
    elif ask:
        given = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != given:
            raise ProjectError("the two passwords differ; nothing was changed.")
    else:
        return accounts.new_password()
    accounts.check_password(given, needed=True)
    return given


def _show(password: str, *, shown: bool) -> None:
    """Print a made-up password, this once."""
    if shown:
        print(f"Password, shown this once: {password}")
    else:
        print("The password is set.")
