"""The audit as a form in a browser: twelve questions, the document they make, and what it runs on there."""
