"""The Rust crate object_store, through its Python binding obstore: conditional
puts, multipart uploads, ranges and listings of a client that shares no code with
the official SDKs."""

import os
import uuid
from datetime import timedelta

import obstore
import pytest
from obstore.exceptions import AlreadyExistsError, NotFoundError, NotModifiedError, PreconditionError
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


def test_multipart_of_an_iterator_creates_only_once(store):
    chunks = [os.urandom(3 << 20) for _ in range(4)]
    obstore.put(store, "big", iter(chunks), use_multipart=True, chunk_size=5 << 20)
    assert bytes(obstore.get(store, "big").bytes()) == b"".join(chunks)


def test_streams(store):
    body = os.urandom(7 << 20)
    with obstore.open_writer(store, "big", buffer_size=5 << 20) as writer:
        for i in range(0, len(body), 1 << 20):
            writer.write(body[i : i + (1 << 20)])
    assert b"".join(bytes(chunk) for chunk in obstore.get(store, "big").stream(min_chunk_size=1 << 20)) == body
    reader = obstore.open_reader(store, "big")
    reader.seek(3 << 20)
    assert bytes(reader.read(10)) == body[3 << 20 : (3 << 20) + 10]


def test_ranges(store):
    body = bytes(range(256)) * 16
    obstore.put(store, "x", body)
    parts = obstore.get_ranges(store, "x", starts=[0, 100, 4000], ends=[10, 300, 4096])
    assert [bytes(p) for p in parts] == [body[0:10], body[100:300], body[4000:4096]]
    got = obstore.get(store, "x", options={"range": {"offset": 4090}})
    assert bytes(got.bytes()) == body[4090:] and got.range == (4090, 4096)
    with pytest.raises(Exception):
        obstore.get_range(store, "x", start=5000, end=5001)


def test_conditional_gets(store):
    etag = obstore.put(store, "x", b"one")["e_tag"]
    assert bytes(obstore.get(store, "x", options={"if_match": etag}).bytes()) == b"one"
    with pytest.raises(NotModifiedError):
        obstore.get(store, "x", options={"if_none_match": etag})
    obstore.put(store, "x", b"two")
    with pytest.raises(PreconditionError):
        obstore.get(store, "x", options={"if_match": etag})


def test_attributes_and_tags(store):
    obstore.put(store, "x", b"one", attributes={"Content-Type": "text/css", "Cache-Control": "no-cache", "owner": "me"}, tags={"a": "b c"})
    got = obstore.get(store, "x").attributes
    assert (got["Content-Type"], got["Cache-Control"], got["owner"]) == ("text/css", "no-cache", "me")


def test_delete_of_many(store):
    names = [f"n{i}" for i in range(20)]
    for name in names:
        obstore.put(store, name, b"")
    obstore.delete(store, names[:-1])  # in one batch
    assert [o["path"] for o in obstore.list(store).collect()] == names[-1:]


async def test_asynchronous(store):
    await obstore.put_async(store, "a/x", b"one", mode="create")
    assert bytes(await obstore.get_range_async(store, "a/x", start=1, end=3)) == b"ne"
    await obstore.copy_async(store, "a/x", "a/y")
    assert [o["path"] for o in await obstore.list(store, prefix="a").collect_async()] == ["a/x", "a/y"]
    await obstore.delete_async(store, ["a/x", "a/y"])
    assert (await obstore.list_with_delimiter_async(store))["objects"] == []


def test_list(store):
    names = [f"dir/{uuid.UUID(int=i)}" for i in range(30)]
    for name in names:
        obstore.put(store, name, b"")
    obstore.put(store, "other", b"")
    assert [o["path"] for o in obstore.list(store, prefix="dir").collect()] == names
    top = obstore.list_with_delimiter(store)
    assert top["common_prefixes"] == ["dir"] and [o["path"] for o in top["objects"]] == ["other"]


def test_list_from_an_offset(store):
    for name in ["a", "b", "c/1", "d"]:
        obstore.put(store, name, b"xy")
    assert [(o["path"], o["size"]) for o in obstore.list(store, offset="b").collect()] == [("c/1", 2), ("d", 2)]


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
