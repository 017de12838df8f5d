"""Text tools that several stages share: folding, language, tokens, ranking."""
