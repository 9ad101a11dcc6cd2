"""Workers on a cluster: what is asked of it, and that they keep to their time."""

import shutil
import subprocess
from dataclasses import replace

import pytest

from benchmarks import probe
from populate_workers import cluster
from populate_workers.slot import Duty
from populate_workers.supervisor import Supervisor
from populate_workers.time_limit import END_VARIABLE, TimeLimit
from schemas.settings import ProjectError

ARRAY = cluster.Array(workers=3, processes=2, hours=4, partition="long")


@pytest.fixture
def settings(tmp_path):
    """The settings of a project on a lab server, in a folder with an awkward name."""
    from schemas.settings import load_settings, write_project

    folder = tmp_path / "my lab"
    write_project(
        folder,
        database={"backend": "mysql", "host": "labserver", "port": 3306, "user": "anna"},
        password="",
        roots={},
    )
    return replace(load_settings(folder), threads=2)


def test_script_for_sbatch_is_one_that_bash_can_read(settings, tmp_path):
    text = cluster.script(settings, ARRAY)

    file = tmp_path / "workers.sh"
    file.write_text(text)
    assert subprocess.run(["bash", "-n", str(file)], check=False).returncode == 0
    lines = text.splitlines()
    assert lines[0] == "#!/bin/bash"
    assert "#SBATCH --array=0-2" in lines
    assert "#SBATCH --cpus-per-task=4" in lines
    assert "#SBATCH --time=240" in lines
    assert "#SBATCH --mem=3030M" in lines  # of which jobs get 85 %: two of 1,350 MB
    assert "#SBATCH --partition=long" in lines
    assert f"cd '{settings.folder}'" in lines
    assert lines[-1].endswith("-m apps.cli work --until-done --processes=2 --hours=4")


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_script_satisfies_shellcheck(settings, tmp_path):
    file = tmp_path / "workers.sh"
    file.write_text(cluster.script(settings, ARRAY))
    subprocess.run(["shellcheck", str(file)], check=True)


@pytest.mark.skipif(shutil.which("sbatch") is not None, reason="there is a Slurm here")
def test_without_slurm_it_is_said(settings):
    pytest.importorskip("submitit")
    with pytest.raises(ProjectError, match="there is no Slurm on this machine"):
        cluster.submit(settings, ARRAY)


def test_embedded_server_is_refused(settings):
    with pytest.raises(ProjectError, match="embedded server is for one machine"):
        cluster.script(replace(settings, embedded=True), ARRAY)


def test_impossible_array_is_refused():
    with pytest.raises(ValueError, match="the time limit in hours must be between"):
        cluster.new_array(1, 1, 0.0, "")


@pytest.mark.db
def test_workers_that_submitit_starts_do_the_jobs(database, take_in):
    pytest.importorskip("submitit")
    if database.settings.embedded:
        pytest.skip("the embedded server is for one machine")
    take_in(database)

    (job,) = cluster.submit(database.settings, cluster.Array(workers=1, hours=1.0), cluster="local")

    assert job.result() == 1
    assert len(database.session.RecordingInfo()) == 1


@pytest.mark.db
def test_worker_near_its_end_begins_no_job_that_would_not_be_done(embedded_lab, monkeypatch):
    probe.submit(2, duration_s=0.0)
    found = []
    duty = Duty(until_done=True, limit_s=31, nursery="benchmarks.probe")

    Supervisor(embedded_lab, duty, watch=found.append).run()

    assert found == []  # how long a probe takes is not known: it may be a quarter of the time
    assert len(embedded_lab.worker.RunLog()) == 0
    duty = replace(duty, limit_s=600)
    Supervisor(embedded_lab, duty, watch=found.append).run()
    assert len(found) == 2
    assert TimeLimit(embedded_lab, 40).why_not("probe") is None  # now it is known
    monkeypatch.setenv(END_VARIABLE, "1000")
    assert "time limit" in TimeLimit(embedded_lab).why_not("probe").reason
