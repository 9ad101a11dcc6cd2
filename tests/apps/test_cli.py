"""The commands, as somebody types them."""

import inspect
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from apps.cli.main import COMMANDS, command_line
from apps.tables import read_only_sql
from schemas.settings import PROJECT_VARIABLE, ProjectError

ALL_COMMANDS = command_line(COMMANDS)
STEPS = [
    "recording_info",
    "motion_correction",
    "motion_preview",
    "seed_inspection",
    "segmentation",
    "trace",
]
UNASKED = ["edited_rois", "node_result"]
"""Steps that nothing was asked for of."""


@pytest.fixture
def lab(embedded, monkeypatch):
    """Be in the folder of a new project."""
    monkeypatch.chdir(embedded.settings.folder)
    return embedded


def refusal(outcome):
    """Check that a command failed with one sentence, and return it."""
    code, out, err = outcome
    assert code == 1
    assert "Traceback" not in err
    (sentence,) = err.strip().splitlines()
    assert sentence.startswith("Error: ")
    return sentence


def commands(group=ALL_COMMANDS, prefix=()):
    """Yield the words of every command."""
    for command in group.registered_commands:
        name = command.name or command.callback.__name__.replace("_", "-")
        yield (*prefix, name)
    for sub in group.registered_groups:
        yield from commands(sub.typer_instance, (*prefix, sub.name))


@pytest.mark.parametrize("words", [*commands()], ids=" ".join)
def test_every_command_has_help_with_an_example(mesmerize, words):
    code, out, _ = mesmerize(*words, "--help")

    assert code == 0
    assert f"mesmerize {' '.join(words)}" in " ".join(out.replace("│", " ").split())
    assert "Example: " in out


def test_the_list_of_commands_says_what_their_help_says():
    first_lines = {
        command.name: inspect.getdoc(command.callback).splitlines()[0]
        for command in ALL_COMMANDS.registered_commands
    }
    first_lines |= {
        group.name: group.typer_instance.info.help for group in ALL_COMMANDS.registered_groups
    }

    assert {name: command.summary for name, command in COMMANDS.items()} == first_lines


