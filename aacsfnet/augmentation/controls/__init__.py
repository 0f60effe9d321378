"""What steers generation besides words: depth maps and a drawing of the landmarks."""
