"""Nodes of clusters and trees: planted clusters, libraries, plain implementations."""

import numpy as np
import pytest
from scipy.cluster import hierarchy
from scipy.optimize import linprog
from scipy.spatial import distance
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from pipeline.nodes.clustering import KShapeParams, fit_shapes
from pipeline.nodes.distances import METRICS, condensed, dtw, shape_distances
from pipeline.nodes.shape_clusters import assign, cluster_shapes, z_normalized
from tests.pipeline.node_tables import noise, run, run_many, table_of


def shapes(n_rows=60, n_samples=80, seed=0):
    """Return traces of three shapes at any time, height and offset, and their shapes."""
    rng = np.random.default_rng(seed)
    time = np.arange(30)
    kinds = [
        np.exp(-time / 6.0),
        np.exp(-((time - 15.0) ** 2) / 20),
        np.sin(time / 30 * 4 * np.pi) * np.hanning(30) * 1.5,
    ]
    truth = rng.integers(3, size=n_rows)
    traces = rng.normal(0, 0.03, (n_rows, n_samples))
    for row, kind in enumerate(truth):
        start = rng.integers(10, 40)
        traces[row, start : start + 30] += kinds[kind]
    return traces * rng.uniform(1, 50, (n_rows, 1)) + rng.uniform(-9, 9, (n_rows, 1)), truth


def plain_shape_distance(one, other):
    """Return the shape-based distance by a loop over lags."""
    found = np.correlate(one, other, "full") / np.linalg.norm(one) / np.linalg.norm(other)
    return 1 - found.max()


def test_the_shape_based_distance_is_that_of_a_plain_loop():
    one, other = noise(5, 37), noise(4, 37, seed=1)
    expected = [[plain_shape_distance(x, y) for y in other] for x in one]
    np.testing.assert_allclose(shape_distances(one, other), expected, atol=1e-12)


def test_defect_13_kshape_finds_planted_shapes_whatever_their_height_and_time():
    traces, truth = shapes()
    made = run_many("kshape", {"data": table_of(traces)}, n_clusters=3, n_init=3)
    labels = made["out"].scalar("KSHAPE_CLUSTER")
    assert adjusted_rand_score(truth, labels) == 1
    centers = made["centers"]
    assert centers.scalar("N_ROWS").tolist() == np.bincount(labels).tolist()
    values = centers.array("_KSHAPE_CENTER").stacked()
    np.testing.assert_allclose(values.std(axis=1), 1)
    assert made["out"].scalar("_KSHAPE_DISTANCE").max() < 0.2
    assert made["out"].last_output == "_RAW_CURVE"


def test_lags_bring_rows_onto_their_centre():
    traces = np.zeros((6, 100))
    for row, start in enumerate((20, 25, 30, 35, 40, 45)):
        traces[row, start : start + 20] = np.hanning(20)
    found = cluster_shapes(
        z_normalized(list(traces)), 2, rng=np.random.default_rng(0), max_iter=50, tol=0.0
    )
    for one in range(2):
        members = np.flatnonzero(found.labels == one)
        lags = found.lags[members] - found.lags[members[0]]
        assert lags.tolist() == [5 * (row - members[0]) for row in members]


def test_kshape_assigns_the_nearest_centre_and_never_gets_worse():
    traces, _ = shapes(seed=3)
    values = z_normalized(list(traces))
    inertias = []
    for rounds in (1, 2, 5, 20):
        rng = np.random.default_rng(5)
        found = cluster_shapes(values, 4, rng=rng, max_iter=rounds, tol=0.0)
        inertias.append(found.inertia)
    assert inertias == sorted(inertias, reverse=True)
    to_all = shape_distances(values, found.centers)
    np.testing.assert_array_equal(found.labels, to_all.argmin(axis=1))
    np.testing.assert_allclose(found.distances, to_all.min(axis=1), atol=1e-12)
    again = assign(values, found.centers)
    np.testing.assert_array_equal(again.labels, found.labels)


