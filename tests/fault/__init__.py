"""What happens when something goes wrong: killed, interrupted, disk full, files damaged."""
