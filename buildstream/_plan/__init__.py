"""What is needed, why, and in what order; no files, no clock."""
