"""Recordings in the formats of microscopes, written as the programs there write them."""

import json
import struct

import cv2
import h5py
import numpy as np
import scipy.io
import tifffile


def pattern(shape, dtype=np.uint16):
    """Different in every pixel, so that no swap of axes goes unseen."""
    return (np.arange(np.prod(shape)).reshape(shape) % 251 * 131 % 247).astype(dtype)


def ratio(value):
    return (
        {"num": value[0], "den": value[1]} if isinstance(value, tuple) else {"num": value, "den": 1}
    )


def isxd_footer(movie, **changes):
    """The footer that the vendor's library writes."""
    codes = {"uint16": 0, "float32": 1, "uint8": 2}
    footer = {
        "dataType": codes.get(str(movie.dtype), 9),
        "extraProperties": None,
        "fileVersion": 1,
        "hasFrameHeaderFooter": False,
        "producer": {"name": "isxcore", "version": [2, 0, 1]},
        "spacingInfo": {
            "numPixels": {"x": movie.shape[2], "y": movie.shape[1]},
            "pixelSize": {"x": ratio(3), "y": ratio((5, 2))},
            "topLeft": {"x": ratio(0), "y": ratio(0)},
        },
        "timingInfo": {
            "blank": [],
            "cropped": [],
            "dropped": [],
            "numTimes": len(movie),
            "period": ratio((50, 1000)),
            "start": {"secsSinceEpoch": ratio((1523469679000, 1000)), "utcOffset": -25200},
        },
        "type": 0,
    }
    for path, value in changes.items():
        *above, last = path.split("__")
        target = footer
        for key in above:
            target = target[key]
        target[last] = value
    return footer


def write_isxd(path, movie, *, stored=None, **changes):
    """Write a movie; ``stored`` are the frames that are in the file, by default all."""
    stored = movie if stored is None else stored
    text = json.dumps(isxd_footer(movie, **changes), indent=4).encode()
    path.write_bytes(
        np.ascontiguousarray(stored).tobytes() + text + b"\0" + struct.pack("<q", len(text))
    )


def codes(text):
    """Text as these files keep it."""
    return np.array([*map(ord, text), 0], np.int16)


def write_mesc(
    path, movie, *, channels=1, units=("MSession_0/MUnit_0",), compression=None, **changes
):
    """Write a movie into each unit, one more in each pixel of each further channel."""
    attributes = {
        "XDim": movie.shape[2],
        "YDim": movie.shape[1],
        "ZDim": movie.shape[0],
        "ZAxisConversionConversionLinearScale": 40.0,
        "ZAxisConversionUnitName": codes("ms"),
        "XAxisConversionConversionLinearScale": 1.5,
        "XAxisConversionUnitName": codes("µm"),
        "YAxisConversionConversionLinearScale": 2.0,
        "YAxisConversionUnitName": codes("µm"),
        "MeasurementDatePosix": 1506671580,
        "Comment": codes("spontaneous"),
        "Channel_0_Name": codes("UG"),
        "Channel_1_Name": codes("UR"),
        **{f"Channel_{n}_Conversion_ConversionLinearScale": 1.0 for n in range(channels)},
        **changes,
    }
    with h5py.File(path, "w") as file:
        for unit in units:
            group = file.create_group(unit)
            for key, value in attributes.items():
                if value is not None:
                    group.attrs[key] = value
            for n in range(channels):
                group.create_dataset(f"Channel_{n}", data=movie + n, compression=compression)


def write_nwb(path, movie, *, series="TwoPhotonSeries", names=("movie",), rate=20.0, **changes):
    """Write the groups of the standard that a movie needs: time, columns, rows, planes."""
    axes = (0, 2, 1) if movie.ndim == 3 else (0, 3, 2, 1)
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.8.0"
        file["session_start_time"] = changes.get("date", "2026-11-22T10:20:30+01:00")
        plane = file.create_group("general/optophysiology/plane")
        plane["grid_spacing"] = np.array([1.5e-6, 2e-6, 10e-6][: movie.ndim - 1])
        plane["grid_spacing"].attrs["unit"] = "meters"
        for name in names:
            group = file.create_group(f"acquisition/{name}")
            group.attrs["neurodata_type"] = series
            group["data"] = movie.transpose(axes)
            group["imaging_plane"] = h5py.SoftLink("/general/optophysiology/plane")
            if "timestamps" in changes:
                group["timestamps"] = changes["timestamps"]
            else:
                group["starting_time"] = 0.0
                group["starting_time"].attrs["rate"] = rate


def write_raw(path, movie, **changes):
    """Write pixels, and the side file that tells what they are."""
    side = {"shape": list(movie.shape), "dtype": movie.dtype.str, "rate_hz": 20, **changes}
    path.write_bytes(b"\1" * side.get("offset_bytes", 0) + np.ascontiguousarray(movie).tobytes())
    path.with_suffix(".json").write_text(json.dumps(side))


def write_suite2p(path, movie, **changes):
    """Write ``data.bin`` and the pickled settings beside it."""
    np.ascontiguousarray(movie, "<i2").tofile(path)
    ops = {
        "nframes": len(movie),
        "Ly": movie.shape[1],
        "Lx": np.int64(movie.shape[2]),
        "fs": 20.0,
        "meanImg": movie.mean(0),
        "data_path": ["somewhere"],
        **changes,
    }
    np.save(path.with_name("ops.npy"), {k: v for k, v in ops.items() if v is not None})


