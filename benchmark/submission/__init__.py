"""A method's source found, described and carried, without being run in this process."""
