"""Files of drawn shapes, and what is none."""

import json

import pytest

from pipeline.rois import Ellipse, Polygon
from pipeline.rois.shape_files import read_shapes


def test_shapes_of_json_have_names(tmp_path):
    file = tmp_path / "cells.json"
    square = [[5, 5], [5, 8], [8, 8]]
    file.write_text(
        json.dumps([{"name": "a", "points_px": square}, {"center_px": [1, 2], "radii_px": [3, 4]}])
    )
    names, shapes = read_shapes(file)
    assert names == ("a", "")
    assert shapes[0] == Polygon(parts_px=(square,))
    assert shapes[1] == Ellipse(center_px=(1, 2), radii_px=(3, 4))


def test_corners_of_a_table_are_polygons_on_planes(tmp_path):
    file = tmp_path / "cells.csv"
    rows = ["name,row_px,col_px,plane", *(f"{n},{r},{c},2" for n in (7, 3) for r, c in CORNERS)]
    file.write_text("\n".join(rows))
    names, shapes = read_shapes(file)
    assert names == ("7", "3")
    assert shapes == (Polygon(parts_px=([list(c) for c in CORNERS],), plane=2),) * 2


CORNERS = ((1, 2), (1, 5), (4, 5))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.json", "[", "cannot be read"),
        ("a.json", "{}", "must hold a list of shapes"),
        ("a.json", "[1]", "must hold a list of shapes"),
        ("a.json", "[]", "holds no shape"),
        ("a.json", '[{"kind": "star"}]', "shape 0 of a.json cannot be: a shape must be a polygon"),
        ("a.json", b"\xff\xfe", "cannot be read"),
        ("a.csv", "", "holds no shape"),
        ("a.csv", "name,row_px\nx,1\n", "col_px is missing"),
        ("a.csv", "name,row_px,col_px,plane\nx,1,2,0\nx,1,3,1\n", "lie on several planes"),
        ("a.txt", "x", "is no file of shapes"),
    ],
)
def test_what_is_no_file_of_shapes_is_said_in_a_sentence(tmp_path, name, content, says):
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=says):
        read_shapes(file)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"there is no file .*cells.json"):
        read_shapes(tmp_path / "cells.json")
