"""CEL rules of custom resources."""
