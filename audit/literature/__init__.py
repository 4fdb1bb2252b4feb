"""The published results that ship, and tables and runs of others."""
