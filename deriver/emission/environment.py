"""The Jinja environment: where templates stand, and strict about names."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from deriver.emission.views import ModuleView
from deriver.errors import InternalError


def template_folders(own: str | Path | None = None) -> list[Path]:
    """Return the folders searched for templates: the user's, then the wheel's or the checkout's."""
    package = Path(__file__).resolve().parent.parent
    folders = [Path(own)] if own is not None else []
    folders += [folder for folder in (package / "templates", package.parent / "templates") if folder.is_dir()]
    if not folders:
        raise InternalError("the templates are not installed")
    return folders


def make_environment(own: str | Path | None = None) -> Environment:
    """Return the environment in which the module is rendered."""
    return Environment(
        loader=FileSystemLoader([str(folder) for folder in template_folders(own)]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


def render_module(view: ModuleView, own: str | Path | None = None) -> str:
    """Return the text of an emitted module."""
    template = make_environment(own).get_template("numpy/module.py.jinja")
    values = {field.name: getattr(view, field.name) for field in fields(view)}
    return template.render(values).rstrip() + "\n"
