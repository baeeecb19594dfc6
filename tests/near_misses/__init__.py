"""Valid models in which a node looks conjugate and is not, or only in a narrower sense; with controls that are."""
