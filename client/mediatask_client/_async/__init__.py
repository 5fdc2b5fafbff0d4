"""The client, in parts by subject."""
