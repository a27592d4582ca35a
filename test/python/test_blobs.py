"""Everything else that programs do with blobs, through the synchronous client."""

import hashlib
import os
import uuid
from datetime import datetime, timedelta, timezone

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import (
    AccountSasPermissions,
    BlobBlock,
    BlobClient,
    BlobPrefix,
    BlobSasPermissions,
    BlobServiceClient,
    ContainerSasPermissions,
    ContentSettings,
    ResourceTypes,
    StandardBlobTier,
    generate_account_sas,
    generate_blob_sas,
    generate_container_sas,
)

from failures import refused

MIB = 1 << 20


def test_exists(service, box, blob):
    assert box.exists() and blob.exists()
    assert not box.get_blob_client("nothing").exists()
    assert not service.get_container_client("no-" + uuid.uuid4().hex).exists()


def test_round_trip_with_settings(box):
    body = b"hello"
    settings = ContentSettings(
        content_type="text/plain",
        content_encoding="identity",
        content_language="en",
        content_disposition="inline",
        cache_control="no-cache",
        content_md5=bytearray(hashlib.md5(body).digest()),
    )
    blob = box.upload_blob("a b/ä+ü?.txt", body, content_settings=settings, metadata={"Camel": "Case", "plain": "1"})
    props = blob.get_blob_properties()
    assert props.size == len(body) and props.blob_type == "BlockBlob"
    assert {k.lower(): v for k, v in props.metadata.items()} == {"camel": "Case", "plain": "1"}
    got = props.content_settings
    assert (got.content_type, got.content_language, got.content_disposition, got.cache_control) == (
        "text/plain",
        "en",
        "inline",
        "no-cache",
    )
    assert got.content_md5 == settings.content_md5
    assert blob.download_blob().readall() == body
    assert [b.name for b in box.list_blobs()] == ["a b/ä+ü?.txt"]


def test_metadata_keeps_the_case_of_names(box):
    blob = box.upload_blob("x", b"", metadata={"fooBar": "v"})
    assert blob.get_blob_properties().metadata == {"fooBar": "v"}


def test_empty_blob(box):
    blob = box.upload_blob("empty", b"")
    assert blob.get_blob_properties().size == 0
    assert blob.download_blob().readall() == b""


def test_upload_in_blocks_and_parallel_ranged_download(connection_string, box):
    body = os.urandom(9 * MIB + 17)
    with BlobClient.from_connection_string(
        connection_string,
        box.container_name,
        "big",
        retry_total=0,
        max_single_put_size=MIB,
        max_block_size=MIB,
        max_single_get_size=MIB,
        max_chunk_get_size=MIB,
    ) as blob:
        blob.upload_blob(body, max_concurrency=4)
        committed, uncommitted = blob.get_block_list("all")
        assert len(committed) == 10 and not uncommitted
        assert blob.download_blob(max_concurrency=4).readall() == body
        assert blob.download_blob(offset=MIB - 5, length=11).readall() == body[MIB - 5 : MIB + 6]
        assert blob.download_blob(offset=9 * MIB).readall() == body[9 * MIB :]


def test_range_beyond_the_end(blob):
    with refused(416, "InvalidRange"):
        blob.download_blob(offset=100, length=1)


def test_block_lists(box):
    blob = box.get_blob_client("blocks")
    ids = ["MDAwMQ==", "MDAwMg==", "MDAwMw=="]
    for i, block in enumerate(ids):
        blob.stage_block(block, bytes([65 + i]) * 3)
    with pytest.raises(ResourceNotFoundError):
        blob.get_blob_properties()
    assert [b.name for b in box.list_blobs(include=["uncommittedblobs"])] == ["blocks"]
    blob.commit_block_list([BlobBlock(ids[2]), BlobBlock(ids[0])])
    assert blob.download_blob().readall() == b"CCCAAA"
    committed, uncommitted = blob.get_block_list("all")
    # Base64 text or the decoded text, by version of the client.
    assert len(committed) == 2 and [b.size for b in committed] == [3, 3] and not uncommitted
    blob.stage_block("MDAwNA==", b"tail")
    blob.commit_block_list([BlobBlock(ids[0]), BlobBlock("MDAwNA==")])
    assert blob.download_blob().readall() == b"AAAtail"
    with refused(400, "InvalidBlockList"):
        blob.commit_block_list([BlobBlock(ids[1])])


