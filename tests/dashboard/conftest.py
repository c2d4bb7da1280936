"""Make the app's folder importable, in a checkout and beside an installed wheel."""

from __future__ import annotations

import sys

from neuralsorter.plugins import folder

sys.path.insert(0, str(folder("dashboard").parent))
