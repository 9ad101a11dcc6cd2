"""What holds for every node: one test over all of them."""

import copy
import sys
from dataclasses import fields

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from pipeline.nodes import NODES, load_plugins, output_schemas, run_blocks, run_node, schema_of
from pipeline.nodes.checking import check_inputs
from pipeline.nodes.registry import find_node
from pipeline.params import params_from_dict, params_hash, params_to_dict
from pipeline.transmission import Transmission, concatenate
from tests.pipeline.node_examples import CASES, example

ALL = sorted(NODES)


def run(name, table):
    """Return what a node makes of an example table, by result, or why it refuses it."""
    node = find_node(name)
    try:
        inputs, params = example(name, table)
        return run_node(node, node.params(**params), inputs)
    except ValueError as error:
        return error


def checksums(made):
    """Return what was made in short."""
    return str(made) if isinstance(made, Exception) else {n: t.checksum() for n, t in made.items()}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", ALL)
def test_defect_18_each_node_makes_what_it_declares_or_says_why_not(name, case):
    table = CASES[case]()
    before = table.checksum()
    made = run(name, table)
    assert table.checksum() == before, "the input was changed"
    if isinstance(made, Exception):
        assert case != "usual", made
        assert len(str(made)) > 30 and str(made).endswith(".")
        return
    inputs, params = example(name, table)
    node = find_node(name)
    schemas = {
        port: [schema_of(one) for one in ([given] if isinstance(given, Transmission) else given)]
        for port, given in inputs.items()
    }
    checked = check_inputs(node, node.params(**params), schemas)
    for result, schema in output_schemas(node, checked, schemas).items():
        if node.drops_by_value:
            assert made[result].columns().items() <= schema.columns.items()
            continue
        assert made[result].columns() == schema.columns
        assert made[result].last_output == schema.last_output
        assert made[result].holds == schema.holds
        for column in made[result].arrays.values():
            assert column.n_rows == made[result].n_rows


@pytest.mark.parametrize("name", ALL)
def test_defect_4_each_node_writes_down_all_that_defines_its_result(name):
    inputs, params = example(name, CASES["usual"]())
    node = find_node(name)
    for table in run_node(node, node.params(**params), inputs).values():
        block = table.history.block(table.blocks[0])
        assert block.operation == name and block.version == node.version
        assert {field.name for field in fields(node.params)} <= set(block.parameters)
        assert params_to_dict(node.params(**params)).keys() <= block.parameters.keys()
        heads = {
            key
            for given in inputs.values()
            for one in ([given] if isinstance(given, Transmission) else given)
            for key in one.blocks
        }
        assert heads <= set(block.inputs) | (set() if len(node.ports) > 1 else heads)
        assert set(block.inputs) <= set(table.history.blocks)


@pytest.mark.parametrize("name", ALL)
def test_each_node_gives_the_same_bits_on_one_and_two_threads(name):
    with threadpool_limits(1):
        one = checksums(run(name, CASES["usual"]()))
    with threadpool_limits(2):
        two = checksums(run(name, CASES["usual"]()))
    assert one == two


@pytest.mark.parametrize("name", [name for name in ALL if NODES[name].by_row])
def test_nodes_by_row_give_the_same_in_blocks(name):
    table = CASES["usual"]()
    inputs, params = example(name, table)
    node = find_node(name)
    whole = run_node(node, node.params(**params), inputs)[node.results[0].name]
    if not node.ports or len(node.ports) > 1:
        pytest.skip("has not one input")
    source = inputs[node.ports[0].name]
    parts = (source.take(slice(first, first + 3)) for first in range(0, source.n_rows, 3))
    joined = concatenate(list(run_blocks(node, node.params(**params), parts)))
    assert joined.checksum() == whole.checksum()


@pytest.mark.parametrize("name", ALL)
def test_parameters_of_each_node_are_frozen_and_come_back_from_json(name):
    _, params = example(name, CASES["usual"]())
    kind = NODES[name].params
    made = kind(**params)
    assert params_from_dict(kind, params_to_dict(made)) == made
    assert params_hash(copy.copy(made)) == params_hash(made)
    for field in fields(kind):
        with pytest.raises(AttributeError):
            setattr(made, field.name, 0)


@pytest.mark.parametrize("name", ALL)
def test_defect_19_numbers_out_of_range_and_wrong_words_are_refused(name):
    _, params = example(name, CASES["usual"]())
    kind = NODES[name].params
    for field in fields(kind):
        if "range" in field.metadata:
            with pytest.raises(ValueError, match=field.name):
                kind(**{**params, field.name: field.metadata["range"][1] + 1})
        if "choices" in field.metadata:
            with pytest.raises(ValueError, match=field.name):
                kind(**{**params, field.name: "nonsense"})


