"""The OpenAPI document: what routes say of themselves, examples, and what would break clients."""
