"""What was run: records, sources, decisions, packs. Below everything that makes or reads them; no torch."""
