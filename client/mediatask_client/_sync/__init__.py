# Generated from `_async` by `make client`.
"""The client, in parts by subject."""
