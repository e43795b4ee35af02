"""What a job does: fetch, stage, build, capture, check out."""
