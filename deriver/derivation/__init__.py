"""From a model to the full conditional of each of its nodes."""
