"""What the document of the nodes says is so."""

import re
from pathlib import Path

from pipeline.nodes import NODES

TEXT = (Path(__file__).parents[2] / "docs" / "nodes.md").read_text()


def test_every_node_has_its_line():
    assert sorted(re.findall(r"^\| .* \| `(\w+)` \|", TEXT, re.M)) == sorted(NODES)


def test_the_examples_run(tmp_path):
    for block in re.findall(r"```python\n(.*?)```", TEXT, re.S):
        exec(compile(block, "nodes.md", "exec"), {"folder": tmp_path})
    assert "square" in NODES and (tmp_path / "smooth.parquet").exists()
