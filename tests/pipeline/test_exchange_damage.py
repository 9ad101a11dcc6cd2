"""Hostile and damaged files: one sentence each, nothing run, nothing written."""

import datetime
import fractions
import io
import os
import pickle
import struct
import zipfile

import h5py
import numpy as np
import pytest
from roifile import ROI_TYPE, ImagejRoi

from pipeline.exporters.caiman import write_caiman
from pipeline.exporters.imagej import write_imagej
from pipeline.exporters.nwb import write_nwb
from pipeline.exporters.nwb_facts import facts_from
from pipeline.exporters.suite2p import write_suite2p
from pipeline.importers.registry import import_rois
from pipeline.numpy_files import read_npy
from pipeline.pickles import Record, read_pickle
from tests.exchange_scene import some_rois, suite2p_rois
from tests.pipeline.test_nwb import FACTS, recording

SHAPE = (20, 30)


@pytest.fixture
def folder(tmp_path):
    """A folder of suite2p."""
    write_suite2p(suite2p_rois(), tmp_path / "suite2p", mean_image=np.zeros(SHAPE))
    return tmp_path / "suite2p" / "plane0"


@pytest.fixture
def caiman(tmp_path):
    """A file of CaImAn."""
    write_caiman(some_rois(), tmp_path / "a.hdf5")
    return tmp_path / "a.hdf5"


@pytest.fixture
def archive(tmp_path):
    """ROIs of ImageJ."""
    write_imagej(some_rois(), tmp_path / "a.zip")
    return tmp_path / "a.zip"


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch):
    """Fail where a file runs a program."""

    def run(*_, **__):
        pytest.fail("a file ran a program")

    monkeypatch.setattr(os, "system", run)


def refuses(path, shape=SHAPE):
    """Import a file that must be refused, and return the sentence; nothing is written beside it."""
    before = sorted(path.parent.rglob("*"))
    with pytest.raises(ValueError, match=r"\w") as refused:
        import_rois(path, shape)
    sentence = str(refused.value)
    assert len(sentence) < 600
    assert "\n" not in sentence
    assert sorted(path.parent.rglob("*")) == before
    return sentence


