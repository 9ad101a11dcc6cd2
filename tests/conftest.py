"""Servers and projects for the tests: real ones, each project with schemas of its own."""

import itertools
import os
import shutil
import sys

import numpy as np
import pytest

from apps.cli.main import main
from pipeline.nodes import NODES
from pipeline.readers import METADATA_FORMATS, READERS
from pipeline.simulate import TwoPhotonParams, simulate_two_photon
from populate_workers.populate import populate
from schemas import server
from schemas.connection import MODULES, connect
from schemas.ingest import Trial, ingest
from schemas.setup import create_project, parse_server

MYSQL_VARIABLE = "MESMERIZE_TEST_MYSQL"
SERVERS = ("embedded", "mysql")
REGISTRIES = (NODES, READERS, METADATA_FORMATS)
_numbers = itertools.count()


@pytest.fixture(autouse=True)
def registries():
    """Nodes, readers and formats that a test registers are gone after it."""
    known, modules = [dict(registry) for registry in REGISTRIES], set(sys.modules)
    yield
    for registry, before in zip(REGISTRIES, known, strict=True):
        registry.clear()
        registry.update(before)
    for name in set(sys.modules) - modules:
        if name.startswith("mesmerize_nodes_"):  # else its file would not be run again
            del sys.modules[name]


@pytest.fixture(scope="session", params=SERVERS)
def address(request):
    """The server of a test: None for the embedded one, or a real MySQL."""
    if request.param == "embedded":
        return None
    if MYSQL_VARIABLE not in os.environ:
        pytest.skip(f"no MySQL server: {MYSQL_VARIABLE} is not set, as mysql://root@127.0.0.1:3306")
    return parse_server(os.environ[MYSQL_VARIABLE])


@pytest.fixture(scope="session")
def make_project(tmp_path_factory):
    """Make projects that are gone, with their schemas, at the end of the session."""
    made = []

    def make(address=None):
        folder = tmp_path_factory.mktemp("lab")
        database = create_project(
            folder, address=address, prefix=f"t{os.getpid()}_{next(_numbers)}_"
        )
        made.append((database.settings, address))
        return database

    yield make
    for settings, address in made:
        if address is None:
            server.leave(settings)
        else:
            _drop_schemas(settings)


def _drop_schemas(settings):
    connection = connect(settings).connection
    for name in reversed(MODULES):
        connection.query(f"DROP DATABASE IF EXISTS `{settings.schema_prefix}{name}`")
    connection.close()


@pytest.fixture
def database(make_project, address):
    """A new, empty project on each of the servers."""
    return make_project(address)


@pytest.fixture
def embedded(make_project):
    """A new, empty project on the embedded server."""
    return make_project()


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    """A small simulated movie in a TIFF file, and its truth."""
    out = tmp_path_factory.mktemp("simulated") / "cells.tif"
    params = TwoPhotonParams(n_frames=300, n_rows=96, n_cols=80, n_cells=8, max_shift_px=3)
    return simulate_two_photon(params, rng=np.random.default_rng(0), out=out), out


@pytest.fixture
def take_in(simulated):
    """Ingest the small movie into a project as a trial."""

    def take(database, trial="t1", animal="m1", session="2026-11-22"):
        file = database.settings.roots["data"] / f"{animal}-{session}-{trial}.tif"
        shutil.copy(simulated[1], file)
        key = Trial(animal=animal, session=session, trial=trial, rate_hz=30.0)
        return ingest(key, [file])

    return take


@pytest.fixture
def run_all():
    """Populate, and return what became of each job."""

    def run(database, **options):
        outcomes = []
        populate(database, watch=outcomes.append, **options)
        return outcomes

    return run


@pytest.fixture
def mesmerize(monkeypatch, capsys):
    """Run a command line; return its exit code, what it printed, and what it complained."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["mesmerize", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out, printed.err

    return run
