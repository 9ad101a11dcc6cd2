"""Logs of long ago go, the history stays, and what runs keeps its log."""

import os
import time
import uuid

import pytest

from apps.queries import history, log_words
from populate_workers.history import facts, log_path
from populate_workers.old_logs import DAY_S, find_old_logs, prune

pytestmark = pytest.mark.db
STEP = "motion_correction"


def enter_logs(database):
    """Attempts with their logs: two of long ago, one of which runs still, and one of today."""
    made = {}
    for name, age_days, outcome in (
        ("old", 100, "done"),
        ("silent", 100, "running"),
        ("new", 1, "error"),
    ):
        attempt = uuid.uuid4().hex
        path = database.settings.folder / log_path(STEP, attempt)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"the log of the {name} one")
        written_s = time.time() - age_days * DAY_S
        os.utime(path, (written_s, written_s))
        database.worker.RunLog().insert1(
            {
                **facts(),
                **dict.fromkeys(("key_hash", "worker_id"), "0" * 32),
                "attempt_id": attempt,
                "step": STEP,
                "job_key": {"animal_id": name},
                "outcome": outcome,
                "log": log_path(STEP, attempt),
            }
        )
        made[name] = path
    return made


def words(database):
    """Return what the page of jobs says of each attempt."""
    rows = history(database).to_dict("records")
    return {row["animal_id"]: log_words(database, row) for row in rows}


def test_logs_of_long_ago_go_and_their_history_stays(database):
    logs = enter_logs(database)
    slurm = database.settings.folder / "logs" / "slurm" / "17_0_log.out"
    own = database.settings.folder / "logs" / STEP / "notes.log"
    linked = database.settings.folder / "logs" / STEP / f"{uuid.uuid4().hex}.log"
    slurm.parent.mkdir()
    for path in (slurm, own):
        path.write_text("printed")
        os.utime(path, (1e9, 1e9))
    linked.symlink_to(own)

    found = find_old_logs(database, older_than_s=90 * DAY_S)

    assert [log.path for log in found] == [slurm, logs["old"]]
    assert all(path.exists() for path in logs.values())  # to look removes nothing
    assert prune(database, found) == len("printed") + len("the log of the old one")
    assert [name for name, path in logs.items() if path.exists()] == ["silent", "new"]
    assert own.exists()
    assert linked.is_symlink()
    assert len(database.worker.RunLog()) == 3
    said = words(database)
    assert said["old"].startswith("It was removed on ")
    assert said["new"] == "the log of the new one"
    assert find_old_logs(database, older_than_s=90 * DAY_S) == []
    with pytest.raises(ValueError, match="the age of logs in seconds must be between"):
        find_old_logs(database, older_than_s=-1)


def test_command_shows_first_and_removes_what_it_has_shown(embedded, mesmerize, monkeypatch):
    logs = enter_logs(embedded)
    monkeypatch.chdir(embedded.settings.folder)

    code, out, _ = mesmerize("jobs", "prune", "--dry-run")
    assert code == 0
    assert "1 logs are older than 90 days" in out
    code, _, err = mesmerize("jobs", "prune")
    assert code == 1
    assert "there is no terminal to ask at; give --yes" in err
    assert logs["old"].exists()
    code, out, _ = mesmerize("jobs", "prune", "--older-than", "0.5", "--yes")
    assert code == 0
    assert [name for name, path in logs.items() if path.exists()] == ["silent"]
    code, _, err = mesmerize("jobs", "log", STEP, "--animal", "old")
    assert code == 1
    assert "because it was old; what the history says of the job stays" in err
