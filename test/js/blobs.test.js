// Uploads, downloads and listings through the official JavaScript SDK.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { BlobSASPermissions, BlockBlobClient } from "@azure/storage-blob";
import { all, blob, box, refused, service, text } from "./server.js";

const MiB = 1 << 20;

test("upload in blocks, download in parallel", async (t) => {
  const client = (await box(t)).getBlockBlobClient("dir/big one.bin");
  const body = randomBytes(7 * MiB + 11);
  await client.uploadData(body, { blockSize: MiB, maxSingleShotSize: MiB, concurrency: 4 });
  const { committedBlocks } = await client.getBlockList("committed");
  assert.equal(committedBlocks.length, 8);
  assert.deepEqual(await client.downloadToBuffer(0, undefined, { blockSize: MiB, concurrency: 4 }), body);
  const part = await client.downloadToBuffer(MiB - 3, 7);
  assert.deepEqual(part, body.subarray(MiB - 3, MiB + 4));
});

test("upload from a stream", async (t) => {
  const client = (await box(t)).getBlockBlobClient("stream");
  const body = randomBytes(3 * MiB);
  await client.uploadStream(Readable.from([body.subarray(0, MiB), body.subarray(MiB)]), MiB, 2);
  assert.deepEqual(await client.downloadToBuffer(), body);
});

test("stage and commit blocks", async (t) => {
  const client = (await box(t)).getBlockBlobClient("blocks");
  const ids = ["one", "two"].map((s) => Buffer.from(s).toString("base64"));
  await client.stageBlock(ids[0], "A", 1);
  await client.stageBlock(ids[1], "B", 1);
  assert.equal(await client.exists(), false);
  await client.commitBlockList([ids[1], ids[0]]);
  assert.equal(await text(await client.download()), "BA");
});

test("list flat, in pages and by hierarchy", async (t) => {
  const container = await box(t);
  const names = ["a/1", "a/2", "b", "c/d/1"];
  for (const name of names) await container.getBlockBlobClient(name).upload(name, name.length);
  assert.deepEqual((await all(container.listBlobsFlat())).map((b) => b.name), names);
  const pages = await all(container.listBlobsFlat().byPage({ maxPageSize: 3 }));
  assert.deepEqual(pages.map((p) => p.segment.blobItems.map((b) => b.name)), [names.slice(0, 3), names.slice(3)]);
  const top = (await all(container.listBlobsByHierarchy("/"))).map((i) => i.kind + " " + i.name).sort();
  assert.deepEqual(top, ["blob b", "prefix a/", "prefix c/"]);
});

test("names with unusual characters", async (t) => {
  const container = await box(t);
  const names = ["a b+c%d", "ä/ö?ü#", "x//y", "percent%2Fslash", "(1),'2';&="];
  for (const name of names) await container.getBlockBlobClient(name).upload("x", 1);
  const listed = (await all(container.listBlobsFlat())).map((b) => b.name);
  assert.deepEqual(listed.sort(), names.slice().sort());
  for (const name of listed) {
    assert.equal(await text(await container.getBlockBlobClient(name).download()), "x", name);
  }
});

test("metadata keeps its values, and its names but for case", async (t) => {
  const client = await blob(t);
  await client.setMetadata({ fooBar: "Mixed Case", plain: "1" });
  // HTTP header names have no case in Node: they arrive in lower case.
  assert.deepEqual((await client.getProperties()).metadata, { foobar: "Mixed Case", plain: "1" });
});

test("metadata in a listing keeps the case of names", async (t) => {
  const container = await box(t);
  await container.getBlockBlobClient("x").upload("", 0, { metadata: { fooBar: "v" } });
  const [item] = await all(container.listBlobsFlat({ includeMetadata: true }));
  assert.deepEqual(item.metadata, { fooBar: "v" });
});

test("HTTP headers", async (t) => {
  const client = await blob(t);
  await client.setHTTPHeaders({ blobContentType: "text/css", blobCacheControl: "max-age=60" });
  const p = await client.getProperties();
  assert.deepEqual([p.contentType, p.cacheControl], ["text/css", "max-age=60"]);
});

test("conditions", async (t) => {
  const client = await blob(t);
  const { etag } = await client.getProperties();
  await refused(409, "BlobAlreadyExists", () => client.upload("x", 1, { conditions: { ifNoneMatch: "*" } }));
  await client.upload("x", 1, { conditions: { ifMatch: etag } });
  await refused(412, "ConditionNotMet", () => client.upload("x", 1, { conditions: { ifMatch: etag } }));
});

