"""A table of results is read: its cells, what its columns mean, and the comparisons that it makes."""
