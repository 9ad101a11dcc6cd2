"""Flowcharts of analysis nodes: made, checked, submitted, looked at, compared, exported."""

from collections.abc import Iterable
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from apps.table_files import check_table_file, save_table
from pipeline.flow import Flowchart, from_json, to_json
from pipeline.flow.difference import difference
from pipeline.flow.templates import TEMPLATES, template
from pipeline.nodes import NODES, find_node
from pipeline.transmission import (
    ColumnInfo,
    Transmission,
    concatenate,
    history_text,
    write_table,
)
from schemas import flow_results, flows
from schemas.connection import Database, connect
from schemas.settings import ProjectError

cli = typer.Typer(help="Flowcharts: what is computed from datasets.", no_args_is_help=True)

JSON = ".json"
PARQUET = ".parquet"
MEGABYTE = 1_000_000
Chart = Annotated[
    str, typer.Argument(metavar="FLOWCHART", help="A .json file, or a name, or NAME@VERSION.")
]


@cli.command()
def nodes(
    name: Annotated[str | None, typer.Argument(help="One node; without: all of them.")] = None,
) -> None:
    """List the nodes that flowcharts are made of, or the parameters of one.

    Example: `mesmerize flow nodes butterworth`
    """
    if name is None:
        for node in sorted(NODES.values(), key=lambda node: (node.group, node.name)):
            print(f"{node.group:<14}{node.name:<26}{node.title}")
        return
    print("\n".join(_described(name)))


@cli.command()
def new(
    what: Annotated[str, typer.Argument(metavar="TEMPLATE", help="One of the list.")],
    path: Annotated[Path, typer.Argument(help="A new file: .json.")],
    dataset: Annotated[str, typer.Option(help="What it is to begin with.")],
) -> None:
    """Write a flowchart to begin with; edit it with any editor.

    Example: `mesmerize flow new zscore_heatmap mine.json --dataset cells`
    """
    if path.exists() or path.suffix != JSON:
        raise ProjectError(f"a flowchart goes to a new file that ends in {JSON}; got {path}.")
    chart = template(what, dataset)
    path.write_text(to_json(chart) + "\n")
    print(f"Wrote {path}: {' -> '.join(chart.order())}. Check it with: mesmerize flow check {path}")


@cli.command()
def templates() -> None:
    """List the flowcharts to begin with.

    Example: `mesmerize flow templates`
    """
    for name, (words, _) in TEMPLATES.items():
        print(f"{name:<26}{words}")


@cli.command()
def check(chart: Chart) -> None:
    """Say what is wrong with a flowchart, node by node; nothing is computed.

    Example: `mesmerize flow check mine.json`
    """
    database = connect()
    wrong = 0
    plans, _ = flows.plan_siblings(database, _chart(database, chart))
    for sibling, found in plans:
        for problem in found.problems:
            print(f"{problem.step}: {problem.sentence}{_said(sibling.choice)}")
        wrong += len(found.problems)
    if wrong:
        raise typer.Exit(1)
    print("Nothing is wrong.")


@cli.command()
def run(chart: Chart) -> None:
    """Ask for the results of a flowchart; workers compute those that are not there.

    Example: `mesmerize flow run mine.json`
    """
    database = connect()
    path = Path(chart)
    if path.suffix == JSON:
        entered = flows.enter_flowchart(database, _chart(database, chart))
    else:
        entered = flows.find_flowchart(database, chart)
    done = flows.submit_flow(database, entered)
    print(
        f"{entered.flowchart.name}@{entered.version}: {done.n_results} results, {done.n_new} of "
        "them new; compute them with: mesmerize work"
    )


@cli.command("list")
def list_flowcharts() -> None:
    """List the flowcharts of the project.

    Example: `mesmerize flow list`
    """
    table = flows.flowcharts(connect())
    print(table.to_string(index=False) if len(table) else "There are no flowcharts yet.")


@cli.command()
def status(chart: Chart) -> None:
    """Show how far each node of a flowchart is, siblings beside each other.

    Example: `mesmerize flow status "z-scores"`
    """
    database = connect()
    states = flow_results.flow_states(database, flows.find_flowchart(database, chart))
    if not states:
        raise ProjectError(f"{chart!r} was not submitted yet; do so with: mesmerize flow run")
    table = Table("node", "state", "rows", "what differs", "reason")
    for one in states:
        rows = "" if one.n_rows is None else f"{one.n_rows:,}"
        table.add_row(one.step, one.state, rows, _said(one.choice).strip(), one.reason)
    Console().print(table)


