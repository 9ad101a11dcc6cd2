"""ROIs and traces that other programs found, from their files; nothing in a file is executed."""
