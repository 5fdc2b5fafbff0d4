"""The served resources, built-in or defined by CRDs, and their discovery and OpenAPI documents."""
