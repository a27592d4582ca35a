// Leases through the default Azure credential, in the environment that
// "leasehold env" prints.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test from "node:test";

import { DefaultAzureCredential } from "@azure/identity";
import { BlobServiceClient } from "@azure/storage-blob";

const url = `https://${process.env.AZURE_STORAGE_ACCOUNT}.blob.core.windows.net`;

test("lease with the default credential", async () => {
  const service = new BlobServiceClient(url, new DefaultAzureCredential());
  const container = service.getContainerClient(`js-${randomUUID()}`);
  await container.create();
  const blob = container.getBlockBlobClient("sample-blob.txt");
  await blob.upload("sample", 6);

  await use(blob.getBlobLeaseClient(), blob);
  await container.delete();
});

test("container lease with the default credential", async () => {
  const service = new BlobServiceClient(url, new DefaultAzureCredential());
  const container = service.getContainerClient(`js-${randomUUID()}`);
  await container.create();
  await use(container.getBlobLeaseClient(), container);
  await container.delete();
});

async function use(lease, resource) {
  await lease.acquireLease(30);
  assert.equal((await resource.getProperties()).leaseState, "leased");
  await lease.renewLease();
  await lease.releaseLease();
  await assert.rejects(lease.breakLease(0), (e) => e.statusCode === 409 && e.code === "LeaseNotPresentWithLeaseOperation");
}
