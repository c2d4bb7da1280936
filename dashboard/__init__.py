"""The page: `panel serve dashboard` opens main.py."""
