"""A verdict as text and pages."""
