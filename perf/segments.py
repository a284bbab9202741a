"""Reads what a packager wrote: how many segments, samples and payload bytes. To see that peers did the same job, not to
judge boxes. A reader of its own, since fragmint's should not vouch for fragmint. Python's standard library only.
"""

import dataclasses
import pathlib
import struct

MOST_BOX = 64 << 20  # bytes of a moov or moof that are read


@dataclasses.dataclass
class Content:
    """Of one file or several. A segment is a file with at least one movie fragment."""

    segments: int = 0
    samples: int = 0
    payload: int = 0  # bytes within mdat

    def __add__(self, other):
        return Content(self.segments + other.segments, self.samples + other.samples, self.payload + other.payload)


def content_of(paths):
    """The sum of what MP4 files hold, fragmented or not. Raises ValueError where boxes do not fit their file."""
    total = Content()
    for path in paths:
        total = total + read_file(path)
    return total


def segment_files(directory):
    """Every file below a directory that looks like MP4 by its name, in a stable order."""
    names = {".m4s", ".mp4", ".m4v", ".m4a", ".cmfv", ".cmfa", ".m4f"}
    return sorted(path for path in pathlib.Path(directory).rglob("*") if path.suffix in names and path.is_file())


def read_file(path):
    content = Content()
    with open(path, "rb") as file:
        end = file.seek(0, 2)
        for kind, start, size in boxes_of_file(file, end):
            if kind == b"mdat":
                content.payload += size
            elif kind in (b"moof", b"moov") and size <= MOST_BOX:
                file.seek(start)
                body = file.read(size)
                content.segments = max(content.segments, int(kind == b"moof"))
                content.samples += samples_of(body)
    return content


def boxes_of_file(file, end):
    """Type, start and size of the body of each box of a file."""
    at = 0
    while at < end:
        file.seek(at)
        header = file.read(16)
        if len(header) < 8:
            raise ValueError(f"{len(header)} bytes behind the last box at {at:#x}")
        size, kind = struct.unpack(">I4s", header[:8])
        length = 8
        if size == 1:
            size, length = int.from_bytes(header[8:16], "big"), 16
        elif size == 0:
            size = end - at
        if size < length or at + size > end:
            raise ValueError(f"box {kind!r} at {at:#x} does not fit the file")
        yield kind, at + length, size - length
        at += size


def samples_of(body):
    """Samples that the trun (of a moof) or stsz (of a moov) boxes within a body count."""
    count, at = 0, 0
    while at + 8 <= len(body):
        size, kind = struct.unpack_from(">I4s", body, at)
        if size < 8 or at + size > len(body):
            raise ValueError(f"box {kind!r} does not fit its parent")
        inner = body[at + 8 : at + size]
        if kind in (b"traf", b"trak", b"mdia", b"minf", b"stbl"):
            count += samples_of(inner)
        elif kind == b"trun":
            count += int.from_bytes(inner[4:8], "big")  # behind version and flags
        elif kind == b"stsz":
            count += int.from_bytes(inner[8:12], "big")  # behind version, flags and sample_size
        at += size
    return count
