"""What a project has used."""