def test_help_and_a_wrong_word_load_nothing_heavy():
    heavy = "{'datajoint', 'numpy', 'streamlit'}"
    run = f"""
import sys
from apps.cli.main import main
try:
    main()
finally:
    assert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)
"""
    for words in (["--help"], ["stauts"], []):
        command = [sys.executable, "-c", run, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "AssertionError" not in done.stderr, done.stderr
        assert "status" in done.stdout + done.stderr, words


@pytest.mark.db
def test_from_a_tiff_to_rois(lab, mesmerize, simulated):
    shutil.copy(simulated[1], "data/cells.tif")
    where = ("--animal", "m1", "--session", "2026-11-22", "--trial", "t1")

    assert mesmerize("ingest", "data/cells.tif", *where, "--rate-hz", 30)[0] == 0
    assert "1 new tasks" in mesmerize("submit", "motion", "--animal", "m1")[1]
    assert "1 new tasks" in mesmerize("submit", "segmentation", *where, "--params", "default")[1]
    before = json.loads(mesmerize("status", "--json")[1])
    code, out, _ = mesmerize("work", "--until-done")
    after = json.loads(mesmerize("status", "--json")[1])

    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == STEPS
    assert "motion_correction of {'animal_id': 'm1'" in mesmerize("jobs", "log", STEPS[1])[1]
    assert list(before["steps"]) == STEPS + UNASKED
    assert before["steps"]["segmentation"] == dict(pending=1, reserved=0, done=0, error=0)
    counts = {
        s: dict(pending=0, reserved=0, done=int(s in STEPS), error=0) for s in before["steps"]
    }
    assert after["steps"] == counts
    assert "No job has failed" in mesmerize("errors")[1]
    good = json.loads(mesmerize("show", "Segmentation.Roi", "--where", "accepted=1", "--json")[1])
    assert len(good) == lab.roi.Segmentation.fetch1("n_accepted") > 0
    assert {"roi_id", "snr", "area_px"} <= set(good[0])
    best = max(roi["snr"] for roi in good)
    rows = mesmerize("show", "roi.Segmentation.Roi", "--where", f"snr>={best - 0.01}", "--json")[1]
    assert len(json.loads(rows)) == 1


@pytest.mark.db
@pytest.mark.usefixtures("lab")
def test_errors_tell_why_and_retry_puts_back(mesmerize):
    movie = np.random.default_rng(0).integers(0, 99, (30, 40, 40), np.uint16)
    tifffile.imwrite("data/small.tif", movie)
    mesmerize(
        "ingest", "data/small.tif", "--animal", "m", "--session", "2026-11-22", "--trial", "t",
        "--rate-hz", 10,
    )  # fmt: skip
    mesmerize("submit", "motion")

    code, out, err = mesmerize("work", "--until-done")
    assert code == 1
    assert "1 jobs failed; see: mesmerize errors" in err
    assert "ERROR: a patch of stride_px + overlap_px" in out
    assert "larger than the frame of 40" in mesmerize("errors")[1]
    assert "Traceback" in mesmerize("errors", "--traceback")[1]
    assert "1 jobs are pending again" in mesmerize("jobs", "retry", "motion_correction")[1]
    assert "no step 'bogus'" in refusal(mesmerize("jobs", "retry", "bogus"))


@pytest.mark.db
@pytest.mark.usefixtures("lab")
def test_bad_input_gets_one_sentence(mesmerize, tmp_path):
    where = ("--animal", "m1", "--session", "2026-11-22", "--trial", "t1")
    tifffile.imwrite("data/movie.tif", np.zeros((5, 20, 20), np.uint16))
    tifffile.imwrite(tmp_path / "away.tif", np.zeros((5, 20, 20), np.uint16))

    assert "missing.tif" in refusal(mesmerize("ingest", "data/missing.tif", *where))
    assert "outside the data roots" in refusal(mesmerize("ingest", tmp_path / "away.tif", *where))
    assert "frame rate" in refusal(mesmerize("ingest", "data/movie.tif", *where))
    assert "rate_hz" in refusal(mesmerize("ingest", "data/movie.tif", *where, "--rate-hz", 0))
    assert "no recording of animal_id 'm9'" in refusal(
        mesmerize("submit", "motion", "--animal", "m9")
    )
    assert "no table 'bogus'; there are: project.Project" in refusal(mesmerize("show", "bogus"))
    assert "the columns are: animal_id" in refusal(
        mesmerize("show", "animal", "--where", "1=1 OR x")
    )
    assert "no parameter set 'bogus'; there are: default" in refusal(
        mesmerize("params", "show", "motion", "bogus")
    )
    assert "unknown parameter 'bogus'" in refusal(
        mesmerize("params", "add", "motion", "mine", "bogus=1")
    )
    assert "max_deviation_px must be between" in refusal(
        mesmerize("params", "add", "motion", "mine", "max_deviation_px=-1")
    )
    assert "the method must be one of 'cnmf'" in refusal(
        mesmerize("params", "add", "segmentation", "mine", "--method", "bogus")
    )
    assert "motion has no choice of methods; got --method cnmf" in refusal(
        mesmerize("params", "add", "motion", "mine", "--method", "cnmf")
    )


@pytest.mark.db
@pytest.mark.usefixtures("lab")
def test_parameter_sets_are_added_listed_and_shown(mesmerize):
    assert mesmerize("params", "add", "segmentation", "large", "gsig_px=[8, 8]")[0] == 0

    assert "segmentation  large" in mesmerize("params", "list")[1]
    assert json.loads(mesmerize("params", "show", "segmentation", "large")[1])["gsig_px"] == [8, 8]


def test_outside_a_project_the_way_in_is_told(mesmerize, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(PROJECT_VARIABLE, raising=False)

    assert "make a project with: mesmerize init" in refusal(mesmerize("status"))


@pytest.mark.db
@pytest.mark.usefixtures("lab")
def test_a_project_is_not_made_twice(mesmerize):
    assert "is a project already" in refusal(mesmerize("init"))


@pytest.mark.parametrize("name", ["datajoint.json", ".secrets"])
def test_a_configuration_that_is_there_is_not_overwritten(mesmerize, tmp_path, name):
    (tmp_path / name).mkdir()

    assert f"has a {name} already" in refusal(mesmerize("init", tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_data_folder_that_does_not_exist_is_refused(mesmerize, tmp_path):
    missing = tmp_path / "movis"

    assert f"{missing} does not exist" in refusal(
        mesmerize("init", tmp_path / "lab", "--data", missing)
    )
    assert list(tmp_path.iterdir()) == []


def test_unreachable_server_leaves_nothing_behind(mesmerize, tmp_path):
    sentence = refusal(mesmerize("init", tmp_path / "lab", "--server", "mysql://anna@127.0.0.1:9"))

    assert "anna@127.0.0.1:9 cannot be reached" in sentence
    assert not (tmp_path / "lab").exists()


@pytest.mark.parametrize("text", ["postgres://a@b", "mysql://host", "mysql://a@b:x", "embeded"])
def test_server_that_is_not_understood_is_refused(mesmerize, tmp_path, text):
    assert "must be 'embedded' or mysql://user@host:port" in refusal(
        mesmerize("init", tmp_path / "lab", "--server", text)
    )


@pytest.mark.db
def test_init_on_a_server_that_has_the_tables_joins_them(database, address, mesmerize, tmp_path):
    if address is None:
        pytest.skip("the embedded server belongs to one folder")
    url = f"mysql://{address.user}@{address.host}:{address.port}"
    prefix = database.settings.schema_prefix
    database.animal.Animal.insert1({"animal_id": "there"})

    code, out, _ = mesmerize(
        "init",
        tmp_path / "second",
        "--server",
        url,
        "--prefix",
        prefix,
        "--data",
        f"raw={tmp_path}",
    )

    assert code == 0
    assert "data root 'raw'" in out
    assert len(database.project.Project()) == 1


WRITING = [
    "DROP TABLE x",
    "INSERT INTO {table} VALUES (1)",
    "SELECT 1; DELETE FROM {table}",
    "WITH gone AS (DELETE FROM {table} RETURNING *) SELECT * FROM gone",
    "EXPLAIN ANALYZE DELETE FROM {table}",
    "COMMIT",
    "",
]


@pytest.mark.db
@pytest.mark.parametrize("statement", WRITING)
def test_sql_cannot_change_anything(shared, statement):
    table = shared.animal.Animal.full_table_name
    with pytest.raises(ProjectError, match="only one statement|refused the statement"):
        read_only_sql(shared, statement.format(table=table))
    assert len(shared.animal.Animal()) == 1


@pytest.mark.db
def test_sql_reads(shared):
    table = shared.animal.Animal.full_table_name

    columns, rows = read_only_sql(shared, f"SELECT animal_id, 7 % 4 AS rest FROM {table};")

    assert (columns, rows) == (["animal_id", "rest"], [("50%", 3)])
    assert read_only_sql(shared, f"SELECT 1 FROM {table} WHERE animal_id LIKE '5%'")[1] == [(1,)]


@pytest.mark.db
def test_where_takes_values_literally(shared):
    from apps.tables import find_table, rows

    animals = find_table(shared, "animal")

    assert [row["animal_id"] for row in rows(animals, ["animal_id=50%"])] == ["50%"]
    assert rows(animals, ["animal_id!=50%"]) == []
    assert rows(animals, ["animal_id>' OR 1=1 --"]) == rows(animals)
    assert rows(animals, ["animal_id='; DROP TABLE x"]) == []


@pytest.fixture(scope="module")
def shared_settings(make_project, address):
    return make_project(address).settings


@pytest.fixture
def shared(shared_settings):
    """A project with one animal, for what only reads."""
    from schemas.connection import connect

    database = connect(shared_settings)
    database.animal.Animal.insert1({"animal_id": "50%"}, skip_duplicates=True)
    return database
