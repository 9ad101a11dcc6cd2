"""Transform: linear discriminant analysis, and how well it does on rows that it has not seen."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.nodes.clustering import LARGEST_SEED
from pipeline.nodes.declaration import (
    Node,
    Output,
    Result,
    check_fields,
    choice,
    column,
    columns,
    number,
    whole,
)
from pipeline.nodes.distances import stack_rows
from pipeline.nodes.registry import register
from pipeline.nodes.scaling import ANY_ARRAY
from pipeline.transmission import ROW_ID, ArrayColumn, ColumnInfo, Transmission

SOLVERS = ("svd", "eigen")
SPACE = ColumnInfo("numeric", "", "component")
CLASS = ColumnInfo("categorical")
FEWEST_OF_CLASS = 2
Words = NDArray[np.object_]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class LdaParams:
    """Settings of the linear discriminant analysis."""

    train_columns: tuple[str, ...] = columns(None, *ANY_ARRAY)
    """Columns that tell the classes apart; arrays are put one after the other."""

    label_column: str = column(None, kinds=("categorical",))
    """The class of each row."""

    unlabelled: str = "untagged"
    """The label of rows that have none; they are placed, and nothing is learnt from them."""

    solver: str = choice("svd", SOLVERS)
    """How it is computed; ``eigen`` takes shrinkage."""

    shrinkage: float | None = number(None, 0, 1)
    """How much the covariance is drawn to a multiple of the identity, where there are more samples
    than rows; not for ``svd``."""

    auto_shrinkage: bool = False
    """Whether that is chosen by the data (Ledoit and Wolf); not for ``svd``."""

    n_components: int | None = whole(None, 1, 1000)
    """Dimensions; at most one less than classes. None: as many as possible."""

    tol: float = number(1e-4, 0, 1)
    """Singular values below it count as 0, for ``svd``."""

    folds: int = whole(5, 2, 1000)
    """Parts in turn left out, for the accuracy on rows that were not learnt from."""

    seed: int = whole(0, 0, LARGEST_SEED)
    """Of the division into parts."""

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.train_columns:
            raise ValueError("train_columns must name at least one column; got none.")
        wants = self.shrinkage is not None or self.auto_shrinkage
        if wants and self.solver == "svd":
            raise ValueError("shrinkage needs the solver eigen; got svd.")
        if self.shrinkage is not None and self.auto_shrinkage:
            raise ValueError("shrinkage is a number or chosen by the data, not both.")

    def fitted(self, values: Numbers, labels: Words) -> Any:
        """Return what was learnt from rows and their classes."""
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis  # slow to import

        estimator = LinearDiscriminantAnalysis(
            solver=self.solver,
            shrinkage="auto" if self.auto_shrinkage else self.shrinkage,
            n_components=self.n_components,
            tol=self.tol,
        )
        try:
            return estimator.fit(values, labels.astype(str))
        except np.linalg.LinAlgError as error:
            raise ValueError(
                "lda cannot invert the covariance: there are more samples than rows, or some are "
                "always equal. Use shrinkage, or the solver svd."
            ) from error


class Labelled(NamedTuple):
    """Rows by their numbers, and those of them that have a class."""

    values: Numbers
    labels: Words
    known: NDArray[np.bool_]
    classes: list[str]


def labelled_rows(params: LdaParams, data: Transmission) -> Labelled:
    """Return what is learnt from.

    Parameters
    ----------
    params : LdaParams
        Settings.
    data : Transmission
        Rows, some of which have a class.

    Raises
    ------
    ValueError
        If there are fewer than 2 classes, or a class has fewer than 2 rows.
    """
    values = side_by_side(data, params.train_columns)
    column_ = data.frame[params.label_column].astype(object)
    known = (column_.notna() & (column_.astype(str) != params.unlabelled)).to_numpy()
    labels = column_.astype(str).to_numpy(object)
    names, counts = np.unique(labels[known].astype(str), return_counts=True)
    few = names[counts < FEWEST_OF_CLASS]
    if len(names) < FEWEST_OF_CLASS or few.size:
        found = ", ".join(f"{n} ({c})" for n, c in zip(names, counts, strict=True)) or "none"
        raise ValueError(
            f"lda needs at least 2 classes with 2 rows each in {params.label_column}; "
            f"the classes are: {found}."
        )
    most = min(len(names) - 1, values.shape[1])
    if params.n_components is not None and params.n_components > most:
        raise ValueError(
            f"n_components must be at most {most} for {len(names)} classes; "
            f"got {params.n_components}."
        )
    if not np.ptp(values[known], axis=0).any():
        raise ValueError("lda cannot tell rows apart that are all equal.")
    return Labelled(values, labels, known, names.tolist())


def side_by_side(data: Transmission, names: tuple[str, ...]) -> Numbers:
    """Return some columns as one array.

    Parameters
    ----------
    data : Transmission
        The table.
    names : tuple of str
        The columns.
    """
    return np.concatenate([stack_rows(data, name, node="lda") for name in names], axis=1)


def lda(params: LdaParams, *, data: Transmission) -> dict[str, Transmission]:
    """Return rows in the space that tells classes apart, and how well it does.

    Parameters
    ----------
    params : LdaParams
        Settings.
    data : Transmission
        Arrays with NaN and of unequal lengths are refused.

    Notes
    -----
    ``LDA_CV_LABEL`` is the class that a row gets when it is in the part left out. ``scores`` holds
    the accuracy on rows learnt from and on rows left out, and that of always naming the most
    frequent class; ``confusion`` counts the pairs of true class and class of rows left out.
    """
    found = labelled_rows(params, data)
    fitted = params.fitted(found.values[found.known], found.labels[found.known])
    guessed = _left_out(params, found)
    moved = fitted.transform(found.values)
    decision = fitted.decision_function(found.values)
    if decision.ndim == 1:  # of two classes, one number says all
        decision = np.stack([-decision, decision], axis=1)
    out = data.with_scalar("LDA_CV_LABEL", guessed, CLASS)
    out = out.with_array("_LDA_DFUNC", ArrayColumn.of(decision, SPACE))
    out = out.with_array("_LDA_TRANSFORM", ArrayColumn.of(moved, SPACE))
    weights = fitted.coef_
    if len(weights) == 1:  # of two classes, one has the opposite of the other
        weights = np.concatenate([-weights, weights])
    return {
        "out": out,
        "coef": _by_class(data, found.classes, "_COEF", weights),
        "means": _by_class(data, found.classes, "_MEANS", fitted.means_),
        "scores": _scores(data, found, fitted.predict(found.values), guessed),
        "confusion": _confusion(data, found, guessed),
    }


def _left_out(params: LdaParams, found: Labelled) -> Words:
    """Return the class of each row by those of other parts; None of rows without class."""
    from sklearn.model_selection import StratifiedKFold  # slow to import

    rows = np.flatnonzero(found.known)
    smallest = min(np.unique(found.labels[rows].astype(str), return_counts=True)[1])
    parts = StratifiedKFold(min(params.folds, smallest), shuffle=True, random_state=params.seed)
    guessed = np.full(len(found.values), None, object)
    for learnt, rest in parts.split(found.values[rows], found.labels[rows].astype(str)):
        fitted = params.fitted(found.values[rows[learnt]], found.labels[rows[learnt]])
        guessed[rows[rest]] = fitted.predict(found.values[rows[rest]])
    return guessed


def _by_class(data: Transmission, classes: list[str], name: str, values: Numbers) -> Transmission:
    """Return a table with an array for each class."""
    ids = np.array([f"class:{one}" for one in classes], object)
    scalars: dict[str, tuple[Any, ColumnInfo]] = {
        ROW_ID: (ids, ColumnInfo("identifier")),
        "classes": (np.array(classes, object), CLASS),
    }
    return data.derived(scalars=scalars).with_array(name, ArrayColumn.of(values, SPACE))


def _scores(data: Transmission, found: Labelled, own: Words, guessed: Words) -> Transmission:
    """Return the table of accuracies."""
    truth = found.labels[found.known]
    counts = np.unique(truth.astype(str), return_counts=True)[1]
    made = {
        "on rows learnt from": float(np.mean(own[found.known] == truth)),
        "on rows left out": float(np.mean(guessed[found.known] == truth)),
        "most frequent class": float(counts.max() / counts.sum()),
    }
    scalars: dict[str, tuple[Any, ColumnInfo]] = {
        ROW_ID: (np.array(list(made), object), ColumnInfo("identifier")),
        "_ACCURACY": (np.array(list(made.values())), ColumnInfo()),
    }
    return data.derived(scalars=scalars)


def _confusion(data: Transmission, found: Labelled, guessed: Words) -> Transmission:
    """Return the table of pairs of true and found class."""
    pairs = [(one, other) for one in found.classes for other in found.classes]
    truth, said = found.labels[found.known], guessed[found.known]
    counts = [int(np.sum((truth == one) & (said == other))) for one, other in pairs]
    scalars: dict[str, tuple[Any, ColumnInfo]] = {
        ROW_ID: (np.array([f"{a}/{b}" for a, b in pairs], object), ColumnInfo("identifier")),
        "TRUE": (np.array([a for a, _ in pairs], object), CLASS),
        "FOUND": (np.array([b for _, b in pairs], object), CLASS),
        "_COUNT": (np.array(counts, np.int64), ColumnInfo()),
    }
    return data.derived(scalars=scalars)


def _class_table(name: str, column_: str) -> Result:
    """Return the declaration of a table with an array for each class."""
    return Result(
        name, (Output(column_, "", "component"), Output("classes", kind="categorical")), rows="new"
    )


register(
    Node(
        name="lda",
        title="LDA",
        group="Transform",
        params=LdaParams,
        compute=lda,
        results=(
            Result(
                columns=(
                    Output("_LDA_TRANSFORM", "", "component"),
                    Output("_LDA_DFUNC", "", "component"),
                    Output("LDA_CV_LABEL", kind="categorical"),
                )
            ),
            _class_table("coef", "_COEF"),
            _class_table("means", "_MEANS"),
            Result("scores", (Output("_ACCURACY"),), rows="new"),
            Result(
                "confusion",
                (
                    Output("_COUNT"),
                    Output("TRUE", kind="categorical"),
                    Output("FOUND", kind="categorical"),
                ),
                rows="new",
            ),
        ),
        nan="refuse",
    ),
)
