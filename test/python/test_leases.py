"""Leases through the synchronous client: every call of the guide "Create and manage
blob leases with Python", and what must follow from each."""

import uuid

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobLeaseClient

from failures import refused


def state(client):
    """(status, state, duration) of the lease as the properties show it."""
    props = client.get_blob_properties() if hasattr(client, "get_blob_properties") else client.get_container_properties()
    return props.lease.status, props.lease.state, props.lease.duration


AVAILABLE = ("unlocked", "available", None)
LEASED = ("locked", "leased", "fixed")
INFINITE = ("locked", "leased", "infinite")
BREAKING = ("locked", "breaking", None)
BROKEN = ("unlocked", "broken", None)


@pytest.fixture(params=["blob", "container"])
def target(request, box):
    """A blob, then a container: their leases are the same machine."""
    if request.param == "container":
        client = box
        yield client
        # A test may leave a lease behind, and the container has to go.
        if client.get_container_properties().lease.status == "locked":
            BlobLeaseClient(client).break_lease(0)
        return
    client = box.get_blob_client("sample-blob.txt")
    client.upload_blob(b"sample")
    yield client


def test_acquire_30_seconds(target):
    assert state(target) == AVAILABLE
    lease = target.acquire_lease(30)
    assert isinstance(lease, BlobLeaseClient)
    assert str(uuid.UUID(lease.id)) == lease.id
    assert lease.etag and lease.last_modified
    assert state(target) == LEASED


def test_acquire_infinite(target):
    target.acquire_lease()
    assert state(target) == INFINITE


def test_acquire_does_not_change_the_etag(target):
    props = target.get_blob_properties if hasattr(target, "get_blob_properties") else target.get_container_properties
    before = props().etag
    assert target.acquire_lease(30).etag == before
    assert props().etag == before


def test_acquire_twice(target):
    target.acquire_lease(30)
    with refused(409, "LeaseAlreadyPresent"):
        target.acquire_lease(30)


def test_acquire_again_with_the_same_id(target):
    lease = BlobLeaseClient(target)
    lease.acquire(30)
    lease.acquire(-1)
    assert state(target) == INFINITE


@pytest.mark.parametrize("seconds", [14, 61, 0, -2])
def test_acquire_duration_out_of_range(target, seconds):
    with refused(400, "InvalidHeaderValue"):
        target.acquire_lease(seconds)
    assert state(target) == AVAILABLE


@pytest.mark.parametrize("seconds", [15, 60])
def test_acquire_duration_at_the_bounds(target, seconds):
    target.acquire_lease(seconds)
    assert state(target) == LEASED


def test_proposed_id(target):
    proposed = str(uuid.uuid4())
    lease = BlobLeaseClient(target, lease_id=proposed)
    lease.acquire(lease_duration=30)
    assert lease.id == proposed


def test_proposed_id_must_be_a_guid(target):
    with refused(400, "InvalidHeaderValue"):
        target.acquire_lease(30, lease_id="not-a-guid")


def test_renew(target):
    lease = target.acquire_lease(30)
    held = lease.id
    lease.renew()
    assert lease.id == held
    assert state(target) == LEASED


def test_renew_with_another_id(target):
    target.acquire_lease(30)
    with refused(409, "LeaseIdMismatchWithLeaseOperation"):
        BlobLeaseClient(target, lease_id=str(uuid.uuid4())).renew()


def test_change(target):
    lease = target.acquire_lease(30)
    old, new = lease.id, str(uuid.uuid4())
    lease.change(new)
    assert lease.id == new
    with refused(409, "LeaseIdMismatchWithLeaseOperation"):
        BlobLeaseClient(target, lease_id=old).renew()
    lease.renew()


def test_release(target):
    lease = target.acquire_lease(30)
    lease.release()
    assert state(target) == AVAILABLE
    target.acquire_lease(30)


def test_release_twice(target):
    lease = target.acquire_lease(30)
    again = BlobLeaseClient(target, lease_id=lease.id)
    lease.release()
    with refused(409, "LeaseIdMismatchWithLeaseOperation"):
        again.release()


def test_break_after_release(target):
    lease = target.acquire_lease(30)
    lease.release()
    with refused(409, "LeaseNotPresentWithLeaseOperation"):
        lease.break_lease()


def test_break_finite(target):
    lease = target.acquire_lease(30)
    remaining = lease.break_lease()
    assert remaining in (28, 29)  # rounded down
    assert state(target) == BREAKING
    with refused(409, "LeaseIsBrokenAndCannotBeRenewed"):
        lease.renew()
    with refused(409, "LeaseAlreadyPresent"):
        target.acquire_lease(30)


def test_break_infinite(target):
    lease = target.acquire_lease()
    assert lease.break_lease() == 0
    assert state(target) == BROKEN


def test_break_with_period(target):
    lease = target.acquire_lease(60)
    assert lease.break_lease(lease_break_period=10) in (9, 10)
    assert state(target) == BREAKING
    assert lease.break_lease(lease_break_period=0) == 0
    assert state(target) == BROKEN
    target.acquire_lease(15)
    assert state(target) == LEASED


