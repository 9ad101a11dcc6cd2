"""What jobs need is held against what the machine has."""

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import probe
from pipeline.extraction.volume import Cnmf3dParams
from pipeline.motion import MotionParams
from pipeline.simulate import VolumeParams, simulate_volume
from populate_workers import machine, queue
from populate_workers.budget import Budget, Need
from populate_workers.children import NURSERY
from populate_workers.history import facts
from populate_workers.liveness import leave, register
from populate_workers.populate import populate
from populate_workers.slot import Duty
from populate_workers.supervisor import Supervisor
from populate_workers.taking import Chooser, refresh
from schemas.connection import connect
from schemas.ingest import Trial, ingest
from schemas.motion import submit_motion
from schemas.params import add_params
from schemas.resources import RESOURCES
from schemas.roi import submit_segmentation
from schemas.settings import SETTINGS_FILE, load_settings
from tests.populate_workers.conftest import configure

pytestmark = pytest.mark.db
VOLUME = VolumeParams(n_frames=200, n_planes=6, n_rows=96, n_cols=96, n_cells=20, max_shift_px=2)


@pytest.fixture
def small(embedded):
    """A project with a movie of noise, and its motion correction submitted."""
    path = embedded.settings.roots["data"] / "noise.npy"
    np.save(path, np.random.default_rng(0).poisson(100, (400, 64, 64)).astype(np.uint16))
    ingest(Trial(animal="m", session="2026-11-22", trial="t", rate_hz=10.0), [path])
    return embedded


def work(database):
    """Be a worker until all is done; return what became of the jobs."""
    found = []
    Supervisor(database, Duty(until_done=True), watch=found.append).run()
    return found


def test_a_job_takes_no_more_than_was_estimated(embedded, take_in):
    key = take_in(embedded)
    submit_motion(embedded.session.Recording())
    submit_segmentation(embedded.session.Recording())
    assert {outcome.error for outcome in work(embedded)} == {None}
    budget = Budget(embedded)

    for row in embedded.worker.RunLog().to_dicts():
        need = budget.need(row["step"], row["job_key"])
        assert 0.2 * need.memory_bytes < row["peak_memory_bytes"] < need.memory_bytes, row["step"]
    stored = (embedded.motion.MotionCorrection & key).fetch1("movie")
    size = sum(f.stat().st_size for f in (embedded.settings.store / stored.path).rglob("*"))
    (motion,) = embedded.motion.MotionTask().keys()
    assert size < budget.need("motion_correction", motion).disk_bytes < 10 * size


@pytest.mark.parametrize("planes", ["together", "each"])
def test_a_job_on_a_volume_takes_no_more_than_was_estimated(embedded, planes):
    path = embedded.settings.roots["data"] / "volume.npy"
    simulated = simulate_volume(VOLUME, rng=np.random.default_rng(0), out=path)
    ingest(Trial(animal="m", session="2026-11-22", trial="t", rate_hz=10.0), [path])
    add_params(embedded.roi.SegmentationParams, planes, Cnmf3dParams(planes=planes, p=1))
    submit_segmentation(embedded.session.Recording(), planes)
    assert {outcome.error for outcome in work(embedded)} == {None}
    budget = Budget(embedded)

    for row in embedded.worker.RunLog().to_dicts():
        need = budget.need(row["step"], row["job_key"])
        assert 0.2 * need.memory_bytes < row["peak_memory_bytes"] < need.memory_bytes, row["step"]
    stored = embedded.roi.Segmentation.fetch1("sources")
    size = sum(f.stat().st_size for f in (embedded.settings.store / stored.path).rglob("*"))
    (task,) = embedded.roi.SegmentationTask().keys()
    assert simulated.movie.is_volume
    assert size < budget.need("segmentation", task).disk_bytes


def test_a_job_waits_for_memory_that_others_have(small):
    budget = Budget(configure(small, memory_mb=3000))
    (key,) = small.session.Recording().keys()
    need = budget.need("recording_info", key)

    assert budget.why_not("recording_info", key, []) is None
    refusal = budget.why_not("recording_info", key, [need, need])

    assert not refusal.is_final
    assert re.search(r"recording_info needs up to [\d,]+ MB of memory; \d+ of the", refusal.reason)


