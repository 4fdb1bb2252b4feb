"""The verdicts: records to statistics, ranking and page."""
