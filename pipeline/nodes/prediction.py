"""Transform: classes of rows, learnt from those of others."""

from dataclasses import dataclass

import numpy as np

from pipeline.nodes.declaration import (
    Node,
    Output,
    Port,
    Result,
    check_fields,
    choice,
    column,
    columns,
    number,
    whole,
)
from pipeline.nodes.discriminants import (
    CLASS,
    SOLVERS,
    SPACE,
    LdaParams,
    labelled_rows,
    side_by_side,
)
from pipeline.nodes.registry import register
from pipeline.nodes.scaling import ANY_ARRAY
from pipeline.transmission import ArrayColumn, Transmission


@dataclass(frozen=True, kw_only=True)
class LdaPredictParams:
    """Settings of finding the classes of other rows."""

    train_columns: tuple[str, ...] = columns(None, *ANY_ARRAY, port="train")
    """Columns of the rows learnt from."""

    predict_columns: tuple[str, ...] = columns(None, *ANY_ARRAY)
    """Columns of the rows whose class is wanted, in the same order; none: of the same names."""

    label_column: str = column(None, kinds=("categorical",), port="train")
    """The class of each row learnt from."""

    unlabelled: str = "untagged"
    """The label of rows that have none."""

    solver: str = choice("svd", SOLVERS)
    """How it is computed."""

    shrinkage: float | None = number(None, 0, 1)
    """See `LdaParams`."""

    auto_shrinkage: bool = False
    """See `LdaParams`."""

    n_components: int | None = whole(None, 1, 1000)
    """Dimensions; at most one less than classes."""

    tol: float = number(1e-4, 0, 1)
    """Singular values below it count as 0, for ``svd``."""

    def __post_init__(self) -> None:
        check_fields(self)
        self.trained()

    def trained(self) -> LdaParams:
        """Return the settings of what is learnt."""
        return LdaParams(
            train_columns=self.train_columns,
            label_column=self.label_column,
            unlabelled=self.unlabelled,
            solver=self.solver,
            shrinkage=self.shrinkage,
            auto_shrinkage=self.auto_shrinkage,
            n_components=self.n_components,
            tol=self.tol,
        )


def lda_predict(
    params: LdaPredictParams, *, data: Transmission, train: Transmission
) -> Transmission:
    """Return the class of each row, as rows of another table teach it.

    Parameters
    ----------
    params : LdaPredictParams
        Settings.
    data : Transmission
        Rows whose class is wanted.
    train : Transmission
        Rows that are learnt from.
    """
    learnt = params.trained()
    found = labelled_rows(learnt, train)
    values = side_by_side(data, params.predict_columns or params.train_columns)
    if data.n_rows and values.shape[1] != found.values.shape[1]:
        raise ValueError(
            f"rows to learn from have {found.values.shape[1]} samples in all, and those whose "
            f"class is wanted have {values.shape[1]}; cut or resample them alike."
        )
    fitted = learnt.fitted(found.values[found.known], found.labels[found.known])
    empty = np.empty((0, fitted.transform(found.values[:1]).shape[1]))
    moved = fitted.transform(values) if data.n_rows else empty
    classes = fitted.predict(values) if data.n_rows else np.empty(0, object)
    out = data.with_array("_LDA_TRANSFORM", ArrayColumn.of(moved, SPACE))
    return out.with_scalar("LDA_PREDICTED_LABELS", classes.astype(object), CLASS)


register(
    Node(
        name="lda_predict",
        title="LDA predict",
        group="Transform",
        params=LdaPredictParams,
        compute=lda_predict,
        ports=(Port(), Port(name="train")),
        results=(
            Result(
                columns=(
                    Output("LDA_PREDICTED_LABELS", kind="categorical"),
                    Output("_LDA_TRANSFORM", "", "component"),
                )
            ),
        ),
        nan="refuse",
    ),
)
