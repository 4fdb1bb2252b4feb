"""What work was done: training, the products inside submitted code, time and memory of the final model."""
