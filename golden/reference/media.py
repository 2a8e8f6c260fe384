"""Draws the pictures and clips of the fixtures: gradients, bars and moving shapes, all from arithmetic.

Files that exist are kept, so that another encoder version cannot change what the committed fixtures saw.
"""

import subprocess
from pathlib import Path

import numpy as np
from PIL import Image


def picture(height: int, width: int, phase: float) -> np.ndarray:
    """A colour gradient with a disc, diagonal stripes and hard edges, `[height, width, 3]` uint8."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    red = 255 * x / max(width - 1, 1)
    green = 255 * y / max(height - 1, 1)
    blue = 127.5 + 127.5 * np.sin((x + 2 * y) / 5 + phase)
    canvas = np.stack([red, green, blue], axis=-1)
    radius = min(height, width) / 4
    centre_x = width * (0.5 + 0.3 * np.cos(phase))
    centre_y = height * (0.5 + 0.3 * np.sin(phase))
    disc = (x - centre_x) ** 2 + (y - centre_y) ** 2 < radius**2
    canvas[disc] = [250, 240, 20]
    bar = (x >= width // 5) & (x < width // 5 + 3)
    canvas[bar] = [10, 10, 10]
    return canvas.round().clip(0, 255).astype(np.uint8)


def encode(path: Path, frames: list[np.ndarray], rate: str, options: list[str]) -> None:
    """H.264 through the ffmpeg binary, one thread so that the bytes repeat."""
    height, width = frames[0].shape[:2]
    command = ["ffmpeg", "-y", "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"]
    command += ["-r", rate, "-i", "-", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-threads", "1", *options]
    command += ["-map_metadata", "-1", "-fflags", "+bitexact", "-flags:v", "+bitexact", str(path)]
    subprocess.run(command, input=b"".join(frame.tobytes() for frame in frames), check=True)


# Ten frames at 25 a second, then every third slot only.
VARIED = ["-vf", "setpts='if(lt(N,10),N,10+(N-10)*3)/(25*TB)'", "-vsync", "vfr"]


def rotate(path: Path, frames: list[np.ndarray]) -> None:
    """A clip whose container says that it is to be turned by a quarter."""
    plain = path.with_suffix(".plain.mp4")
    encode(plain, frames, "25", ["-crf", "30"])
    command = ["ffmpeg", "-y", "-v", "error", "-i", str(plain), "-c", "copy", "-metadata:s:v:0", "rotate=90"]
    subprocess.run([*command, "-fflags", "+bitexact", str(path)], check=True)
    plain.unlink()


def draw_all(folder: Path) -> None:
    """Makes every missing media file."""
    folder.mkdir(parents=True, exist_ok=True)
    makers = {
        "small.png": lambda p: Image.fromarray(picture(47, 61, 0.3)).save(p),
        "photo.jpg": lambda p: Image.fromarray(picture(90, 130, 1.1)).save(p, quality=88),
        "tall.png": lambda p: Image.fromarray(with_alpha(picture(121, 39, 2.0))).save(p),
        "wide.jpg": lambda p: Image.fromarray(picture(31, 203, 2.9)).save(p, quality=92, subsampling=0),
        "clip.mp4": lambda p: encode(p, moving(72, 96, 100), "25", ["-bf", "0", "-g", "25", "-crf", "28"]),
        "odd.mp4": lambda p: encode(p, moving(66, 118, 75), "30000/1001", ["-bf", "3", "-g", "40", "-crf", "26"]),
    }
    makers["varied.mp4"] = lambda p: encode(p, moving(32, 48, 30), "25", ["-bf", "0", "-crf", "30", *VARIED])
    makers["rotated.mp4"] = lambda p: rotate(p, moving(48, 64, 12))
    for name, make in makers.items():
        if not (folder / name).exists():
            make(folder / name)


def moving(height: int, width: int, count: int) -> list[np.ndarray]:
    """The picture with its disc going round once in `count` frames."""
    return [picture(height, width, 2 * np.pi * i / count) for i in range(count)]


def with_alpha(rgb: np.ndarray) -> np.ndarray:
    """Adds an alpha channel that falls off from the centre, so that blending onto white is visible."""
    height, width = rgb.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    distance = np.hypot((x / width - 0.5) * 2, (y / height - 0.5) * 2)
    alpha = (255 * (1.2 - distance)).round().clip(0, 255).astype(np.uint8)
    return np.dstack([rgb, alpha])
