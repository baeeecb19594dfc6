"""The face of each family in the model language: names, keywords, roles and support.

It is the family's own record, read under the names that the parser and the resolver use for it; nothing is
stated twice.
"""

from __future__ import annotations

from deriver.families import FAMILIES as SIGNATURES
from deriver.families import by_surface, surface_names
from deriver.families import family as signature
from deriver.families.record import Family as Signature
from deriver.families.record import Parametrisation as SignatureForm

__all__ = ["SIGNATURES", "Signature", "SignatureForm", "by_surface", "signature", "surface_names"]
