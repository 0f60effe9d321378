"""Who is in the data for training: pictures merged, people dealt into folds, rows chosen."""
