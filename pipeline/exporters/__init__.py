"""Files of other programs, and of the standard in which recordings are published."""
