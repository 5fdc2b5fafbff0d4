"""The REST front door: how many calls it takes, and how long each waits."""
