"""Writes JPEGs and PNGs of many kinds to a folder, with the pixels that OpenCV decodes and the bytes that it encodes.

Usage: images_cv2.py FOLDER
"""
import pathlib
import sys
import zlib

import cv2
import numpy as np


def scene(height, width):
    """A colour picture with smooth parts, edges and a little noise."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [128 + 90 * np.sin(x / (5 + 3 * c)) * np.cos(y / (9 - 2 * c)) for c in range(3)]
    picture = np.stack(waves, axis=2) + np.random.RandomState(0).normal(0, 6, (height, width, 3))
    picture[height // 3:height // 2, width // 4:width // 2] = (30, 60, 220)
    return np.clip(picture, 0, 255).astype(np.uint8)


def encode(picture, *options):
    return cv2.imencode(".jpg", picture, options)[1].tobytes()


def segment(marker, content):
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


def with_orientation(jpeg, orientation, order):
    tiff = {"little": b"II*\0", "big": b"MM\0*"}[order]
    for value, size in ((8, 4), (1, 2), (0x0112, 2), (3, 2), (1, 4), (orientation, 2), (0, 2), (0, 4)):
        tiff += value.to_bytes(size, order)
    return jpeg[:2] + segment(0xE1, b"Exif\0\0" + tiff) + jpeg[2:]


def segments(jpeg):
    """The segments before the first scan by their markers, and the scan's data."""
    at, found = 2, {}
    while True:
        marker, size = jpeg[at + 1], int.from_bytes(jpeg[at + 2:at + 4], "big")
        found.setdefault(marker, []).append(jpeg[at + 4:at + 2 + size])
        at += 2 + size
        if marker == 0xDA:
            return found, jpeg[at:-2]


def cmyk(planes):
    """No encoder at hand writes CMYK, but four gray JPEGs make one: their scans as those of four components."""
    parts = [segments(encode(plane)) for plane in planes]
    known, _ = parts[0]
    jpeg = b"\xff\xd8" + segment(0xEE, b"Adobe\0\x64\0\0\0\0\0")
    for marker in (0xDB, 0xC4):
        jpeg += b"".join(segment(marker, content) for content in known[marker])
    frame = known[0xC0][0]
    jpeg += segment(0xC0, frame[:5] + b"\4" + b"".join(bytes([c, 0x11, 0]) for c in range(1, 5)))
    for c, (_, scan) in enumerate(parts, 1):
        jpeg += segment(0xDA, bytes([1, c, 0, 0, 63, 0])) + scan
    return jpeg + b"\xff\xd9"


def png(rows, bits, colour_type, chunks):
    """For the kinds that OpenCV does not write."""
    def chunk(name, content):
        return len(content).to_bytes(4, "big") + name + content + zlib.crc32(name + content).to_bytes(4, "big")
    header = (len(rows[0]) * 8 // bits).to_bytes(4, "big") + len(rows).to_bytes(4, "big") + bytes([bits, colour_type, 0, 0, 0])
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    parts = [(b"IHDR", header), *chunks, (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def pngs(picture):
    def encode_png(pixels):
        return cv2.imencode(".png", pixels)[1].tobytes()

    alpha = np.dstack([picture, picture[:, :, 0]])
    palette = bytes(np.random.RandomState(1).randint(0, 256, 768, np.uint8))
    return {
        "colour.png": encode_png(picture),
        "gray.png": encode_png(picture[:, :, 0]),
        "alpha.png": encode_png(alpha),
        "colour16.png": encode_png(picture.astype(np.uint16) * 255 + 13),
        "gray16.png": encode_png(picture[:, :, 0].astype(np.uint16) * 250),
        "palette.png": png(picture[:, :, 1], 8, 3, [(b"PLTE", palette)]),
        "palette_alpha.png": png(picture[:, :, 1], 8, 3, [(b"PLTE", palette), (b"tRNS", bytes(range(256)))]),
        "one_bit.png": png(picture[:, :16, 2], 1, 0, []),
    }


def main(folder):
    picture = scene(93, 131)
    plain = encode(picture, cv2.IMWRITE_JPEG_QUALITY, 90)
    files = {
        "colour": plain,
        "gray": encode(picture[:, :, 0]),
        "progressive": encode(picture, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        "restarts": encode(picture, cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
        "one_pixel": encode(picture[:1, :1]),
        "extra_bytes": plain[:-2] + b"\0\0\0" + plain[-2:],
        "cmyk": cmyk([picture[:, :, 0], picture[:, :, 1], picture[:, :, 2], 255 - picture[:, :, 0] // 2]),
        "orientation_none": with_orientation(plain, 9, "big"),
    }
    for orientation in range(1, 9):
        files[f"orientation{orientation}"] = with_orientation(plain, orientation, ["big", "little"][orientation % 2])
    files = {f"{name}.jpg": content for name, content in files.items()}
    files.update(pngs(picture))
    arrays = {"picture": picture}
    for name, content in files.items():
        (folder / name).write_bytes(content)
        encoded = np.frombuffer(content, np.uint8)
        arrays[f"{name}/bgr"] = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
        arrays[f"{name}/gray"] = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)[:, :, None]
    for quality in (1, 50, 95, 100):
        arrays[f"encoded/{quality}"] = np.frombuffer(encode(picture, cv2.IMWRITE_JPEG_QUALITY, quality), np.uint8)
    photos = pathlib.Path("../shared/data/photos")
    for path in sorted(photos.glob("*.JPEG"))[::8]:
        arrays[f"{path}/bgr"] = cv2.imread(str(path), cv2.IMREAD_COLOR)
    np.savez(folder / "expected.npz", **arrays)
    print("\n".join(name for name in arrays if name.endswith(("/bgr", "/gray"))))


main(pathlib.Path(sys.argv[1]))
