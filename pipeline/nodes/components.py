"""Transform: principal components, and spaces in which neighbours stay neighbours."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from pipeline.nodes.clustering import LARGEST_SEED
from pipeline.nodes.declaration import (
    Node,
    Output,
    Result,
    check_fields,
    choice,
    column,
    number,
    whole,
)
from pipeline.nodes.distances import stack_rows
from pipeline.nodes.kmeans import like_column
from pipeline.nodes.registry import register
from pipeline.nodes.scaling import ANY_ARRAY
from pipeline.transmission import ROW_ID, ArrayColumn, ColumnInfo, Transmission

SOLVERS = ("auto", "full", "arpack", "randomized")
MANIFOLDS = ("isomap", "locally_linear_embedding", "spectral_embedding", "mds", "t_sne", "umap")
SPACE = ColumnInfo("numeric", "", "component")


@dataclass(frozen=True, kw_only=True)
class PcaParams:
    """Settings of the principal components."""

    data_column: str = column(None, *ANY_ARRAY)
    """Arrays of one length."""

    n_components: int = whole(2, 1, 100_000)
    """How many; at most as many as rows and as samples."""

    whiten: bool = False
    """Whether each component gets variance 1."""

    svd_solver: str = choice("full", SOLVERS)
    """How they are found; ``full`` is exact."""

    tol: float = number(0.0, 0, 1e6)
    """Tolerance of ``arpack``."""

    iterated_power: int | None = whole(None, 0, 10_000)
    """Rounds of ``randomized``; None: as many as fit."""

    seed: int = whole(0, 0, LARGEST_SEED)
    """Of ``arpack`` and ``randomized``."""

    def __post_init__(self) -> None:
        check_fields(self)


def pca(params: PcaParams, *, data: Transmission) -> dict[str, Transmission]:
    """Return each array by its principal components, and the components.

    Parameters
    ----------
    params : PcaParams
        Settings.
    data : Transmission
        Arrays with NaN and of unequal lengths are refused.
    """
    from sklearn.decomposition import PCA  # slow to import, and only some need it

    values = stack_rows(data, params.data_column, node="pca", fewest=2)
    most = min(values.shape) - (params.svd_solver == "arpack")
    if params.n_components > most:
        raise ValueError(
            f"n_components must be at most {most} for {len(values)} rows of {values.shape[1]} "
            f"samples; got {params.n_components}."
        )
    fitted = PCA(
        params.n_components,
        whiten=params.whiten,
        svd_solver=params.svd_solver,
        tol=params.tol,
        iterated_power="auto" if params.iterated_power is None else params.iterated_power,
        random_state=params.seed,
    )
    with np.errstate(divide="ignore", invalid="ignore"):  # the ratio of constant arrays is NaN
        moved = fitted.fit_transform(values)
    ids = np.array([f"component:{one}" for one in range(params.n_components)], object)
    scalars = {
        ROW_ID: (ids, ColumnInfo("identifier")),
        "_EXPLAINED_VARIANCE": (fitted.explained_variance_, ColumnInfo()),
        "_EXPLAINED_RATIO": (fitted.explained_variance_ratio_, ColumnInfo()),
        "_SINGULAR_VALUE": (fitted.singular_values_, ColumnInfo()),
    }
    loadings = like_column(data, params.data_column, fitted.components_).described(unit="")
    components = data.derived(scalars=scalars).with_array("_PCA_LOADINGS", loadings)
    out = data.with_array("_PCA_TRANSFORM", ArrayColumn.of(moved, SPACE))
    return {"out": out, "components": components}


@dataclass(frozen=True, kw_only=True)
class ManifoldParams:
    """Settings of an embedding."""

    data_column: str = column(None, *ANY_ARRAY)
    """Arrays of one length."""

    method: str = choice("isomap", MANIFOLDS)
    """How; ``umap`` needs the package umap-learn."""

    n_components: int = whole(2, 1, 100)
    """Dimensions of the space."""

    n_neighbors: int = whole(5, 1, 10_000)
    """Neighbours of each row that are kept; not for ``mds`` and ``t_sne``."""

    perplexity: float = number(30.0, 1, 10_000)
    """About the number of neighbours in ``t_sne``; below the number of rows."""

    seed: int = whole(0, 0, LARGEST_SEED)
    """Of all that is left to chance; the same gives the same."""

    def __post_init__(self) -> None:
        check_fields(self)


def manifold(params: ManifoldParams, *, data: Transmission) -> Transmission:
    """Return each array as a place in a space of few dimensions.

    Parameters
    ----------
    params : ManifoldParams
        Settings.
    data : Transmission
        Arrays with NaN and of unequal lengths are refused.
    """
    fewest = params.n_components + 2
    values = stack_rows(data, params.data_column, node="manifold", fewest=fewest)
    _check_manifold(params, len(values))
    if not np.ptp(values, axis=0).any():
        raise ValueError("manifold: all rows are equal, and have no places in a space.")
    moved = _embedding(params).fit_transform(values)
    return data.with_array("_MANIFOLD", ArrayColumn.of(np.asarray(moved, np.float64), SPACE))


def _check_manifold(params: ManifoldParams, n_rows: int) -> None:
    """Refuse settings that need more rows."""
    if params.method == "t_sne" and params.perplexity >= n_rows:
        raise ValueError(
            f"perplexity must be below the number of rows ({n_rows}); got {params.perplexity:g}."
        )
    if params.method not in ("mds", "t_sne") and params.n_neighbors >= n_rows:
        raise ValueError(
            f"n_neighbors must be below the number of rows ({n_rows}); got {params.n_neighbors}."
        )
    if params.method == "umap" and params.n_neighbors == 1:
        raise ValueError("umap needs n_neighbors of at least 2; got 1.")
    if params.method == "umap" and find_spec("umap") is None:
        raise ValueError("umap is not installed; install the package umap-learn, or take t_sne.")


def _embedding(params: ManifoldParams) -> Any:
    """Return the estimator of a method."""
    from sklearn import manifold as embeddings  # slow to import, and only some need it

    n_dims, near, seed = params.n_components, params.n_neighbors, params.seed
    if params.method == "isomap":
        return embeddings.Isomap(n_components=n_dims, n_neighbors=near)
    if params.method == "locally_linear_embedding":
        return embeddings.LocallyLinearEmbedding(
            n_components=n_dims, n_neighbors=near, random_state=seed, eigen_solver="dense"
        )
    if params.method == "spectral_embedding":
        return embeddings.SpectralEmbedding(
            n_components=n_dims, n_neighbors=near, random_state=seed, affinity="nearest_neighbors"
        )
    if params.method == "mds":
        return embeddings.MDS(n_components=n_dims, n_init=4, random_state=seed, init="random")
    if params.method == "t_sne":
        # the fast way knows up to three dimensions
        way = "barnes_hut" if n_dims <= 3 else "exact"  # noqa: PLR2004
        return embeddings.TSNE(
            n_components=n_dims, perplexity=params.perplexity, random_state=seed, method=way,
            init="pca", n_jobs=1,
        )  # fmt: skip
    import umap  # type: ignore[import-not-found]

    return umap.UMAP(n_components=n_dims, n_neighbors=near, random_state=seed, n_jobs=1)


register(
    Node(
        name="pca",
        title="PCA",
        group="Transform",
        params=PcaParams,
        compute=pca,
        results=(
            Result(columns=(Output("_PCA_TRANSFORM", "", "component"),)),
            Result(
                "components",
                (
                    Output("_PCA_LOADINGS", "", "same"),
                    Output("_EXPLAINED_VARIANCE"),
                    Output("_EXPLAINED_RATIO"),
                    Output("_SINGULAR_VALUE"),
                ),
                rows="new",
            ),
        ),
        nan="refuse",
    ),
    Node(
        name="manifold",
        title="Manifold",
        group="Transform",
        params=ManifoldParams,
        compute=manifold,
        results=(Result(columns=(Output("_MANIFOLD", "", "component"),)),),
        nan="refuse",
    ),
)
