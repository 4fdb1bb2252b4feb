"""From two pipelines to a verdict."""
