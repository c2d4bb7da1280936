"""Analyses of the events on screen: one script per file, each `run(spikes, ...)`. Add your own here."""

from __future__ import annotations
