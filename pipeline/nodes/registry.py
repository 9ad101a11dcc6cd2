"""The list of all nodes, and how users add their own."""

import importlib.util
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from pipeline.nodes.declaration import Node

ENTRY_POINTS = "mesmerize.nodes"

NODES: dict[str, Node] = {}
"""Every node by name."""


def register(*nodes: Node) -> None:
    """Add nodes to the list.

    Parameters
    ----------
    *nodes : Node
        With names that no other node has.

    Raises
    ------
    ValueError
        If there is a node of that name.
    """
    for node in nodes:
        if node.name in NODES:
            raise ValueError(f"there is a node {node.name!r} already; choose another name.")
        NODES[node.name] = node


def find_node(name: str) -> Node:
    """Return the node of a name.

    Parameters
    ----------
    name : str
        As ``butterworth``.

    Raises
    ------
    ValueError
        If there is none.
    """
    if name not in NODES:
        raise ValueError(f"there is no node {name!r}; the nodes are: {', '.join(sorted(NODES))}.")
    return NODES[name]


def load_plugins(folder: Path | None = None) -> list[str]:
    """Add the nodes that installed packages and a folder bring, and return their names.

    Parameters
    ----------
    folder : Path or None
        Each of its ``.py`` files is run, in the order of the names; those that begin with ``_``
        are left out. Their code has all rights of the program: the folder must belong to those
        who may change the program.

    Raises
    ------
    ValueError
        If a file or a package cannot be loaded, or brings a name that is taken.

    Notes
    -----
    A package brings nodes by an entry point of the group ``mesmerize.nodes`` that names a module;
    the module calls `register` when it is imported, as a file of the folder does.
    """
    before = set(NODES)
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        if entry.module not in sys.modules:
            _load(f"package {entry.value}", partial(_run_package, entry))
    for path in sorted(folder.glob("[!_]*.py")) if folder else ():
        name = f"mesmerize_nodes_{path.stem}"
        if name not in sys.modules:
            _load(str(path), partial(_run_file, path, name))
    return sorted(set(NODES) - before)


def _load(what: str, load: Callable[[], object]) -> None:
    """Run code of others; what it adds before it fails is taken back."""
    before = dict(NODES)
    try:
        load()
    except Exception as error:  # of any kind: the code is not ours
        NODES.clear()
        NODES.update(before)
        raise ValueError(f"the nodes of {what} cannot be loaded: {error}") from error


def _run_package(entry: EntryPoint) -> None:
    """Run the module of a package; one that fails is not taken for loaded the next time."""
    try:
        entry.load()
    except BaseException:
        sys.modules.pop(entry.module, None)
        raise


def _run_file(path: Path, name: str) -> None:
    """Run a file as a module."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # its name ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
