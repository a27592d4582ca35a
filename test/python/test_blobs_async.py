"""Uploads, downloads and listings through the asynchronous client."""

import asyncio
import os

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobBlock, BlobSasPermissions, ContentSettings, StandardBlobTier, generate_blob_sas
from azure.storage.blob.aio import BlobClient

from failures import refused
from test_blobs import hour

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


async def test_append_conditions(abox):
    log = abox.get_blob_client("log")
    await log.upload_blob(b"one", blob_type="AppendBlob")
    await log.append_block(b"two", appendpos_condition=3)
    with refused(412, "AppendPositionConditionNotMet"):
        await log.append_block(b"x", appendpos_condition=3)
    with refused(412, "MaxBlobSizeConditionNotMet"):
        await log.append_block(b"x", maxsize_condition=6)
    await log.seal_append_blob()
    with refused(409, "BlobIsSealed"):
        await log.append_block(b"x")


async def test_pages(abox):
    disk = abox.get_blob_client("disk")
    await disk.create_page_blob(2048)
    await disk.upload_page(b"\x01" * 1024, offset=0, length=1024)
    snapshot = (await disk.create_snapshot())["snapshot"]
    await disk.clear_page(offset=512, length=512)
    changed = [(r.start, r.end, r.cleared) async for r in disk.list_page_ranges(previous_snapshot=snapshot)]
    assert changed == [(512, 1023, True)]
    await disk.resize_blob(4096)
    await disk.set_sequence_number("update", "7")
    props = await disk.get_blob_properties()
    assert (props.size, props.page_blob_sequence_number) == (4096, 7)
    with refused(412, "SequenceNumberConditionNotMet"):
        await disk.upload_page(b"\x02" * 512, offset=0, length=512, if_sequence_number_lt=7)


async def test_block_lists(abox):
    blob = abox.get_blob_client("blocks")
    ids = ["MDAwMQ==", "MDAwMg=="]
    await asyncio.gather(*(blob.stage_block(b, b.encode()) for b in ids))
    _, uncommitted = await blob.get_block_list("all")
    assert len(uncommitted) == 2 and not await blob.exists()
    await blob.commit_block_list([BlobBlock(b) for b in reversed(ids)])
    assert await (await blob.download_blob()).readall() == b"MDAwMg==MDAwMQ=="


@pytest.mark.parametrize("sync", [False, True])
async def test_copy(abox, ablob, sync):
    sas = generate_blob_sas(
        ablob.account_name,
        ablob.container_name,
        ablob.blob_name,
        account_key=ablob.credential.account_key,
        permission=BlobSasPermissions(read=True),
        expiry=hour(),
    )
    copy = abox.get_blob_client("copy")
    started = await copy.start_copy_from_url(ablob.url + "?" + sas, requires_sync=sync)
    assert started["copy_status"] == "success"
    assert await (await copy.download_blob()).readall() == b"sample"
    with refused(409, "NoPendingCopyOperation"):
        await copy.abort_copy(started["copy_id"])


async def test_snapshots(abox, ablob):
    snapshot = (await ablob.create_snapshot(metadata={"of": "yore"}))["snapshot"]
    await ablob.upload_blob(b"newer", overwrite=True)
    old = abox.get_blob_client(ablob.blob_name, snapshot=snapshot)
    assert await (await old.download_blob()).readall() == b"sample"
    assert [b.snapshot async for b in abox.list_blobs(include=["snapshots"])] == [snapshot, None]
    with refused(409, "SnapshotsPresent"):
        await ablob.delete_blob()
    await ablob.delete_blob(delete_snapshots="include")


async def test_tags(aservice, abox, ablob):
    value = abox.container_name
    await ablob.set_blob_tags({"project": value})
    assert await ablob.get_blob_tags() == {"project": value}
    assert [b.name async for b in aservice.find_blobs_by_tags(f"project='{value}'")] == [ablob.blob_name]
    assert [b.name async for b in abox.find_blobs_by_tags(f"project='{value}'")] == [ablob.blob_name]
    assert [b.tags async for b in abox.list_blobs(include=["tags"])] == [{"project": value}]


async def test_conditions_headers_and_tier(ablob):
    etag = (await ablob.get_blob_properties()).etag
    await ablob.set_http_headers(
        ContentSettings(content_type="text/css"), etag=etag, match_condition=MatchConditions.IfNotModified
    )
    with refused(412, "ConditionNotMet"):
        await ablob.set_blob_metadata({}, etag=etag, match_condition=MatchConditions.IfNotModified)
    await ablob.set_standard_blob_tier(StandardBlobTier.COOL)
    props = await ablob.get_blob_properties()
    assert (props.content_settings.content_type, props.blob_tier) == ("text/css", "Cool")


async def test_batch_and_containers(aservice, abox):
    await asyncio.gather(*(abox.upload_blob(n, b"") for n in ["one", "two", "three"]))
    answers = [a.status_code async for a in await abox.set_standard_blob_tier_blobs("Cool", "one", "two")]
    assert answers == [200, 200]
    assert [a.status_code async for a in await abox.delete_blobs("one", "two")] == [202, 202]
    assert [b.name async for b in abox.list_blobs()] == ["three"]
    await abox.set_container_metadata({"team": "blue"})
    found = [c async for c in aservice.list_containers(name_starts_with=abox.container_name, include_metadata=True)]
    assert [c.metadata for c in found] == [{"team": "blue"}]
