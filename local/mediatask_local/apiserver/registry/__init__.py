"""The kinds that are served: built-in ones, those of CustomResourceDefinitions, and what clients are told of them."""
