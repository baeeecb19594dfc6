"""Groups of named arrays written as NetCDF, in the layout that ``arviz.from_netcdf`` reads.

Part of stage run.  h5netcdf alone is imported: xarray and ArviZ, several times as much to load, are not needed to write.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from deriver.running.groups import Group, Groups

# Numbers are written some at a time, so that a large array is never copied whole.
PART = 2**22


def write_groups(groups: Groups, path: Path) -> None:
    """Write the groups to a new file."""
    import h5netcdf

    with h5netcdf.File(str(path), "w") as file:
        for name, group in groups.items():
            _write_group(file.create_group(name), group)


def _write_group(place: Any, group: Group) -> None:
    place.dimensions = group.sizes()
    for name, number in group.attributes.items():
        place.attrs[name] = number
    for dim, labels in group.coordinates().items():
        _write_array(place, dim, (dim,), labels)
    for name, variable in group.variables.items():
        _write_array(place, name, variable.dims, variable.array)


def _write_array(place: Any, name: str, dims: tuple[str, ...], array: np.ndarray) -> None:
    if array.dtype.kind in "UO":
        import h5py

        array = np.asarray(array, dtype=object)
        place.create_variable(name, dims, dtype=h5py.string_dtype(), data=array)
    elif array.dtype.kind == "b":  # NetCDF has no truth values: this is how xarray marks them
        place.create_variable(name, dims, data=array.astype("i1")).attrs["dtype"] = "bool"
    elif array.size <= PART or not dims:
        place.create_variable(name, dims, data=np.ascontiguousarray(array))
    else:
        _write_in_parts(place.create_variable(name, dims, dtype=array.dtype), array)


def _write_in_parts(variable: Any, array: np.ndarray) -> None:
    """Write along the first two axes (chain and draw, in a posterior) some rows at a time."""
    for first in range(len(array)):
        rows = array[first]
        if not rows.ndim or rows.size <= PART:
            variable[first] = rows
            continue
        step = max(PART // max(rows[0].size, 1), 1)
        for begin in range(0, len(rows), step):
            variable[first, begin : begin + step] = rows[begin : begin + step]
