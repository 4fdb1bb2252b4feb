"""The methods that ship with Prunemark, by the name they have on a leaderboard."""

METHODS: dict[str, str] = {
    "L1-norm": "prunemark.baselines.l1_norm:L1Norm",
    "Magnitude": "prunemark.baselines.magnitude:Magnitude",
    "Random": "prunemark.baselines.random_filters:RandomFilters",
    "Random-weights": "prunemark.baselines.random_weights:RandomWeights",
}
