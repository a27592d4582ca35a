"""Uploads, downloads and listings through the asynchronous client."""

import asyncio
import os

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob.aio import BlobClient
import pytest

MIB = 1 << 20


async def test_round_trip(abox):
    blob = await abox.upload_blob("x", b"hello", metadata={"a": "1"})
    props = await blob.get_blob_properties()
    assert (props.size, props.metadata) == (5, {"a": "1"})
    assert await (await blob.download_blob()).readall() == b"hello"
    await blob.delete_blob()
    with pytest.raises(ResourceNotFoundError):
        await blob.get_blob_properties()


async def test_blocks_and_parallel_ranges(connection_string, abox):
    body = os.urandom(5 * MIB + 3)
    async with BlobClient.from_connection_string(
        connection_string,
        abox.container_name,
        "big",
        retry_total=0,
        max_single_put_size=MIB,
        max_block_size=MIB,
        max_single_get_size=MIB,
        max_chunk_get_size=MIB,
    ) as blob:
        await blob.upload_blob(body, max_concurrency=4)
        assert await (await blob.download_blob(max_concurrency=4)).readall() == body
        chunks = [c async for c in (await blob.download_blob()).chunks()]
        assert b"".join(chunks) == body


async def test_many_uploads_at_once(abox):
    await asyncio.gather(*(abox.upload_blob(f"n{i:03}", bytes([i])) for i in range(100)))
    names = [b.name async for b in abox.list_blobs(results_per_page=30)]
    assert names == [f"n{i:03}" for i in range(100)]


async def test_hierarchy(abox):
    for name in ["a/1", "a/2", "b"]:
        await abox.upload_blob(name, b"")
    assert [i.name async for i in abox.walk_blobs()] == ["a/", "b"]


async def test_append_and_page(abox):
    log = abox.get_blob_client("log")
    await log.create_append_blob()
    await log.append_block(b"one")
    await log.append_block(b"two")
    assert await (await log.download_blob()).readall() == b"onetwo"
    disk = abox.get_blob_client("disk")
    await disk.create_page_blob(1024)
    await disk.upload_page(b"\x07" * 512, offset=512, length=512)
    assert [(r.start, r.end) async for r in disk.list_page_ranges()] == [(512, 1023)]


async def test_snapshot_and_tags(abox, ablob):
    assert (await ablob.create_snapshot())["snapshot"]
    await ablob.set_blob_tags({"k": "v"})
    assert await ablob.get_blob_tags() == {"k": "v"}
    await ablob.delete_blob(delete_snapshots="include")