def test_a_job_waits_for_memory_that_another_worker_of_this_machine_has(small):
    lab = configure(small, memory_mb=2000)
    (key,) = lab.session.Recording().keys()
    neighbour = register(lab, slots=1, memory_bytes=2_000_000_000)
    lab.worker.Worker().update1({"worker_id": neighbour, "pid": os.getppid()})
    refresh(lab, ["recording_info"])
    assert Chooser(lab, neighbour, facts()).take("recording_info", key)

    refusal = Budget(lab).why_not("recording_info", key, [])

    assert not refusal.is_final
    assert "650 of the 2,000 MB for jobs on" in refusal.reason
    leave(lab, neighbour)
    assert Budget(lab).why_not("recording_info", key, []) is None


def test_a_job_that_no_machine_can_run_fails_at_once(small):
    lab = configure(small, memory_mb=500)  # for all jobs; one plans with 1000

    assert work(lab) == []

    (failure,) = queue.failures(lab)
    assert "MB for jobs on" in failure.message
    assert "and no other has more: lower [compute] memory_mb" in failure.message
    assert len(lab.session.RecordingInfo()) == 0


def test_a_job_that_the_disk_can_never_hold_is_refused(small, monkeypatch):
    (key,) = small.session.Recording().keys()
    usage = shutil._ntuple_diskusage(total=10_000, used=0, free=10_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    budget = Budget(small)
    monkeypatch.setattr(budget, "need", lambda step, key: Need(0, 20_000))

    refusal = budget.why_not("motion_correction", key, [])

    assert refusal.is_final
    assert "the whole disk" in refusal.reason


def test_copies_of_a_movie_take_room_among_temporary_files(small):
    submit_segmentation(small.session.Recording(), "one-photon")
    populate(small, watch=lambda _: None)  # else the movie is not known
    (task,) = small.roi.SegmentationTask.keys()
    budget = Budget(small)

    # bins of 2 frames of 10 Hz: all pixels, and twice as a fourth of them
    expected = 4 * (400 // 2) * (64 * 64 + 2 * 32 * 32)
    for step in ("segmentation", "seed_inspection"):
        assert budget.need(step, task).scratch_bytes == expected
    assert budget.need("motion_preview", task).scratch_bytes == 0


@pytest.mark.skipif(not Path("/dev/shm").exists(), reason="needs a second file system")
@pytest.mark.parametrize(("beside", "is_final"), [(0.0, True), (1.0, False)])
def test_a_job_whose_temporary_files_have_no_room_is_not_begun(
    small, monkeypatch, beside, is_final
):
    room = shutil.disk_usage("/dev/shm")
    wanted = 2 * room.total if is_final else room.free // 2
    monkeypatch.setattr(tempfile, "tempdir", "/dev/shm")
    (key,) = small.session.Recording().keys()
    budget = Budget(small)
    monkeypatch.setattr(budget, "need", lambda step, key: Need(0, 0, scratch_bytes=wanted))
    running = [Need(0, 0, scratch_bytes=int(beside * room.free))]

    refusal = budget.why_not("segmentation", key, running)

    assert refusal.is_final == is_final
    assert "/dev/shm" in refusal.reason
    assert "set TMPDIR to a folder with more room" in refusal.reason
    assert budget.why_not("segmentation", key, []) is None or is_final


@pytest.mark.parametrize(
    ("room", "steps"),
    [
        ("16k", {"recording_info", "motion_correction"}),
        ("3m", {"motion_correction"}),
        ("4600k", {"motion_preview"}),
    ],
)
def test_full_disk_is_the_reason_and_room_mends_it(small, tmp_path, room, steps):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no file system can be mounted here: that takes root")
    try:
        file = small.settings.folder / SETTINGS_FILE
        file.write_text(file.read_text().replace('"store"', f'"{disk}/store"'))
        lab = connect(load_settings(small.settings.folder))
        add_params(lab.motion.MotionParams, "rigid", MotionParams(mode="rigid"))
        submit_motion(lab.session.Recording(), "rigid")
        found = []
        duty = Duty(until_done=True, nursery=NURSERY)
        worker = Supervisor(lab, duty, watch=found.append)
        worker._budget.why_not = lambda *_: None  # another program fills the disk meanwhile
        worker.run()

        failures = queue.failures(lab)
        assert {failure.step for failure in failures} == steps  # the worker went on
        for failure in failures:
            assert "the disk is full (No space left on device); make room" in failure.message
        assert not list((disk / "store" / "_incoming").glob("*"))
        subprocess.run([*mount[:3], "-o", "remount,size=99m", "tmpfs", str(disk)], check=True)
        assert queue.retry(lab, containing="disk is full") == len(failures)
        assert {outcome.error for outcome in work(lab)} == {None}
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.fixture
def turning(small, tmp_path):
    """A project whose store is a file system of its own, and what mounts that anew: ro or rw."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=99m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no file system can be mounted here: that takes root")
    file = small.settings.folder / SETTINGS_FILE
    file.write_text(file.read_text().replace('"store"', f'"{disk}/store"'))

    def remount(how):
        command = [*mount[:3], "-o", f"remount,{how}", "tmpfs", str(disk)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    lab = connect(load_settings(small.settings.folder))
    add_params(lab.motion.MotionParams, "rigid", MotionParams(mode="rigid"))
    submit_motion(lab.session.Recording(), "rigid")
    submit_segmentation(lab.session.Recording())
    yield lab, remount
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize("step", ["motion_correction", "motion_preview", "segmentation"])
def test_a_store_that_turns_read_only_in_the_middle_is_the_reason(turning, step):
    lab, remount = turning
    at = []

    def turn_read_only(phase, done, total):
        if not at and done and remount("ro"):
            at.append((phase, done, total))

    queue.pause(lab, step)
    populate(lab, watch=lambda _: None)
    queue.resume(lab)
    before = RESOURCES.get()
    RESOURCES.set(replace(before, progress=turn_read_only))
    populate(lab, watch=lambda _: None)
    RESOURCES.set(before)

    failures = {failure.step: failure.message for failure in queue.failures(lab)}
    assert at
    assert step in failures
    assert all("cannot be written" in message for message in failures.values()), failures
    assert remount("rw")
    queue.retry(lab)
    outcomes = []
    populate(lab, watch=outcomes.append)
    assert {outcome.error for outcome in outcomes} == {None}
    assert len(lab.step(step)()) == 1
    assert not list((lab.settings.store / "_incoming").glob("*"))


def test_processes_share_the_memory_of_their_machine_or_of_their_group(monkeypatch, tmp_path):
    kernel, space = machine.machine_id().split()
    ours, parent = f"{kernel} {space}", os.getppid()
    monkeypatch.setattr(machine, "_limiting_group", lambda: None)
    assert machine.shares_memory(ours, parent)
    assert machine.shares_memory(f"{kernel} 1", 1)  # another container
    assert not machine.shares_memory(f"another {space}", parent)
    for group, is_shared in ((machine._groups(parent)[-1], True), (tmp_path, False)):
        monkeypatch.setattr(machine, "_limiting_group", lambda group=group: group)
        assert machine.shares_memory(ours, parent) == is_shared
        assert not machine.shares_memory(f"{kernel} 1", 1)


def test_memory_of_a_job_of_a_batch_system_is_its_own(monkeypatch, tmp_path):
    """Slurm puts its limit some folders below the root, and the step below that has none."""
    job = tmp_path / "groups" / "slurm" / "job_7"
    (job / "step_0").mkdir(parents=True)
    (job / "memory.max").write_text("2000000000\n")
    (job / "step_0" / "memory.max").write_text("max\n")
    own = tmp_path / "proc" / str(os.getpid())
    own.mkdir(parents=True)
    (own / "cgroup").write_text("0::/slurm/job_7/step_0\n")
    monkeypatch.setattr(machine, "PROC", tmp_path / "proc")
    monkeypatch.setattr(machine, "CGROUPS", tmp_path / "groups")

    assert machine.memory_bytes() == 2_000_000_000
    assert machine._limiting_group() == job


def test_machine_tells_its_memory():
    assert 2**28 < machine.memory_bytes() < 2**50
    assert machine.oom_kills() >= 0


MEMORY_BYTES = 1_500_000_000


@pytest.fixture
def little_memory():
    """A group of processes that the kernel gives little memory: the file that takes their ids."""
    kinds = (("memory", "memory.limit_in_bytes"), ("", "memory.max"))
    for root, limit in kinds:
        group = Path("/sys/fs/cgroup") / root / f"mesmerize-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        if (group / limit).exists():
            (group / limit).write_text(str(MEMORY_BYTES))
            yield group / "cgroup.procs"
            group.rmdir()
            return
        group.rmdir()
    pytest.skip("no group of processes with a limit of memory can be made here: that takes root")


def test_job_that_the_kernel_ends_for_memory_says_so(embedded_lab, start, little_memory):
    lab = configure(embedded_lab, kills=1)
    probe.submit(1, "eat")
    worker = start(lab)
    little_memory.write_text(str(worker.process.pid))  # before it has any children

    worker.finish()

    (failure,) = queue.failures(lab)
    assert "signal 9 (SIGKILL)" in failure.message
    assert "The kernel ended it for memory: it had taken 1." in failure.message
    assert "memory_mb in mesmerize.toml" in failure.message
