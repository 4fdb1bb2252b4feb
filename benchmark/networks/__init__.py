"""The networks that tracks name, and what they cost."""
