"""Open, check and decode what people upload: any video, picture or sound file, by its content and not by its name.

`open_clip` looks a file over and hands on a `Clip`, with hardly anything decoded; the clip's `frames`, `frame_at` and
`sound` decode what is asked for and no more. FFmpeg (through PyAV) reads video and sound, Pillow reads pictures, still and
moving.

All times are seconds on the clip's own clock, the one that a player shows beside it (`clock`). In MP4, Matroska, WebM
and Ogg zero is the file's, and picture or sound may begin later. Elsewhere it is the first picture or sound that is
due, be it decodable or not: a broadcast that is cut between key frames is heard before it is seen. Of several tracks
the default one counts. Sound of another file keeps its own clock, and both begin at zero.

Nothing is decoded in this process. Files come from anybody, and decoders are large programs in C: one of them that
crashes, hangs or asks for all the memory there is must cost a sentence and not the page. So all of these ask a
process of their own (`process`), which keeps running, does the work in `opening`, `video` and `audio`, and is held to
`Limits`. That is also why this package imports without PyAV and Pillow.
"""

from __future__ import annotations

from pathlib import Path

from crab.media import process
from crab.media.clip import SAMPLE_RATE, Clip, Limits, MediaError

__all__ = ["SAMPLE_RATE", "Clip", "Limits", "MediaError", "check_length", "frame_at", "frames", "open_clip", "sound"]

# What can be asked of a clip, as functions of one too: scripts written before clips had methods call them.
frames, frame_at, sound = Clip.frames, Clip.frame_at, Clip.sound


def open_clip(
    media: str | Path | None = None,
    *,
    image: str | Path | None = None,
    audio: str | Path | None = None,
    frame: int | None = None,
    piece: int | None = None,
) -> Clip:
    """Look over what was uploaded.

    Args:
        media: any video, picture or sound file.
        image: a picture, alone or to go with a sound.
        audio: a file whose sound is used; beside a video it replaces the video's own.
        frame: the second of the clip that the picture belongs to, or that boxes and masks are drawn on.
        piece: instead of `frame`, the piece of the sound (a fifth or a tenth, as the task says) that a published
            picture belongs to (`frame_idx`). Pieces are seconds only where the sound is as long as published ones.

    Returns:
        A `Clip`. An animated GIF or WebP is a video, one of a single frame a picture; cover art is not looked at; a
        video whose picture cannot be decoded but whose sound can counts as sound.

    Raises:
        MediaError: a file is missing, unreadable, too large or too long, or holds neither picture nor sound.
    """
    media, image, audio = (None if path is None else Path(path) for path in (media, image, audio))
    if media is image is audio is None:
        raise MediaError("There is no clip yet: give a video, a picture or a sound file.")
    files = (media, image, audio)
    return process.call("open_clip", *files, media=media, image=image, audio=audio, frame=frame, piece=piece)


def check_length(media: str | Path) -> None:
    """Raise MediaError where a file is longer than a clip may be, as its packets tell: nothing is decoded, so it is quick.

    What packets do not tell, or what is wrong with a file otherwise, is for `open_clip` to say. Raises MediaError for a
    file that is missing, empty or too large, too.
    """
    process.call("check_length", Path(media), media=Path(media))
