"""OpenAPI v3 schemas: validation, defaults, pruning, and how lists and maps merge."""
