"""Published models with published or exact posteriors, stated in the model language."""
