"""The records of a board and what lies beside them: packed, read, refused by name, invalidated."""