def test_conditions(blob):
    etag = blob.get_blob_properties().etag
    blob.set_blob_metadata({"n": "1"}, etag=etag, match_condition=MatchConditions.IfNotModified)
    with pytest.raises(ResourceModifiedError):
        blob.set_blob_metadata({"n": "2"}, etag=etag, match_condition=MatchConditions.IfNotModified)
    with refused(412, "ConditionNotMet"):
        blob.delete_blob(if_unmodified_since=datetime.now(timezone.utc) - timedelta(days=1))
    current = blob.get_blob_properties().etag
    with refused(304, "ConditionNotMet"):
        blob.get_blob_properties(etag=current, match_condition=MatchConditions.IfModified)


def test_set_http_headers(blob):
    blob.set_http_headers(ContentSettings(content_type="application/json"))
    assert blob.get_blob_properties().content_settings.content_type == "application/json"


def test_append_blob(box):
    blob = box.get_blob_client("log")
    blob.create_append_blob()
    assert blob.append_block(b"one,")["blob_append_offset"] == "0"
    assert blob.append_block(b"two,", appendpos_condition=4)["blob_committed_block_count"] == 2
    with refused(412, "AppendPositionConditionNotMet"):
        blob.append_block(b"x", appendpos_condition=4)
    blob.upload_blob(b"three", blob_type="AppendBlob")
    assert blob.download_blob().readall() == b"one,two,three"
    blob.seal_append_blob()
    with refused(409, "BlobIsSealed"):
        blob.append_block(b"x")


def test_page_blob(box):
    blob = box.get_blob_client("disk")
    blob.create_page_blob(4096)
    blob.upload_page(b"\x01" * 512, offset=512, length=512)
    blob.upload_page(b"\x02" * 512, offset=2048, length=512)
    assert [(r["start"], r["end"]) for r in blob.get_page_ranges()[0]] == [(512, 1023), (2048, 2559)]
    blob.clear_page(offset=512, length=512)
    assert [(r.start, r.end) for r in blob.list_page_ranges()] == [(2048, 2559)]
    blob.resize_blob(8192)
    body = blob.download_blob().readall()
    assert len(body) == 8192 and body[2048:2560] == b"\x02" * 512 and not any(body[:2048])


def test_page_differences(box):
    blob = box.get_blob_client("disk")
    blob.create_page_blob(2048, sequence_number=3)
    blob.upload_page(b"\x01" * 1024, offset=0, length=1024)
    snapshot = blob.create_snapshot()["snapshot"]
    blob.clear_page(offset=0, length=512)
    blob.upload_page(b"\x02" * 512, offset=1024, length=512)
    changed = [(r.start, r.end, r.cleared) for r in blob.list_page_ranges(previous_snapshot=snapshot)]
    assert changed == [(0, 511, True), (1024, 1535, False)]
    blob.set_sequence_number("increment")
    assert blob.get_blob_properties().page_blob_sequence_number == 4
    with refused(412, "SequenceNumberConditionNotMet"):
        blob.upload_page(b"\x02" * 512, offset=0, length=512, if_sequence_number_eq=3)


def test_download_in_chunks_and_into_a_file(box, tmp_path):
    body = os.urandom(5 * MIB + 1)
    blob = box.upload_blob("big", body, max_concurrency=4)
    file = tmp_path / "big"
    with open(file, "wb") as out:
        blob.download_blob(max_concurrency=4).readinto(out)
    assert file.read_bytes() == body
    assert b"".join(blob.download_blob().chunks()) == body
    blob.upload_blob(open(file, "rb"), overwrite=True, validate_content=True)
    assert blob.download_blob(validate_content=True).readall() == body


