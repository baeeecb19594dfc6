"""Stage verification: samplers held against the model statement that they come from."""

from __future__ import annotations
