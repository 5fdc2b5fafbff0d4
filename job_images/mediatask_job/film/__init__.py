"""Films: camera moves over stills, light, cross-fades, frames of a video model, and the MP4 with its sound."""
