"""Tasks, as callers submit, read, cancel and retry them."""
