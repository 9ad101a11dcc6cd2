"""Nodes of components, classes, neighbours, correlations and proportions."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import fftpack, signal, stats
from scipy.spatial import distance
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import silhouette_samples
from sklearn.neighbors import kneighbors_graph

from pipeline.nodes.cluster_metrics import cluster_radius, davies_bouldin, medoid
from pipeline.nodes.cross_correlation import chance_of, cross_correlate
from tests.pipeline.node_tables import noise, periods, run, run_many, table_of


def plain_correlation(x, y):
    """Return the correlation at all lags by the definition; index n - 1 is lag 0."""
    n = len(x)
    found = [sum(x[t + k] * y[t] for t in range(n) if 0 <= t + k < n) for k in range(-n + 1, n)]
    size = np.linalg.norm(x) * np.linalg.norm(y)
    return np.array(found) / size if size > 1e-9 else np.zeros(2 * n - 1)


def test_reference_7_a_bump_that_comes_two_frames_later():
    traces = np.zeros((2, 8))
    traces[0, 2:5] = traces[1, 4:7] = 1, 2, 1
    assert plain_correlation(*traces).argmax() == 5
    made = run("cross_correlation", table_of(traces, rate_hz=1.0))
    lags, maxima = made.array("_CC_LAG").stacked(), made.array("_CC_MAX").stacked()
    np.testing.assert_allclose(maxima, 1.0)
    np.testing.assert_allclose(lags, [[0, 2], [-2, 0]])


@pytest.mark.parametrize("n_samples", [1, 2, 7, 30])
@pytest.mark.parametrize("signed", [False, True])
def test_lags_and_maxima_are_those_of_the_definition(n_samples, signed):
    traces = noise(5, n_samples)
    found = cross_correlate(traces, max_lag=n_samples - 1, signed=signed)
    for i, x in enumerate(traces):
        for j, y in enumerate(traces):
            plain = plain_correlation(x, y)
            best = (np.abs(plain) if signed else plain).argmax()
            assert found.maxima[i, j] == pytest.approx(plain[best], abs=1e-12)
            assert found.lags[i, j] == -(best - (n_samples - 1))


@pytest.mark.parametrize("n_samples", [61, 200, 1234])
@pytest.mark.parametrize("max_lag", [0, 1, 60])
def test_lags_of_many_traces_are_those_of_double_precision(n_samples, max_lag):
    traces = signal.lfilter([1], [1, -0.9], noise(40, n_samples))
    found = cross_correlate(traces, max_lag=max_lag)
    rows = traces / np.linalg.norm(traces, axis=1, keepdims=True)
    for i, x in enumerate(rows):
        for j, y in enumerate(rows[i:], start=i):
            near = signal.correlate(x, y, method="direct")[n_samples - 1 - max_lag :]
            near = near[: 2 * max_lag + 1]
            assert found.lags[i, j] == max_lag - near.argmax()
            assert found.maxima[i, j] == pytest.approx(near.max(), abs=1e-12)


@pytest.mark.parametrize("signed", [False, True])
def test_of_lags_that_single_precision_cannot_tell_apart_the_best_one_counts(signed):
    traces = np.zeros((2, 1000))
    traces[0, 500] = -1 if signed else 1
    traces[1, [100, 300, 900]] = 1 - 1e-8, 1, 1 - 1e-9
    found = cross_correlate(traces, max_lag=999, signed=signed)
    assert found.lags[0, 1] == -200
    traces[1, [100, 300, 900]] = 1
    found = cross_correlate(traces, max_lag=999, signed=signed)
    assert found.lags[0, 1] == 400  # of equal ones, the most negative k


def test_a_plateau_of_equal_values_takes_no_time_and_has_the_first_lag():
    traces = np.ones((2, 20_000))
    traces[0, 1:] = 0
    found = cross_correlate(traces, max_lag=19_999)
    assert found.lags[0, 1] == 19_999
    assert found.maxima[0, 1] == pytest.approx(1 / np.sqrt(20_000), abs=1e-12)


def test_a_largest_lag_bounds_the_lags():
    traces = np.zeros((2, 60))
    traces[0, 10:20] = traces[1, 40:50] = np.hanning(10)
    table = table_of(traces)
    assert run("cross_correlation", table).array("_CC_LAG").row(0)[1] == pytest.approx(3)
    near = run("cross_correlation", table, max_lag_s=1.0)
    assert np.abs(near.array("_CC_LAG").stacked()).max() <= 1.0


def test_opposite_traces_are_found_where_signs_count():
    trace = noise(1, 50)[0]
    made = run("cross_correlation", table_of([trace, -trace]), signed=True)
    assert made.array("_CC_MAX").row(0)[1] == pytest.approx(-1)
    assert made.array("_CC_LAG").row(0)[1] == 0


def test_groups_are_compared_within_themselves_and_silence_with_nothing():
    traces = noise(4, 30)
    traces[3] = 0
    made = run("cross_correlation", table_of(traces, tag=list("aabb")), group_by="tag")
    assert made.array("CC_PARTNERS").row(0).tolist() == ["roi0", "roi1"]
    assert made.array("_CC_MAX").row(3).tolist() == [0, 0]
    assert made.array("_CC_LAG").row(3).tolist() == [0, 0]


def test_chance_is_small_for_what_belongs_together_and_even_for_noise():
    rng = np.random.default_rng(0)
    traces = signal.lfilter([1], [1, -0.8], rng.normal(size=(30, 1000)))
    traces[1] = np.roll(traces[0], 3) + 0.5 * traces[1]
    chance = chance_of(traces, max_lag=5, signed=False)
    assert chance[0, 1] == pytest.approx(1 / 90) and (chance == chance.T).all()
    others = chance[2:, 2:][np.triu_indices(28, 1)]
    assert stats.kstest(others, "uniform").statistic < 0.1
    with pytest.raises(ValueError, match="at least four times max_lag_s"):
        run("cross_correlation", table_of(noise(2, 30)), max_lag_s=1.0, significance=True)
    with pytest.raises(ValueError, match="significance needs max_lag_s"):
        run("cross_correlation", table_of(noise(2, 30)), significance=True)


def test_threads_do_not_change_the_bits_of_a_correlation():
    traces = noise(100, 300)
    one, two = (cross_correlate(traces, max_lag=299, threads=n) for n in (1, 2))
    np.testing.assert_array_equal(one.lags, two.lags)
    np.testing.assert_array_equal(one.maxima, two.maxima)


def test_defect_12_components_are_those_of_scikit_learn_with_their_loadings():
    traces = noise(20, 15)
    made = run_many("pca", {"data": table_of(traces)}, n_components=4)
    fitted = PCA(4, svd_solver="full").fit(traces)
    moved = made["out"].array("_PCA_TRANSFORM").stacked()
    np.testing.assert_allclose(moved, fitted.transform(traces), atol=1e-10)
    components = made["components"]
    loadings = components.array("_PCA_LOADINGS")
    assert loadings.rate_hz.tolist() == [10.0] * 4
    np.testing.assert_allclose(
        moved @ loadings.stacked() + traces.mean(axis=0), fitted.inverse_transform(moved)
    )
    np.testing.assert_allclose(
        components.scalar("_EXPLAINED_RATIO"), fitted.explained_variance_ratio_
    )
    with pytest.raises(ValueError, match="n_components must be at most 15 for 20 rows"):
        run("pca", table_of(traces), n_components=16)


@pytest.mark.parametrize("method", ["isomap", "locally_linear_embedding", "mds", "t_sne"])
def test_defect_12_an_embedding_keeps_far_rows_apart_and_is_the_same_for_a_seed(method):
    traces = np.concatenate([noise(10, 8) + 4 * place for place in range(3)])
    table = table_of(traces)
    params = {"method": method, "perplexity": 5.0, "n_neighbors": 12}
    one, again = (run("manifold", table, **params).array("_MANIFOLD").stacked() for _ in range(2))
    np.testing.assert_array_equal(one, again)
    far = np.linalg.norm(one[:10].mean(axis=0) - one[20:].mean(axis=0))
    assert far > 1.5 * np.linalg.norm(one[:10] - one[:10].mean(axis=0), axis=1).mean()


def test_spectral_embedding_and_what_is_not_installed():
    table = table_of(noise(20, 5))
    made = run("manifold", table, method="spectral_embedding", n_neighbors=10)
    assert made.array("_MANIFOLD").stacked().shape == (20, 2)
    with pytest.raises(ValueError, match="perplexity must be below the number of rows"):
        run("manifold", table, method="t_sne", perplexity=20.0)
    with pytest.raises(ValueError, match="n_neighbors must be below the number of rows"):
        run("manifold", table, n_neighbors=20)
    with pytest.raises(ValueError, match="umap needs n_neighbors of at least 2; got 1"):
        run("manifold", table, method="umap", n_neighbors=1)


def classes(n_classes, n_each=20, apart=3.0):
    """Return a table of classes."""
    rng = np.random.default_rng(0)
    means = rng.normal(0, apart, (n_classes, 6))
    traces = np.concatenate([rng.normal(mean, 1, (n_each, 6)) for mean in means])
    tags = np.repeat([f"c{one}" for one in range(n_classes)], n_each).astype(object)
    return table_of(traces, tag=tags, rest=rng.normal(size=len(traces)))


LDA = {"train_columns": ("_RAW_CURVE", "rest"), "label_column": "tag"}


@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_defect_12_any_number_of_classes_has_weights_for_each(n_classes):
    table = classes(n_classes)
    made = run_many("lda", {"data": table}, **LDA)
    values = np.column_stack([table.array("_RAW_CURVE").stacked(), table.scalar("rest")])
    fitted = LinearDiscriminantAnalysis().fit(values, table.scalar("tag"))
    transformed = made["out"].array("_LDA_TRANSFORM").stacked()
    np.testing.assert_allclose(transformed, fitted.transform(values), atol=1e-8)
    assert transformed.shape[1] == n_classes - 1
    assert made["coef"].array("_COEF").stacked().shape == (n_classes, 7)
    assert made["means"].scalar("classes").tolist() == list(fitted.classes_)
    decision = made["out"].array("_LDA_DFUNC").stacked()
    np.testing.assert_array_equal(fitted.classes_[decision.argmax(axis=1)], fitted.predict(values))


def test_defect_12_accuracy_is_that_of_rows_left_out():
    table = classes(3, apart=0.0)
    made = run_many("lda", {"data": table}, **LDA)
    own, left_out, chance = made["scores"].scalar("_ACCURACY")
    assert chance == pytest.approx(1 / 3) and left_out == pytest.approx(1 / 3, abs=0.15)
    assert own > left_out
    confusion = made["confusion"]
    assert confusion.scalar("_COUNT").sum() == table.n_rows
    right = confusion.scalar("TRUE") == confusion.scalar("FOUND")
    assert confusion.scalar("_COUNT")[right].sum() / table.n_rows == pytest.approx(left_out)
    good = run_many("lda", {"data": classes(3)}, **LDA)["scores"].scalar("_ACCURACY")
    assert good[1] > 0.9


def test_rows_without_a_class_are_placed_and_teach_nothing():
    table = classes(2)
    tags = table.scalar("tag").astype(object)
    tags[[0, 5]] = ["untagged", None]
    known = np.setdiff1d(np.arange(40), [0, 5])
    part = table.take(known)
    table = table.with_scalar("tag", tags, table.infos["tag"])
    one, other = (run_many("lda", {"data": each}, **LDA)["out"] for each in (table, part))
    np.testing.assert_allclose(
        one.array("_LDA_TRANSFORM").stacked()[known], other.array("_LDA_TRANSFORM").stacked()
    )
    assert one.scalar("LDA_CV_LABEL")[0] is None or one.frame["LDA_CV_LABEL"].isna()[0]


def test_classes_of_other_rows_are_predicted():
    table = classes(3)
    order = np.random.default_rng(1).permutation(60)
    train, rest = table.take(order[:40]), table.take(order[40:])
    made = run_many("lda_predict", {"data": rest, "train": train}, **LDA)["out"]
    assert np.mean(made.scalar("LDA_PREDICTED_LABELS") == rest.scalar("tag")) > 0.9
    with pytest.raises(
        ValueError, match="7 samples in all, and those whose class is wanted have 1"
    ):
        run_many("lda_predict", {"data": rest, "train": train}, predict_columns=("rest",), **LDA)


def test_bad_settings_of_classes_are_refused():
    with pytest.raises(ValueError, match="shrinkage needs the solver eigen"):
        run("lda", classes(2), shrinkage=0.5, **LDA)
    with pytest.raises(ValueError, match="n_components must be at most 1 for 2 classes"):
        run("lda", classes(2), n_components=2, **LDA)
    with pytest.raises(ValueError, match=r"the classes are: c0 \(20\)"):
        run("lda", classes(1), **LDA)
    flat = classes(2)
    flat = flat.with_scalar("rest", np.zeros(40), flat.infos["rest"])
    with pytest.raises(ValueError, match="Use shrinkage, or the solver svd"):
        run("lda", flat, solver="eigen", **LDA)
    drawn = run("lda", flat, solver="eigen", auto_shrinkage=True, **LDA)
    assert drawn.array("_LDA_TRANSFORM").stacked().shape == (40, 1)


def test_paths_of_activity_tell_stimuli_apart():
    rng = np.random.default_rng(0)
    traces = rng.normal(0, 0.3, (8, 400))
    rows = [("t", "AB"[trial % 2], 2.0 + 4 * trial, 4.0 + 4 * trial) for trial in range(9)]
    for _, name, start, end in rows:
        cells = slice(0, 4) if name == "A" else slice(4, 8)
        traces[cells, int(start * 10) : int(end * 10)] += 2
    table = replace(table_of(traces), stimuli=periods(*rows))
    made = run("neural_decompose", table, method="lda", stimulus_type="t", n_components=1)
    path = made.array("_ND_PATH").row(0)
    found = {
        name: np.mean([path[int(s * 10) : int(e * 10)].mean() for _, n, s, e in rows if n == name])
        for name in "AB"
    }
    assert abs(found["A"] - found["B"]) > 5 * path[:20].std()
    assert made.array("_ND_PATH").rate_hz.tolist() == [10.0]
    pca = run("neural_decompose", table, n_components=3)
    assert pca.row_ids.tolist() == [f"r1/component:{one}" for one in range(3)]
    assert pca.scalar("_ND_EXPLAINED")[0] > 0.3
    scaled = stats.zscore(traces, axis=1).T
    expected = PCA(3, svd_solver="full").fit_transform(scaled)
    np.testing.assert_allclose(pca.array("_ND_PATH").stacked().T, expected, atol=1e-9)


@pytest.mark.parametrize("mode", ["connectivity", "distance"])
def test_neighbours_are_those_of_scikit_learn(mode):
    traces = noise(15, 6)
    made = run("kneighbors_graph", table_of(traces), n_neighbors=3, mode=mode)
    expected = kneighbors_graph(traces, 3, mode=mode).toarray()
    np.testing.assert_allclose(made.array("_KNEIGHBORS_GRAPH").stacked(), expected, rtol=1e-6)


def test_clusters_are_measured_as_defined():
    traces = np.concatenate([noise(6, 4), noise(5, 4, seed=1) + 6, noise(4, 4, seed=2) - 6])
    labels = np.repeat(["a", "b", "c"], [6, 5, 4]).astype(object)
    made = run("cluster_metrics", table_of(traces, tag=labels), label_column="tag")
    full = distance.squareform(distance.pdist(traces))
    widths = silhouette_samples(full, labels, metric="precomputed")
    np.testing.assert_allclose(
        made.scalar("_SILHOUETTE"), [widths[labels == n].mean() for n in "abc"]
    )
    assert made.scalar("_SILHOUETTE_MEAN")[0] == pytest.approx(widths.mean())
    rows = np.arange(6)
    center = rows[full[:6, :6].sum(axis=0).argmin()]
    assert made.scalar("MEDOID")[0] == f"roi{center}"
    assert made.scalar("_RADIUS")[0] == pytest.approx(full[center, :6].sum() / 5)


def test_overlap_of_clusters_by_hand():
    assert medoid(np.array([[0, 1, 4.0], [1, 0, 2], [4, 2, 0]])) == 1
    assert cluster_radius(np.zeros((1, 1)), 0) == 0
    between = np.array([[0, 2, 4.0], [2, 0, 5], [4, 5, 0]])
    scores = davies_bouldin(np.array([1, 1, 3.0]), between)
    np.testing.assert_allclose(scores.scores, [1, 1, 1])
    assert davies_bouldin(np.zeros(3), between).mean == 0
    touching = davies_bouldin(np.array([1.0, 1, 1]), between * (between != 5))
    assert np.isinf(touching.scores[1:]).all()


def test_more_frequencies_describe_a_trace_better():
    traces = noise(2, 60)
    table = run("drfft_dtw", table_of(traces), step_start=10, step_size=20, measure="squares")
    made = table.array("_DRFFT_DTW")
    spectrum = fftpack.rfft(traces)
    for place, count in enumerate((10, 30, 50)):
        kept = np.where(np.arange(60) < count, spectrum, 0)
        expected = ((traces - fftpack.irfft(kept)) ** 2).sum(axis=1)
        np.testing.assert_allclose(made.stacked()[:, place], expected)
    np.testing.assert_allclose(made.positions(0), [10, 30, 50])
    assert (np.diff(run("drfft_dtw", table_of(traces)).array("_DRFFT_DTW").stacked()) < 0).all()


def test_reference_10_proportions():
    table = table_of(noise(3, 2), x=["a", "a", "b"], y=["u", "v", "u"])
    made = run("proportions", table, x_column="x", y_column="y")
    pairs = dict(zip(made.row_ids.tolist(), made.scalar("_PERCENT").tolist(), strict=True))
    assert pairs == {"a/u": 50.0, "a/v": 50.0, "b/u": 100.0}
    assert made.scalar("_COUNT").tolist() == [1, 1, 1]


def test_proportions_have_bounds_a_test_and_animals():
    rng = np.random.default_rng(0)
    x = np.repeat(["a", "b"], 50).astype(object)
    y = np.where(rng.uniform(size=100) < np.where(x == "a", 0.2, 0.8), "u", "v").astype(object)
    animal = np.tile(["m1", "m2"], 50).astype(object)
    table = table_of(noise(100, 2), x=x, y=y, animal=animal)
    made = run("proportions", table, x_column="x", y_column="y")
    count = made.scalar("_COUNT")
    for row, whole in enumerate((50, 50, 50, 50)):
        bounds = stats.binomtest(int(count[row]), whole).proportion_ci(0.95, method="wilson")
        found = made.scalar("_LOW")[row], made.scalar("_HIGH")[row]
        np.testing.assert_allclose(found, 100 * np.array(bounds))
    expected = stats.chi2_contingency(count.reshape(2, 2)).pvalue
    np.testing.assert_allclose(made.scalar("_P"), expected)
    each = run("proportions", table, x_column="x", y_column="y", per_column="animal")
    assert set(each.scalar("animal")) == {"m1", "m2"} and each.scalar("_COUNT").sum() == 100
    with pytest.raises(ValueError, match="x_column and y_column must differ"):
        run("proportions", table, x_column="x", y_column="x")
