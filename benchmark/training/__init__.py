"""The harness's own training: the loop, named random streams, portable arithmetic."""
