"""The BUGS language of JAGS and OpenBUGS: read with its data, and written.

``translate`` makes a model of ours of a program and its data; ``read_arrays`` reads data and inits as JSON or in R's
notation; ``to_jags`` and ``to_stan`` write a model of ours for those systems.
"""
