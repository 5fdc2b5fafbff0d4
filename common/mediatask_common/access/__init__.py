"""Who may do what: scopes, roles, and API keys as they are stored. Shared by the API, the CLI and the local mode."""