def test_break_needs_no_id(target):
    target.acquire_lease(30)
    BlobLeaseClient(target).break_lease(0)
    assert state(target) == BROKEN


def test_holder_may_release_while_breaking(target):
    lease = target.acquire_lease(60)
    lease.break_lease()
    lease.release()
    assert state(target) == AVAILABLE


def test_with_statement(target):
    with target.acquire_lease(30) as lease:
        assert state(target) == LEASED
        lease.renew()
    assert state(target) == AVAILABLE


def test_missing_blob(box):
    with refused(404, "BlobNotFound"):
        box.get_blob_client("nothing").acquire_lease(30)


def test_missing_container(service):
    with refused(404, "ContainerNotFound"):
        service.get_container_client("no-" + uuid.uuid4().hex).acquire_lease(30)


def test_write_needs_the_lease(blob):
    lease = blob.acquire_lease(30)
    with refused(412, "LeaseIdMissing"):
        blob.upload_blob(b"intruder", overwrite=True)
    with refused(412, "LeaseIdMissing"):
        blob.set_blob_metadata({"a": "b"})
    with refused(412, "LeaseIdMissing"):
        blob.delete_blob()
    with refused(412, "LeaseIdMismatchWithBlobOperation"):
        blob.upload_blob(b"intruder", overwrite=True, lease=str(uuid.uuid4()))
    assert blob.download_blob().readall() == b"sample"
    blob.upload_blob(b"by the holder", overwrite=True, lease=lease)
    blob.set_blob_metadata({"a": "b"}, lease=lease.id)
    assert blob.download_blob(lease=lease).readall() == b"by the holder"
    assert state(blob) == LEASED
    blob.delete_blob(lease=lease)


def test_upload_without_overwrite_on_a_leased_blob(blob):
    # The client sends If-None-Match: * beside the lease ID, and the service lets
    # the lease decide.
    lease = blob.acquire_lease(30)
    blob.upload_blob(b"new", lease=lease)
    assert blob.download_blob().readall() == b"new"


def test_upload_without_overwrite_and_without_lease(blob):
    with pytest.raises(ResourceExistsError) as caught:
        blob.upload_blob(b"new")
    assert caught.value.error_code == "BlobAlreadyExists"


def test_lease_id_on_an_unleased_blob(blob):
    with refused(412, "LeaseNotPresentWithBlobOperation"):
        blob.upload_blob(b"new", overwrite=True, lease=str(uuid.uuid4()))


def test_lease_id_on_a_missing_blob(box):
    with refused(412, "LeaseNotPresentWithBlobOperation"):
        box.get_blob_client("new").upload_blob(b"new", lease=str(uuid.uuid4()))


def test_lost_lease(blob):
    lease = blob.acquire_lease(30)
    lease.break_lease(0)
    with refused(412, "LeaseLost"):
        blob.upload_blob(b"late", overwrite=True, lease=lease)
    # A write without an ID goes through and forgets the broken lease.
    blob.upload_blob(b"next", overwrite=True)
    assert state(blob) == AVAILABLE


def test_snapshot_needs_no_lease(blob):
    blob.acquire_lease(30)
    assert blob.create_snapshot()["snapshot"]


def test_blocks_of_a_leased_blob(blob):
    lease = blob.acquire_lease(30)
    with refused(412, "LeaseIdMissing"):
        blob.stage_block("MDAwMQ==", b"x")
    blob.stage_block("MDAwMQ==", b"staged", lease=lease)
    blob.commit_block_list(["MDAwMQ=="], lease=lease)
    assert blob.download_blob().readall() == b"staged"


def test_container_lease_guards_its_deletion_only(box):
    lease = box.acquire_lease(30)
    box.upload_blob("free", b"x")
    box.set_container_metadata({"a": "b"})
    with refused(412, "LeaseIdMissing"):
        box.delete_container()
    with refused(412, "LeaseIdMismatchWithContainerOperation"):
        box.get_container_properties(lease=str(uuid.uuid4()))
    lease.release()


def test_delete_container_with_its_lease(service):
    box = service.create_container("py-" + uuid.uuid4().hex)
    lease = box.acquire_lease(30)
    box.delete_container(lease=lease)
    assert not box.exists()


def test_condition_on_acquire(blob):
    etag = blob.get_blob_properties().etag
    blob.set_blob_metadata({"changed": "yes"})
    with refused(412, "ConditionNotMet"):
        blob.acquire_lease(30, etag=etag, match_condition=MatchConditions.IfNotModified)
    assert state(blob) == AVAILABLE


def test_lease_in_listings(box, blob):
    blob.acquire_lease(30)
    listed = next(iter(box.list_blobs()))
    assert (listed.lease.status, listed.lease.state, listed.lease.duration) == LEASED


def test_container_lease_in_listings(service, box):
    with box.acquire_lease():
        listed = next(iter(service.list_containers(name_starts_with=box.container_name)))
        assert (listed.lease.status, listed.lease.state, listed.lease.duration) == INFINITE
