// The server under test, named by AZURE_STORAGE_CONNECTION_STRING, and a container of
// its own for each test.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { BlobServiceClient } from "@azure/storage-blob";

export const service = BlobServiceClient.fromConnectionString(
  process.env.AZURE_STORAGE_CONNECTION_STRING,
  // No retries: a test must see the first answer.
  { retryOptions: { maxTries: 1 } },
);

/** Makes a container that is deleted when the test t ends. */
export async function box(t) {
  const client = service.getContainerClient("js-" + randomUUID());
  await client.create();
  t.after(() => client.delete());
  return client;
}

/** Makes a small block blob in a container of its own. */
export async function blob(t) {
  const client = (await box(t)).getBlockBlobClient("sample-blob.txt");
  await client.upload("sample", 6);
  return client;
}

/** Asserts that the call ends in an error with this status and this error code. */
export async function refused(status, code, call) {
  await assert.rejects(call, (error) => {
    assert.deepEqual([error.statusCode, error.code ?? error.details?.errorCode], [status, code]);
    return true;
  });
}

/** Collects a stream of the SDK. */
export async function text(response) {
  const chunks = [];
  for await (const chunk of response.readableStreamBody) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Collects the items of a paged listing. */
export async function all(items) {
  const list = [];
  for await (const item of items) list.push(item);
  return list;
}
