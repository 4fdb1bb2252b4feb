"""The referee: descriptions of pipelines to the setups that hold and a verdict."""
