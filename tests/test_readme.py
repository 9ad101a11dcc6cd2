"""What the README says is so."""

import re
import shlex
import shutil

import numpy as np
import pytest
import tifffile

from apps.cli.main import COMMANDS
from docs.diagram import BEGIN, END, README, draw
from schemas.settings import PROJECT_VARIABLE

TEXT = README.read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.S)
WITH_TABLES, WITHOUT = BLOCKS


def test_example_with_populate_and_a_query_runs(embedded, take_in, monkeypatch):
    take_in(embedded)
    monkeypatch.setenv(PROJECT_VARIABLE, str(embedded.settings.folder))
    names = {}

    exec(compile(WITH_TABLES, "README.md", "exec"), names)

    assert len(names["dff"]) > 0
    assert names["dff"][0].shape == (300,)
    assert len(WITH_TABLES.split("\n\n")[1].splitlines()) <= 10


def test_example_without_a_database_runs(capsys):
    exec(compile(WITHOUT, "README.md", "exec"), {})

    precision, recall = map(float, re.findall(r"[\d.]{4}", capsys.readouterr().out))
    assert min(precision, recall) > 0.7


def test_diagram_is_drawn_from_the_tables(embedded):
    drawn = TEXT.split(BEGIN)[1].split(END)[0]
    assert drawn == draw(embedded), "renew it with: make diagram"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_line(name):
    assert f"`mesmerize {name}" in TEXT or f", `{name}" in TEXT


def test_commands_run_as_shown(mesmerize, simulated, tmp_path, monkeypatch):
    """Type every line of the README's shell blocks, with a folder of the test for the data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(PROJECT_VARIABLE, raising=False)
    shutil.copy(simulated[1], tmp_path / "m1_t1.tif")
    channels = np.stack([simulated[0].movie[:]] * 2, axis=1)
    tifffile.imwrite(
        tmp_path / "m1_t2.ome.tif", channels, metadata={"axes": "TCYX", "TimeIncrement": 0.1}
    )
    lines = [
        line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.S) for line in block.splitlines()
    ]
    for line in lines:
        program, *words = shlex.split(line.replace("/data/movies", str(tmp_path)), comments=True)
        if program == "cd":
            monkeypatch.chdir(words[0])
        elif program == "mesmerize" and words != ["app"]:
            code, _, complaint = mesmerize(*words)
            assert code == 0, f"{line}: {complaint}"
    assert len(lines) > 8


def test_pictures_exist():
    for picture in re.findall(r"!\[[^]]*\]\(([^)]*)\)", TEXT):
        assert (README.parent / picture).is_file()
