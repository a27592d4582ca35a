"""Soft delete, synchronous and asynchronous: what is deleted can be listed and
brought back while the retention lasts."""

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import RetentionPolicy


@pytest.fixture
def retention(service):
    """Soft delete of blobs, on for this test."""
    service.set_service_properties(delete_retention_policy=RetentionPolicy(enabled=True, days=2))
    assert service.get_service_properties()["delete_retention_policy"].enabled
    yield
    service.set_service_properties(delete_retention_policy=RetentionPolicy(enabled=False))


def test_delete_and_undelete(retention, box, blob):
    blob.delete_blob()
    assert not blob.exists()
    assert list(box.list_blobs()) == []
    (deleted,) = box.list_blobs(include=["deleted"])
    assert deleted.deleted and deleted.remaining_retention_days in (1, 2)
    blob.undelete_blob()
    assert blob.download_blob().readall() == b"sample"
    assert blob.get_blob_properties().lease.state == "available"


def test_undelete_of_what_never_was(retention, box):
    with pytest.raises(ResourceNotFoundError):
        box.get_blob_client("nothing").undelete_blob()


def test_leased_blob_is_deleted_with_its_lease(retention, box, blob):
    lease = blob.acquire_lease(30)
    blob.delete_blob(lease=lease)
    (deleted,) = box.list_blobs(include=["deleted"])
    assert not deleted.lease.state
    blob.undelete_blob()
    assert blob.get_blob_properties().lease.state == "available"


def test_overwritten_content_becomes_a_deleted_snapshot(retention, box, blob):
    blob.upload_blob(b"newer", overwrite=True)
    kept = [b for b in box.list_blobs(include=["deleted", "snapshots"]) if b.deleted]
    assert len(kept) == 1 and kept[0].snapshot


async def test_asynchronous_delete_and_undelete(retention, abox, ablob):
    await ablob.delete_blob()
    assert not await ablob.exists()
    assert [b.deleted async for b in abox.list_blobs(include=["deleted"])] == [True]
    await ablob.undelete_blob()
    assert await (await ablob.download_blob()).readall() == b"sample"


async def test_asynchronous_deleted_snapshots(retention, abox, ablob):
    await ablob.create_snapshot()
    await ablob.upload_blob(b"newer", overwrite=True)
    await ablob.delete_blob(delete_snapshots="include")
    kept = [(b.deleted, bool(b.snapshot)) async for b in abox.list_blobs(include=["deleted", "snapshots"])]
    assert kept.count((True, False)) == 1 and kept.count((True, True)) >= 2
    await ablob.undelete_blob()
    assert await (await ablob.download_blob()).readall() == b"newer"
    assert not [b async for b in abox.list_blobs(include=["deleted", "snapshots"]) if b.deleted]
