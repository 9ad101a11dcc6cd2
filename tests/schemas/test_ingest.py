"""Bad input gets one sentence and leaves nothing half-written."""

import hashlib

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from pipeline.readers import open_movie
from schemas.connection import connect
from schemas.ingest import Trial, ingest
from schemas.session import movie_arguments
from schemas.settings import ProjectError

pytestmark = pytest.mark.db

KEY = {"animal": "m1", "session": "2026-11-22", "trial": "t1"}


@pytest.fixture(scope="module")
def project(make_project, address):
    return make_project(address).settings


@pytest.fixture
def database(project):
    """One project for all that is refused, because nothing of it stays."""
    database = connect(project)
    yield database
    database.animal.Animal.delete(prompt=False)


@pytest.fixture
def movie(database):
    path = database.settings.roots["data"] / "movie.tif"
    tifffile.imwrite(path, np.random.default_rng(0).integers(0, 9, (20, 30, 40), np.uint16))
    return path


def refused(database, error, match, path, **options):
    with pytest.raises(error, match=match) as caught:
        ingest(Trial(**{**KEY, **options}), [path])
    assert "\n" not in str(caught.value)
    for table in ("animal.Animal", "session.Session", "session.Recording"):
        module, name = table.split(".")
        assert not getattr(getattr(database, module), name)(), table


def test_good_movie_is_taken_in_with_its_checksum(database, movie):
    ingest(Trial(**KEY, rate_hz=10.0), [movie])

    file = database.session.Recording.File.fetch1()
    assert (file["root"], file["path"]) == ("data", "movie.tif")
    assert file["size_bytes"] == movie.stat().st_size
    assert file["checksum"] == hashlib.sha256(movie.read_bytes()).hexdigest()


def test_missing_file(database, movie):
    refused(database, FileNotFoundError, "nothing.tif", movie.with_name("nothing.tif"), rate_hz=10)


def test_truncated_file(database, movie):
    movie.write_bytes(movie.read_bytes()[:20_000])
    refused(database, (ValueError, OSError), "movie.tif", movie, rate_hz=10)


def test_text_that_is_called_tif(database, movie):
    movie.write_text("not a movie")
    refused(database, (ValueError, OSError), "movie.tif", movie, rate_hz=10)


def test_axes_that_do_not_fit(database, movie):
    refused(database, ValueError, "TZYX", movie, rate_hz=10, axes="TZYX")


def test_rate_that_is_missing(database, movie):
    refused(database, ValueError, "frame rate of movie.tif is not known", movie)


@pytest.mark.parametrize("rate_hz", [0, -3, float("nan")])
def test_rate_that_is_impossible(database, movie, rate_hz):
    refused(database, ValueError, "rate_hz", movie, rate_hz=rate_hz)


def test_file_outside_the_roots(database, tmp_path):
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, np.zeros((20, 30, 40), np.uint16))
    refused(database, ProjectError, "outside the data roots", path, rate_hz=10)


def test_link_that_leads_out_of_the_root(database, tmp_path):
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, np.zeros((20, 30, 40), np.uint16))
    link = database.settings.roots["data"] / "link.tif"
    link.symlink_to(path)
    refused(database, ProjectError, "outside the data roots", link, rate_hz=10)


def test_same_trial_twice(database, movie):
    ingest(Trial(**KEY, rate_hz=10), [movie])

    with pytest.raises(ProjectError, match="trial 't1' of animal 'm1'.* exists already"):
        ingest(Trial(**KEY, rate_hz=10), [movie])
    assert len(database.session.Recording()) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [("animal", ""), ("animal", "a-_-b"), ("trial", "a/b"), ("trial", " a"), ("trial", "x" * 65)],
)
def test_names_that_would_not_make_a_sample_id(name, value):
    with pytest.raises(ProjectError, match=f"the {name} must have 1 to 64 characters"):
        Trial(**{**KEY, name: value})


@pytest.mark.parametrize("session", ["", "22.11.2026", "2026-13-01", "2026-11-22bb"])
def test_session_that_is_no_date(session):
    with pytest.raises(ProjectError, match="the session must be a date"):
        Trial(**{**KEY, "session": session})


def test_data_set_in_a_file_is_remembered(database):
    path = database.settings.roots["data"] / "two.h5"
    frames = np.random.default_rng(0).integers(0, 99, (6, 20, 30), np.uint16)
    with h5py.File(path, "w") as file:
        file["first"] = frames
        file["second"] = frames + 1

    key = ingest(Trial(**KEY, rate_hz=10.0), [path.with_name("two.h5::second")])

    assert (database.session.Recording.File & key).fetch1("path", "item") == ("two.h5", "second")
    np.testing.assert_array_equal(open_movie(**movie_arguments(key))[:], frames + 1)


def test_zarr_folder_is_one_file(database):
    path = database.settings.roots["data"] / "movie.zarr"
    frames = np.random.default_rng(0).integers(0, 99, (6, 20, 30), np.uint16)
    zarr.create_array(store=path, data=frames)

    key = ingest(Trial(**KEY, rate_hz=10.0), [path])

    assert (database.session.Recording.File & key).fetch1("path") == "movie.zarr"
    np.testing.assert_array_equal(open_movie(**movie_arguments(key))[:], frames)
    next(file for file in path.rglob("c/*/*") if file.is_dir()).joinpath("more").write_text("x")
    with pytest.raises(ProjectError, match="has changed since it was ingested"):
        movie_arguments(key)


def test_metadata_file_is_kept_with_the_recording(database, movie):
    beside = movie.with_suffix(".json")
    beside.write_text('{"fps": 7.5, "date": "20261122_120000", "origin": "rig 2"}')

    key = ingest(Trial(**KEY, metadata_format="json_minimal"), [movie])

    kinds = (database.session.Recording.File & key).to_arrays("kind", order_by="file_index")
    assert list(kinds) == ["movie", "metadata"]
    assert open_movie(**movie_arguments(key)).rate_hz == 7.5


def test_files_that_a_header_refers_to_are_kept(database):
    """An OME recording in several files is opened by its first one."""
    data = database.settings.roots["data"]
    frames = np.random.default_rng(0).integers(0, 99, (6, 20, 30), np.uint16)
    names = ["first.ome.tif", "second.ome.tif"]
    plane = (
        '<TiffData FirstT="{t}" IFD="{ifd}"><UUID FileName="{name}">urn:uuid:{n}</UUID></TiffData>'
    )
    planes = "".join(
        plane.format(t=t, ifd=t % 3, name=names[t // 3], n=t // 3) for t in range(len(frames))
    )
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:{n}">'
        '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="30" '
        f'SizeY="20" SizeZ="1" SizeC="1" SizeT="6"><Channel ID="Channel:0:0"/>{planes}</Pixels>'
        "</Image></OME>"
    )
    for n, name in enumerate(names):
        with tifffile.TiffWriter(data / name) as file:
            for index, frame in enumerate(frames[3 * n : 3 * n + 3]):
                text = None if index else xml.replace("{n}", str(n))
                file.write(frame, description=text, metadata=None, contiguous=False)

    key = ingest(Trial(**KEY, rate_hz=10.0), [data / names[0]])

    rows = (database.session.Recording.File & key).to_dicts(order_by="file_index")
    assert [(row["kind"], row["path"]) for row in rows] == [("movie", names[0]), ("part", names[1])]
    np.testing.assert_array_equal(open_movie(**movie_arguments(key))[:], frames)
