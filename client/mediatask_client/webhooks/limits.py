"""How much a receiver reads before it knows who speaks."""

MOST_BYTES = 1024 * 1024
"""Of a webhook's body: metadata has 16 KiB, and a result a few more."""
