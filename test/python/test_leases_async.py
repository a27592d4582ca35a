"""Leases through the asynchronous client: the calls of the guide's asynchronous
samples, and many leases held at once by one program."""

import asyncio
import uuid

import pytest
from azure.storage.blob.aio import BlobLeaseClient

from failures import refused


async def state(client):
    """(status, state, duration) of the lease as the properties show it."""
    get = client.get_blob_properties if hasattr(client, "get_blob_properties") else client.get_container_properties
    lease = (await get()).lease
    return lease.status, lease.state, lease.duration


AVAILABLE = ("unlocked", "available", None)
LEASED = ("locked", "leased", "fixed")
INFINITE = ("locked", "leased", "infinite")
BREAKING = ("locked", "breaking", None)
BROKEN = ("unlocked", "broken", None)


@pytest.fixture(params=["blob", "container"])
async def target(request, abox):
    """A blob, then a container."""
    if request.param == "container":
        yield abox
        if (await state(abox))[0] == "locked":
            await BlobLeaseClient(abox).break_lease(0)
        return
    client = abox.get_blob_client("sample-blob.txt")
    await client.upload_blob(b"sample")
    yield client


async def test_acquire_renew_release(target):
    lease = await target.acquire_lease(30)
    assert isinstance(lease, BlobLeaseClient)
    assert await state(target) == LEASED
    held = lease.id
    await lease.renew()
    assert lease.id == held
    await lease.release()
    assert await state(target) == AVAILABLE


async def test_lease_client(target):
    lease = BlobLeaseClient(target, lease_id=str(uuid.uuid4()))
    await lease.acquire(-1)
    assert await state(target) == INFINITE
    await lease.change(str(uuid.uuid4()))
    await lease.release()


async def test_break(target):
    lease = await target.acquire_lease(30)
    assert await lease.break_lease() in (28, 29)  # rounded down
    assert await state(target) == BREAKING
    assert await lease.break_lease(lease_break_period=0) == 0
    assert await state(target) == BROKEN


async def test_break_after_release(target):
    lease = await target.acquire_lease(30)
    await lease.release()
    with refused(409, "LeaseNotPresentWithLeaseOperation"):
        await lease.break_lease()


async def test_async_with_statement(target):
    async with await target.acquire_lease(30) as lease:
        assert await state(target) == LEASED
        await lease.renew()
    assert await state(target) == AVAILABLE


async def test_upload_with_lease(ablob):
    lease = await ablob.acquire_lease(30)
    with refused(412, "LeaseIdMissing"):
        await ablob.upload_blob(b"intruder", overwrite=True)
    await ablob.upload_blob(b"overwritten", overwrite=True, lease=lease)
    await ablob.upload_blob(b"not overwritten, says the client", lease=lease)
    stream = await ablob.download_blob(lease=lease)
    assert await stream.readall() == b"not overwritten, says the client"


async def test_one_of_many_wins(target):
    async def attempt():
        try:
            return await target.acquire_lease(60)
        except Exception as refusal:
            assert refusal.error_code == "LeaseAlreadyPresent"

    outcomes = await asyncio.gather(*(attempt() for _ in range(32)))
    assert len([lease for lease in outcomes if lease]) == 1


async def test_many_leases_at_once(abox):
    blobs = [abox.get_blob_client(f"part-{i}") for i in range(50)]
    await asyncio.gather(*(b.upload_blob(b"x") for b in blobs))
    leases = await asyncio.gather(*(b.acquire_lease(30) for b in blobs))
    await asyncio.gather(*(lease.renew() for lease in leases))
    listed = [b.lease.state async for b in abox.list_blobs()]
    assert listed == ["leased"] * 50
    await asyncio.gather(*(lease.release() for lease in leases))
    listed = [b.lease.state async for b in abox.list_blobs()]
    assert listed == ["available"] * 50
