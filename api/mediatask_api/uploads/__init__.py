"""Files of callers, and references to files that the platform keeps."""
