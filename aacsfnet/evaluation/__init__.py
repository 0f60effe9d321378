"""Figures on held-out subjects, and the page that shows them."""
