"""Bad input gets one sentence and leaves nothing half-written."""

import numpy as np
import pytest
import tifffile

from schemas.connection import connect
from schemas.ingest import Trial, ingest
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
    import hashlib

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
