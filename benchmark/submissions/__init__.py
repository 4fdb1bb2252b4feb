"""Submitted methods as source: found, described and listed without being run."""
