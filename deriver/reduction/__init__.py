"""Stage reduction: a Parquet data set larger than memory, to the statistics of it that a sampler needs, in one pass.

Input: a ``Derivation``, its ``Plan``, files and the options of a run.  Output: a ``Binding`` and the statistics, for the
sampler that ``emission`` writes with ``reduced=True``.

1. ``recipe`` finds from the plan which sums of products and least-squares fits of rows the sampler reads, and refuses,
   in words and before anything is read, a model of which a node needs each row at every sweep.
2. ``plan`` finds which columns are read; ``rows`` turns a batch of them into numbers and a group for each row
   (``labels``); ``--map`` designs are evaluated batch by batch.
3. ``moments`` adds the rows to the first and second moments of their group, about the group's own first row, in twice
   the working precision: all that the recipe asks for follows from them.  Moments of different pieces of the data add
   up, so pieces may be read by the workers of a cluster and merged by a tree (``scan``).
4. ``assemble`` takes sums and fits from the moments (``solve``), and binds sizes, labels and values to the model.

``run`` decides whether rows are reduced at all.
"""