def test_copy(box, blob):
    copy = box.get_blob_client("copy")
    started = copy.start_copy_from_url(blob.url + "?" + sas(blob))
    assert started["copy_status"] == "success" and started["copy_id"]
    assert copy.download_blob().readall() == b"sample"
    assert copy.get_blob_properties().copy.status == "success"


def test_copy_synchronously(box, blob):
    copy = box.get_blob_client("copy")
    started = copy.start_copy_from_url(blob.url + "?" + sas(blob), requires_sync=True)
    assert started["copy_status"] == "success"
    assert copy.download_blob().readall() == b"sample"


def test_abort_of_a_copy_that_has_ended(box, blob):
    copy = box.get_blob_client("copy")
    started = copy.start_copy_from_url(blob.url + "?" + sas(blob))
    with refused(409, "NoPendingCopyOperation"):
        copy.abort_copy(started["copy_id"])


def test_blocks_from_urls(box, blob):
    copy = box.get_blob_client("copy")
    for i, block in enumerate(["MDAwMQ==", "MDAwMg=="]):
        copy.stage_block_from_url(block, blob.url + "?" + sas(blob), source_offset=3 * i, source_length=3)
    copy.commit_block_list([BlobBlock("MDAwMg=="), BlobBlock("MDAwMQ==")])
    assert copy.download_blob().readall() == b"plesam"
    log = box.get_blob_client("log")
    log.create_append_blob()
    log.append_block_from_url(blob.url + "?" + sas(blob))
    assert log.download_blob().readall() == b"sample"


def test_incremental_copy(box):
    disk = box.get_blob_client("disk")
    disk.create_page_blob(1024)
    disk.upload_page(b"\x01" * 512, offset=0, length=512)
    snapshot = disk.create_snapshot()["snapshot"]
    backup = box.get_blob_client("backup")
    source = box.get_blob_client("disk", snapshot=snapshot)
    started = backup.start_copy_from_url(source.url + "&" + sas(disk), incremental_copy=True)
    assert started["copy_status"] in ("pending", "success")
    props = backup.get_blob_properties()
    assert props.copy.incremental_copy and props.copy.destination_snapshot


def test_upload_from_url(box, blob):
    copy = box.get_blob_client("copy")
    copy.upload_blob_from_url(blob.url + "?" + sas(blob))
    assert copy.download_blob().readall() == b"sample"


def test_copy_of_nothing(box):
    source = box.get_blob_client("nothing")
    with pytest.raises(ResourceNotFoundError):
        box.get_blob_client("copy").start_copy_from_url(source.url + "?" + sas(source))


def test_snapshots(box, blob):
    snapshot = blob.create_snapshot(metadata={"of": "yore"})["snapshot"]
    blob.upload_blob(b"newer", overwrite=True)
    old = box.get_blob_client(blob.blob_name, snapshot=snapshot)
    assert old.download_blob().readall() == b"sample"
    assert old.get_blob_properties().metadata == {"of": "yore"}
    assert [b.snapshot for b in box.list_blobs(include=["snapshots"])] == [snapshot, None]
    with refused(409, "SnapshotsPresent"):
        blob.delete_blob()
    blob.delete_blob(delete_snapshots="include")
    assert list(box.list_blobs(include=["snapshots"])) == []


def test_tags(service, box, blob):
    value = uuid.uuid4().hex
    blob.set_blob_tags({"project": value, "stage": "one"})
    assert blob.get_blob_tags() == {"project": value, "stage": "one"}
    assert blob.get_blob_properties().tag_count == 2
    assert [b.name for b in service.find_blobs_by_tags(f"project='{value}'")] == [blob.blob_name]
    assert [b.tags for b in box.list_blobs(include=["tags"])] == [{"project": value, "stage": "one"}]
    with refused(412, "ConditionNotMet"):
        blob.set_blob_metadata({}, if_tags_match_condition="stage='two'")


def test_tier(blob):
    blob.set_standard_blob_tier(StandardBlobTier.COOL)
    assert blob.get_blob_properties().blob_tier == "Cool"


