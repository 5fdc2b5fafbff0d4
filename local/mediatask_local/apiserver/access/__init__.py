"""Authentication and authorization: credentials, tokens and permissions."""
