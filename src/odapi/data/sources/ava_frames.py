"""Frames of AVA: image files, or a second of a video that OpenCV reads."""

import pathlib

import cv2

from odapi.data.sources.files import names_in
from odapi.errors import DataError
from odapi.files import IMAGE_SUFFIXES

Path = pathlib.Path

VIDEO_SUFFIXES = (".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v")

_FIRST_SECOND, _RATE = 900, 30  # Of the frames of SlowFast, which count from 1.


class FrameFinder:
    """Finds the image of a second of a video, or else the video.

    Args:
        folders: Folders to search, in order.
    """

    def __init__(self, folders: list[Path]):
        self.folders = folders

    def find(self, video: str, second: int) -> Path | None:
        """Returns the path of an image or of a video, or None."""
        for folder in self.folders:
            found = _image(folder, video, second)
            if found is not None:
                return found
        for folder in self.folders:
            for suffix in VIDEO_SUFFIXES:
                if video + suffix in names_in(folder):
                    return folder / (video + suffix)
        return None


def _image(folder: Path, video: str, second: int) -> Path | None:
    number = (second - _FIRST_SECOND) * _RATE + 1
    stems = {
        folder / video: (
            f"{video}_{number:06d}",
            f"{second:04d}",
            f"{video}_{second:04d}",
            f"{second}",
        ),
        folder: (f"{video}_{second:04d}", f"{video}_{second}", f"{second}_{video}"),
    }
    for place, names in stems.items():
        there = names_in(place)
        for stem in names:
            for suffix in IMAGE_SUFFIXES:
                if stem + suffix in there:
                    return place / (stem + suffix)
    return None


def is_video(path: Path) -> bool:
    """Returns whether a file name is that of a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def read_frame(path: Path, second: int) -> bytes:
    """Returns the frame at a second of a video as JPEG, as the original's tool does.

    Raises:
        DataError: The video cannot be read, or is shorter.
    """
    video = cv2.VideoCapture(str(path))
    try:
        if not video.isOpened():
            raise DataError(str(path), "is no video that OpenCV can read")
        video.set(cv2.CAP_PROP_POS_MSEC, second * 1000)
        done, image = video.read()
    finally:
        video.release()
    if not done:
        raise DataError(str(path), f"has no frame at second {second}")
    return cv2.imencode(".jpg", image)[1].tobytes()
