"""Datasets: where their images lie, how they are split, augmented and streamed."""
