"""The methods that ship with Prunemark, by the name they have on a leaderboard."""

METHODS: dict[str, str] = {
    "FPGM": "prunemark.baselines.geometric_median:GeometricMedian",
    "L1-norm": "prunemark.baselines.l1_norm:L1Norm",
    "L2-norm": "prunemark.baselines.l2_norm:L2Norm",
    "Magnitude": "prunemark.baselines.magnitude:Magnitude",
    "Magnitude-layerwise": "prunemark.baselines.magnitude:LayerwiseMagnitude",
    "Random": "prunemark.baselines.random_filters:RandomFilters",
    "Random-weights": "prunemark.baselines.random_weights:RandomWeights",
}
