"""Values that every other package uses: digests, messages, element states.  No files, no clock."""
