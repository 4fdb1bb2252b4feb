"""What leaves a home and what comes to a board: contributions, their examination, exported models."""
