"""The compiled backend: the same plan as scalar loops for Numba, still one readable Python file.

Input: a derivation, its plan and the sizes that are known.  Output: the source of a module with the same interface
as the NumPy backend's.  ``body`` holds the scopes of a function while it is written, ``indices`` the loops and the
positions in arrays, ``scalars`` the text of expressions component by component, ``unrolled`` small linear algebra;
``draws``, ``walks`` and ``newton`` write the update of a node by its method.
"""

from deriver.emission.compiled.functions import side_names
from deriver.emission.compiled.module import emit_compiled

__all__ = ["emit_compiled", "side_names"]
