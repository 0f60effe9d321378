"""A film and its scores side by side: one page to look through, or another film."""
