"""LIST and WATCH: selectors, pages, conversion between API versions, and watch events."""
