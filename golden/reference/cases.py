"""The conversations of the fixtures, in the reference message format. Media locations are relative to golden/tiny."""


def image(name: str, **limits) -> dict:
    return {"type": "image", "image": f"media/{name}", **limits}


def video(name, **options) -> dict:
    source = [f"media/{n}" for n in name] if isinstance(name, list) else f"media/{name}"
    return {"type": "video", "video": source, **options}


def text(words: str) -> dict:
    return {"type": "text", "text": words}


def user(*parts) -> dict:
    return {"role": "user", "content": list(parts)}


FEW = {"min_pixels": 4 * 28 * 28, "max_pixels": 8 * 28 * 28}

VISION = {
    "text": [user(text("Where did I leave my keys?  I'd say: «on the table» – 杯子?\n"))],
    "image": [user(image("photo.jpg"), text("What is in the picture?"))],
    "images": [
        user(image("small.png"), image("photo.jpg", max_pixels=6000), text("How do they differ from "), image("tall.png"), text("?"))
    ],
    "video": [user(video("clip.mp4", fps=1.5, **FEW), text("What happens in the clip?"))],
    "videos": [
        user(
            video("clip.mp4", nframes=4, resized_height=60, resized_width=80),
            video("odd.mp4", fps=4.0, min_frames=4, max_frames=6, video_start=0.5, video_end=2.2, **FEW),
            text("Which clip is longer?"),
        )
    ],
    "mixed": [
        {"role": "system", "content": "Answer briefly."},
        user(image("small.png"), video("odd.mp4", fps=2.0, **FEW), text("What moves?")),
        {"role": "assistant", "content": [text("A yellow disc.")]},
        user(text("Which way does it go round?")),
    ],
    "odd": [
        user(
            image("wide.jpg"),
            image("tall.png", min_pixels=9000, max_pixels=12000),
            image("small.png", resized_height=75, resized_width=31),
            text("Odd sizes."),
        )
    ],
    "frames": [
        user(video(["small.png", "small.png", "small.png"], sample_fps=0.05, min_pixels=3136, max_pixels=6272), text("A list of images as a video."))
    ],
    "batch": [
        [user(text("Hello."))],
        [user(image("small.png"), text("What is in the picture, and where did I leave my keys?"))],
        [user(video("clip.mp4", fps=1.0, **FEW), image("small.png"), text("What happens?"))],
    ],
}

TEXT = {
    "text": [{"role": "user", "content": "Where did I leave my keys?  I'd say: «on the table» – 杯子?\n"}],
    "turns": [
        {"role": "system", "content": "Answer briefly."},
        {"role": "user", "content": "It's 12:34 and we've counted 5 frames; what now?"},
        {"role": "assistant", "content": "<think>Wait.</think> <answer>B</answer>"},
        {"role": "user", "content": "And then?"},
    ],
    "batch": [
        [{"role": "user", "content": "Hello."}],
        [{"role": "user", "content": "Describe what happens in the first clip and in the second clip, and how they differ."}],
        [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Where is the cup?"}],
    ],
}


def of(family: str) -> dict:
    """Case name to messages; `batch` holds a list of conversations."""
    return TEXT if family == "qwen2" else VISION
