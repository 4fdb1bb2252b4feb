"""One trial: its plan and keys, its four stages, and the process that submitted code runs in."""
