"""A project that cannot be made leaves nothing behind."""

import psutil
import pytest

from schemas import setup
from schemas.settings import ProjectError


def test_failure_after_the_server_began_stops_it(tmp_path, monkeypatch):
    def fail(_):
        raise ProjectError("no")

    monkeypatch.setattr(setup, "_fill", fail)

    with pytest.raises(ProjectError, match="no"):
        setup.create_project(tmp_path / "lab")

    assert list(tmp_path.iterdir()) == []
    commands = [" ".join(p.info["cmdline"] or ()) for p in psutil.process_iter(["cmdline"])]
    assert not [words for words in commands if str(tmp_path) in words and "postgres" in words]
