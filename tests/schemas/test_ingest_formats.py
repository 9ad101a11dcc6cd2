"""Recordings of every format go in, and what they tell is in the tables."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.readers import open_movie
from schemas.connection import connect
from schemas.ingest import Trial, ingest
from schemas.session import movie_arguments
from schemas.settings import ProjectError
from tests.recordings import (
    pattern,
    write_isxd,
    write_mes,
    write_mesc,
    write_nwb,
    write_raw,
    write_scanimage,
    write_suite2p,
    write_video,
)

pytestmark = pytest.mark.db

MOVIE = pattern((12, 16, 24))
FORMATS = {
    "m.isxd": (write_isxd, np.uint16, 20.0, None, "Inscopix"),
    "m.mesc": (write_mesc, np.uint16, 25.0, [2.0, 1.5], "femtonics .mesc"),
    "m.mes": (write_mes, np.uint16, 20.0, None, "femtonics .mes"),
    "m.nwb": (write_nwb, np.uint16, 20.0, [2.0, 1.5], "NWB"),
    "m.raw": (write_raw, np.uint16, 20.0, None, "raw"),
    "data.bin": (write_suite2p, np.int16, 20.0, None, "suite2p"),
    "m.tif": (write_scanimage, np.uint16, 30.0, [2.0, 2.0], "ScanImage"),
    "m.avi": (write_video, np.uint8, 20.0, None, "AVI"),
    "m.mkv": (write_video, np.uint8, 20.0, None, "Matroska"),
}


def trial(name):
    return Trial(animal="m1", session="2026-11-22", trial=name)


def test_every_format_fills_the_tables(embedded, run_all):
    root = embedded.settings.roots["data"]
    for name, (write, dtype, *_) in FORMATS.items():
        write(root / name, MOVIE.astype(dtype))
        ingest(trial(name), [root / name])

    assert {outcome.error for outcome in run_all(embedded)} == {None}

    rows = {row["trial"]: row for row in embedded.session.RecordingInfo().to_dicts()}
    assert set(rows) == set(FORMATS)
    for name, (_, dtype, rate_hz, pixel_size_um, origin) in FORMATS.items():
        row, truth = rows[name], MOVIE.astype(dtype)
        assert (row["n_frames"], row["n_planes"], row["n_rows"], row["n_cols"]) == (12, 1, 16, 24)
        assert (row["dtype"], row["rate_hz"]) == (np.dtype(dtype).name, pytest.approx(rate_hz))
        assert row["metadata"]["origin"] == origin
        if pixel_size_um is None:
            assert row["pixel_size_um"] is None
        else:
            assert row["pixel_size_um"] == pytest.approx(pixel_size_um)
        np.testing.assert_allclose(row["mean_image"], truth.mean(0), rtol=1e-5)


def test_a_folder_and_a_side_file_are_rows(make_project):
    database = connect(make_project().settings)
    root = database.settings.roots["data"]
    folder = root / "miniscope"
    folder.mkdir()
    for number in range(11):
        write_video(folder / f"{number}.avi", MOVIE[:2].astype(np.uint8))
    write_raw(root / "m.raw", MOVIE)

    ingest(trial("folder"), [folder])
    ingest(trial("raw"), [root / "m.raw"])

    files = (database.session.Recording.File & {"trial": "folder"}).to_dicts(order_by="file_index")
    assert [row["path"] for row in files] == [f"miniscope/{number}.avi" for number in range(11)]
    parts = (database.session.Recording.File & {"trial": "raw"}).to_dicts(order_by="file_index")
    assert [(row["kind"], row["path"]) for row in parts] == [("movie", "m.raw"), ("part", "m.json")]
    again = open_movie(**movie_arguments(trial("folder").key))
    assert again.shape == (22, 16, 24)


@pytest.fixture(scope="module")
def refusing(make_project):
    """One project for all that is refused, because nothing of it stays."""
    return connect(make_project().settings)


@pytest.mark.parametrize("kind", ["part", "metadata"])
def test_a_link_in_a_folder_that_leads_out_is_not_opened(refusing, tmp_path, kind):
    folder = refusing.settings.roots["data"] / kind
    folder.mkdir()
    write_video(tmp_path / "1.avi", MOVIE.astype(np.uint8))
    write_video(folder / "0.avi", MOVIE.astype(np.uint8))
    (tmp_path / "m.json").write_text("not opened, else this is told")
    name, target = ("1.avi", "1.avi") if kind == "part" else ("metaData.json", "m.json")
    (folder / name).symlink_to(tmp_path / target)
    asked = "miniscope" if kind == "metadata" else None

    with pytest.raises(ProjectError, match="outside the data roots"):
        ingest(replace(trial(kind), metadata_format=asked), [folder])


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_is_cut_short_leaves_no_row(refusing, name):
    database = refusing
    path = database.settings.roots["data"] / name
    write, dtype, *_ = FORMATS[name]
    write(path, MOVIE.astype(dtype))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    with pytest.raises(ValueError, match=name) as caught:
        ingest(trial(name), [path])

    assert "\n" not in str(caught.value)
    assert not database.animal.Animal()
    assert not database.session.Recording()
