"""What the templates see: frozen records that hold text alone."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordView:
    """A dataclass of the emitted module: its fields with their comments."""

    name: str
    summary: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionView:
    """A function of the emitted module, line by line."""

    signature: tuple[str, ...]
    docstring: tuple[str, ...]
    body: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleView:
    """The whole emitted module; ``helpers`` are the template files of the helper functions it uses.

    ``block`` is the key of the block among the steps, ``collapse`` whether it is used unless the caller says otherwise
    ("off" where there is none), ``threshold`` the effective draws a sweep below which it pays, ``linked`` names the
    nodes of one that draws linked nodes together.  ``partly`` are the nodes of which some elements are observed, each
    with the array that holds these.  ``lost`` tells whether a chain may not come to values of positive density.
    """

    docstring: str
    imports: tuple[str, ...]
    records: tuple[RecordView, ...]
    functions: tuple[FunctionView, ...]
    helpers: tuple[str, ...]
    rates: bool
    tuned: bool
    collapse: str = "off"
    block: str = ""
    threshold: str = ""
    partly: tuple[tuple[str, str], ...] = ()
    linked: str = ""
    lost: bool = False
