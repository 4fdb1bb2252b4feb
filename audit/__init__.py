"""Published comparisons, audited: what two pipelines share, which setups hold, and the verdict on the claim."""
