"""What the evidence can separate: tests, corrections, ranks and power, over seeds and over tracks."""
