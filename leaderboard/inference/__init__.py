"""What the evidence can separate: tests, corrections, ranks, looks and power, over seeds and over tracks."""
