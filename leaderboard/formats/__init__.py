"""A board as text, LaTeX and data."""
