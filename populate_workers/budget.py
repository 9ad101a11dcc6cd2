"""What jobs need and what the machine has: a job waits until it fits."""

import math
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from datajoint.errors import DataJointError

from pipeline.extraction.cell_size import for_frame, for_movie
from pipeline.extraction.methods import find_method
from pipeline.nodes import NODES
from pipeline.params import params_from_dict
from populate_workers import machine
from schemas.connection import Database
from schemas.movie_source import movie_of
from schemas.roi_states import RECORDING

FOR_JOBS = 0.85
"""The part of a machine's memory that jobs may take, unless the settings say how much."""

PROCESS_BYTES = 350_000_000
"""A process with all libraries, and what a step keeps besides the blocks that it works on."""

GUEST_BYTES = 900_000_000
"""An interpreter with the libraries of another engine."""

FILES = 2
"""Copies of the movie, as float32, in files between us and another engine."""

MOVIE_COPIES = 4
"""Float32 copies of a movie that a step makes of one that fits its memory whole."""

FLOAT_BYTES = 4
IMAGES = 6
"""Images of a frame's size that a step stores, at most; those of a background among them."""

VIDEO_BYTES = 50_000_000
TRACES = 7
"""Traces of each ROI in the store: six kinds, and courses of the background, of which there are
fewer."""

CELL_GSIGS = 2
"""Centres of cells lie at least so many half-sizes apart."""

NODE_BLOCKS_BYTES = 300_000_000
"""Blocks of rows of a node that works row by row, and of one that loads."""

NODE_COPIES = 4
"""What a node takes of what flows in, as it lies packed in the store."""

READ_EVERY_S = 2.0
"""How long it is taken for known which workers there are, and what they run."""

MEGABYTE = 1_000_000


class Need(NamedTuple):
    """What a job takes, at most."""

    memory_bytes: int
    disk_bytes: int
    """In the store."""

    caiman: bool = False
    """Whether it also needs an interpreter that has CaImAn."""

    scratch_bytes: int = 0
    """In the folder for temporary files, until it is done."""


class Refusal(NamedTuple):
    """Why a job is not begun."""

    reason: str
    is_final: bool
    """Whether no machine that is known can ever run it."""