def test_kshape_is_the_same_for_a_seed_and_trains_on_a_part():
    table = table_of(shapes()[0])
    one, again = (run("kshape", table, train_percent=50.0, seed=2) for _ in range(2))
    assert one.checksum() == again.checksum()
    assert one.provenance(0)[-1].parameters["seed"] == 2


@pytest.mark.parametrize("spread", [True, False])
def test_attempts_begin_with_rows_and_end_where_no_round_is_better(spread):
    values = z_normalized(list(noise(60, 40)))
    ends = [
        cluster_shapes(values, 5, rng=np.random.default_rng(0), max_iter=n, tol=0.0, spread=spread)
        for n in (1, 2, 200, 201)
    ]
    assert ends[0].inertia >= ends[1].inertia > ends[2].inertia == ends[3].inertia
    assert len(np.unique(ends[2].labels)) == 5


def test_the_best_of_several_attempts_counts_and_a_seed_gives_the_same_bits():
    values = z_normalized(list(noise(80, 60)))
    by_attempts = [fit_shapes(values, KShapeParams(n_clusters=6, n_init=n)) for n in (1, 2, 5, 9)]
    inertia = [found.inertia for found in by_attempts]
    assert inertia == sorted(inertia, reverse=True) and inertia[-1] < inertia[0]
    again = fit_shapes(values, KShapeParams(n_clusters=6, n_init=9))
    np.testing.assert_array_equal(again.centers, by_attempts[-1].centers)
    np.testing.assert_array_equal(again.labels, by_attempts[-1].labels)


def test_kshape_takes_unequal_lengths_and_refuses_what_is_no_number():
    traces, truth = shapes()
    ragged = [row[: 75 + i % 6] for i, row in enumerate(traces)]
    labels = run("kshape", table_of(ragged), n_init=3).scalar("KSHAPE_CLUSTER")
    assert adjusted_rand_score(truth, labels) > 0.9
    with pytest.raises(ValueError, match="'roi1' is missing or has values that are NaN"):
        run("kshape", table_of([[1.0, 2], [np.nan, 1], [2, 1], [3, 1]]))
    with pytest.raises(ValueError, match="kshape needs at least 3 rows; got 2"):
        run("kshape", table_of(noise(2, 9)))


def test_defect_13_the_grid_includes_its_upper_end_and_names_its_seeds():
    table = table_of(shapes()[0])
    grid = run("kshape_grid", table, fewest_clusters=2, most_clusters=4, trials=2)
    assert grid.scalar("_N_CLUSTERS").tolist() == [2, 2, 3, 3, 4, 4]
    scores = grid.scalar("_SILHOUETTE")
    assert scores[:4].min() > scores[4:].max(), "a fourth cluster divides what is one"
    best = 2 + scores[2:4].argmax()
    seed = int(grid.scalar("_SEED")[best])
    same = run("kshape", table, n_clusters=3, n_init=1, seed=seed)
    assert np.mean(same.scalar("_KSHAPE_DISTANCE") ** 2) == grid.scalar("_INERTIA")[best]


def test_kmeans_is_that_of_scikit_learn():
    traces = np.concatenate([noise(20, 10), noise(20, 10, seed=1) + 8])
    made = run_many("kmeans_clustering", {"data": table_of(traces)}, seed=4)
    expected = KMeans(2, n_init=10, random_state=4).fit(traces)
    labels = made["out"].scalar("KMEANS_CLUSTER_LABEL")
    np.testing.assert_array_equal(labels, expected.labels_)
    assert set(labels[:20]) != set(labels[20:])
    centers = made["centers"].array("_KMEANS_CENTER").stacked()
    np.testing.assert_allclose(centers[labels[0]], traces[:20].mean(axis=0))
    with pytest.raises(ValueError, match="there are 1 for 2 clusters"):
        run("kmeans_clustering", table_of(np.ones((5, 3))))


def emd_by_linear_programming(one, other):
    """Return the least cost of moving one distribution onto another."""
    n = len(one)
    cost = np.abs(np.subtract.outer(np.arange(n), np.arange(n))).ravel()
    rows = np.kron(np.eye(n), np.ones(n))
    cols = np.kron(np.ones(n), np.eye(n))
    ends = np.concatenate([one / one.sum(), other / other.sum()])
    return linprog(cost, A_eq=np.concatenate([rows, cols]), b_eq=ends).fun


