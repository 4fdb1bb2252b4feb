"""What the evidence can separate: tests, corrections, ranks, interim looks and power, over seeds and over tracks."""
