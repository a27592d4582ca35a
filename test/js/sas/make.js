// Makes shared access signatures as the file LEASEHOLD_SAS_WANTED asks for, and writes
// them to LEASEHOLD_SAS_MADE. It sends no request.
import { readFileSync, writeFileSync } from "node:fs";
import {
  AccountSASPermissions,
  BlobSASPermissions,
  ContainerSASPermissions,
  StorageSharedKeyCredential,
  generateAccountSASQueryParameters,
  generateBlobSASQueryParameters,
} from "@azure/storage-blob";

const order = JSON.parse(readFileSync(process.env.LEASEHOLD_SAS_WANTED, "utf8"));
const credential = new StorageSharedKeyCredential(order.account, order.key);
const date = (text) => text && new Date(text);

function range(ip) {
  const [start, end] = ip.split("-");
  return { start, end };
}

function delegationKey({ objectId, tenantId, start, expiry, service, version, value }) {
  return {
    signedObjectId: objectId,
    signedTenantId: tenantId,
    signedStartsOn: new Date(start),
    signedExpiresOn: new Date(expiry),
    signedService: service,
    signedVersion: version,
    value,
  };
}

function make(one) {
  const values = {
    startsOn: date(one.start),
    expiresOn: date(one.expiry),
    ipRange: one.ip && range(one.ip),
    protocol: one.protocol,
    encryptionScope: one.scope,
  };
  if (one.kind === "account") {
    values.permissions = AccountSASPermissions.parse(one.permissions);
    values.resourceTypes = one.types;
    values.services = one.services;
    return generateAccountSASQueryParameters(values, credential);
  }
  const permissions = one.blob ? BlobSASPermissions : ContainerSASPermissions;
  Object.assign(values, {
    permissions: one.permissions && permissions.parse(one.permissions),
    containerName: one.container,
    blobName: one.blob,
    snapshotTime: one.snapshot,
    versionId: one.version,
    isDirectory: one.directory,
    identifier: one.policy,
    contentType: one.contentType,
    correlationId: one.correlation,
    delegatedUserObjectId: one.user,
    requestHeaders: one.headers,
    requestQueryParameters: one.queries,
  });
  return one.kind === "service"
    ? generateBlobSASQueryParameters(values, credential)
    : generateBlobSASQueryParameters(values, delegationKey(order.delegation), order.account);
}

const made = Object.fromEntries(order.wanted.map((one) => [one.name, make(one).toString()]));
writeFileSync(process.env.LEASEHOLD_SAS_MADE, JSON.stringify(made));
