"""Where submitted code runs: a child process, its barriers, and the narrow view it gets."""
