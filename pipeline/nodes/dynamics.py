"""Transform: the activity of all cells of a recording as a path through a space."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.nodes.declaration import (
    Node,
    Output,
    Port,
    Result,
    check_fields,
    choice,
    column,
    whole,
)
from pipeline.nodes.distances import stack_rows
from pipeline.nodes.grouping import groups
from pipeline.nodes.registry import register
from pipeline.nodes.stimulus_pairs import pair_with_stimuli
from pipeline.transmission import RECORDING_ID, ROW_ID, ArrayColumn, ColumnInfo, Transmission

SCALERS = {
    "standard": "StandardScaler",
    "min_max": "MinMaxScaler",
    "max_abs": "MaxAbsScaler",
    "power": "PowerTransformer",
    "robust": "RobustScaler",
}


@dataclass(frozen=True, kw_only=True)
class DynamicsParams:
    """Settings of neural dynamics."""

    data_column: str = column("time")
    """Traces; those of a recording have one length and rate."""

    method: str = choice("pca", ("pca", "lda"))
    """By the directions in which activity varies most, or which tell stimuli apart."""

    n_components: int = whole(2, 1, 1000)
    """Dimensions of the space; for ``lda`` at most one less than stimuli."""

    scaler: str = choice("standard", (*SCALERS, "none"))
    """How the activity of each cell is scaled before."""

    stimulus_type: str = ""
    """Type of the stimuli that ``lda`` tells apart; frames in no stimulus are placed, and nothing
    is learnt from them."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.method == "lda" and not self.stimulus_type:
            raise ValueError("lda tells stimuli apart; name stimulus_type.")


def neural_dynamics(params: DynamicsParams, *, data: Transmission) -> Transmission:
    """Return a row for each recording and each dimension, with the path of its activity in time.

    Parameters
    ----------
    params : DynamicsParams
        Settings.
    data : Transmission
        Traces with NaN are refused.

    Notes
    -----
    ``_ND_EXPLAINED`` is the part of the variance, or of that between stimuli, that a dimension
    has; ``_ND_WEIGHTS`` says how much each cell of the recording takes part.
    """
    made: list[dict[str, Any]] = []
    for (recording,), rows in groups(data, [RECORDING_ID]):
        part = data.take(rows)
        values = stack_rows(part, params.data_column, node="neural_dynamics", fewest=2)
        activity = _scaled(values.T, params.scaler)
        fitted, moved = _fitted(params, part, activity)
        column_ = part.array(params.data_column)
        for one in range(moved.shape[1]):
            made.append(
                {
                    "recording": recording,
                    "component": one,
                    "path": moved[:, one],
                    "weights": fitted["weights"][one],
                    "explained": fitted["explained"][one],
                    "rate": column_.rate[0],
                    "start": column_.start[0],
                }
            )
    return _paths(data, made)


def _scaled(activity: NDArray[np.float64], scaler: str) -> NDArray[np.float64]:
    """Return frames by cells, each cell scaled."""
    if scaler == "none":
        return activity
    from sklearn import preprocessing  # slow to import, and only some need it

    return np.asarray(getattr(preprocessing, SCALERS[scaler])().fit_transform(activity))


def _fitted(
    params: DynamicsParams, part: Transmission, activity: NDArray[np.float64]
) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """Return the dimensions and the path through them."""
    if params.n_components > min(activity.shape):
        raise ValueError(
            f"n_components must be at most {min(activity.shape)} for {activity.shape[1]} cells; "
            f"got {params.n_components}."
        )
    if params.method == "pca":
        from sklearn.decomposition import PCA  # slow to import

        pca = PCA(params.n_components, svd_solver="full")
        with np.errstate(divide="ignore", invalid="ignore"):  # silent cells explain nothing
            moved = pca.fit_transform(activity)
        about = {"weights": pca.components_, "explained": pca.explained_variance_ratio_}
        return about, np.asarray(moved)
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis  # slow to import

    labels = frame_labels(part, params.data_column, params.stimulus_type)
    known = labels != ""
    n_names = len(set(labels[known]))
    if params.n_components > n_names - 1:
        raise ValueError(
            f"n_components must be at most {n_names - 1} for {n_names} stimuli; "
            f"got {params.n_components}."
        )
    lda = LinearDiscriminantAnalysis(n_components=params.n_components)
    lda.fit(activity[known], labels[known].astype(str))
    weights = lda.scalings_.T[: params.n_components]
    return {"weights": weights, "explained": lda.explained_variance_ratio_}, np.asarray(
        lda.transform(activity)
    )


def frame_labels(part: Transmission, name: str, stimulus_type: str) -> NDArray[np.object_]:
    """Return the stimulus of each frame of a recording; "": none.

    Parameters
    ----------
    part : Transmission
        The rows of one recording.
    name : str
        Of a column of traces.
    stimulus_type : str
        Of the stimuli.

    Notes
    -----
    Where stimuli overlap, the later one counts.
    """
    one = part.take(slice(0, 1))
    pairs = pair_with_stimuli(one, stimulus_type)
    column_ = one.array(name)
    start_s, end_s = (pairs.periods[key].to_numpy(np.float64) for key in ("start_s", "end_s"))
    first, stop = pairs.samples(column_, start_s, end_s)
    labels = np.full(column_.lengths[0], "", object)
    for begin, end, label in zip(first, stop, pairs.periods["name"], strict=True):
        labels[max(begin, 0) : max(end, 0)] = label
    return labels


def _paths(data: Transmission, made: list[dict[str, Any]]) -> Transmission:
    """Return the table of dimensions."""
    ids = np.array([f"{one['recording']}/component:{one['component']}" for one in made], object)
    identity = ColumnInfo("identifier")
    scalars: dict[str, tuple[Any, ColumnInfo]] = {
        ROW_ID: (ids, identity),
        RECORDING_ID: (np.array([one["recording"] for one in made], object), identity),
        "_ND_COMPONENT": (np.array([one["component"] for one in made], np.int64), ColumnInfo()),
        "_ND_EXPLAINED": (np.array([one["explained"] for one in made], np.float64), ColumnInfo()),
    }
    table = data.derived(scalars=scalars)
    weights = ArrayColumn.of([one["weights"] for one in made], ColumnInfo(axis="item"))
    path = ArrayColumn.of(
        [one["path"] for one in made],
        ColumnInfo(axis="time"),
        rate=np.array([one["rate"] for one in made], np.float64),
        start=np.array([one["start"] for one in made], np.float64),
    )
    return table.with_array("_ND_WEIGHTS", weights).with_array("_ND_PATH", path)


register(
    Node(
        name="neural_decompose",
        title="NeuralDynamics",
        group="Transform",
        params=DynamicsParams,
        compute=neural_dynamics,
        ports=(Port(needs=(RECORDING_ID,)),),
        results=(
            Result(
                columns=(
                    Output("_ND_PATH", "", "time"),
                    Output("_ND_WEIGHTS", "", "item"),
                    Output("_ND_COMPONENT"),
                    Output("_ND_EXPLAINED"),
                    Output(RECORDING_ID, kind="identifier"),
                ),
                rows="new",
            ),
        ),
        nan="refuse",
    ),
)
