"""A floor in virtual time: the live engine, with callers and agents out of random numbers or of a recorded day."""
