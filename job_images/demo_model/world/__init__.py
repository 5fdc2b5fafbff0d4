"""The drawn world that the model learns: scenes, their captions, and how they are drawn."""
