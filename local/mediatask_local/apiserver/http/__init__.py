"""HTTP: paths, query parameters, bodies and responses."""
