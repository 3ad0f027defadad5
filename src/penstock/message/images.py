"""PIL images as their pixels and back. The only module that knows Pillow.

    words    mode, width, height, pixels, palette's mode and bytes or None, transparency or None

Pillow keeps pixels in a form of its own, so they are copied out of it and into it. What a file said beside
its pixels (EXIF, resolution) stays behind.
"""

from __future__ import annotations

from typing import Any, List, Optional

from penstock.errors import PeerError, UnsupportedType
from penstock.message.foreign import Empty

PIXEL = {
    "L": 1, "P": 1, "LA": 2, "La": 2, "PA": 2, "I;16": 2, "I;16L": 2, "I;16B": 2, "RGB": 3, "YCbCr": 3,
    "LAB": 3, "HSV": 3, "RGBA": 4, "RGBa": 4, "RGBX": 4, "CMYK": 4, "I": 4, "F": 4,
}  # fmt: skip
"""Bytes of a pixel, by mode; of mode ``1`` eight lie in a byte."""

LONGEST = 1 << 20
"""Pixels of a side."""


def words(pil: Any, image: Any, _: Empty) -> Optional[List[Any]]:
    """An image in words; None for anything else.

    Raises:
        UnsupportedType: its mode is not one of those above.
    """
    if not isinstance(image, pil.Image):
        return None
    if image.mode not in PIXEL and image.mode != "1":
        raise UnsupportedType(f'an image of mode {image.mode} cannot travel; send image.convert("RGB")')
    pixels = image.tobytes()
    palette = None
    if image.palette is not None:
        kind = "RGBA" if "A" in image.palette.mode else "RGB"
        palette = [kind, bytes(image.getpalette(kind))]
    transparency = image.info.get("transparency")
    if type(transparency) not in (int, bytes, tuple):
        transparency = None
    return [image.mode, *image.size, pixels, palette, transparency]


def value(pil: Any, said: Any) -> Any:
    """The image of these words.

    Raises:
        PeerError: they are not such.
    """
    mode, width, height, pixels, palette, transparency = said
    for side in (width, height):
        if type(side) is not int or not 0 <= side <= LONGEST:
            raise PeerError(f"not the size of an image: {width!r} x {height!r}")
    row = (width + 7) // 8 if mode == "1" else width * PIXEL[mode]
    if row * height != len(pixels):
        raise PeerError(f"{len(pixels)} bytes for an image of {width} x {height}, {mode}")
    image = pil.frombytes(mode, (width, height), pixels) if pixels else pil.new(mode, (width, height))
    if palette is not None:
        kind, colours = palette
        image.putpalette(bytes(colours), kind)
    if transparency is not None:
        image.info["transparency"] = transparency
    return image
