"""Many trials: a submission with its controls, grids and crossings; processes, homes and MLflow."""
