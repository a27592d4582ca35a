"""Leases through the default Azure credential, as the documentation shows them.

Run in the environment that "leasehold env" prints; nothing here names the server but
the public address of its account.
"""

import os
import uuid

import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity import DefaultAzureCredential
from azure.identity.aio import DefaultAzureCredential as AsyncDefaultAzureCredential
from azure.storage.blob import BlobServiceClient
from azure.storage.blob.aio import BlobServiceClient as AsyncBlobServiceClient

ACCOUNT_URL = "https://" + os.environ["AZURE_STORAGE_ACCOUNT"] + ".blob.core.windows.net"


def test_lease():
    with DefaultAzureCredential() as credential, BlobServiceClient(ACCOUNT_URL, credential=credential) as service:
        container = service.create_container("py-" + uuid.uuid4().hex)
        blob_client = container.get_blob_client("sample-blob.txt")
        blob_client.upload_blob(b"sample")

        lease_client = blob_client.acquire_lease(30)
        assert blob_client.get_blob_properties().lease.state == "leased"
        ends(lease_client)
        container.delete_container()


def test_container_lease():
    with DefaultAzureCredential() as credential, BlobServiceClient(ACCOUNT_URL, credential=credential) as service:
        container = service.create_container("py-" + uuid.uuid4().hex)
        lease_client = container.acquire_lease(30)
        assert container.get_container_properties().lease.state == "leased"
        ends(lease_client)
        container.delete_container()


def ends(lease_client):
    """Renews and releases a lease, which there is no more to break then."""
    lease_client.renew()
    lease_client.release()
    with pytest.raises(HttpResponseError) as caught:
        lease_client.break_lease()
    assert (caught.value.status_code, caught.value.error_code) == (409, "LeaseNotPresentWithLeaseOperation")


async def test_lease_async():
    async with AsyncDefaultAzureCredential() as credential, AsyncBlobServiceClient(ACCOUNT_URL, credential=credential) as service:
        container = await service.create_container("py-" + uuid.uuid4().hex)
        blob_client = container.get_blob_client("sample-blob.txt")
        await blob_client.upload_blob(b"sample")

        lease_client = await blob_client.acquire_lease(30)
        assert (await blob_client.get_blob_properties()).lease.state == "leased"
        await ends_async(lease_client)
        await container.delete_container()


async def test_container_lease_async():
    async with AsyncDefaultAzureCredential() as credential, AsyncBlobServiceClient(ACCOUNT_URL, credential=credential) as service:
        container = await service.create_container("py-" + uuid.uuid4().hex)
        lease_client = await container.acquire_lease(30)
        assert (await container.get_container_properties()).lease.state == "leased"
        await ends_async(lease_client)
        await container.delete_container()


async def ends_async(lease_client):
    await lease_client.renew()
    await lease_client.release()
    with pytest.raises(HttpResponseError) as caught:
        await lease_client.break_lease()
    assert (caught.value.status_code, caught.value.error_code) == (409, "LeaseNotPresentWithLeaseOperation")


def test_user_delegation():
    """A signature by a key that was got with a token opens a blob without one."""
    from datetime import datetime, timedelta, timezone

    from azure.storage.blob import BlobClient, BlobSasPermissions, generate_blob_sas

    with DefaultAzureCredential() as credential, BlobServiceClient(ACCOUNT_URL, credential=credential) as service:
        container = service.create_container("py-" + uuid.uuid4().hex)
        container.get_blob_client("one").upload_blob(b"sample")
        now = datetime.now(timezone.utc)
        key = service.get_user_delegation_key(now - timedelta(minutes=5), now + timedelta(hours=1))
        sas = generate_blob_sas(
            service.account_name, container.container_name, "one",
            user_delegation_key=key, permission=BlobSasPermissions(read=True), expiry=now + timedelta(minutes=30),
        )
        with BlobClient.from_blob_url(ACCOUNT_URL + "/" + container.container_name + "/one?" + sas) as signed:
            assert signed.download_blob().readall() == b"sample"
            with pytest.raises(HttpResponseError) as caught:
                signed.delete_blob()
            assert (caught.value.status_code, caught.value.error_code) == (403, "AuthorizationPermissionMismatch")
        container.delete_container()