def test_a_row_that_cannot_be_computed_is_counted_in_the_history():
    table = CASES["with NaN"]()
    made = run("butterworth", table)["out"]
    assert np.isnan(made.array("_BUTTERWORTH").row(1)).all()
    assert made.provenance(0)[-1].notes == {"invalid_rows": 1}


def test_a_column_that_does_not_fit_is_refused_before_anything_runs():
    table = CASES["usual"]()
    spectrum = run("power_spectral_density", table)["out"]
    node = find_node("butterworth")
    with pytest.raises(ValueError, match="must hold arrays along time; _POWER.* along frequency"):
        run_node(node, node.params(), {"data": spectrum})
    with pytest.raises(ValueError, match="there is no column '_X' at 'data'; there are: row_id"):
        run_node(node, node.params(data_column="_X"), {"data": table})
    with pytest.raises(ValueError, match="butterworth needs something at its input 'data'"):
        run_node(node, node.params(), {})
    with pytest.raises(ValueError, match="has no input 'date'; its inputs are: data"):
        run_node(node, node.params(), {"data": table, "date": table})
    with pytest.raises(TypeError, match="must be ButterworthParams"):
        run_node(node, NODES["normalize"].params(), {"data": table})


PLUGIN = """
from dataclasses import dataclass
from pipeline.nodes import Node, Output, Result, column, register

@dataclass(frozen=True, kw_only=True)
class SquareParams:
    data_column: str = column("time")

register(Node(name="square_test", title="Square", group="Math", params=SquareParams, on_traces=True,
              compute=lambda traces, rate_hz, params: traces**2,
              results=(Result(columns=(Output("_SQUARE", "{unit}²", "same"),)),)))
"""


def test_a_node_of_a_folder_works_like_the_others(tmp_path):
    (tmp_path / "square.py").write_text(PLUGIN)
    assert load_plugins(tmp_path) == ["square_test"]
    assert load_plugins(tmp_path) == []
    table = CASES["usual"]()
    node = find_node("square_test")
    made = run_node(node, node.params(), {"data": table})["out"]
    np.testing.assert_allclose(made.array("_SQUARE").row(0), table.array("_RAW_CURVE").row(0) ** 2)
    assert made.array("_SQUARE").info.unit == "a.u.²"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with entry points, installed on the path as pip would."""
    described = tmp_path / "my_nodes-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: my-nodes\nVersion: 1.0\n")
    entries = described / "entry_points.txt"
    entries.write_text("[mesmerize.nodes]\nsquares = my_lab_nodes\n")
    (tmp_path / "my_lab_nodes.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    yield entries
    sys.modules.pop("my_lab_nodes", None)


@pytest.mark.usefixtures("package")
def test_a_node_of_an_installed_package_works_like_the_others():
    assert load_plugins() == ["square_test"]
    assert load_plugins() == []
    table = CASES["usual"]()
    made = run_node(find_node("square_test"), find_node("square_test").params(), {"data": table})
    np.testing.assert_allclose(
        made["out"].array("_SQUARE").row(0), table.array("_RAW_CURVE").row(0) ** 2
    )


@pytest.mark.parametrize("target", ["my_lab_nodes:nothing", "my_lab_missing"])
def test_a_package_that_cannot_be_loaded_is_named_each_time(package, target):
    package.write_text(f"[mesmerize.nodes]\nsquares = {target}\n")
    for _ in range(2):
        with pytest.raises(ValueError, match=f"the nodes of package {target} cannot be loaded"):
            load_plugins()
        assert "square_test" not in NODES


def test_a_broken_plugin_is_named_and_leaves_nothing(tmp_path):
    (tmp_path / "broken.py").write_text(PLUGIN.replace("square_test", "half") + "\n1 / 0\n")
    with pytest.raises(ValueError, match=r"broken\.py cannot be loaded: division by zero"):
        load_plugins(tmp_path)
    assert "half" not in NODES


def test_a_name_that_is_taken_is_refused(tmp_path):
    (tmp_path / "double.py").write_text(PLUGIN.replace("square_test", "butterworth"))
    with pytest.raises(ValueError, match="there is a node 'butterworth' already"):
        load_plugins(tmp_path)
    with pytest.raises(ValueError, match="there is no node 'butter'; the nodes are: "):
        find_node("butter")
