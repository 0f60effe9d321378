"""Figures on held-out subjects, and the audit of finished results."""
