"""The verbs for Python: what `prunemark.submit`, `.results`, `.leaderboard`, `.audit` and `.debug` are."""