@cli.command()
def diff(before: Chart, after: Chart) -> None:
    """Say what distinguishes two flowcharts, and what has to be computed for the second.

    Example: `mesmerize flow diff "z-scores@1" "z-scores@2"`
    """
    database = connect()
    old, now = (
        flows.plan_siblings(database, _chart(database, text))[0] for text in (before, after)
    )
    known = {_said(one.choice): (one, plan) for one, plan in old}
    for other, plan in now:
        one, plan_before = known.get(_said(other.choice), old[0])
        if other.choice:
            print(_said(other.choice).strip())
        print(difference(one.flowchart, other.flowchart, plan_before, plan))
    for words in known.keys() - {_said(other.choice) for other, _ in now} - {""}:
        print(f"{words.strip()} is there no more")


@cli.command()
def export(
    chart: Chart,
    step: Annotated[str, typer.Argument(metavar="NODE", help="Id of the node.")],
    path: Annotated[
        Path,
        typer.Argument(help="A new file: .parquet with arrays and history, or .csv, .tsv, .xlsx."),
    ],
    table: Annotated[str, typer.Option(help="Which, where the node makes several.")] = "",
) -> None:
    """Write the table that a node made into a file; siblings go below each other.

    Example: `mesmerize flow export "z-scores" zscore zscores.parquet`
    """
    check_table_file(path)
    database = connect()
    found = list(_results(database, chart, step, table))
    whole = _together(found)
    if path.suffix.lower() == PARQUET:
        write_table(path, whole)
    else:
        save_table(_flat(whole), path)
        if whole.arrays:
            print(f"Left out, because only .parquet holds arrays: {', '.join(whole.arrays)}.")
    print(f"Wrote {whole.n_rows} rows into {path}.")


@cli.command()
def history(
    chart: Chart, step: Annotated[str, typer.Argument(metavar="NODE", help="Id of the node.")]
) -> None:
    """Show what the rows of a node's table went through, from their recordings on.

    Example: `mesmerize flow history "z-scores" zscore`
    """
    for _, made in _results(connect(), chart, step, ""):
        print(history_text(made.history))


@cli.command()
def forget(chart: Chart) -> None:
    """Delete the results of a flowchart that no other one needs; the flowchart itself stays.

    Example: `mesmerize flow forget "z-scores@1"`
    """
    database = connect()
    freed = flow_results.forget_flow(database, flows.find_flowchart(database, chart))
    print(f"{freed / MEGABYTE:,.1f} MB are free again.")


def _chart(database: Database, text: str) -> Flowchart:
    """Return the flowchart of a file or of the project."""
    path = Path(text)
    if path.suffix == JSON:
        if not path.exists():
            raise ProjectError(f"there is no file {path}.")
        return from_json(path.read_text())
    return flows.find_flowchart(database, text).flowchart


def _results(
    database: Database, chart: str, step: str, table: str
) -> Iterable[tuple[dict[str, object], Transmission]]:
    """Yield what a node made, with what the flowchart differs in from its siblings."""
    states = flow_results.flow_states(database, flows.find_flowchart(database, chart))
    names = list(dict.fromkeys(one.step for one in states))
    if step not in names:
        there = ", ".join(names) or "none: it was not submitted yet"
        raise ProjectError(f"{chart!r} has no node {step!r}; its nodes are: {there}.")
    for one in states:
        if one.step == step:
            yield one.choice, flow_results.result_table(database, one.result_key, table)


def _together(found: list[tuple[dict[str, object], Transmission]]) -> Transmission:
    """Return the tables of siblings below each other, with what distinguishes each as columns."""
    tables = []
    for choice, made in found:
        table = made
        for name, value in choice.items():
            is_number = all(type(other[name]) in (int, float) for other, _ in found)
            info = ColumnInfo(kind="numeric" if is_number else "categorical")
            table = table.with_scalar(name, value if is_number else str(value), info)
        tables.append(replace(table, last_output=made.last_output))
    return concatenate(tables)


def _flat(table: Transmission) -> pd.DataFrame:
    """Return the columns with one value a row."""
    return table.frame[[name for name, info in table.columns().items() if info.axis is None]]


def _said(choice: dict[str, object]) -> str:
    """Return what a flowchart differs in from its siblings, in brackets."""
    values = ", ".join(f"{name} = {value}" for name, value in choice.items())
    return f" [{values}]" if values else ""


def _described(name: str) -> list[str]:
    """Return what there is to know of a node, in lines: ports, parameters, columns."""
    node = find_node(name)
    lines = [f"{node.title} ({node.group})", ""]
    lines += [f"takes  {port.name}{' (several)' if port.many else ''}" for port in node.ports]
    for result in node.results:
        columns = ", ".join(output.name for output in result.columns) or "no new column"
        lines.append(f"makes  {result.name}: {columns}; rows: {result.rows}")
    for one in fields(node.params):
        default = "" if one.default is MISSING else f" = {one.default!r}"
        lines.append(f"  {one.name}{default}")
    return lines
