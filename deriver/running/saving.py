"""Saving draws so that a run is never lost.

Part of stage run.  The place is tried before sampling; a file is written beside it and moved into place; if that
fails, the draws go to another folder and the user is told where.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deriver.errors import Mistake, UsageError

if TYPE_CHECKING:
    from deriver.running.groups import Groups


def check_output(path: Path, overwrite: bool) -> None:
    """Raise ``UsageError`` if a file cannot be written there, or is there and must not be replaced."""
    mistakes = []
    if path.exists() and not overwrite:
        mistakes.append(
            Mistake(
                code="exists", found=f"{path} exists already",
                remedy="delete it, choose another name with -o FILE, or use the --overwrite option",
            )
        )  # fmt: skip
    elif path.is_dir():
        mistakes.append(Mistake(code="folder", found=f"{path} is a folder", expected="the name of a file"))
    elif not path.parent.is_dir():
        mistakes.append(
            Mistake(code="no-folder", found=f"there is no folder {path.parent}", remedy="make it first")
        )
    elif not os.access(path.parent, os.W_OK):
        mistakes.append(Mistake(code="not-writable", found=f"the folder {path.parent} cannot be written to"))
    if mistakes:
        raise UsageError(mistakes)


def check_plot(path: Path, overwrite: bool) -> None:
    """Raise ``UsageError`` if a plot cannot be written there, or its file's ending names no format of matplotlib."""
    from matplotlib.backend_bases import FigureCanvasBase

    check_output(path, overwrite)
    if path.suffix.lower().lstrip(".") not in FigureCanvasBase.get_supported_filetypes():
        found = f"no plot can be written as {path.name}"
        expected = "a name that ends in .png, .pdf or .svg"
        raise UsageError([Mistake(code="plot-format", found=found, expected=expected)])


def write_text(path: Path, text: str, overwrite: bool = False) -> None:
    """Write a text file, whole or not at all."""
    check_output(path, overwrite)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        _place(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _place(name: str, path: Path) -> None:
    """Move a finished file into place, with the permissions that a new file has."""
    mask = os.umask(0)
    os.umask(mask)
    os.chmod(name, 0o666 & ~mask)
    os.replace(name, path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """Where the draws are; ``trouble`` tells why they are not where they were asked for."""

    path: Path
    trouble: str = ""


def save_groups(groups: Groups, path: Path, *, overwrite: bool = False) -> Saved:
    """Save as NetCDF; where that fails, save elsewhere and tell why."""
    check_output(path, overwrite)
    try:
        return Saved(path=_save(groups, path))
    except Exception as error:  # noqa: BLE001  whatever went wrong, the draws must reach a disk
        return Saved(path=_save_elsewhere(groups, path), trouble=f"{path} could not be written: {error}")


def _save(groups: Groups, path: Path) -> Path:
    from deriver.running.netcdf import write_groups

    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=".nc")
    os.close(handle)
    try:
        write_groups(groups, Path(name))
        _place(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path


def _save_elsewhere(groups: Groups, path: Path) -> Path:
    from deriver.running.netcdf import write_groups

    folder = Path(tempfile.mkdtemp(prefix="deriver-draws-"))
    fallback = folder / path.name
    try:
        write_groups(groups, fallback)
        return fallback
    except Exception:  # noqa: BLE001  not even there
        import numpy as np

        fallback = folder / (path.stem + ".npz")
        drawn = groups["posterior"].variables
        np.savez(fallback, **{name: variable.array for name, variable in drawn.items()})  # type: ignore[arg-type]
        return fallback
