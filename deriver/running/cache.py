"""What is kept from one run to the next: emitted sources that passed their check, and compiled code.

Part of stage run.  A source is found again by a digest of all that it depends on: the model, the options of emission,
the sizes and settings that choose the backend, the templates, every file of this package and the installed SymPy.  It
is put there only when the density-ratio check has passed.  A file that is damaged, or of another form, counts as none;
a file is written beside its place and moved, so that runs at the same time do not disturb each other.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deriver.model.records import Model
from deriver.running.sampling import Settings

KEPT = 100
_FILE = "source.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The backend, why it was chosen, and the source; ``added`` tells, by lines, of auxiliary variables that it draws."""

    backend: str
    reason: str
    source: str
    added: str = ""


def cache_folder() -> Path:
    """Return the folder of the cache: ``DERIVER_CACHE``, or the user's cache."""
    own = os.environ.get("DERIVER_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "deriver"


def make_entry(key: str) -> Path:
    """Return the folder of a key, used now; raise ``OSError`` where the cache cannot be written."""
    folder = cache_folder() / key
    folder.mkdir(parents=True, exist_ok=True)
    os.utime(folder)
    _forget_old(folder.parent)
    return folder


def _forget_old(cache: Path) -> None:
    """Remove all but the entries used last; one that another run removes meanwhile is gone already."""
    found = []
    for folder in cache.iterdir():
        try:
            if folder.is_dir():
                found.append((folder.stat().st_mtime, folder))
        except OSError:
            continue
    for _, folder in sorted(found, reverse=True)[KEPT:]:
        shutil.rmtree(folder, ignore_errors=True)


def choice_key(
    model: Model, arrays: Mapping[str, np.ndarray], settings: Settings, *, backend: str,
    methods: Mapping[str, str] | None, blocks: str, templates: str | Path | None, reduced: bool = False,
    augment: Sequence[str] = ("off",),
) -> str:  # fmt: skip
    """Return the digest of all that the choice of a source depends on.

    Of the data these are the dimensions p, and, where the backend is to be chosen, the sizes of all arrays; never a
    value.  ``reduced`` is for a sampler that is given statistics of the rows; ``augment`` tells whether and beside which
    responses auxiliary variables may stand.
    """
    sizes = {name: np.shape(array) for name, array in arrays.items()}
    dimensions = {given.name for given in model.givens if given.origin != "given" and not given.indices}
    numbers = {name: int(np.asarray(arrays[name])) for name in sorted(dimensions & set(arrays))}
    lengths = (settings.chains, settings.warmup, settings.draws, settings.thin)
    predicted = repr((lengths, sorted(sizes.items()))) if backend == "auto" else ""
    extra = (
        backend,
        predicted,
        repr(numbers),
        _digest_of_templates(templates),
        repr(reduced),
        repr(tuple(augment)),
    )
    return model_key("choice", model, methods, blocks, *extra)


def model_key(kind: str, model: Model, methods: Mapping[str, str] | None, blocks: str, *extra: str) -> str:
    """Return the digest of what the plan of a model depends on, and of the ``extra`` that something else does."""
    own = (
        repr(model),
        repr(sorted((methods or {}).items())),
        blocks,
        _digest_of_package(),
        _installed_sympy(),
    )
    return f"{kind}-" + _digest(part.encode("utf-8") for part in (*own, *extra))[:32]


def recall_choice(key: str) -> Choice | None:
    """Return the choice kept under a key, or None where there is none that is whole."""
    try:
        kept = recall(key)
        return None if kept is None else Choice(**kept)
    except TypeError:
        return None


def keep_choice(key: str, choice: Choice) -> None:
    """Keep a choice whose source passed its check; where the cache cannot be written, go on without."""
    keep(key, asdict(choice))


def recall(key: str) -> Any:
    """Return what JSON holds under a key, or None where there is none that is whole."""
    try:
        kept = json.loads((cache_folder() / key / _FILE).read_text(encoding="utf-8"))
        return kept["kept"] if kept["digest"] == _digest_of(kept["kept"]) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(key: str, value: Any) -> None:
    """Keep what JSON can hold; where the cache cannot be written, go on without."""
    try:
        folder = make_entry(key)
        handle, name = tempfile.mkstemp(dir=folder, suffix=".part")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"kept": value, "digest": _digest_of(value)}, file)
        os.replace(name, folder / _FILE)
    except OSError:
        pass


def _digest(parts: Iterable[bytes]) -> str:
    """Return a digest in which no two lists of parts can be mistaken for each other."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()


def _digest_of(value: Any) -> str:
    return _digest([json.dumps(value, sort_keys=True).encode("utf-8")])


@functools.cache
def _digest_of_package() -> str:
    package = Path(__file__).resolve().parents[1]
    folders = (package, package.parent / "templates")
    return _digest(_contents(path for folder in folders for path in _files_of(folder)))


def _digest_of_templates(folder: str | Path | None) -> str:
    return "" if folder is None else _digest(_contents(_files_of(Path(folder))))


def _files_of(folder: Path) -> list[Path]:
    return sorted(path for kind in ("*.py", "*.jinja") for path in folder.rglob(kind))


def _contents(paths: Iterable[Path]) -> Iterable[bytes]:
    for path in paths:
        yield str(path).encode("utf-8", "surrogateescape")
        yield path.read_bytes()


def _installed_sympy() -> str:
    """Return what tells one installation of SymPy from another, without importing it."""
    spec = importlib.util.find_spec("sympy")
    if spec is None or spec.origin is None:
        return ""
    release = Path(spec.origin).with_name("release.py")
    facts = Path(spec.origin).stat()
    text = release.read_text(encoding="utf-8") if release.is_file() else ""
    return f"{spec.origin} {facts.st_mtime_ns} {facts.st_size} {text}"
