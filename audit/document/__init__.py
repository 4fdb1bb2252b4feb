"""Reading a comparison document."""
