"""A comparison document: how it is read, and its JSON Schema."""
