"""The audit of anybody's predictions: a file in, its figures and what is wrong with it out."""
