"""Colours of counts: what must be visible is, and what is selected comes first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datashader.transfer_functions import eq_hist
from numpy.typing import NDArray

from dashboard import shading
from neuralsorter.density import Picture, View, density
from neuralsorter.drawing.blending import LEVELS

SHAPE = (20, 30)


def counts(**at: int) -> NDArray[np.int32]:
    """Return an image with counts at pixels named like x3y5."""
    image = np.zeros(SHAPE, np.int32)
    for place, count in at.items():
        x, y = place[1:].split("y")
        image[int(y), int(x)] = count
    return image


def luminance(rgba: NDArray[np.uint8], background: float) -> NDArray[Any]:
    opacity = rgba[..., 3] / 255
    return rgba[..., :3].mean(axis=-1) * opacity + background * (1 - opacity)


@pytest.mark.parametrize("mode", ["equalised", "log", "linear"])
@pytest.mark.parametrize("dark", [False, True])
def test_one_waveform_among_a_million_is_visible(mode: str, dark: bool) -> None:  # noqa: FBT001 - a parameter of the test
    rgba = shading.shade({1: counts(x1y1=1, x2y2=1_000_000, x3y3=900)}, SHAPE, mode=mode, dark=dark)
    assert rgba.shape == (*SHAPE, 4)
    assert rgba.dtype == np.uint8
    background = 17.0 if dark else 255.0
    contrast = np.abs(luminance(rgba, background) - background)
    assert contrast[1, 1] > 20
    assert contrast[2, 2] > contrast[1, 1]
    assert rgba[0, 0, 3] == 0


def test_opacity_grows_with_the_count_in_every_mode() -> None:
    image = np.arange(600, dtype=np.int32).reshape(SHAPE) ** 2
    for mode in ("equalised", "log", "linear"):
        opacity = shading.shade({3: image}, SHAPE, mode=mode)[..., 3].ravel().astype(int)
        assert (np.diff(opacity) >= 0).all()
        assert opacity[-1] == 255


def test_equalised_gives_every_opacity_as_many_pixels() -> None:
    image = (10 ** np.random.default_rng(0).uniform(0, 6, SHAPE)).astype(np.int32)
    opacity = shading.shade({1: image}, SHAPE)[..., 3]
    share = np.histogram(opacity, bins=4, range=(255 * shading.FAINTEST, 255))[0] / opacity.size
    assert np.allclose(share, 0.25, atol=0.03)


def test_equalised_opacity_is_that_of_datashader() -> None:
    image = np.random.default_rng(0).integers(0, 2_000, SHAPE)
    opacity = shading.shade({1: image}, SHAPE)[..., 3] / 255
    share = eq_hist((np.log(np.maximum(image, 1).astype(np.float32)) * LEVELS).astype(np.int32), image == 0)[0]
    low = np.nanmin(share)
    wanted = shading.FAINTEST + (1 - shading.FAINTEST) * (share - low) / (1 - low)
    assert np.allclose(opacity, np.where(image > 0, wanted, 0), atol=1 / 255)


def test_a_single_waveform_is_as_plain_as_there_are_few_others() -> None:
    opacity = []
    for others in (2, 30, 1_000_000):
        image = np.full(SHAPE, others, np.int32)
        image[0, 0] = 1
        opacity.append(shading.shade({1: image}, SHAPE)[0, 0, 3] / 255)
    assert opacity[0] > 0.8
    assert opacity[0] > opacity[1] > opacity[2]
    assert abs(opacity[2] - shading.FAINTEST) < 0.01


def test_a_thickened_line_has_three_pixels_in_its_colour() -> None:
    image = np.zeros(SHAPE, np.int32)
    image[10] = 1
    rgba = shading.shade({1: image}, SHAPE)
    thick = shading.thickened(rgba)
    assert np.flatnonzero(thick[:, 5, 3]).tolist() == [9, 10, 11]
    assert (thick[9:12, 5] == rgba[10, 5]).all()


def test_units_mix_by_their_counts() -> None:
    one, two, both = (
        shading.shade(images, SHAPE)[1, 1, :3].astype(float)
        for images in ({1: counts(x1y1=3)}, {2: counts(x1y1=1)}, {1: counts(x1y1=3), 2: counts(x1y1=1)})
    )
    assert np.allclose(both, (3 * one + two) / 4, atol=1)


def test_noise_is_grey_and_behind_the_units() -> None:
    noise = counts(x1y1=100_000, x2y2=100_000)
    rgba = shading.shade({0: noise, 1: counts(x1y1=5)}, SHAPE)
    alone = shading.shade({1: counts(x1y1=5)}, SHAPE)
    assert len(set(rgba[2, 2, :3])) == 1
    assert np.abs(rgba[1, 1, :3].astype(int) - alone[1, 1, :3]).max() <= 1
    assert 0 < rgba[2, 2, 3] < 255


def test_what_is_selected_comes_forward() -> None:
    images = {1: counts(x1y1=50_000, x2y2=50_000)}
    plain = shading.shade(images, SHAPE)
    for dark, ink in ((False, 0), (True, 255)):
        rgba = shading.shade(images, SHAPE, dark=dark, selected=counts(x1y1=1))
        assert rgba[1, 1, 3] > 2 * rgba[2, 2, 3]
        assert abs(int(rgba[1, 1, 0]) - ink) < abs(int(rgba[2, 2, 0]) - ink) or ink == rgba[2, 2, 0]
    assert np.array_equal(shading.shade(images, SHAPE, selected=np.zeros(SHAPE, np.int32)), plain)


@pytest.mark.parametrize("heat", [False, True])
@pytest.mark.parametrize("mode", ["equalised", "log", "linear"])
def test_the_image_after_an_edit_is_the_one_drawn_anew(mode: str, heat: bool) -> None:  # noqa: FBT001 - of the test
    rng = np.random.default_rng(1)
    waves, unit = np.cumsum(rng.integers(-5, 6, (900, 30)), axis=1, dtype=np.int16), rng.integers(0, 5, 900)
    picture, view = Picture(waves, unit), View(90, 60)
    picture.set_view(view)
    how: dict[str, Any] = {"shape": (60, 90), "mode": mode, "dark": False, "heat": heat}
    shades = shading.unselected(picture.images, **how)
    for to in (2, 0, 7):  # within what is shown, to the noise below, to a new unit
        rows = rng.choice(900, 200, replace=False)
        picture.reassign(rows, picture.unit[rows].copy(), to)
        shades = shading.unselected(picture.images, before=shades, **how)
        anew = density(waves, picture.unit, 90, 60)
        images = dict(zip(anew.units.tolist(), anew.counts, strict=True))
        edited = shading.with_selected(shades, None, mode=mode, dark=False)
        assert np.array_equal(edited, shading.shade(images, (60, 90), mode=mode, heat=heat))


@pytest.mark.parametrize("dark", [False, True])
def test_only_the_pixels_an_edit_changed_are_painted_again(dark: bool) -> None:  # noqa: FBT001 - of the test
    rng = np.random.default_rng(1)
    waves, unit = np.cumsum(rng.integers(-5, 6, (900, 30)), axis=1, dtype=np.int16), rng.integers(0, 5, 900)
    picture = Picture(waves, unit)
    picture.set_view(View(90, 60))
    shades = shading.unselected(picture.images, (60, 90), mode="log", dark=dark, heat=False)
    shades.rgba[0, 0] = 17  # where nothing is drawn: whoever paints everything paints this
    some = np.flatnonzero(unit > 2)[:50]
    picture.expect(some)
    for rows, to in ((some, 2), (some, 7), (np.flatnonzero(unit == 1)[::3], 3)):  # to a new unit, and not expected
        picture.reassign(rows, picture.unit[rows].copy(), to)
        assert picture.change is not None
        shades = shading.moved(shades, picture.change, dark=dark, heat=False)
        assert (shades.rgba[0, 0] == 17).all()
        anew = shading.shade(picture.images, (60, 90), mode="log", dark=dark)
        assert np.array_equal(shades.rgba[1:], anew[1:])


def test_a_heat_map_has_more_colours_than_a_unit() -> None:
    image = np.arange(600, dtype=np.int32).reshape(SHAPE)
    plain, heat = (shading.shade({1: image}, SHAPE, heat=heat)[..., :3].reshape(-1, 3) for heat in (False, True))
    assert len(np.unique(plain[1:], axis=0)) == 1
    assert len(np.unique(heat[1:], axis=0)) > 50


def test_nothing_shown_is_transparent() -> None:
    assert not shading.shade({}, SHAPE).any()
    assert not shading.shade({1: np.zeros(SHAPE, np.int32)}, SHAPE).any()


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="mode must be one of"):
        shading.shade({}, SHAPE, mode="cubic")


def test_no_kernel_is_compiled_in_the_app_folder() -> None:
    """A server loads this folder under a name of its own; a kernel kept on disk would never be found under it again."""
    for path in Path(shading.__file__).parent.glob("*.py"):
        assert "numba" not in path.read_text(), path.name
