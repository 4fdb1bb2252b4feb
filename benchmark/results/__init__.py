"""Results at home: the store, MLflow, and whether two runs gave the same bits."""