class Budget:
    """What this machine has for jobs, and what it has promised."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._needs: dict[tuple[Any, ...], Need] = {}
        self._workers: list[dict[str, Any]] = []
        self._beside: list[Need] = []
        self._read_at = -math.inf
        given = database.settings.workers.memory_bytes
        self.memory_bytes = given or int(FOR_JOBS * machine.memory_bytes())

    def need(self, step: str, key: dict[str, Any]) -> Need:
        """Return what a job is estimated to take, from the shape of its movie and parameters."""
        name = (step, *key.values())
        if name not in self._needs:
            self._needs[name] = self._estimate(step, key)
        return self._needs[name]

    def why_not(self, step: str, key: dict[str, Any], running: list[Need]) -> Refusal | None:
        """Return why a job cannot be begun beside those that run, or None: it can."""
        need = self.need(step, key)
        if need == Need(0, 0):
            return None
        self._look_around()
        taken = [*running, *self._beside]
        return (
            self._caiman_refusal(step, need)
            or self._memory_refusal(step, need, taken)
            or self._disk_refusal(step, need, taken)
        )

    def _caiman_refusal(self, step: str, need: Need) -> Refusal | None:
        """Leave what needs CaImAn to a worker that has it; without one, the job says what lacks."""
        if not need.caiman or self._database.settings.caiman_python is not None:
            return None
        hosts = sorted({row["host"] for row in self._workers if row["has_caiman"]})
        if not hosts:
            return None
        reason = f"{step} needs CaImAn, which is not here; it is left to {', '.join(hosts)}."
        return Refusal(reason, is_final=False)

    def _memory_refusal(self, step: str, need: Need, running: list[Need]) -> Refusal | None:
        taken = sum(other.memory_bytes for other in running)
        if need.memory_bytes + taken <= self.memory_bytes:
            return None
        largest = self._largest_memory() if need.memory_bytes > self.memory_bytes else 0
        is_final = need.memory_bytes > max(largest, self.memory_bytes)
        has = f"the {self.memory_bytes / MEGABYTE:,.0f} MB for jobs on {machine.host()}"
        what = f"{step} needs up to {need.memory_bytes / MEGABYTE:,.0f} MB of memory; "
        if is_final:
            advice = "lower [compute] memory_mb in mesmerize.toml, or use a larger machine."
            reason = f"{what}that is more than {has}, and no other has more: {advice}"
            return Refusal(reason, is_final=True)
        left = max(0, self.memory_bytes - taken)
        reason = f"{what}{left / MEGABYTE:,.0f} of {has} are free."
        return Refusal(reason, is_final=False)

    def _disk_refusal(self, step: str, need: Need, running: list[Need]) -> Refusal | None:
        store = self._database.settings.store
        try:
            scratch = Path(tempfile.gettempdir())
            is_one_disk = _existing(store).stat().st_dev == scratch.stat().st_dev
            disks = shutil.disk_usage(_existing(store)), shutil.disk_usage(scratch)
        except OSError:  # the job itself says what is wrong with the store
            return None
        needs = need, *running
        stored = [each.disk_bytes + is_one_disk * each.scratch_bytes for each in needs]
        filed = [each.scratch_bytes for each in needs]
        return _refusal_of(step, stored, store, disks[0], "move the store") or _refusal_of(
            step, filed, scratch, disks[1], "set TMPDIR to a folder with more room"
        )

    def _largest_memory(self) -> int:
        """Return what the largest machine with a worker has."""
        return max((int(row["memory_bytes"]) for row in self._workers), default=0)

    def _look_around(self) -> None:
        """Read what workers there are, and what those beside this one run: once for all jobs."""
        if time.monotonic() - self._read_at <= READ_EVERY_S:
            return
        names = ("host", "pid", "machine_id", "memory_bytes", "has_caiman")
        self._workers = list(self._database.worker.Worker().proj(*names).to_dicts())
        own = (machine.machine_id(), os.getpid())
        places = {row["worker_id"]: (row["machine_id"], row["pid"]) for row in self._workers}
        others = [
            {"worker_id": worker_id}
            for worker_id, place in places.items()
            if place != own and machine.shares_memory(*place)
        ]
        beside = self._database.worker.RunLog() & {"outcome": "running"} & others
        rows = beside.proj("step", "job_key").to_dicts() if others else []
        self._beside = []
        for row in rows:
            with suppress(DataJointError):  # what it was asked for is deleted
                self._beside.append(self.need(row["step"], row["job_key"]))
        self._read_at = time.monotonic()

    def _estimate(self, step: str, key: dict[str, Any]) -> Need:
        if step == "node_result":
            return self._node_need(key)
        if "trial" not in key:
            return Need(0, 0)
        recording = {name: key[name] for name in RECORDING}
        facts = self._database.session.RecordingInfo() & recording
        names = ("n_frames", "n_planes", "n_rows", "n_cols", "rate_hz", "pixel_size_um")
        found = facts.proj(*names).to_dicts()
        plan = self._database.settings.memory_bytes
        if not found:
            return Need(PROCESS_BYTES + plan, 0)
        frame = found[0]["n_planes"] * found[0]["n_rows"] * found[0]["n_cols"]
        movie_bytes = FLOAT_BYTES * frame * found[0]["n_frames"]
        memory_bytes = PROCESS_BYTES + min(plan, MOVIE_COPIES * movie_bytes)
        images_bytes = IMAGES * FLOAT_BYTES * frame
        if step == "segmentation":
            guest = self._guest_need(key, movie_bytes)
            sources_bytes = self._sources_bytes(key, found[0])
            disk_bytes = sources_bytes + guest.disk_bytes
            filed = self._filed_bytes(key, found[0], movie_bytes)
            return Need(memory_bytes + guest.memory_bytes, disk_bytes, guest.caiman, filed)
        if step == "seed_inspection":
            filed = self._filed_bytes(key, found[0], movie_bytes)
            return Need(memory_bytes, images_bytes, scratch_bytes=filed)
        more = {"motion_correction": movie_bytes, "motion_preview": VIDEO_BYTES}
        return Need(memory_bytes, images_bytes + more.get(step, 0))

    def _node_need(self, key: dict[str, Any]) -> Need:
        """Return what a node of a flowchart takes, from what flows in or is loaded."""
        analysis = self._database.analysis
        inputs = analysis.NodeInput & key
        before = analysis.NodeResult & inputs.proj(result_key="input_key", made="result_key")
        taken = sum(row["tables"].size for row in before.proj("tables").to_dicts())
        node = NODES.get((analysis.NodeTask & key).fetch1("node"))
        in_blocks = node is None or node.by_row
        memory_bytes = NODE_BLOCKS_BYTES if in_blocks else NODE_COPIES * taken
        return Need(PROCESS_BYTES + memory_bytes, NODE_COPIES * taken)

    def _guest_need(self, key: dict[str, Any], movie_bytes: int) -> Need:
        """Return what an engine in an interpreter of its own takes besides; mostly nothing."""
        tasks = self._database.roi.SegmentationTask & key
        method = find_method((tasks * self._database.roi.SegmentationParams).fetch1("method"))
        if not method.is_guest:
            return Need(0, 0)
        guest_bytes = GUEST_BYTES + int(method.movie_copies * movie_bytes)
        return Need(guest_bytes, FILES * movie_bytes, caiman=True)

    def _sources_bytes(self, key: dict[str, Any], facts: dict[str, Any]) -> int:
        """Return what the traces of as many cells take as fit into a frame, and the background."""
        tasks = self._database.roi.SegmentationTask & key
        row = (tasks * self._database.roi.SegmentationParams).fetch1()
        if find_method(row["method"]).needs_seeds:  # nothing is sought
            sets = self._database.given.RoiSet() & {"rois_id": row["rois_id"]}
            n_rois = sum(map(int, sets.to_arrays("n_rois")))
            return int(TRACES * FLOAT_BYTES * n_rois * facts["n_frames"])
        settings = params_from_dict(find_method(row["method"]).params, row["params"])
        lengths = [facts["n_planes"], facts["n_rows"], facts["n_cols"]]
        fitted = for_frame(settings, lengths, facts["pixel_size_um"])
        apart = CELL_GSIGS * np.asarray(fitted.gsig_px, float)
        if getattr(fitted, "planes", None) == "each":  # a cell is seen in each plane by itself
            apart[0] = 1
        lengths = lengths[-apart.size :]
        n_cells = np.ceil(lengths / apart).prod()
        background = IMAGES * FLOAT_BYTES * np.prod(lengths)
        return int(TRACES * FLOAT_BYTES * n_cells * facts["n_frames"] + background)

    def _filed_bytes(self, key: dict[str, Any], facts: dict[str, Any], movie_bytes: int) -> int:
        """Return what the copies of the movie take that lie in temporary files."""
        tasks = self._database.roi.SegmentationTask & key
        row = (tasks * self._database.roi.SegmentationParams).fetch1()
        method = find_method(row["method"])
        if method.filed_bytes is None:
            return min(self._database.settings.memory_bytes, movie_bytes)
        movie = movie_of(facts, "a recording")
        return method.filed_bytes(
            movie, for_movie(params_from_dict(method.params, row["params"]), movie)
        )


def _refusal_of(
    step: str, needs: list[int], folder: Path, disk: Any, otherwise: str
) -> Refusal | None:
    """Return why the first of the needs does not fit a disk beside the others, or None."""
    wanted, promised = needs[0], sum(needs[1:])
    if wanted + promised <= disk.free:
        return None
    is_final = wanted > disk.total
    free = f"{max(0, disk.free - promised) / MEGABYTE:,.0f}"
    has = f"the whole disk of {folder} has" if is_final else f"{folder} has {free} of"
    return Refusal(
        f"{step} needs up to {wanted / MEGABYTE:,.0f} MB on the disk; "
        f"{has} {disk.total / MEGABYTE:,.0f} MB: make room, or {otherwise}.",
        is_final,
    )


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())
