"""Tasks for agents: an MCP server at `/mcp`, over the same services, credentials and limits as REST."""
