"""Unit colours are stable, legible and told apart by colour-blind readers."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from neuralsorter.palette import unit_colour

# Machado et al. 2009, severity 1, on linear RGB: normal, protan, deutan, tritan.
EYES = {
    "normal": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def linear(colour: str) -> NDArray[np.float64]:
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.asarray(np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4))


def luminance(colour: str) -> float:
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("dark", [False, True])
def test_the_first_eight_units_are_told_apart_by_every_eye(eye: str, *, dark: bool) -> None:
    seen = [
        TO_OKLAB @ np.cbrt(TO_LMS @ np.clip(EYES[eye] @ linear(unit_colour(unit, dark=dark)), 0, 1))
        for unit in range(1, 9)
    ]
    assert min(float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2)) > 0.095


@pytest.mark.parametrize(("dark", "background"), [(False, "#ffffff"), (True, "#121212")])
def test_the_first_eight_units_and_noise_stand_out_from_the_background(background: str, *, dark: bool) -> None:
    for unit in range(9):
        low, high = sorted((luminance(unit_colour(unit, dark=dark)), luminance(background)))
        assert (high + 0.05) / (low + 0.05) > 2.95


def test_twenty_four_units_have_colours_of_their_own() -> None:
    assert len({unit_colour(unit) for unit in range(25)}) == 25


def test_noise_is_grey() -> None:
    colour = unit_colour(0)
    assert colour[1:3] == colour[3:5] == colour[5:7]
