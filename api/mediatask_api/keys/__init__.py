"""API keys, as callers with the scope `keys:admin` manage them."""
