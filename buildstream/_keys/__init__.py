"""Cache keys from resolved elements; no files, no clock."""
