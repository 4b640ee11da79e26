"""Image files of one size as one array of pixels, by Pillow."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from slaf_automl.errors import DataError, SlafError

ENDINGS = ("png", "jpg", "jpeg", "bmp", "gif", "webp", "tif", "tiff")

# Named, so that Pillow starts no other program for a file that merely ends in .png.
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")
_GREY = ("1", "L", "LA", "La")
_COLOUR = ("RGB", "RGBA", "RGBX", "RGBa", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV")


def read_pictures(files: Sequence[Path]) -> np.ndarray:
    """Read image files into one array.

    Args:
        files: at least one.

    Returns:
        uint8 `(files, height, width)` of greyscale images, `(files, 3, height, width)` of others:
        those with a palette become RGB, black and white ones greyscale, and transparency is left
        out.

    Raises:
        DataError: a file cannot be read, differs from the first in size or channels, holds several
            images, or more than eight bits a channel.
        SlafError: Pillow is not installed.
    """
    pillow = require_pillow()
    pixels: np.ndarray | None = None
    known = ""
    for i, file in enumerate(files):
        try:
            with pillow.open(file, formats=_FORMATS) as image:
                mode = _mode(file, image)
                kind = f"{image.width} x {image.height} pixels in {_WORDS[mode]}"
                known = known or kind
                if kind != known:
                    raise DataError(
                        f"{file} has {kind}, {files[0]} {known}",
                        expected="one size and one number of channels",
                        remedy="convert the images",
                    )
                if pixels is None:
                    channels = () if mode == "L" else (3,)
                    shape = (len(files), *channels, image.height, image.width)
                    pixels = np.empty(shape, np.uint8)
                values = np.asarray(_converted(image, mode))
        except DataError:
            raise
        # Pillow's decoders raise almost anything at damaged files.
        except Exception as error:
            reason = str(error).replace(f" {str(file)!r}", "") or type(error).__name__
            raise DataError(
                f"{file} cannot be read as an image: {reason}", remedy="replace or remove it"
            ) from None
        pixels[i] = values if mode == "L" else values.transpose(2, 0, 1)
    assert pixels is not None
    return pixels


def require_pillow() -> Any:
    """Return Pillow's `Image`, or raise a `SlafError` that says how to install it."""
    try:
        return importlib.import_module("PIL.Image")
    except ImportError:
        raise SlafError(
            "image files without Pillow", remedy="pip install 'slaf-automl[images]'"
        ) from None


_WORDS = {"L": "greyscale", "RGB": "colour"}


def _mode(file: Path, image: Any) -> str:
    """Return `L` or `RGB`: what an image is read as."""
    # A camera's JPEG may carry a preview as a second frame.
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        raise DataError(f"{file} holds {image.n_frames} images", expected="one")
    if image.mode in _GREY:
        return "L"
    if image.mode in _COLOUR:
        return "RGB"
    raise DataError(
        f"{file} has pixels of the mode {image.mode}",
        expected="eight bits a channel",
        remedy="convert the image",
    )


def _converted(image: Any, mode: str) -> Any:
    if image.mode == mode:
        return image
    # Pillow warns where a palette's transparency is dropped in one step.
    if image.mode in ("P", "PA") and mode == "RGB":
        image = image.convert("RGBA")
    return image.convert(mode)
