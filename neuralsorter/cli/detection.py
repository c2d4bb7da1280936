"""detect: events of a continuous recording."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from .inputs import require_writable, share, show, write

if TYPE_CHECKING:
    from neuralsorter.detecting import Detector


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the commands of this group."""
    detect = commands.add_parser("detect", parents=[common], help="take events from a continuous recording")
    detect.add_argument("input", metavar="RAW", help="a file or folder that neo opens")
    goal = detect.add_mutually_exclusive_group(required=True)
    goal.add_argument("-o", "--output", metavar="OUT", help="its suffix names the format")
    goal.add_argument("--preview", action="store_true", help="say each channel's noise and threshold only")
    detect.add_argument("--json", action="store_true", help="the preview as JSON")
    detect.add_argument("--threshold", type=float, default=4.5, metavar="X", help="SDs of the noise (default 4.5)")
    detect.add_argument("--sign", choices=("negative", "positive", "both"), default="negative")
    detect.add_argument("--dead-time", type=float, default=1.0, metavar="MS", help="ms between events (default 1)")
    detect.add_argument("--band", type=float, nargs=2, default=(300.0, 6000.0), metavar=("LOW", "HIGH"), help="Hz")
    detect.add_argument("--window", type=float, nargs=2, default=(1.0, 2.0), metavar=("BEFORE", "AFTER"), help="ms")
    detect.add_argument("--stream", metavar="NAME", help="name or number of the stream, where there are several")
    detect.set_defaults(run=_detect)


def _detector(options: argparse.Namespace) -> Detector:
    from neuralsorter.detecting import Detector

    return Detector(
        threshold=options.threshold,
        sign=options.sign,
        dead_time_ms=options.dead_time,
        band_hz=tuple(options.band),
        before_ms=options.window[0],
        after_ms=options.window[1],
    )


def _detect(options: argparse.Namespace) -> None:
    from neuralsorter import detecting

    detector = _detector(options)
    if options.preview:
        table = detecting.thresholds(options.input, detector, stream=options.stream)
        show(
            json.dumps(table.to_dict("records")) if options.json else table.to_string(index=False, float_format="%.1f")
        )
        return
    require_writable(options.output, [options.input])
    with share("detecting") as on_progress:
        spikes = detecting.detect(options.input, detector, stream=options.stream, on_progress=on_progress)
    write(spikes, options.output)
