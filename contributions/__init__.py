"""What comes to a board: contributions made, reviewed, run again; whole boards verified."""
