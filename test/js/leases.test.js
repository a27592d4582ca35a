// Leases through the official JavaScript SDK.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { all, blob, box, refused, service, text } from "./server.js";

async function state(client) {
  const p = await client.getProperties();
  return [p.leaseStatus, p.leaseState, p.leaseDuration];
}

const available = ["unlocked", "available", undefined];
const leased = ["locked", "leased", "fixed"];
const infinite = ["locked", "leased", "infinite"];
const breaking = ["locked", "breaking", undefined];
const broken = ["unlocked", "broken", undefined];

const kinds = { blob, container: box };

for (const [kind, make] of Object.entries(kinds)) {
  const lease = (client, id) => client.getBlobLeaseClient(id);

  test(`${kind}: acquire for 30 seconds, look, release`, async (t) => {
    const client = await make(t);
    const holder = lease(client);
    const answer = await holder.acquireLease(30);
    assert.equal(answer.leaseId, holder.leaseId);
    assert.equal(answer._response.status, 201);
    assert.deepEqual(await state(client), leased);
    await holder.releaseLease();
    assert.deepEqual(await state(client), available);
  });

  test(`${kind}: acquire for ever, change, renew`, async (t) => {
    const client = await make(t);
    const holder = lease(client, randomUUID());
    await holder.acquireLease(-1);
    assert.deepEqual(await state(client), infinite);
    const old = holder.leaseId;
    const next = randomUUID();
    await holder.changeLease(next);
    assert.equal(holder.leaseId, next);
    await refused(409, "LeaseIdMismatchWithLeaseOperation", () => lease(client, old).renewLease());
    await holder.renewLease();
    await holder.releaseLease();
  });

  test(`${kind}: a second holder is refused`, async (t) => {
    const client = await make(t);
    const holder = lease(client);
    await holder.acquireLease(15);
    await refused(409, "LeaseAlreadyPresent", () => lease(client).acquireLease(15));
    await holder.releaseLease();
    await refused(409, "LeaseIdMismatchWithLeaseOperation", () => holder.releaseLease());
  });

  test(`${kind}: break`, async (t) => {
    const client = await make(t);
    const holder = lease(client);
    await holder.acquireLease(60);
    const { leaseTime } = await holder.breakLease(20);
    assert.ok(leaseTime === 20 || leaseTime === 19, `lease time ${leaseTime}`);
    assert.deepEqual(await state(client), breaking);
    await refused(409, "LeaseIsBrokenAndCannotBeRenewed", () => holder.renewLease());
    assert.equal((await holder.breakLease(0)).leaseTime, 0);
    assert.deepEqual(await state(client), broken);
  });

  test(`${kind}: break after release`, async (t) => {
    const client = await make(t);
    const holder = lease(client);
    await holder.acquireLease(15);
    await holder.releaseLease();
    await refused(409, "LeaseNotPresentWithLeaseOperation", () => holder.breakLease(0));
  });
}

test("writes need the lease", async (t) => {
  const client = await blob(t);
  const holder = client.getBlobLeaseClient();
  await holder.acquireLease(30);
  await refused(412, "LeaseIdMissing", () => client.upload("intruder", 8));
  await refused(412, "LeaseIdMissing", () => client.delete());
  await refused(412, "LeaseIdMismatchWithBlobOperation", () =>
    client.setMetadata({ a: "b" }, { conditions: { leaseId: randomUUID() } }),
  );
  await client.upload("holder", 6, { conditions: { leaseId: holder.leaseId } });
  assert.equal(await text(await client.download()), "holder");
  await holder.releaseLease();
});

test("a leased container can't be deleted without the lease", async (t) => {
  const client = await box(t);
  const holder = client.getBlobLeaseClient();
  await holder.acquireLease(30);
  await refused(412, "LeaseIdMissing", () => client.delete());
  await holder.releaseLease();
});

test("listings show leases", async (t) => {
  const client = await box(t);
  const held = client.getBlockBlobClient("held");
  await held.upload("", 0);
  await client.getBlockBlobClient("free").upload("", 0);
  await held.getBlobLeaseClient().acquireLease(-1);
  const shown = (await all(client.listBlobsFlat())).map(({ name, properties: p }) => [name, p.leaseState, p.leaseDuration]);
  assert.deepEqual(shown, [["free", "available", undefined], ["held", "leased", "infinite"]]);
});

test("64 clients, one winner", async (t) => {
  const client = await blob(t);
  const tries = Array.from({ length: 64 }, () => client.getBlobLeaseClient().acquireLease(15));
  const outcomes = await Promise.allSettled(tries);
  assert.equal(outcomes.filter((o) => o.status === "fulfilled").length, 1);
  for (const o of outcomes) {
    if (o.status === "rejected") assert.equal(o.reason.code, "LeaseAlreadyPresent");
  }
});

test("lease on a missing container", async () => {
  const nowhere = service.getContainerClient("no-" + randomUUID());
  await refused(404, "ContainerNotFound", () => nowhere.getBlobLeaseClient().acquireLease(15));
});
