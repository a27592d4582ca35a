// Runs the flows of the SDK comparison with the Azure SDK for JavaScript, and prints the seconds of
// each as JSON.
//
// usage: flows.mjs CONNECTION_STRING CONTAINER FILLED, the last being the container to list
import { createRequire } from "node:module";
import { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";

const require = createRequire(`${process.env.SDK_ROOT}/`);
const { BlobServiceClient } = require("@azure/storage-blob");

const SMALL = 1000, SMALL_SIZE = 1024, LARGE_SIZE = 256 << 20, LEASES = 1000, WORKERS = 16;
const [connection, container, filled] = process.argv.slice(2);
const service = BlobServiceClient.fromConnectionString(connection);
const box = service.getContainerClient(container);
await box.create();
const small = Buffer.alloc(SMALL_SIZE, "x"), large = Buffer.alloc(LARGE_SIZE, "x");
const names = Array.from({ length: SMALL }, (_, i) => `small/${String(i).padStart(4, "0")}`);

async function each(run) {
  const rest = names.values();
  await Promise.all(Array.from({ length: WORKERS }, async () => {
    for (const name of rest) await run(box.getBlockBlobClient(name));
  }));
}

const flows = {
  "upload small": () => each((blob) => blob.upload(small, small.length)),
  "download small": () => each((blob) => blob.downloadToBuffer()),
  "upload large": () => box.getBlockBlobClient("large").uploadData(large, { concurrency: 4 }),
  "download large": async () => {
    const answer = await box.getBlobClient("large").download();
    await pipeline(answer.readableStreamBody, new Writable({ write: (chunk, encoding, done) => done() }));
  },
  "list": async () => {
    for await (const blob of service.getContainerClient(filled).listBlobsFlat()) void blob;
  },
  "leases": async () => {
    const lease = box.getBlobClient(names[0]).getBlobLeaseClient();
    for (let i = 0; i < LEASES; i++) {
      await lease.acquireLease(15);
      await lease.releaseLease();
    }
  },
};
for (const [flow, run] of Object.entries(flows)) {
  const began = performance.now();
  await run();
  console.log(JSON.stringify({ flow, seconds: (performance.now() - began) / 1000 }));
}
await box.delete();
