"""Mutation testing of the modules whose mistakes cost most: small changes of their code, each of which a test has to
notice. `make mutants` runs it; `python -m mutants --help` says how to run a part."""
