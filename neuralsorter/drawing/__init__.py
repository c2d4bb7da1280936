"""Counts of every waveform per pixel, and which waveforms a region meets: the kernels behind `density` and `pick`."""
