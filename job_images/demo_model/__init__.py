"""Training side of the demo text-to-image model: draws its own scenes, trains, judges. Jobs never import it."""
