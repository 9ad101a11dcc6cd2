"""What the processes of jobs are given when they begin."""

import pytest

from populate_workers import children


@pytest.mark.parametrize(("own", "given"), [(None, "1"), ("3", "3")])
def test_threads_of_a_job_share_one_stock_of_memory(monkeypatch, tmp_path, own, given):
    environment = {}

    def start(_, *, env, **__):
        environment.update(env)

    monkeypatch.setattr(children.subprocess, "Popen", start)
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    if own:
        monkeypatch.setenv("MALLOC_ARENA_MAX", own)

    begun = children.Children(tmp_path)
    begun._channel.close()

    assert environment["MALLOC_ARENA_MAX"] == given
    assert environment["OPENBLAS_NUM_THREADS"] == "1"
