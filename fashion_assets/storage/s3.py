"""Paths in an S3 bucket with pathlib's methods, one client per process and nothing about a listing remembered.

Belongs here: how s3fs and universal_pathlib are asked for what ``storage`` promises. Imported lazily, through
``storage.places`` alone: the extra ``s3`` may not be installed, and loading it takes half a second.

Endpoint and credentials are the standard AWS ones (``AWS_ENDPOINT_URL``, ``AWS_ACCESS_KEY_ID``, profiles, roles of
the machine), read by botocore; none of them is in a path, in its text or in its pickle.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from upath.implementations.cloud import S3Path

if TYPE_CHECKING:
    from s3fs import S3FileSystem

#: A part of an upload, and what is held in memory while one is written: 10,000 parts of it are 160 GB.
PART_BYTES = 16 << 20
#: Connections side by side: as many threads as read pictures at once.
CONNECTIONS = 32


class S3Place(S3Path):
    """``s3://bucket/key``. What is listed or looked at is asked of the store each time: other processes write too."""

    __slots__ = ()

    def __new__(cls, *segments: Any, **options: Any) -> S3Place:
        # UPath would look the class up by protocol and find its own.
        return object.__new__(cls)

    @property
    def fs(self) -> S3FileSystem:
        from s3fs import S3FileSystem

        # fsspec keeps one per process: a path may be made before a fork and used after it.
        return S3FileSystem(
            use_listings_cache=False,
            config_kwargs={
                "max_pool_connections": CONNECTIONS,
                "retries": {"mode": "standard", "max_attempts": 5},
            },
        )

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Nothing: a key needs no folder, and buckets are made by their owner."""

    def read_bytes(self, most: int | None = None) -> bytes:
        """The whole object, or its first ``most`` bytes: these in one request, the whole in two."""
        data: bytes = self.fs.cat_file(self.path, start=0, end=most) if most else self.fs.cat_file(self.path)
        return data

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the object, in one request where it may be missing."""
        if not missing_ok and not self.is_file():
            raise FileNotFoundError(str(self))
        bucket, key, _ = self.fs.split_path(self.path)
        self.fs.call_s3("delete_object", Bucket=bucket, Key=key)

    def head(self) -> dict[str, Any]:
        """What the store says of the object (ETag, LastModified, size), in one request. Raises FileNotFoundError."""
        bucket, key, _ = self.fs.split_path(self.path)
        said: dict[str, Any] = self.fs.call_s3("head_object", Bucket=bucket, Key=key)
        return {**said, "size": said["ContentLength"]}

    def upload(self) -> IO[bytes]:
        """A handle whose ``close`` puts the object there whole; ``discard`` and nothing was there."""
        return self.fs.open(self.path, "wb", block_size=PART_BYTES)

    def reader(self, ahead: int | None = None) -> Any:
        """A handle on the object as it is now (``size`` is known); raises where it is replaced meanwhile.

        ``ahead``: bytes that are fetched at a time; None: exactly those asked for.
        """
        if ahead is None:
            return self.fs.open(self.path, "rb", cache_type="none")
        return self.fs.open(self.path, "rb", cache_type="readahead", block_size=ahead)

    def children(self) -> dict[S3Place, dict[str, Any]]:
        """What lies directly below this prefix, by key, with its ``type`` (file, directory) and what is said of it."""
        root = self.path.rstrip("/")
        try:
            found = self.fs.ls(root, detail=True)
        except FileNotFoundError:
            return {}
        below = {said["name"][len(root) + 1 :]: said for said in sorted(found, key=lambda said: said["name"])}
        return {self / name: said for name, said in below.items() if name and not name.endswith("/")}

    def listed(self) -> dict[S3Place, dict[str, Any]]:
        """Every object below this prefix with what the listing says of it (size, ETag, LastModified), by key."""
        root = self.path.rstrip("/")
        found: dict[str, dict[str, Any]] = self.fs.find(root + "/", detail=True)
        below = {key[len(root) + 1 :]: said for key, said in sorted(found.items()) if said["type"] == "file"}
        # Consoles make "folders" as empty objects whose key ends with a slash.
        return {self / name: said for name, said in below.items() if name and not name.endswith("/")}
