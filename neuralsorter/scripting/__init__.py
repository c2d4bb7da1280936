"""User scripts: found, run in processes of their own within limits, and their results brought back."""
