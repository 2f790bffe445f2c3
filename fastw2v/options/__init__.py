"""What options mean: their checks, their names as they are typed, and other programs' names for them."""
