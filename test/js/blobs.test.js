// Uploads, downloads and listings through the official JavaScript SDK.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { test } from "node:test";
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
  const client = await blob(t);
  await client.setTags({ stage: "one" });
  assert.deepEqual((await client.getTags()).tags, { stage: "one" });
});

test("batch", async (t) => {
  const container = await box(t);
  const clients = ["one", "two"].map((name) => container.getBlockBlobClient(name));
  for (const client of clients) await client.upload("", 0);
  const answer = await service.getBlobBatchClient().deleteBlobs(clients);
  assert.deepEqual(answer.subResponses.map((r) => r.status), [202, 202]);
  assert.deepEqual(await all(container.listBlobsFlat()), []);
});