def test_reference_11_the_earth_movers_distance_of_two_masses():
    masses = np.zeros((2, 5))
    masses[0, 1] = masses[1, 3] = 1
    assert condensed(masses, "wasserstein").tolist() == [2.0]


def test_the_earth_movers_distance_is_the_least_cost():
    values = np.random.default_rng(0).uniform(0, 1, (4, 7))
    found = distance.squareform(condensed(values, "wasserstein"))
    for one in range(4):
        for other in range(one):
            expected = emd_by_linear_programming(values[one], values[other])
            assert found[one, other] == pytest.approx(expected, abs=1e-9)


def test_mass_below_zero_raises_all_and_mass_above_does_not():
    values = np.random.default_rng(0).uniform(1, 2, (3, 6))
    cumulative = np.cumsum(values / values.sum(axis=1, keepdims=True), axis=1)
    np.testing.assert_allclose(
        condensed(values, "wasserstein"), distance.pdist(cumulative, "cityblock")
    )
    np.testing.assert_allclose(
        condensed(values - 1.5, "wasserstein"), condensed(values - values.min(), "wasserstein")
    )
    with pytest.raises(ValueError, match="row 1 has no mass to move"):
        condensed(np.array([[1.0, 2], [0, 0]]), "wasserstein")


def plain_dtw(one, other):
    """Return the distance with stretched time by the full table."""
    table = np.full((len(one) + 1, len(other) + 1), np.inf)
    table[0, 0] = 0
    for i, x in enumerate(one):
        for j, y in enumerate(other):
            table[i + 1, j + 1] = (x - y) ** 2 + min(table[i, j], table[i, j + 1], table[i + 1, j])
    return np.sqrt(table[-1, -1])


def test_stretched_time_is_that_of_the_full_table():
    one, other = noise(2, 20)
    assert dtw(one, other[:15]) == pytest.approx(plain_dtw(one, other[:15]))
    assert dtw(np.repeat(one, 2), one) == pytest.approx(0)


@pytest.mark.parametrize("metric", METRICS)
def test_distances_do_not_depend_on_the_order_and_are_0_of_a_row_to_itself(metric):
    values = np.random.default_rng(0).uniform(0, 1, (5, 12))
    values[4] = values[0]
    found = distance.squareform(condensed(values, metric))
    order = np.array([3, 1, 4, 0, 2])
    swapped = distance.squareform(condensed(values[order], metric))
    np.testing.assert_allclose(swapped, found[np.ix_(order, order)], atol=1e-12)
    assert found[0, 4] == pytest.approx(0, abs=1e-7)
    assert (found[np.triu_indices(4, 1)] > 0).all()


def test_a_distance_that_is_not_defined_is_refused():
    values = np.array([[1.0, 2, 3], [5, 5, 5]])
    with pytest.raises(ValueError, match="row 1 is constant, and has no correlation to others"):
        condensed(values, "correlation")
    with pytest.raises(ValueError, match="works on euclidean distances alone; got cosine"):
        run("linkage", table_of(noise(4, 5)), method="ward", metric="cosine")


TABLE = table_of(np.concatenate([noise(6, 8), noise(5, 8, seed=2) + 9, noise(4, 8, seed=3) - 9]))
VALUES = TABLE.array("_RAW_CURVE").stacked()


def tree_of(**params):
    """Return a tree as a table, and as scipy makes it."""
    made = run("linkage", TABLE, **params)
    names = ("_LEFT", "_RIGHT", "_DISTANCE", "_COUNT")
    return made, np.stack([made.scalar(name) for name in names], axis=1)


@pytest.mark.parametrize(
    "method", ["complete", "average", "single", "weighted", "ward", "centroid", "median"]
)
def test_trees_are_those_of_scipy(method):
    _, tree = tree_of(method=method, metric="euclidean")
    expected = hierarchy.linkage(VALUES, method, optimal_ordering=True)
    np.testing.assert_allclose(tree, expected)


