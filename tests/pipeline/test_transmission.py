"""Tables with arrays, their history, and their files."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pipeline.transmission import (
    ArrayColumn,
    Block,
    ColumnInfo,
    HistoryTrace,
    Transmission,
    concatenate,
    history_graphviz,
    history_mermaid,
    history_text,
    make_block,
    open_table,
    read_table,
    write_blocks,
    write_table,
)
from tests.pipeline.node_tables import TIME, noise, periods, run, table_of

RAGGED = [np.arange(3.0), np.array([]), np.arange(5.0)]


def test_arrays_of_one_length_are_one_array_without_a_copy():
    values = noise(4, 6)
    column = ArrayColumn.of(values, TIME, rate=10)
    assert np.shares_memory(column.stacked(), values)
    np.testing.assert_array_equal(column.stacked(), values)


def test_arrays_cannot_be_changed_and_the_callers_still_can():
    values = noise(2, 3)
    column = ArrayColumn.of(values, TIME, rate=10)
    with pytest.raises(ValueError, match="read-only"):
        column.values[0] = 1
    values[0, 0] = 1


def test_arrays_of_unequal_lengths_are_found_again():
    column = ArrayColumn.of(RAGGED, TIME, rate=10)
    assert [len(row) for row in column.rows()] == [3, 0, 5]
    with pytest.raises(ValueError, match="all arrays must have one length"):
        column.stacked()


@pytest.mark.parametrize("rows", [slice(1, 3), [2, 0], np.array([True, False, True]), []])
def test_a_choice_of_rows_is_that_of_numpy(rows):
    column = ArrayColumn.of(RAGGED, TIME, rate=[1, 2, 3])
    rows = np.asarray(rows, int) if isinstance(rows, list) else rows
    chosen = column.take(rows)
    kept = np.arange(3)[rows]
    assert chosen.rate.tolist() == [column.rate[row] for row in kept]
    for new, old in enumerate(kept):
        np.testing.assert_array_equal(chosen.row(new), RAGGED[old])


def test_a_column_knows_where_its_samples_lie():
    column = ArrayColumn.of(noise(2, 3), TIME, rate=[10, 4], start=[1, 0])
    np.testing.assert_allclose(column.positions(0), [1, 1.1, 1.2])
    assert column.rate_hz.tolist() == [10, 4]
    spectrum = ArrayColumn.of(noise(1, 5), TIME._replace(axis="packed"), rate=0.5)
    np.testing.assert_allclose(spectrum.positions(0), [0, 2, 2, 4, 4])
    with pytest.raises(ValueError, match="not along time"):
        _ = spectrum.rate_hz


def test_tables_of_different_columns_are_joined_and_lack_what_they_lacked():
    one = table_of(noise(2, 4), tag=["a", "b"])
    other = table_of(noise(1, 4), name="_OTHER", ids=["x"])
    both = concatenate([one, other])
    assert both.n_rows == 3
    assert both.array("_OTHER").lengths.tolist() == [0, 0, 4]
    assert pd.isna(both.scalar("tag")[2])
    assert both.provenance(2)[0].parameters == {"rows": ["x"]}


def test_a_name_that_means_two_things_is_refused():
    one, other = table_of(noise(1, 4)), table_of(noise(1, 4))
    other = other.with_array("_RAW_CURVE", other.array("_RAW_CURVE").described(unit="mV"))
    with pytest.raises(ValueError, match="'_RAW_CURVE' is numeric in a.u., along time in one"):
        concatenate([one, other])


def test_a_block_is_named_by_its_content_alone():
    blocks = [make_block("load", {"rows": 3}) for _ in range(2)]
    assert blocks[0].key == blocks[1].key != make_block("load", {"rows": 4}).key
    assert blocks[0].key != make_block("load", {"rows": 3}, version=2).key
    assert blocks[0].software["numpy"] == np.__version__ and blocks[0].time.endswith("+00:00")


def test_defect_4_a_branch_that_is_merged_again_keeps_both_histories():
    table = table_of(noise(2, 50))
    smooth, scaled = run("butterworth", table), run("normalize", table)
    both = run("merge", [smooth, scaled])
    both = run("sigmamad", both, data_column="_RAW_CURVE")
    assert [block.operation for block in both.provenance(0)] == [
        "simulated", "butterworth", "merge", "sigmamad",
    ]  # fmt: skip
    assert [block.operation for block in both.provenance(3)] == [
        "simulated", "normalize", "merge", "sigmamad",
    ]  # fmt: skip
    text = history_text(both.history)
    assert len(text.splitlines()) == 7 and " + " in text


def test_a_table_that_is_merged_with_itself_is_refused():
    table = table_of(noise(2, 5))
    with pytest.raises(ValueError, match="'roi0' comes twice with the same history"):
        run("merge", [table, table])


def test_the_history_answers_what_was_done():
    history = HistoryTrace()
    first = make_block("load", {"file": "x"})
    second = make_block("filter", {"cutoff_hz": 1}, [first.key])
    third = make_block("filter", {"cutoff_hz": 2}, [second.key])
    history = history.add(first, second, third)
    assert history.operations(third.key) == ["load", "filter", "filter"]
    assert history.parameters(third.key, "filter") == {"cutoff_hz": 2}
    assert history.has_operation(second.key, "load")
    with pytest.raises(KeyError, match="did not go through 'fft'; they went through: load"):
        history.parameters(second.key, "fft")
    assert set(history.ancestors([second.key]).blocks) == {first.key, second.key}


def test_a_block_of_unknown_parents_is_refused():
    with pytest.raises(ValueError, match="which is not known"):
        HistoryTrace().add(make_block("filter", {}, ["0" * 32]))


def test_an_array_among_parameters_is_refused():
    with pytest.raises(ValueError, match="parameters of pca must be text, numbers"):
        make_block("pca", {"variance": np.zeros(2)})


def test_a_history_comes_back_from_its_text_unless_it_was_changed():
    first = make_block("load", {"file": "x"})
    history = HistoryTrace().add(first, make_block("filter", {"cutoff_hz": 1}, [first.key]))
    text = history.to_json()
    assert HistoryTrace.from_json(text) == history
    with pytest.raises(ValueError, match="the history was changed"):
        HistoryTrace.from_json(text.replace('"cutoff_hz": 1', '"cutoff_hz": 2'))


def test_pictures_of_the_history_take_hostile_text():
    block = Block(operation="filter", parameters={"text": 'a"];\\end', "long": "x" * 90})
    mermaid = history_mermaid(HistoryTrace().add(block))
    assert '"a' not in mermaid.replace('["', "") and "…" in mermaid
    assert '\\"];\\\\end' in history_graphviz(HistoryTrace().add(block))


@pytest.fixture
def table():
    """Return a table with everything that a file must keep."""
    made = table_of([[1.5, np.nan], [], [1, 2, 3]], rate_hz=[10, 20, 30.1], start_s=[0, 1, 2])
    made = made.with_scalar("count", np.array([1, 2, 3]), ColumnInfo("numeric"))
    made = made.with_scalar("tag", ["ä", None, "c"], ColumnInfo("categorical"))
    made = made.with_scalar("flag", [True, False, True], ColumnInfo("categorical"))
    labels = ArrayColumn.of([np.array(["x", "y"]), [], []], ColumnInfo("categorical", axis="item"))
    made = made.with_array("labels", labels)
    made = replace(made, stimuli=periods(("odour", "A", 1.0, 2.0)))
    return run("normalize", made, data_column="_RAW_CURVE")


def test_a_table_comes_back_from_its_file(table, tmp_path):
    write_table(tmp_path / "t.parquet", table)
    back = read_table(tmp_path / "t.parquet")
    assert back.checksum() == table.checksum()
    assert back.columns() == table.columns() and back.last_output == "_NORMALIZE"
    assert back.history == table.history
    assert back.scalar("count").dtype == np.int64
    assert [block.operation for block in back.provenance(2)] == ["simulated", "normalize"]


def test_a_table_without_rows_comes_back(table, tmp_path):
    none = table.take(slice(0, 0))
    write_table(tmp_path / "t.parquet", none)
    back = read_table(tmp_path / "t.parquet")
    assert back.n_rows == 0 and back.columns() == table.columns()
    assert back.blocks == none.blocks


def test_some_columns_are_read_alone(table, tmp_path):
    write_table(tmp_path / "t.parquet", table)
    some = read_table(tmp_path / "t.parquet", columns=["tag"])
    assert set(some.columns()) == {"row_id", "tag"}
    with pytest.raises(ValueError, match="the file has no column 'tags'"):
        read_table(tmp_path / "t.parquet", columns=["tags"])


def test_blocks_of_a_file_give_the_same_table(tmp_path):
    table = table_of(noise(50, 20).astype(np.float32), tag=list("ab") * 25)
    write_table(tmp_path / "one.parquet", table)
    with open_table(tmp_path / "one.parquet") as file:
        parts = list(file.blocks(block_bytes=1000))
        write_blocks(tmp_path / "two.parquet", iter(parts))
    assert len(parts) > 3
    assert read_table(tmp_path / "two.parquet").checksum() == table.checksum()


def test_a_file_is_never_replaced_unasked_and_never_half(table, tmp_path):
    path = tmp_path / "t.parquet"
    write_table(path, table)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="choose another name"):
        write_table(path, table)

    def broken():
        yield table
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        write_blocks(path, broken(), overwrite=True)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_pandas_reads_the_file(table, tmp_path):
    write_table(tmp_path / "t.parquet", table)
    frame = pd.read_parquet(tmp_path / "t.parquet")
    np.testing.assert_array_equal(frame["_RAW_CURVE"][2], [1, 2, 3])
    assert frame["_RAW_CURVE__rate"].tolist() == [10, 20, 30.1]
    assert frame["tag"][0] == "ä"


def test_duckdb_reads_the_file(table, tmp_path):
    duckdb = pytest.importorskip("duckdb")
    write_table(tmp_path / "t.parquet", table)
    query = f"select tag, list_max(_RAW_CURVE) from '{tmp_path}/t.parquet' where count = 3"
    assert duckdb.sql(query).fetchall() == [("c", 3.0)]


def test_the_history_lies_in_the_file_as_json(table, tmp_path):
    write_table(tmp_path / "t.parquet", table)
    about = json.loads(pq.read_metadata(tmp_path / "t.parquet").metadata[b"mesmerize"])
    assert "normalize" in about["history"] and about["format"] == 1


@pytest.mark.parametrize("name", ["old.trn", "old.ptrn", "old.PTRN"])
def test_files_that_run_code_are_refused_unopened(tmp_path, name):
    (tmp_path / name).write_bytes(b"cos\nsystem\n(S'touch hacked'\ntR.")
    with pytest.raises(ValueError, match="may run any code when opened, and so is never opened"):
        read_table(tmp_path / name)


def test_other_and_damaged_files_are_refused(table, tmp_path):
    path = tmp_path / "t.parquet"
    with pytest.raises(FileNotFoundError, match="there is no file"):
        read_table(path)
    pd.DataFrame({"a": [1]}).to_parquet(path)
    with pytest.raises(ValueError, match="without a history"):
        read_table(path)
    path.unlink()
    write_table(path, table)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match="cannot be read as Parquet"):
        read_table(path)


def test_the_checksum_is_of_the_content_alone(table):
    again = table.take(slice(None))
    assert again.checksum() == table.checksum()
    other = table.with_scalar("count", np.array([1, 2, 4]), ColumnInfo("numeric"))
    assert other.checksum() != table.checksum()


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="all columns must have as many rows"):
        Transmission.create(
            make_block("x", {}),
            scalars={"a": ([1, 2], ColumnInfo())},
            arrays={"_b": ArrayColumn.of(noise(3, 2), TIME)},
        )


def test_reading_a_table_is_possible_without_the_nodes():
    code = "import sys, pipeline.transmission; assert 'sklearn' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path.cwd(), check=False).returncode == 0
