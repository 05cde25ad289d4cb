"""Pictures and videos of ``incoming/media`` into the lake: by content, listed by post, nothing decoded."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from copy import copy
from functools import partial
from itertools import takewhile
from pathlib import PurePosixPath

import pandas as pd

from fashion_assets.posts.archives import Member, open_zip, zip_members
from fashion_assets.posts.media_book import MediaBook, MediaLanding
from fashion_assets.posts.media_contents import MAX_MEDIA_BYTES, contents_of, open_media, read_media
from fashion_assets.posts.media_names import PICTURE_SUFFIXES, VIDEO_SUFFIXES, readable
from fashion_assets.posts.slices import Slice
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import local_copy
from fashion_assets.storage.places import Place, Stamp, inside, is_remote

#: Media are compressed already, so an archive of them unpacks to little more than its own size. Members beyond
#: this many times that size (or beyond the floor, for small archives) would only fill the disk.
MAX_EXPANSION = 100
MIN_UNPACKED = 64 << 20
#: A sentence on folders that are no posts shows this many of them.
_FOLDERS_SHOWN = 3


def land_media(
    incoming: Place,
    lake: Place,
    candidates: Mapping[Place, Stamp | None],
    salt: bytes,
    mask: Callable[..., str],
    *,
    room: Slice,
    confirm: Callable[[], None],
) -> MediaLanding:
    """Copy what is new to ``lake/media/<d[:2]>/<digest><suffix>`` and list it in the manifest by post.

    Links, ways out of an archive and empty files are recorded with a reason and not copied. ``mask`` takes
    author ids out of names. A file with the size and time it had the last time is not read again. No more
    are read than there is ``room`` for. ``confirm`` is called before both lists are written; if it raises they stay.
    """
    book = MediaBook(lake, salt, mask, room, confirm)
    found = [(path, readable(inside(incoming, path).as_posix()), stamp) for path, stamp in candidates.items()]
    found.sort(key=lambda item: _has_failed(item[1], item[2], book))
    fresh = [
        path
        for path, relative, stamp in found
        if stamp is not None and _is_fresh(path, relative, stamp, book)
    ]
    coming = set(fresh)
    # Some are read ahead, and none of those that there is no room for.
    ahead = copy(room)
    coming_now = takewhile(lambda path: ahead.takes(getattr(candidates[path], "n_bytes", 0)), fresh)
    openers = [partial(open_media, path, candidates[path]) for path in coming_now]
    contents = contents_of(openers, is_remote(incoming))
    for path, relative, stamp in found:
        parts = PurePosixPath(relative).parts[1:]
        if path in coming:
            if stamp is not None and book.has_room(stamp.n_bytes, again=_has_failed(relative, stamp, book)):
                name = "_".join(parts[1:])
                book.take(parts[0], name, relative, "", stamp.n_bytes, stamp.text, next(contents))
        elif _is_link(path):
            if len(parts) > 1:
                reason = f"{relative} is a link; put the file itself there."
                book.refuse(parts[0], "_".join(parts[1:]), relative, reason)
            else:
                book.result.refused[relative] = f"{relative} is a link; put the folder itself there."
        elif stamp is not None and _is_archive(path, relative):
            _land_archive(path, relative, stamp, book)
        elif stamp is not None and len(parts) < 2:
            book.result.refused[relative] = (
                f"{relative} lies beside the folders of the posts; expected media/<post_id>/{parts[-1]}."
            )
    book.close()
    refused = book.result.refused
    book.result.refused = {mask(place): mask(reason) for place, reason in refused.items()}
    return book.result


def without_posts(manifest: pd.DataFrame, post_ids: Collection[str]) -> str | None:
    """A sentence where usable media of the manifest belong to none of the posts that have landed."""
    usable = manifest[manifest["reason"].isna()]
    strange = usable[~usable["post_id"].isin(post_ids)]
    if strange.empty:
        return None
    folders = [str(folder) for folder in sorted(strange["post_id"].unique())]
    shown = ", ".join(f"'{folder}'" for folder in folders[:_FOLDERS_SHOWN])
    more = f" and {len(folders) - _FOLDERS_SHOWN:,} more" if len(folders) > _FOLDERS_SHOWN else ""
    files = (
        "1 picture or video belongs" if len(strange) == 1 else f"{len(strange):,} pictures and videos belong"
    )
    return (
        f"{files} to no post that has landed, by the name of the folder below media/ ({shown}{more}). If these are ids "
        "of posts, they count when a crawl file brings those; else put the files into media/<post_id>/."
    )


def _has_failed(relative: str, stamp: Stamp | None, book: MediaBook) -> bool:
    return stamp is not None and book.has_failed(relative, "", stamp.n_bytes, stamp.text)


def _is_fresh(path: Place, relative: str, stamp: Stamp, book: MediaBook) -> bool:
    """Whether this is a file in a post's folder that was not looked at since it changed."""
    return (
        len(PurePosixPath(relative).parts) > 2
        and not book.is_seen(relative, "", stamp.n_bytes, stamp.text)
        and not _is_link(path)
        and not _is_archive(path, relative)
    )