@pytest.mark.parametrize("criterion", ["distance", "maxclust", "inconsistent"])
@pytest.mark.parametrize("threshold", [0.9, 1.0, 3.0, 12.0])
def test_defect_11_clusters_are_those_of_scipy(criterion, threshold):
    threshold = max(threshold, 1.0) if criterion == "maxclust" else threshold
    made, tree = tree_of(metric="euclidean")
    inputs = {"data": TABLE, "linkage": made}
    found = run_many("fcluster", inputs, criterion=criterion, threshold=threshold)["out"]
    expected = hierarchy.fcluster(tree, threshold, criterion)
    np.testing.assert_array_equal(found.scalar("FCLUSTER_LABELS"), expected)
    order = np.argsort(found.scalar("_DENDROGRAM_PLACE"))
    np.testing.assert_array_equal(order, hierarchy.leaves_list(tree))


@pytest.mark.parametrize("stat", ["mean", "stdev", "num_links", "inc_coef"])
@pytest.mark.parametrize("criterion", ["monocrit", "maxclust_monocrit"])
def test_defect_11_statistics_of_nodes_cut_the_tree(stat, criterion):
    made, tree = tree_of(metric="euclidean")
    links = run_many("inconsistent", {"linkage": made}, depth=3)["out"]
    plain = hierarchy.inconsistent(tree, 3)
    np.testing.assert_allclose(links.scalar("_COEFFICIENT"), plain[:, 3])
    inputs = {"linkage": made, "inconsistency": links}
    height = run_many("max_inc_stat", inputs, stat=stat)["out"]
    place = ["mean", "stdev", "num_links", "inc_coef"].index(stat)
    heights = hierarchy.maxRstat(tree, plain, place)
    np.testing.assert_allclose(height.scalar("_MR"), heights)
    inputs = {"data": TABLE, "linkage": made, "statistic": height}
    found = run_many("fcluster", inputs, criterion=criterion, threshold=3.0)["out"]
    expected = hierarchy.fcluster(tree, 3.0, criterion, monocrit=heights)
    np.testing.assert_array_equal(found.scalar("FCLUSTER_LABELS"), expected)


def test_defect_11_the_largest_inconsistency_is_that_of_scipy():
    made, tree = tree_of(metric="euclidean")
    links = run_many("inconsistent", {"linkage": made})["out"]
    height = run_many("max_inconsistent", {"linkage": made, "inconsistency": links})["out"]
    plain = hierarchy.maxinconsts(tree, hierarchy.inconsistent(tree, 2))
    np.testing.assert_allclose(height.scalar("_MR"), plain)


def test_planted_clusters_are_cut():
    made, _ = tree_of(metric="euclidean", method="ward")
    found = run_many("fcluster", {"data": TABLE, "linkage": made}, threshold=3.0)["out"]
    labels = found.scalar("FCLUSTER_LABELS")
    assert adjusted_rand_score([0] * 6 + [1] * 5 + [2] * 4, labels) == 1


def test_a_tree_of_other_rows_is_refused():
    made, _ = tree_of(metric="euclidean")
    for other in (TABLE.take(slice(0, 14)), TABLE.take(np.arange(15)[::-1])):
        with pytest.raises(ValueError, match="the tree was made of other rows"):
            run_many("fcluster", {"data": other, "linkage": made})
    with pytest.raises(ValueError, match="monocrit needs a statistic"):
        run_many("fcluster", {"data": TABLE, "linkage": made}, criterion="monocrit")
    with pytest.raises(ValueError, match="needs linkage at its input 'linkage'; got rows"):
        run_many("fcluster", {"data": TABLE, "linkage": TABLE})


def test_the_history_of_clusters_knows_tree_and_rows():
    made, _ = tree_of(metric="euclidean")
    found = run_many("fcluster", {"data": TABLE, "linkage": made})["out"]
    assert [block.operation for block in found.provenance(0)] == ["simulated", "fcluster"]
    names = {block.operation for block in found.history.blocks.values()}
    assert names == {"simulated", "linkage", "fcluster"}
