"""Look over a file: what it is by its content, whatever its name says, with hardly anything decoded."""

from __future__ import annotations

import dataclasses
import math
from contextlib import suppress
from pathlib import Path

import av
import numpy as np

from crab.media.audio import heard, sound_lag
from crab.media.clip import ADVICE, DRAWN, Clip, Limits, MediaError, check_pixels, check_seconds
from crab.media.container import audio_stream, jumps, open_file, packets, ticks, video_stream
from crab.media.picture import comment, is_film, is_picture, read_picture
from crab.media.video import counted, every_frame, listed, turn_of, upright

_OVERHANG = 0.5  # seconds that sound may go on after the picture without making the clip longer: blocks are padded


def open_clip(
    media: Path | None = None,
    *,
    image: Path | None = None,
    audio: Path | None = None,
    frame: int | None = None,
    piece: int | None = None,
) -> Clip:
    """See `crab.media.open_clip`."""
    given = [path for path in (media, image, audio) if path is not None]
    clip = Clip(name=given[0].name) if media is None else _look(given[0])
    if image is not None:
        picture = _look(image)
        if picture.image is None:
            raise MediaError(f"{picture.name} is not a still picture: give a JPEG, PNG or WebP file.")
        if clip.video or clip.image:
            raise MediaError(f"{clip.name} and {picture.name} both have a picture: give only one of them.")
        clip = dataclasses.replace(picture, name=clip.name, audio=clip.audio)
    if audio is not None:
        other = _look(audio).audio
        if other is None:
            raise MediaError(f"There is no sound in {audio.name}: give a file that has some.")
        clip = dataclasses.replace(clip, audio=other)
    if clip.audio is not None:
        over = _sound_over(clip.audio)
        if over > clip.duration + _OVERHANG or clip.video is None:
            clip = dataclasses.replace(clip, duration=over)
    if frame is not None and clip.duration and not 0 <= frame < clip.duration:
        last = math.ceil(clip.duration) - 1
        raise MediaError(f"{clip.name} has no second {frame}: it lasts {clip.duration:.1f} s, give 0 to {last}.")
    return dataclasses.replace(clip, frame=frame, piece=piece, drawn=all(_comment(path) == DRAWN for path in given))


def check_length(media: Path) -> None:
    """See `crab.media.check_length`."""
    _check_file(media)
    if is_picture(media) or is_film(media):
        return
    with suppress(av.FFmpegError, OSError, ValueError):  # `open_clip` says what is wrong with it
        with open_file(media) as container:
            seen, track = video_stream(container) is not None, audio_stream(container)
            if track is not None and not jumps(container):
                check_seconds(media, _coded_seconds(container, track))
        timeline = listed(media) if seen else None
        if timeline is not None:
            check_seconds(media, timeline.end)


def _coded_seconds(container: av.container.InputContainer, track: av.AudioStream) -> float:
    """How much sound there is by its packets, or a little more than there may be."""
    count, most = 0, (Limits.seconds + 1) / ticks(track)
    for packet in packets(container, track):
        if not packet.is_discard:
            count += packet.duration or 0
        if count > most:
            break
    return float(count * ticks(track))


def _look(path: Path) -> Clip:
    """What one file holds."""
    _check_file(path)
    if is_picture(path):
        height, width, _ = read_picture(path).shape
        return Clip(name=path.name, image=path, width=width, height=height)
    try:
        clip = _look_at_video(path)
        if not is_film(path) and _has_sound(path):
            clip = dataclasses.replace(clip, audio=path)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(f"{path.name} cannot be read as a video, a picture or a sound: {ADVICE}.") from error
    if clip.video is None and clip.audio is None:
        raise MediaError(f"{path.name} has neither a picture nor sound that can be read: {ADVICE}.")
    return clip


def _check_file(path: Path) -> None:
    try:
        is_dir, is_file = path.is_dir(), path.is_file()
    except OSError:  # no file system has names like this one
        is_dir = is_file = False
    if is_dir:
        raise MediaError(f"{path.name or path} is a folder: give one video, picture or sound file.")
    if not is_file:
        name = path.name if len(path.name) <= 100 else f"{path.name[:100]}…"
        raise MediaError(f"{name} was not found: check its name, or upload it again.")
    size = path.stat().st_size
    if size == 0:
        raise MediaError(f"{path.name} is empty: upload it again.")
    if size > Limits.bytes:
        most = f"{Limits.bytes / 1e6:.0f} MB"
        raise MediaError(f"{path.name} is {size / 1e6:.0f} MB, more than {most}: cut it shorter or save it smaller.")


def _look_at_video(path: Path) -> Clip:
    if not is_film(path):
        with open_file(path) as container:
            stream = video_stream(container)
            if stream is None:
                return Clip(name=path.name)
            check_pixels(path, stream.codec_context.width, stream.codec_context.height)
    first = next((frame for _, _, frame in every_frame(path)), None)
    if first is None:
        return Clip(name=path.name)
    height, width = upright(np.empty((first.height, first.width)), turn_of(first)).shape
    timeline = listed(path) or counted(path)
    check_seconds(path, timeline.end)
    fps = len(timeline.times) / float(timeline.end - timeline.times[0])
    return Clip(name=path.name, video=path, duration=timeline.end, width=width, height=height, fps=fps)


def _comment(path: Path) -> str:
    """What a file says of itself; "" where it says nothing."""
    if is_picture(path) or is_film(path):
        return comment(path)
    with open_file(path) as container:
        return container.metadata.get("comment", "")


def _has_sound(path: Path) -> bool:
    return any(seconds >= Limits.shortest_sound for seconds in heard(path))


def _sound_over(path: Path) -> float:
    """Second of the clip at which its sound is over, by decoding it: too many headers are wrong, and it is quick."""
    lag = sound_lag(path)
    for seconds in heard(path):
        check_seconds(path, lag + seconds)
    return lag + seconds
