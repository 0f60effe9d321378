"""Which pictures to make, and the words for each."""
