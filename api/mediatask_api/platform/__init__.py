"""The service itself: health, workers, metrics, its own file store."""