test("download to a file, and a stream of a range", async (t) => {
  const client = (await box(t)).getBlockBlobClient("big");
  const body = randomBytes(5 * MiB);
  const dir = await mkdtemp(join(tmpdir(), "blobs-"));
  t.after(() => rm(dir, { recursive: true }));
  await writeFile(join(dir, "in"), body);
  await client.uploadFile(join(dir, "in"), { blockSize: MiB, maxSingleShotSize: MiB, concurrency: 3 });
  await client.downloadToFile(join(dir, "out"));
  assert.deepEqual(await readFile(join(dir, "out")), body);
  const range = await client.download(MiB, 10);
  assert.equal(range.contentRange, `bytes ${MiB}-${MiB + 9}/${5 * MiB}`);
});

test("conditions of append blobs, and sealing", async (t) => {
  const client = (await box(t)).getAppendBlobClient("log");
  await client.createIfNotExists();
  assert.equal((await client.createIfNotExists()).succeeded, false);
  await client.appendBlock("one", 3, { conditions: { appendPosition: 0, maxSize: 3 } });
  await refused(412, "AppendPositionConditionNotMet", () => client.appendBlock("x", 1, { conditions: { appendPosition: 0 } }));
  await refused(412, "MaxBlobSizeConditionNotMet", () => client.appendBlock("x", 1, { conditions: { maxSize: 3 } }));
  await client.seal();
  await refused(409, "BlobIsSealed", () => client.appendBlock("x", 1));
});

test("pages", async (t) => {
  const client = (await box(t)).getPageBlobClient("disk");
  await client.create(2048, { blobSequenceNumber: 3 });
  await client.uploadPages(Buffer.alloc(1024, 1), 512, 1024);
  const { snapshot } = await client.createSnapshot();
  await client.clearPages(512, 512);
  // This client gives the distance of the last byte as the count of a range.
  assert.deepEqual((await client.getPageRanges()).pageRange, [{ offset: 1024, count: 511 }]);
  assert.deepEqual((await client.getPageRangesDiff(0, 2048, snapshot)).clearRange, [{ offset: 512, count: 511 }]);
  const listed = await all(client.listPageRanges());
  assert.deepEqual(listed.map((r) => [r.start, r.end]), [[1024, 1535]]);
  await client.resize(4096);
  await client.updateSequenceNumber("increment");
  const p = await client.getProperties();
  assert.deepEqual([p.contentLength, p.blobSequenceNumber], [4096, 4]);
  await refused(412, "SequenceNumberConditionNotMet", () =>
    client.uploadPages(Buffer.alloc(512), 0, 512, { conditions: { ifSequenceNumberEqualTo: 3 } }),
  );
});

test("copies", async (t) => {
  const container = await box(t);
  const source = container.getBlockBlobClient("source");
  await source.upload("sample", 6, { metadata: { from: "here" }, tags: { a: "b" } });
  const url = await source.generateSasUrl({
    permissions: BlobSASPermissions.parse("r"), expiresOn: new Date(Date.now() + 3_600_000),
  });
  const copy = container.getBlockBlobClient("copy");
  const done = await (await copy.beginCopyFromURL(url)).pollUntilDone();
  assert.equal(done.copyStatus, "success");
  assert.deepEqual((await copy.getProperties()).metadata, { from: "here" });
  await refused(409, "NoPendingCopyOperation", () => copy.abortCopyFromURL(done.copyId));
  assert.equal((await copy.syncCopyFromURL(url)).copyStatus, "success");
  await copy.syncUploadFromURL(url);
  const parts = container.getBlockBlobClient("parts");
  const id = Buffer.from("one").toString("base64");
  await parts.stageBlockFromURL(id, url, 2, 3);
  await parts.commitBlockList([id]);
  assert.equal(await text(await parts.download()), "mpl");
  const log = container.getAppendBlobClient("appended");
  await log.create();
  await log.appendBlockFromURL(url, 0, 6);
  assert.equal(await text(await log.download()), "sample");
});

