"""The verbs, by subject. Each imports what is heavy for itself."""
