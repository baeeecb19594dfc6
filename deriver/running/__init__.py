"""Stage run: data and a model's emitted sampler in, draws with names and labels out."""
