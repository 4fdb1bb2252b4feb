"""Criteria that other libraries ship, run from their own code."""