def _is_link(path: Place) -> bool:
    return not is_remote(path) and path.is_symlink()


def _is_archive(path: Place, relative: str) -> bool:
    return path.suffix.lower() == ".zip" and len(PurePosixPath(relative).parts) <= 2


def _land_archive(path: Place, relative: str, stamp: Stamp, book: MediaBook) -> None:
    if book.is_seen(relative, "", stamp.n_bytes, stamp.text):
        book.result.archives[relative] = ("already landed", 0)
        return
    # One in a bucket is fetched whole, and then all of it lands: not once more for each slice of it.
    whole = is_remote(path)
    if whole and not book.has_room(stamp.n_bytes, again=_has_failed(relative, stamp, book)):
        return
    before, left_before = book.result.added, book.result.remaining
    try:
        with local_copy(path) as copy, open_zip(copy) as archive:
            members = list(zip_members(archive, MAX_MEDIA_BYTES))
            skip = _folders_around(members)
            room = max(MIN_UNPACKED, MAX_EXPANSION * stamp.n_bytes)
            taken: set[str] = set()
            for member in members:
                parts = PurePosixPath(member.name).parts[skip:]
                place = f"{relative}/{member.name}"
                name, entry = "_".join(parts[1:]), member.entry
                reason = member.reason
                if reason is None and entry.file_size > room:
                    reason = (
                        f"{place} unpacks to {entry.file_size:,} bytes, more than an archive of "
                        f"{stamp.n_bytes:,} bytes is allowed; it may be a bomb. Put the file itself there."
                    )
                if reason and (
                    len(parts) < 2
                    or ".." in parts
                    or PurePosixPath(member.name).is_absolute()
                    # The picture of this name came in; a refusal in the manifest would take its place.
                    or member.name in taken
                ):
                    book.result.refused[place] = f"{relative}: {reason}"
                elif reason:
                    book.refuse(parts[0], name, place, reason)
                elif len(parts) < 2:
                    book.result.refused[place] = (
                        f"{place} lies in no post's folder; expected <post_id>/{PurePosixPath(member.name).name}."
                    )
                else:
                    room -= entry.file_size
                    taken.add(member.name)
                    stamped = f"crc:{entry.CRC:08x}"
                    fresh = not book.is_seen(
                        relative, member.name, entry.file_size, stamped
                    ) and not book.has_failed(relative, member.name, entry.file_size, stamped + stamp.text)
                    if fresh and (whole or book.has_room(entry.file_size)):
                        content = read_media(partial(archive.open, entry))
                        size = entry.file_size
                        book.take(
                            parts[0], name, relative, member.name, size, stamped, content, archive=stamp.text
                        )
    except UserError as fault:
        book.result.refused[relative] = f"{relative} was refused: {fault}."
        book.mark_failed(relative, "", stamp.n_bytes, stamp.text)
        return
    except FileNotFoundError:
        return  # taken away since it was listed
    if book.result.remaining == left_before:
        book.mark_seen(relative, "", stamp.n_bytes, stamp.text, None, None)
    book.result.archives[relative] = ("landed", book.result.added - before)


def _folders_around(members: list[Member]) -> int:
    """How many folders all media have in common above the posts' own ("media/<post_id>/1.jpg" has one)."""
    named = [PurePosixPath(member.name) for member in members if not member.reason]
    # A list or a readme beside the posts' folders says nothing about them.
    media = [path for path in named if path.suffix.lower() in (*PICTURE_SUFFIXES, *VIDEO_SUFFIXES)]
    paths = [path.parts for path in media or named]
    if not paths:
        return 0
    skip = 0
    while all(len(parts) > skip + 2 for parts in paths) and len({parts[skip] for parts in paths}) == 1:
        skip += 1
    # A file that lies loose in the folder of that name must not make the folder a post.
    if all(len(parts) > skip + 1 and parts[skip].lower() == "media" for parts in paths):
        skip += 1
    return skip
