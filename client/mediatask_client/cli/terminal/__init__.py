"""What people and programs see: results, progress, media."""