class Calls:
    """Calls a function when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def pickled(value, protocol=4):
    return pickle.dumps(value, protocol=protocol)


def with_global(module, name):
    return f"c{module}\n{name}\n".encode()


HOSTILE = {
    "os.system": pickled(Calls(os.system, "touch owned")),
    "os.system, protocol 0": pickled(Calls(os.system, "touch owned"), protocol=0),
    "eval": pickled(Calls(eval, "__import__('os').system('touch owned')")),
    "in a dict": pickled({"ypix": Calls(os.system, "touch owned")}),
    "in a list in a tuple": pickled(([Calls(print, "x")],)),
    "getattr": with_global("builtins", "getattr") + b".",
    "numpy.load": with_global("numpy", "load") + b"(Vx\ntR.",
    "numpy.memmap": with_global("numpy", "memmap") + b"(Vx\ntR.",
    "numpy.fromfile": with_global("numpy", "fromfile") + b".",
    "a class of ours": with_global("pipeline.pickles", "_Type") + b".",
    "dotted name": b"\x80\x04\x8c\x05numpy\x8c\x0fndarray.tofile\x93.",
    "dunder": b"\x80\x04\x8c\x05numpy\x8c\x11ndarray.__class__\x93.",
    "INST": b"(Vtouch owned\nios\nsystem\n.",
    "OBJ": b"(cos\nsystem\nVtouch owned\no.",
    "NEWOBJ": b"\x80\x02cnumpy\nndarray\n)\x81.",
    "EXT1": b"\x80\x02\x82\x01.",
    "PERSID": b"Pa\n.",
    "BINPERSID": b"\x80\x02X\x01\x00\x00\x00aQ.",
    "BUILD of a class": b"\x80\x04cnumpy\ndtype\n}\x8c\x08__init__K\x01sb.",
    "BUILD with slots of a function": (
        b"\x80\x04c_codecs\nencode\n(N}\x8c\x0c__defaults__)s\x86b."
    ),
    "a function in the place of values": with_global("_codecs", "encode") + b".",
    "a huge bytearray": b"\x80\x05\x96\xff\xff\xff\xff\xff\x00\x00\x00.",
    "huge bytes": b"\x80\x04\x8e\xff\xff\xff\xff\xff\x00\x00\x00.",
    "a frame that is cut off": b"\x80\x04\x95\xff\xff\xff\xff\xff\x00\x00\x00N",
    "a huge number": b"I" + b"9" * 100_000 + b"\n.",
    "an array of objects without values": (b"\x80\x04cnumpy._core.multiarray\n_reconstruct\n)R."),
    "a type with fields": (
        b"\x80\x04cnumpy\ndtype\n(VV8\n\x89\x88tR(K\x03V|\nN(VxtNK\x08K\x01K\x00tb."
    ),
    "a type that is text of code": b"\x80\x04cnumpy\ndtype\n(Vi4,(2,)f8\ntR.",
    "a list in itself": b"\x80\x02]q\x00h\x00a.",
    "lists in lists": b"\x80\x04" + b"]" * 200 + b"a" * 199 + b".",
    "an unknown instruction": b"\x80\x04\xff.",
    "no end": b"\x80\x04]",
    "an unknown protocol": b"\x80\x63N.",
    "an empty stack": b".",
    "a mark without a list": b"\x80\x04t.",
    "a dict as a key": b"\x80\x04}}N s.",
    "a shape of another size": (
        b"\x80\x04cnumpy._core.multiarray\n_reconstruct\n)R(K\x01(K\x05tcnumpy\ndtype\n(Vf8\ntR"
        b"(K\x03V<\nNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89C\x08\x00\x00\x00\x00\x00\x00"
        b"\x00\x00tb."
    ),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_a_pickle_runs_nothing(folder, data):
    with pytest.raises(ValueError, match=r"stat\.npy"):
        read_pickle(data, "stat.npy")
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|O", "fortran_order": False, "shape": (5,)}
    )
    (folder / "stat.npy").write_bytes(header.getvalue() + data)
    refuses(folder)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_what_is_no_plain_value_is_taken_down_and_not_made(protocol):
    plain = {"a": [1, 2.5, "µ", None, True], "b": {"c": [1, 2, 3, 4]}, "n": -7, "big": 1 << 70}
    made = {"array": np.arange(3), "day": datetime.date(2026, 1, 1), "part": fractions.Fraction(1)}
    data = pickle.dumps({**plain, **made}, protocol)

    read = read_pickle(data, "ops.npy", records=True)

    assert {key: read[key] for key in plain} == plain
    assert read["array"].tolist() == [0, 1, 2]
    assert read["part"] == Record("fractions.Fraction", [1, 1], None)
    with pytest.raises(ValueError, match="fractions.Fraction"):
        read_pickle(data, "ops.npy")


def test_a_program_in_a_pickle_is_taken_down_and_not_run():
    read = read_pickle(HOSTILE["in a dict"], "ops.npy", records=True)
    assert read == {"ypix": Record("posix.system", ["touch owned"], None)}


def test_a_place_far_away_in_the_memo_takes_no_memory():
    assert read_pickle(b"\x80\x04Nr\xff\xff\xff\xff.", "a.npy") is None


def test_lists_that_double_take_no_time():
    data = b"\x80\x04]q\x00" + b"".join(
        b"](" + b"h" + bytes([k]) + b"h" + bytes([k]) + b"eq" + bytes([k + 1]) for k in range(60)
    )
    found = read_pickle(data + b".", "a.npy")
    assert len(found) == 2


DAMAGED_STAT = {
    "a row outside": {"ypix": np.full(14, 20)},
    "a row before": {"ypix": np.full(14, -1)},
    "a column outside": {"xpix": np.full(14, 30)},
    "rows and columns of two lengths": {"ypix": np.arange(3)},
    "rows that are no whole numbers": {"ypix": np.full(14, 1.5)},
    "no pixels": {"ypix": np.zeros(0, int), "xpix": np.zeros(0, int), "lam": np.zeros(0)},
    "weights that are NaN": {"lam": np.full(14, np.nan)},
    "weights below 0": {"lam": np.full(14, -1.0)},
    "weights of 0": {"lam": np.zeros(14)},
    "weights that are text": {"lam": "abc"},
}


@pytest.mark.parametrize("parts", DAMAGED_STAT.values(), ids=DAMAGED_STAT)
def test_pixels_of_suite2p_must_be_pixels(folder, parts):
    stat = read_npy(folder / "stat.npy")
    stat[1] = {**stat[1], **parts}
    np.save(folder / "stat.npy", stat)
    refuses(folder)


FOLDER_DAMAGE = {
    "F of other ROIs": lambda f: np.save(f / "F.npy", np.zeros((4, 50), np.float32)),
    "F of one axis": lambda f: np.save(f / "F.npy", np.zeros(50, np.float32)),
    "F of text": lambda f: np.save(f / "F.npy", np.full((5, 50), "a")),
    "spikes of other frames": lambda f: np.save(f / "spks.npy", np.zeros((5, 49), np.float32)),
    "Fneu of other ROIs": lambda f: np.save(f / "Fneu.npy", np.zeros((6, 50), np.float32)),
    "iscell of other ROIs": lambda f: np.save(f / "iscell.npy", np.zeros((4, 2))),
    "F cut off": lambda f: (f / "F.npy").write_bytes((f / "F.npy").read_bytes()[:-100]),
    "F with more": lambda f: (f / "F.npy").write_bytes((f / "F.npy").read_bytes() + b"x"),
    "F empty": lambda f: (f / "F.npy").write_bytes(b""),
    "F missing": lambda f: (f / "F.npy").unlink(),
    "F of wrong magic": lambda f: (f / "F.npy").write_bytes(b"PK" + bytes(200)),
    "F is a folder": lambda f: ((f / "F.npy").unlink(), (f / "F.npy").mkdir()),
    "ops missing": lambda f: (f / "ops.npy").unlink(),
    "ops cut off": lambda f: (f / "ops.npy").write_bytes((f / "ops.npy").read_bytes()[:300]),
    "ops without a size": lambda f: np.save(f / "ops.npy", np.array({"Lx": 3}, object)),
    "ops with a size of text": lambda f: np.save(
        f / "ops.npy", np.array({"Lx": "3", "Ly": 2}, object)
    ),
    "ops of another frame": lambda f: np.save(
        f / "ops.npy", np.array({"Lx": 31, "Ly": 20}, object)
    ),
    "ops that are numbers": lambda f: np.save(f / "ops.npy", np.zeros(3)),
    "a rate of 0": lambda f: np.save(
        f / "ops.npy", np.array({"Lx": 30, "Ly": 20, "fs": 0}, object)
    ),
    "a rate that is NaN": lambda f: np.save(
        f / "ops.npy", np.array({"Lx": 30, "Ly": 20, "fs": np.nan}, object)
    ),
    "stat of numbers": lambda f: np.save(f / "stat.npy", np.zeros(5)),
    "stat without pixels": lambda f: np.save(f / "stat.npy", np.array([{}] * 5, object)),
    "stat of other ROIs": lambda f: np.save(f / "stat.npy", read_npy(f / "stat.npy")[:3]),
    "stat of none": lambda f: np.save(f / "stat.npy", np.array([], object)),
    "a header that is code": lambda f: (f / "F.npy").write_bytes(
        b"\x93NUMPY\x01\x00"
        + struct.pack("<H", 40)
        + b"__import__('os').system('x')".ljust(39)
        + b"\n"
    ),
}


@pytest.mark.parametrize("damage", FOLDER_DAMAGE.values(), ids=FOLDER_DAMAGE)
def test_a_damaged_folder_of_suite2p_is_refused(folder, damage):
    damage(folder)
    refuses(folder)


def replaced(file, name, value):
    if name in file:
        del file[name]
    if value is not None:
        file[name] = value


CAIMAN_DAMAGE = {
    "no components": ("estimates/A", None),
    "components that are no group": ("estimates/A", np.zeros((600, 5))),
    "no traces": ("estimates/C", None),
    "traces of other ROIs": ("estimates/C", np.zeros((4, 50))),
    "residuals of other frames": ("estimates/YrA", np.zeros((5, 49))),
    "spikes of other ROIs": ("estimates/S", np.zeros((6, 50))),
    "dF/F of other frames": ("estimates/F_dff", np.zeros((5, 51))),
    "components beyond": ("estimates/idx_components", np.array([0, 5])),
    "components below 0": ("estimates/idx_components", np.array([-1])),
    "components that are no whole numbers": ("estimates/idx_components", np.array([0.5])),
    "pixels beyond": ("estimates/A/indices", np.full(70, 600)),
    "pixels below 0": ("estimates/A/indices", np.full(70, -1)),
    "pixels that are no whole numbers": ("estimates/A/indices", np.full(70, 0.5)),
    "pointers that go back": ("estimates/A/indptr", np.array([0, 28, 14, 42, 56, 70])),
    "pointers beyond": ("estimates/A/indptr", np.array([0, 14, 28, 42, 56, 700])),
    "too few pointers": ("estimates/A/indptr", np.array([0, 70])),
    "weights that are NaN": ("estimates/A/data", np.full(70, np.nan)),
    "weights of text": ("estimates/A/data", np.full(70, b"a")),
    "no weights": ("estimates/A/data", None),
    "a shape of one number": ("estimates/A/shape", np.array([600])),
    "another shape": ("estimates/A/shape", np.array([601, 5])),
    "a background of another frame": ("estimates/b", np.zeros((599, 2))),
    "a background of other courses": ("estimates/f", np.zeros((3, 50))),
    "a rate of 0": ("params/data/fr", 0.0),
    "another frame": ("dims", np.array([30, 20])),
    "a frame of one axis": ("dims", np.array([600])),
}


@pytest.mark.parametrize(("name", "value"), CAIMAN_DAMAGE.values(), ids=CAIMAN_DAMAGE)
def test_a_damaged_file_of_caiman_is_refused(caiman, name, value):
    with h5py.File(caiman, "r+") as file:
        if name == "dims":
            del file["estimates/dims"], file["params/data/dims"]
        replaced(file, name, value)
    refuses(caiman)


@pytest.mark.parametrize("keep", [0, 10, 512, 2000, 0.5, 0.9])
def test_a_file_of_caiman_that_is_cut_off_is_refused(caiman, keep):
    data = caiman.read_bytes()
    caiman.write_bytes(data[: keep if isinstance(keep, int) else int(keep * len(data))])
    refuses(caiman)


def test_a_file_that_claims_terabytes_is_refused(caiman):
    with h5py.File(caiman, "r+") as file:
        del file["estimates/C"]
        file.create_dataset("estimates/C", (5, 10**12), np.float64, chunks=(1, 1000))
    assert "claims" in refuses(caiman)


def test_a_file_that_leads_to_another_file_is_not_followed(caiman, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(5 * 50 * 8))
    with h5py.File(caiman, "r+") as file:
        del file["estimates/C"]
        file.create_dataset("estimates/C", (5, 50), np.float64, external=str(secret))
    assert "another file" in refuses(caiman)


def test_groups_in_groups_end(tmp_path):
    path = tmp_path / "a.nwb"
    with h5py.File(path, "w") as file:
        group = file
        for _ in range(200):
            group = group.create_group("g")
        group["back"] = h5py.SoftLink("/")
        file["round"] = file["g"]  # a hard link: the tree has a circle
        group["again"] = file["g"]
    assert "one plane segmentation" in refuses(path)


def zipped(*entries, how=zipfile.ZIP_DEFLATED):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", how) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return data.getvalue()


def roi_bytes(**changes):
    roi = ImagejRoi(roitype=ROI_TYPE.RECT, top=2, left=3, bottom=6, right=9, name="a")
    for name, value in changes.items():
        setattr(roi, name, value)
    return roi.tobytes()


def with_count(count):
    points = ImagejRoi.frompoints(np.array([[1, 1], [5, 1], [5, 5]]), name="a").tobytes()
    return points[:16] + struct.pack(">H", count) + points[18:]


GOOD = roi_bytes()
ARCHIVES = {
    "empty": b"",
    "no archive": b"hello",
    "cut off": zipped(("a.roi", GOOD), ("b.roi", GOOD))[:-40],
    "no ROIs": zipped(("a.txt", b"x")),
    "only points": zipped(
        ("a.roi", ImagejRoi(roitype=ROI_TYPE.NOROI, name="a").tobytes()),
    ),
    "a path outside": zipped(("../../a.roi", GOOD)),
    "a path from the root": zipped(("/tmp/a.roi", GOOD)),
    "a path of Windows": zipped(("C:\\a.roi", GOOD)),
    "a path outside of Windows": zipped(("..\\a.roi", GOOD)),
    "an empty ROI": zipped(("a.roi", b"")),
    "wrong magic": zipped(("a.roi", b"Jout" + GOOD[4:])),
    "a ROI cut off": zipped(("a.roi", GOOD[:40])),
    "corners cut off": zipped(("a.roi", with_count(60_000))),
    "an unknown kind": zipped(("a.roi", GOOD[:6] + b"\x63" + GOOD[7:])),
    "outside the frame": zipped(("a.roi", roi_bytes(left=100, right=120))),
    "without an area": zipped(("a.roi", roi_bytes(right=3))),
    "a bomb": zipped(("a.roi", bytes(40_000_000))),
    "a path that is damaged": zipped(
        ("a.roi", roi_bytes(shape_roi_size=3, multi_coordinates=np.array([0, 1, np.nan], "f4")))
    ),
    "a path without a begin": zipped(
        ("a.roi", roi_bytes(shape_roi_size=3, multi_coordinates=np.array([1, 1, 1], "f4")))
    ),
    "a path of an unknown step": zipped(
        ("a.roi", roi_bytes(shape_roi_size=3, multi_coordinates=np.array([9, 1, 1], "f4")))
    ),
    "a path longer than the file": zipped(
        ("a.roi", GOOD[:36] + struct.pack(">i", 1_000_000) + GOOD[40:])
    ),
    "a damaged checksum": zipped(("a.roi", GOOD), how=zipfile.ZIP_STORED).replace(
        GOOD[8:20], b"x" * 12
    ),
}


@pytest.mark.parametrize("data", ARCHIVES.values(), ids=ARCHIVES)
def test_damaged_rois_of_imagej_are_refused(tmp_path, data):
    path = tmp_path / "deep" / "er" / "a.zip"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    refuses(path)
    assert {p.name for p in tmp_path.rglob("*")} == {"deep", "er", "a.zip"}


@pytest.mark.parametrize("keep", [0, 3, 64, 70])
def test_a_single_roi_that_is_cut_off_is_refused(tmp_path, keep):
    path = tmp_path / "a.roi"
    path.write_bytes(ImagejRoi.frompoints(np.array([[1, 1], [5, 1], [5, 5]])).tobytes()[:keep])
    refuses(path)


@pytest.mark.parametrize("name", ["batch.pickle", "a.pik", "root.dfr", "b.txt", "c"])
def test_what_is_no_file_of_rois_is_refused(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(HOSTILE["os.system"])
    refuses(path)


def test_results_beside_a_batch_are_named(tmp_path, caiman):
    (tmp_path / "1234").mkdir()
    caiman.rename(tmp_path / "1234" / "1234.hdf5")
    (tmp_path / "batch.pickle").write_bytes(b"x")
    assert "1234.hdf5" in refuses(tmp_path / "batch.pickle")


@pytest.mark.parametrize("shape", [(30, 20), (20, 31), (2, 20, 30)])
def test_rois_of_other_frames_are_refused(folder, caiman, shape):
    refuses(folder, shape)
    refuses(caiman, shape)


@pytest.fixture
def nwb(tmp_path):
    """A file of NWB."""
    write_nwb(recording(corrected=None), facts_from(FACTS), tmp_path / "a.nwb")
    return tmp_path / "a.nwb"


TABLE = "processing/ophys/ImageSegmentation/PlaneSegmentation"
RAW = "processing/ophys/Fluorescence/RoiResponseSeries"
NWB_DAMAGE = {
    "no table": (TABLE, None),
    "no masks": (f"{TABLE}/image_mask", None),
    "masks of another frame": (f"{TABLE}/image_mask", np.zeros((5, 31, 20))),
    "masks of one axis": (f"{TABLE}/image_mask", np.zeros(5)),
    "masks of NaN": (f"{TABLE}/image_mask", np.full((5, 30, 20), np.nan)),
    "masks below 0": (f"{TABLE}/image_mask", np.full((5, 30, 20), -1.0)),
    "masks of nothing": (f"{TABLE}/image_mask", np.zeros((5, 30, 20))),
    "masks of text": (f"{TABLE}/image_mask", np.full((5, 30, 20), b"a")),
    "traces of other ROIs": (f"{RAW}/data", np.zeros((50, 4))),
    "traces of one axis": (f"{RAW}/data", np.zeros(50)),
    "traces of other frames": (f"{RAW}/data", np.zeros((49, 5))),
    "no traces in their series": (f"{RAW}/data", None),
    "no raw traces": (RAW, None),
    "a series of no ROIs": (f"{RAW}/rois", None),
    "a rate of 0": (f"{RAW}/starting_time", None),
}


@pytest.mark.parametrize(("name", "value"), NWB_DAMAGE.values(), ids=NWB_DAMAGE)
def test_a_damaged_file_of_nwb_is_refused(nwb, name, value):
    with h5py.File(nwb, "r+") as file:
        if name.endswith("starting_time"):
            for series in file["processing/ophys/Fluorescence"].values():
                series["starting_time"].attrs["rate"] = 0.0
            file["processing/ophys/DfOverF/RoiResponseSeries/starting_time"].attrs["rate"] = 0.0
        else:
            replaced(file, name, value)
    refuses(nwb)


@pytest.mark.parametrize("keep", [0, 100, 3000, 0.5, 0.9])
def test_a_file_of_nwb_that_is_cut_off_is_refused(nwb, keep):
    data = nwb.read_bytes()
    nwb.write_bytes(data[: keep if isinstance(keep, int) else int(keep * len(data))])
    refuses(nwb)
