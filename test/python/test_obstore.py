"""The Rust crate object_store, through its Python binding obstore: conditional
puts, multipart uploads, ranges and listings of a client that shares no code with
the official SDKs."""

import os
import uuid
from datetime import timedelta

import obstore
import pytest
from obstore.exceptions import AlreadyExistsError, NotFoundError, PreconditionError
from obstore.store import AzureStore


@pytest.fixture
def store(box):
    return AzureStore(
        container_name=box.container_name,
        account_name=os.environ["LEASEHOLD_TEST_ACCOUNT"],
        account_key=os.environ["LEASEHOLD_TEST_KEY"],
        endpoint=os.environ["LEASEHOLD_TEST_ENDPOINT"],
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )


def test_put_get_delete(store):
    obstore.put(store, "a/b c.txt", b"hello")
    assert bytes(obstore.get(store, "a/b c.txt").bytes()) == b"hello"
    assert obstore.head(store, "a/b c.txt")["size"] == 5
    assert bytes(obstore.get_range(store, "a/b c.txt", start=1, end=3)) == b"el"
    obstore.delete(store, "a/b c.txt")
    with pytest.raises((NotFoundError, FileNotFoundError)):
        obstore.get(store, "a/b c.txt")


def test_create_only_once(store):
    obstore.put(store, "x", b"first", mode="create")
    with pytest.raises(AlreadyExistsError):
        obstore.put(store, "x", b"second", mode="create")
    assert bytes(obstore.get(store, "x").bytes()) == b"first"


def test_update_of_a_known_version(store):
    first = obstore.put(store, "x", b"one")
    obstore.put(store, "x", b"two", mode={"e_tag": first["e_tag"]})
    with pytest.raises(PreconditionError):
        obstore.put(store, "x", b"three", mode={"e_tag": first["e_tag"]})


def test_multipart(store):
    body = os.urandom(12 << 20)
    obstore.put(store, "big", body, use_multipart=True, chunk_size=5 << 20, max_concurrency=3)
    assert bytes(obstore.get(store, "big").bytes()) == body


def test_list(store):
    names = [f"dir/{uuid.UUID(int=i)}" for i in range(30)]
    for name in names:
        obstore.put(store, name, b"")
    obstore.put(store, "other", b"")
    assert [o["path"] for o in obstore.list(store, prefix="dir").collect()] == names
    top = obstore.list_with_delimiter(store)
    assert top["common_prefixes"] == ["dir"] and [o["path"] for o in top["objects"]] == ["other"]


def test_copy_and_rename(store):
    obstore.put(store, "x", b"one")
    obstore.copy(store, "x", "y")
    with pytest.raises(AlreadyExistsError):
        obstore.copy(store, "x", "y", overwrite=False)
    obstore.rename(store, "y", "z")
    assert bytes(obstore.get(store, "z").bytes()) == b"one"


def test_signed_url(store, box):
    obstore.put(store, "x", b"one")
    assert "sig=" in obstore.sign(store, "GET", "x", expires_in=timedelta(minutes=5))
