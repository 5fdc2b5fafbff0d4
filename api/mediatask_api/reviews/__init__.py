"""Reviews: media that is held, and what reviewers decide about it."""
