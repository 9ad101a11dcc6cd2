"""Workers on a cluster: as array jobs of Slurm, or as a script for it. The queue stays ours."""

import math
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.checks import check_in_range
from populate_workers.budget import FOR_JOBS, PROCESS_BYTES
from populate_workers.history import LOGS
from populate_workers.supervisor import Duty, Supervisor
from schemas.connection import connect
from schemas.settings import ProjectError, Settings, load_settings

HOUR_S = 3600
MINUTE_S = 60
MEBIBYTE = 2**20
GIBIBYTE = 2**30


@dataclass(frozen=True, kw_only=True)
class Array:
    """What is asked of the cluster."""

    workers: int
    """Number of array tasks, each a worker."""

    processes: int = 1
    """Jobs at once of each worker."""

    hours: float = 8.0
    """Time limit of each worker, in hours."""

    partition: str = ""
    """Partition of the cluster; "": its default."""

    def __post_init__(self) -> None:
        check_in_range("the number of workers", self.workers, 1, 10_000)
        check_in_range("the number of processes", self.processes, 1, 1024)
        check_in_range("the time limit in hours", self.hours, 0.05, 10_000)


def new_array(workers: int, processes: int, hours: float, partition: str) -> Array:
    """Return what is asked of the cluster; without a time, the default one."""
    limit = {} if math.isinf(hours) else {"hours": hours}
    return Array(workers=workers, processes=processes, partition=partition, **limit)


def submit(settings: Settings, array: Array, *, cluster: str | None = None) -> list[Any]:
    """Submit workers as an array job.

    Parameters
    ----------
    settings : Settings
        The project; its folder has to be the same on the nodes, and its server in their reach.
    array : Array
        What is asked for.
    cluster : str or None
        As submitit names it; None: Slurm.

    Returns
    -------
    list
        The jobs of submitit.

    Raises
    ------
    ProjectError
        If submitit is not installed, there is no Slurm, or the server is not in reach of nodes.
    """
    _check(settings)
    try:
        import submitit
    except ImportError as error:
        raise ProjectError(
            "submitit is not installed; install it with: pip install 'mesmerize-datajoint[slurm]'"
        ) from error
    try:
        executor = submitit.AutoExecutor(settings.folder / LOGS / "slurm", cluster or "slurm")
    except RuntimeError as error:
        raise ProjectError(f"there is no Slurm on this machine: {error}") from error
    options = {"slurm_partition": array.partition} if array.partition else {}
    executor.update_parameters(
        name="mesmerize",
        timeout_min=int(array.hours * HOUR_S / MINUTE_S),
        cpus_per_task=array.processes * settings.threads,
        mem_gb=_memory_bytes(settings, array) / GIBIBYTE,
        slurm_array_parallelism=array.workers,
        **options,
    )
    return list(
        executor.map_array(
            work_on_node,
            [str(settings.folder)] * array.workers,
            [array.processes] * array.workers,
            [array.hours * HOUR_S] * array.workers,
        )
    )


def work_on_node(folder: str, processes: int, limit_s: float) -> int:
    """Be a worker on a node until all is done or the time is over; return how many jobs ended.

    Parameters
    ----------
    folder : str
        The project folder.
    processes : int
        Jobs at once.
    limit_s : float
        Time limit of the node, in seconds.
    """
    ended: list[Any] = []
    database = connect(load_settings(Path(folder)))
    duty = Duty(processes=processes, until_done=True, limit_s=limit_s)
    Supervisor(database, duty, watch=ended.append).run()
    return len(ended)


def script(settings: Settings, array: Array) -> str:
    """Return a script for ``sbatch`` that starts workers as an array job.

    Parameters
    ----------
    settings : Settings
        The project; its folder has to be the same on the nodes, and its server in their reach.
    array : Array
        What is asked for.
    """
    _check(settings)
    minutes = int(array.hours * HOUR_S / MINUTE_S)
    memory_mib = math.ceil(_memory_bytes(settings, array) / MEBIBYTE)
    partition = [f"#SBATCH --partition={array.partition}"] if array.partition else []
    folder = str(settings.folder).replace("%", "%%")  # a single one is Slurm's own
    log = f"{folder}/{LOGS}/slurm-%A_%a.log"
    command = [
        sys.executable,
        "-P",
        "-m",
        "apps.cli",
        "work",
        "--until-done",
        f"--processes={array.processes}",
        f"--hours={array.hours:g}",
    ]
    lines = [
        "#!/bin/bash",
        "#SBATCH --job-name=mesmerize",
        f"#SBATCH --array=0-{array.workers - 1}",
        f"#SBATCH --cpus-per-task={array.processes * settings.threads}",
        f"#SBATCH --mem={memory_mib}M",
        f"#SBATCH --time={minutes}",
        "#SBATCH --signal=TERM@60",
        f'#SBATCH --output="{log}"',
        *partition,
        "set -euo pipefail",
        f"cd {shlex.quote(str(settings.folder))}",
        f"exec {shlex.join(command)}",
    ]
    return "\n".join(lines) + "\n"


def _memory_bytes(settings: Settings, array: Array) -> int:
    """Return the memory of a worker: what it may give its jobs is to be enough for all of them."""
    return math.ceil(array.processes * (settings.memory_bytes + PROCESS_BYTES) / FOR_JOBS)


def _check(settings: Settings) -> None:
    """Refuse a server that is a private one of this machine."""
    if settings.embedded:
        raise ProjectError(
            "the embedded server is for one machine; for a cluster make the project on a lab "
            "server: mesmerize init DIR --server mysql://user@host:3306"
        )
