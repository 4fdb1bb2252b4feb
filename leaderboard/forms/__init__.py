"""One board in many forms: words, plain rows, Markdown, LaTeX, a citation."""
