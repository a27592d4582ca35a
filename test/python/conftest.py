"""Fixtures: the server under test, and a container of its own for each test.

The server is named by AZURE_STORAGE_CONNECTION_STRING, and by LEASEHOLD_TEST_ENDPOINT,
_ACCOUNT and _KEY for clients that want the parts.
"""

import os
import uuid

import pytest
from azure.storage.blob import BlobServiceClient
from azure.storage.blob.aio import BlobServiceClient as AsyncBlobServiceClient


@pytest.fixture(scope="session")
def connection_string():
    return os.environ["AZURE_STORAGE_CONNECTION_STRING"]


@pytest.fixture
def service(connection_string):
    # No retries: a test must see the first answer.
    with BlobServiceClient.from_connection_string(connection_string, retry_total=0) as client:
        yield client


@pytest.fixture
async def aservice(connection_string):
    async with AsyncBlobServiceClient.from_connection_string(connection_string, retry_total=0) as client:
        yield client


@pytest.fixture
def box(service):
    """A container that exists for this test."""
    client = service.create_container("py-" + uuid.uuid4().hex)
    yield client
    client.delete_container()


@pytest.fixture
async def abox(aservice):
    """A container that exists for this test, for the asynchronous client."""
    client = await aservice.create_container("py-" + uuid.uuid4().hex)
    yield client
    await client.delete_container()


@pytest.fixture
def blob(box):
    """A small block blob."""
    client = box.get_blob_client("sample-blob.txt")
    client.upload_blob(b"sample")
    return client


@pytest.fixture
async def ablob(abox):
    """A small block blob, for the asynchronous client."""
    client = abox.get_blob_client("sample-blob.txt")
    await client.upload_blob(b"sample")
    return client