test("soft delete", async (t) => {
  await service.setProperties({ deleteRetentionPolicy: { enabled: true, days: 2 } });
  t.after(() => service.setProperties({ deleteRetentionPolicy: { enabled: false } }));
  const { enabled, days } = (await service.getProperties()).deleteRetentionPolicy;
  assert.deepEqual([enabled, days], [true, 2]);
  const container = await box(t);
  const client = container.getBlockBlobClient("x");
  await client.upload("sample", 6);
  await client.delete();
  assert.equal(await client.exists(), false);
  const [item] = await all(container.listBlobsFlat({ includeDeleted: true }));
  assert.ok(item.deleted && item.properties.remainingRetentionDays >= 1);
  await client.undelete();
  assert.equal(await text(await client.download()), "sample");
});

test("tiers", async (t) => {
  const client = await blob(t);
  await client.setAccessTier("Cool");
  assert.equal((await client.getProperties()).accessTier, "Cool");
  await client.setAccessTier("Archive");
  await refused(409, "BlobArchived", () => client.download());
  await client.setAccessTier("Hot", { rehydratePriority: "High" });
  assert.equal((await client.getProperties()).archiveStatus, "rehydrate-pending-to-hot");
});

test("containers: metadata, listing, policies", async (t) => {
  const container = await box(t);
  await container.setMetadata({ team: "blue" });
  const listed = await all(service.listContainers({ prefix: container.containerName, includeMetadata: true }));
  assert.deepEqual(listed.map((c) => [c.name, c.metadata]), [[container.containerName, { team: "blue" }]]);
  await container.setAccessPolicy(undefined, [
    { id: "readers", accessPolicy: { permissions: "r", expiresOn: new Date(Date.now() + 3_600_000) } },
  ]);
  const { signedIdentifiers } = await container.getAccessPolicy();
  assert.deepEqual(signedIdentifiers.map((i) => [i.id, i.accessPolicy.permissions]), [["readers", "r"]]);
  const client = container.getBlockBlobClient("x");
  await client.upload("sample", 6);
  const guest = new BlockBlobClient(await client.generateSasUrl({ identifier: "readers" }));
  assert.equal(await text(await guest.download()), "sample");
  await refused(403, "AuthorizationPermissionMismatch", () => guest.delete());
});

test("append", async (t) => {
  const client = (await box(t)).getAppendBlobClient("log");
  await client.create();
  await client.appendBlock("one", 3);
  await client.appendBlock("two", 3, { conditions: { appendPosition: 3 } });
  assert.equal(await text(await client.download()), "onetwo");
});

test("snapshot, copy, delete", async (t) => {
  const client = await blob(t);
  const { snapshot } = await client.createSnapshot();
  await client.upload("newer", 5);
  assert.equal(await text(await client.withSnapshot(snapshot).download()), "sample");
  await refused(409, "SnapshotsPresent", () => client.delete());
  await client.delete({ deleteSnapshots: "include" });
  assert.equal(await client.exists(), false);
  assert.equal((await client.deleteIfExists()).succeeded, false);
});

test("tags", async (t) => {
  const container = await box(t);
  const client = container.getBlockBlobClient("x");
  await client.upload("x", 1, { tags: { stage: "one", box: container.containerName } });
  assert.deepEqual((await client.getTags()).tags, { stage: "one", box: container.containerName });
  const query = `box='${container.containerName}'`;
  assert.deepEqual((await all(service.findBlobsByTags(query))).map((b) => b.name), ["x"]);
  assert.deepEqual((await all(container.findBlobsByTags(query + " AND stage='two'"))).map((b) => b.name), []);
  await refused(412, "ConditionNotMet", () => client.setTags({}, { conditions: { tagConditions: "stage='two'" } }));
  await client.setTags({ stage: "two" });
  const [item] = await all(container.listBlobsFlat({ includeTags: true }));
  assert.deepEqual(item.tags, { stage: "two" });
});

test("batch", async (t) => {
  const container = await box(t);
  const clients = ["one", "two"].map((name) => container.getBlockBlobClient(name));
  for (const client of clients) await client.upload("", 0);
  const answer = await service.getBlobBatchClient().deleteBlobs(clients);
  assert.deepEqual(answer.subResponses.map((r) => r.status), [202, 202]);
  assert.deepEqual(await all(container.listBlobsFlat()), []);
  for (const client of clients) await client.upload("", 0);
  const tiers = await service.getBlobBatchClient().setBlobsAccessTier(clients, "Cool");
  assert.deepEqual(tiers.subResponses.map((r) => r.status), [200, 200]);
});
