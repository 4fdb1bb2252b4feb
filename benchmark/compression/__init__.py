"""From scores to a smaller network: what hangs together, which target is met, and the cut itself."""
