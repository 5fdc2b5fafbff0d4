"""The networks of the model, each with its training."""
