"""The board as a static site: pages, figures and every record, for a reader with a browser and nothing else."""
