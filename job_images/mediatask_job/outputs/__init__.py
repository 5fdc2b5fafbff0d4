"""What leaves the pod with a result: files with their origin in them, facts for the metadata, and the upload."""
