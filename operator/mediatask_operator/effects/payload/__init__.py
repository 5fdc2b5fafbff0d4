"""Completed media as documents of a PayloadCMS collection: the effect, the REST client, the fields of a document."""