def test_list_in_pages(box):
    names = [f"n{i:02}" for i in range(25)]
    for name in names:
        box.upload_blob(name, b"")
    pages = [[b.name for b in page] for page in box.list_blobs(results_per_page=10).by_page()]
    assert pages == [names[:10], names[10:20], names[20:]]
    assert list(box.list_blob_names(name_starts_with="n1")) == names[10:20]


def test_list_hierarchy(box):
    for name in ["a/1", "a/2", "b", "c/d/1"]:
        box.upload_blob(name, b"")
    top = {(i.name, type(i) is BlobPrefix) for i in box.walk_blobs()}
    assert top == {("a/", True), ("b", False), ("c/", True)}
    assert [i.name for i in box.walk_blobs(name_starts_with="c/")] == ["c/d/"]


def test_list_metadata(box):
    box.upload_blob("x", b"", metadata={"owner": "me"})
    assert [b.metadata for b in box.list_blobs(include=["metadata"])] == [{"owner": "me"}]


def test_containers(service, box):
    box.set_container_metadata({"team": "blue"})
    assert box.get_container_properties().metadata == {"team": "blue"}
    found = list(service.list_containers(name_starts_with=box.container_name, include_metadata=True))
    assert [(c.name, c.metadata) for c in found] == [(box.container_name, {"team": "blue"})]
    with refused(409, "ContainerAlreadyExists"):
        service.create_container(box.container_name)


def test_account_information(service):
    info = service.get_account_information()
    assert info["sku_name"] and info["account_kind"]


def test_batch_delete(box):
    for name in ["one", "two"]:
        box.upload_blob(name, b"")
    answers = list(box.delete_blobs("one", "two"))
    assert [a.status_code for a in answers] == [202, 202]
    assert list(box.list_blobs()) == []


def hour():
    return datetime.now(timezone.utc) + timedelta(hours=1)


def key(client):
    return client.credential.account_key


def sas(blob):
    return generate_blob_sas(
        blob.account_name,
        blob.container_name,
        blob.blob_name,
        account_key=key(blob),
        permission=BlobSasPermissions(read=True),
        expiry=hour(),
    )


def test_blob_sas(blob):
    with BlobClient.from_blob_url(blob.url + "?" + sas(blob), retry_total=0) as guest:
        assert guest.download_blob().readall() == b"sample"
        with refused(403, "AuthorizationPermissionMismatch"):
            guest.delete_blob()


def test_container_sas_may_lease(box, blob):
    token = generate_container_sas(
        box.account_name,
        box.container_name,
        account_key=key(box),
        permission=ContainerSasPermissions(read=True, write=True),
        expiry=hour(),
    )
    with BlobClient.from_blob_url(blob.url + "?" + token, retry_total=0) as guest:
        with guest.acquire_lease(30):
            assert guest.get_blob_properties().lease.state == "leased"


def test_account_sas(service, box):
    token = generate_account_sas(
        service.account_name,
        account_key=key(service),
        resource_types=ResourceTypes(service=True, container=True, object=True),
        permission=AccountSasPermissions(read=True, list=True),
        expiry=hour(),
    )
    with BlobServiceClient(service.url, credential=token, retry_total=0) as guest:
        assert box.container_name in [c.name for c in guest.list_containers()]
        with refused(403, "AuthorizationPermissionMismatch"):
            guest.get_container_client(box.container_name).upload_blob("x", b"")


def test_public_access(box, blob):
    with BlobClient.from_blob_url(blob.url, retry_total=0) as guest:
        with pytest.raises(Exception) as caught:
            guest.download_blob()
        assert caught.value.status_code == 401
        box.set_container_access_policy({}, public_access="blob")
        assert guest.download_blob().readall() == b"sample"


def test_wrong_key(service, box):
    stranger = {"account_name": service.account_name, "account_key": "bm90IHRoZSBrZXk="}
    with BlobServiceClient(service.url, credential=stranger, retry_total=0) as client:
        with refused(403, "AuthenticationFailed"):
            client.get_container_client(box.container_name).get_container_properties()
