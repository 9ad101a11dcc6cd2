"""Batches of mesmerize-core, whose tables three versions of pandas wrote (``batches/*.pickle``).

Each table has a motion correction of t1.tif, a CNMF of what came of it, and a CNMF-E that failed.
"""

import pickle
import shutil
from pathlib import Path

import pandas as pd
import pytest

from pipeline.exporters.caiman import write_caiman
from pipeline.importers.batch import COLUMNS, read_batch
from pipeline.importers.registry import import_rois
from tests.exchange_scene import some_rois

TABLES = sorted((Path(__file__).parent / "batches").glob("*.pickle"))
FRAME = (20, 30)
FIND = "22222222-0000-4000-8000-000000000000"


def a_batch(folder, table=TABLES[0]):
    """Return a batch in a folder, with the components of its one good item."""
    folder.mkdir()
    shutil.copy(table, folder / "batch.pickle")
    (folder / FIND).mkdir()
    write_caiman(some_rois(), folder / FIND / f"{FIND}.hdf5")
    return folder / "batch.pickle"


def save(path, rows):
    filled = [{**dict.fromkeys(COLUMNS), **row} for row in rows]
    pd.DataFrame(filled).astype(object).to_pickle(path)


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.stem)
def test_the_items_of_a_batch_are_read(table, tmp_path):
    items = read_batch(a_batch(tmp_path / "batch", table))

    assert [(item.algorithm, item.name, item.movie) for item in items] == [
        ("mcorr", "correct", "t1.tif"),
        ("cnmf", "find", "t1.tif"),  # of the corrected movie, thus of the recorded one
        ("cnmfe", "fails", "t2.tif"),  # the table is of Windows
    ]
    assert [item.uuid[:8] for item in items] == ["11111111", "22222222", "33333333"]
    assert len({len(item.uuid) for item in items}) == 1
    assert [item.result is None for item in items] == [True, False, True]
    assert items[1].params == {"main": {"fr": 30, "gSig": [4, 4], "rf": None}, "refit": True}


@pytest.mark.parametrize("item", ["", "::find", f"::{FIND}", "::2222"])
def test_an_item_is_imported_by_its_name_or_number(tmp_path, item):
    path = a_batch(tmp_path / "batch")

    found = import_rois(path.with_name(path.name + item), FRAME)

    planted = some_rois().rois
    assert abs(found.rois.footprints - planted.footprints).max() < 1e-5
    assert found.rois.source.startswith("CaImAn")
    assert found.about["batch_item"] == "find"


def test_the_folder_of_a_batch_will_do(tmp_path):
    assert import_rois(a_batch(tmp_path / "batch").parent, FRAME).n_rois == 5


def test_of_several_items_one_must_be_named(tmp_path):
    rows = [
        {
            "algo": "cnmf",
            "item_name": name,
            "outputs": {"cnmf-hdf5-path": f"{name}.hdf5"},
            "uuid": name * 9,
        }
        for name in "ab"
    ]
    path = tmp_path / "batch.pickle"
    save(path, rows)
    for name in "ab":
        write_caiman(some_rois(), tmp_path / f"{name}.hdf5")

    with pytest.raises(ValueError, match=r"2 items .* batch.pickle::aaaaaaaa \(a\); .*bbbbbbbb"):
        import_rois(path, FRAME)
    with pytest.raises(ValueError, match=r"no single item 'c'; say which one: batch.pickle::a"):
        import_rois(path.with_name("batch.pickle::c"), FRAME)
    assert import_rois(path.with_name("batch.pickle::b"), FRAME).about["batch_item"] == "b"


def test_a_batch_without_its_folders_is_refused(tmp_path):
    shutil.copy(TABLES[0], tmp_path / "batch.pickle")
    with pytest.raises(ValueError, match="copy the batch with its folders"):
        import_rois(tmp_path / "batch.pickle", FRAME)


def test_items_that_are_of_each_other_end(tmp_path):
    rows = [
        {"algo": "mcorr", "input_movie_path": a, "outputs": {"mcorr-output-path": b}, "uuid": a}
        for a, b in ("xy", "yx")
    ]
    save(tmp_path / "batch.pickle", rows)
    assert {item.movie for item in read_batch(tmp_path / "batch.pickle")} <= {"x", "y"}


NO_TABLES = {
    "a dict": {"algo": "cnmf"},
    "a number": 5,
    "a table of other columns": pd.DataFrame({"a": [1, 2]}),
    "a table without rows": pd.DataFrame(),
    "a series": pd.Series([1, 2]),
    "an index": pd.Index(["algo"]),
}


@pytest.mark.parametrize("loaded", NO_TABLES.values(), ids=NO_TABLES)
def test_what_is_no_batch_is_refused(tmp_path, loaded):
    (tmp_path / "batch.pickle").write_bytes(pickle.dumps(loaded))
    with pytest.raises(ValueError, match="not as pandas"):
        import_rois(tmp_path / "batch.pickle", FRAME)


@pytest.mark.parametrize("keep", [0, 1, 40, 400, 1000, 1500])
@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.stem)
def test_a_batch_that_is_cut_off_is_refused(tmp_path, table, keep):
    (tmp_path / "batch.pickle").write_bytes(table.read_bytes()[:keep])
    with pytest.raises(
        ValueError, match=r"^batch.pickle cannot be read as the table of a batch .*\.$"
    ):
        import_rois(tmp_path / "batch.pickle", FRAME)


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.stem)
def test_a_batch_with_any_byte_changed_is_read_or_refused(tmp_path, table):
    data = table.read_bytes()
    path = tmp_path / "batch.pickle"
    for place in range(0, len(data), 7):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :])
        try:
            read_batch(path)
        except ValueError as error:
            assert "\n" not in str(error)
