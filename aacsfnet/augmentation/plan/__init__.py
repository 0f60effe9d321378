"""How many pictures to make of which frame."""
