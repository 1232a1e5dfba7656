"""What SEARCH's extensions add to the random generator."""
KEYS = ["OLDER 86400", "YOUNGER 3600", "NOT OLDER 100000000"]
