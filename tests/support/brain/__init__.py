"""A Brain as the platform describes it: a real MCP server with a real knowledge store, on loopback."""
