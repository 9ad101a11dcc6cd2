"""Servers and projects for the tests: real ones, each project with schemas of its own."""

import itertools
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from schemas import server
from schemas.connection import MODULES, connect
from schemas.setup import create_project, parse_server

MYSQL_VARIABLE = "MESMERIZE_TEST_MYSQL"
SERVERS = ("embedded", "mysql")
_numbers = itertools.count()


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


@pytest.fixture
def write_movie():
    """Write a small movie with cells that blink, into a data root."""

    def write(path, shape=(60, 48, 40)):
        rng = np.random.default_rng(0)
        tifffile.imwrite(path, rng.poisson(100, shape).astype(np.uint16))
        return path

    return write