def scanimage_settings(rows, cols, **changes):
    """The settings that ScanImage writes, of a movie of one plane and channel."""
    x, y = cols, rows
    field_of_view = f"[-{x} -{y};{x} -{y};{x} {y};-{x} {y}]"
    settings = {
        "VERSION_MAJOR": "'2020'",
        "hChannels.channelName": "{'green' 'red' 'Channel 3'}",
        "hChannels.channelSave": "1",
        "hFastZ.enable": "false",
        "hRoiManager.imagingFovUm": field_of_view,
        "hRoiManager.linesPerFrame": str(rows),
        "hRoiManager.pixelsPerLine": str(cols),
        "hRoiManager.scanFrameRate": "30",
        "hRoiManager.scanVolumeRate": "5",
        "hScan2D.logAverageFactor": "1",
        "hStackManager.actualNumSlices": "3",
        "hStackManager.actualStackZStepSize": "-10",
        "hStackManager.enable": "false",
        "hStackManager.framesPerSlice": "Inf",
        "hStackManager.numFramesPerVolume": "3",
        "hStackManager.numFramesPerVolumeWithFlyback": "5",
        "hStackManager.numSlices": "11",
        **changes,
    }
    return "\n".join(f"SI.{key} = {value}" for key, value in settings.items())


def write_scanimage(path, movie, *, first=1, settings=None, compression=None, **changes):
    """Write pages in their order, each with its number and the begin of the recording."""
    text = settings or scanimage_settings(*movie.shape[-2:], **changes)
    with tifffile.TiffWriter(path, bigtiff=True) as tif:
        for number, page in enumerate(movie.reshape(-1, *movie.shape[-2:]), first):
            described = f"frameNumbers = {number}\nepoch = [2026 11 22 10 20 30.250]\n"
            tif.write(
                page,
                software=text,
                description=described,
                metadata=None,
                photometric="minisblack",
                contiguous=False,
                compression=compression,
            )


def write_video(path, movie, *, codec="FFV1", rate=20.0):
    """Write a grey video with OpenCV's FFmpeg."""
    depth = cv2.CV_16U if movie.dtype.itemsize == 2 else cv2.CV_8U
    options = [cv2.VIDEOWRITER_PROP_IS_COLOR, 0, cv2.VIDEOWRITER_PROP_DEPTH, depth]
    size = movie.shape[2], movie.shape[1]
    kind = cv2.VideoWriter_fourcc(*codec)
    video = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, kind, rate, size, options)
    for frame in movie:
        video.write(frame)
    video.release()


MES_STEPS = {
    "AUXo3": ([0, 400, 900, 1500], [0.0, 5.0, 0.02, 2.5]),
    "Trig": ([100], [3.3]),
}


def mes_settings(movie, *, first_line=3, frame_ms=50.0, steps=MES_STEPS, **changes):
    """The settings of an image, whose first frame starts 100 ms after the first sample."""
    folded = {
        "firstFramePos": first_line,
        "TransversePixNum": movie.shape[1],
        "frameTimeLength": frame_ms,
        "firstFrameStartTime": 100.0,
        **changes,
    }
    auxiliary = {
        name: {"y": np.array(values, float), "x": np.array([0.0, 1.0])}
        for name, values in steps.items()
    }
    return {
        "FoldedFrameInfo": {key: value for key, value in folded.items() if value is not None},
        "MeasurementDate": "2026.11.22. 10:20:30,5",
        "Comment": "a fish",
        **auxiliary,
    }


def mes_lines(movie, *, first_line=3, tail=2):
    """The lines of a scan beside each other: ``(n_cols, n_lines)``, with more at both ends."""
    lines = movie.reshape(-1, movie.shape[2])
    pad = [np.full((n, movie.shape[2]), 1, movie.dtype) for n in (first_line, tail)]
    return np.concatenate([pad[0], lines, pad[1]]).T


def struct_array(structs):
    """Several structs as one variable."""
    array = np.zeros((1, len(structs)), dtype=[(name, "O") for name in structs[0]])
    for place, values in enumerate(structs):
        for name, value in values.items():
            array[0, place][name] = value
    return array


def write_mes(path, movie, *, channels=1, names=("IF0001",), packed=True, **changes):
    """Write recordings with SciPy, one more in each pixel of each further channel."""
    variables = {}
    for name in names:
        settings = [
            {**mes_settings(movie, **changes), "Channel": f"PMT{n}"} for n in range(channels)
        ]
        variables["D" + name[1:]] = struct_array(settings)
        for n in range(channels):
            variables[f"{name}_{n + 1:04d}"] = mes_lines(movie) + movie.dtype.type(n)
    scipy.io.savemat(path, variables, appendmat=False, do_compression=packed)


def write_mes_73(path, movie, *, channels=1, **changes):
    """Write a recording as MATLAB 7.3 does: HDF5 behind a header, axes reversed, references."""
    structs = [{**mes_settings(movie, **changes), "Channel": f"PMT{n}"} for n in range(channels)]
    with h5py.File(path, "w", userblock_size=512) as file:
        for n in range(channels):
            file[f"IF0001_{n + 1:04d}"] = (mes_lines(movie) + movie.dtype.type(n)).T
        group = file.create_group("DF0001")
        group.attrs["MATLAB_class"] = np.bytes_("struct")
        for key in structs[0]:
            references = [_put_73(file, f"#refs#/{key}{n}", s[key]) for n, s in enumerate(structs)]
            group.create_dataset(key, data=np.array([references], dtype=h5py.ref_dtype).T)
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM")


def _put_73(file, place, value):
    if isinstance(value, dict):
        group = file.create_group(place)
        group.attrs["MATLAB_class"] = np.bytes_("struct")
        for key, inner in value.items():
            _put_73(file, f"{place}/{key}", inner)
        return group.ref
    is_text = isinstance(value, str)
    codes_ = np.array([list(map(ord, value))], np.uint16) if is_text else np.atleast_2d(value)
    file[place] = codes_.T
    file[place].attrs["MATLAB_class"] = np.bytes_("char" if is_text else "double")
    return file[place].ref
