"""Draw the tables and what refers to what, as Mermaid, into the README: ``make diagram``."""

import tempfile
from pathlib import Path

import datajoint as dj

from apps.tables import all_tables
from schemas import server
from schemas.connection import Database
from schemas.setup import create_project

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- tables -->\n```mermaid\n", "```\n<!-- end of tables -->"
SHAPES = {dj.Computed: '(["{}"])', dj.Imported: '(["{}"])', dj.Lookup: '[/"{}"/]'}
COLOURS = {
    "Manual": "fill:#e8f0e9,stroke:#3e7a52,color:#28513a",
    "Lookup": "fill:#f0f0f1,stroke:#808285,color:#404040",
    "Imported": "fill:#e0f4fc,stroke:#00a0df,color:#00537a",
    "Computed": "fill:#ffede5,stroke:#ff5113,color:#b23200",
    "Part": "fill:#ffffff,stroke:#b9bbbe,color:#55585c",
}


def draw(database: Database) -> str:
    """Return the diagram of all tables of a project.

    Parameters
    ----------
    database : Database
        The connected tables.

    Returns
    -------
    str
        Mermaid text, the same for every project and server.
    """
    tables = dict(all_tables(database))
    names = {table.full_table_name: name for name, table in tables.items()}
    lines = ["flowchart LR"]
    for module in database.modules:
        lines.append(f"    subgraph {module}")
        lines += [
            f"        {name}{_box(name, table)}:::{_tier(table)}"
            for name, table in tables.items()
            if name.startswith(f"{module}.")
        ]
        lines.append("    end")
    for name, table in tables.items():
        lines += [f"    {names[parent]} --> {name}" for parent in sorted(table().parents())]
    lines += [f"    classDef {tier} {colours}" for tier, colours in COLOURS.items()]
    return "\n".join(lines) + "\n"


def _tier(table: type) -> str:
    return next(tier for tier in COLOURS if issubclass(table, getattr(dj, tier)))


def _box(name: str, table: type) -> str:
    shapes = [shape for tier, shape in SHAPES.items() if issubclass(table, tier)]
    return (shapes or ['["{}"]'])[0].format(name.partition(".")[2])


def main() -> None:
    """Renew the diagram in the README."""
    with tempfile.TemporaryDirectory() as folder:
        database = create_project(Path(folder) / "lab")
        diagram = draw(database)
        server.leave(database.settings)
    text = README.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    README.write_text(f"{before}{BEGIN}{diagram}{END}{after}")


if __name__ == "__main__":
    main()
