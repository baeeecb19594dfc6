"""The BUGS language of JAGS and OpenBUGS: read with its data, and written.

``translate`` makes a model of ours of a program and its data; ``read_arrays`` reads data and inits as JSON or in R's
notation; ``to_jags`` and ``to_stan`` write a model of ours for those systems.
"""

from deriver.bugs.command import job_of, name_back, read_program, write_data
from deriver.bugs.data import read_arrays
from deriver.bugs.starts import starts_of
from deriver.bugs.to_jags import to_jags
from deriver.bugs.to_stan import to_stan
from deriver.bugs.translate import Translation, translate

__all__ = [
    "Translation",
    "job_of",
    "name_back",
    "read_arrays",
    "read_program",
    "starts_of",
    "to_jags",
    "to_stan",
    "translate",
    "write_data",
]
