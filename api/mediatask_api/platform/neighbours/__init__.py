"""The services around this one: which there are, and whether they answer."""
