"""Why a node is not conjugate, and what would mend it: changed models that were derived anew before they are offered.

``explain`` searches a table of rewrites of the model (``search.REWRITES``), none of which knows a model by name;
``render`` shows what it found.  ``augment`` makes those rewrites that add variables beside responses, for a whole model.
"""

from deriver.remedies.auxiliary import Augmented, augment
from deriver.remedies.records import Explanation, Remedy, Step
from deriver.remedies.render import remedy_of, render
from deriver.remedies.search import explain

__all__ = ["Augmented", "Explanation", "Remedy", "Step", "augment", "explain", "remedy_of", "render"]
