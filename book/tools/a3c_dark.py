"""Dark versions of the plots, as a small Sphinx extension.

Notebooks store a plot once, on white. While a page is written, each plot gets a twin for dark
pages: the same pixels with other colours. The style sheet shows one of the two. Nothing has to be
drawn again, because `a3c_tut.figures` stores plots with a palette, and only the palette changes.
"""

import re
import struct
import zlib
from pathlib import Path

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: The lightness (OKLab) of the theme's dark page, #121212, and of what is black on a light one.
PAGE, INK = 0.182, 0.93
#: How much lighter strong colours become than grey of the same lightness would: enough to be seen.
GLOW = 2.2

# Björn Ottosson's OKLab: linear sRGB → cone responses → lightness, green–red, blue–yellow.
TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)

PLOT = re.compile(r'<img\b(?P<before>[^>]*?)\bsrc="(?P<src>[^"]*_images/(?P<name>[^"/]+\.png))"'
                  r'(?P<after>[^>]*?)/?>')  # fmt: skip


def to_oklab(colours):
    """Turn (N, 3) sRGB from 0 to 255 into lightness, green–red, blue–yellow."""
    share = np.asarray(colours, dtype=float) / 255.0
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return np.cbrt(linear @ TO_CONES.T) @ TO_LAB.T


def to_srgb(lab):
    """Turn OKLab back into (N, 3) whole numbers from 0 to 255; what a screen cannot show is cut."""
    linear = ((lab @ np.linalg.inv(TO_LAB).T) ** 3) @ np.linalg.inv(TO_CONES).T
    linear = np.clip(linear, 0.0, 1.0)
    share = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(share * 255.0).astype(np.uint8)


def dark_colours(colours):
    """Return the colours that stand for these on a dark page: (N, 3), 0 to 255.

    Light and dark change places, and a colour keeps its hue. White becomes the page itself.
    """
    lab = to_oklab(colours)
    light, chroma = lab[:, 0], np.hypot(lab[:, 1], lab[:, 2])
    lab[:, 0] = PAGE + (1.0 - light) * (INK - PAGE) + GLOW * chroma * light
    return to_srgb(lab)


def chunks(png):
    """Yield (kind, data) of the parts of a PNG."""
    at = len(SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += length + 12


def dark_png(png):
    """Return a PNG with a palette in its dark colours; None for one that has no palette."""
    parts = dict(chunks(png))
    if b"PLTE" not in parts:
        return None
    palette = np.frombuffer(parts[b"PLTE"], dtype=np.uint8).reshape(-1, 3)
    made = SIGNATURE
    for kind, data in chunks(png):
        body = kind + (dark_colours(palette).tobytes() if kind == b"PLTE" else data)
        made += struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return made


def size_of(png):
    """Return width and height in pixels."""
    return struct.unpack(">II", dict(chunks(png))[b"IHDR"][:8])


def pair(image, dark, width, height):
    """Return the HTML of a plot and its twin; the one that is not shown need not be loaded."""
    before, after, src = image["before"], image["after"], image["src"]
    size = f'width="{width}" height="{height}"'
    return (
        f'<img{before}src="{src}"{after} class="a3c-light" {size}>'
        f'<img{before}src="{src.replace(image["name"], dark)}"{after} class="a3c-dark" {size} '
        'loading="lazy">'
    )


def add_dark_plots(app, pagename, templatename, context, doctree):
    """Put a dark twin beside each plot of a page."""
    body = context.get("body")
    if not body or not getattr(app.builder, "images", None):
        return
    sources = {name: Path(app.srcdir, source) for source, name in app.builder.images.items()}
    folder = Path(app.outdir, app.builder.imagedir)

    def twin(image):
        name = image["name"]
        if name not in sources or "class=" in image["before"] + image["after"]:
            return image[0]
        png = sources[name].read_bytes()
        made = dark_png(png)
        if made is None:
            return image[0]
        dark = f"{Path(name).stem}-dark.png"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / dark).write_bytes(made)
        return pair(image, dark, *size_of(png))

    context["body"] = PLOT.sub(twin, body)


def setup(app):
    """Register everything with Sphinx."""
    app.connect("html-page-context", add_dark_plots)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
