"""The command line, a group of commands a file; what they print, and what they ask for."""
