// Makes leases like those of real programs, for pictures.

export async function fill(server) {
  for (const [name, seconds] of [
    ['tfstate/prod/network.tfstate', -1], ['tfstate/prod/cluster.tfstate', -1], ['tfstate/staging/app.tfstate', -1],
    ['azure-webjobs-hosts/locks/orders-api/host', 60], ['azure-webjobs-hosts/locks/billing/host', 60],
    ...[0, 1, 2, 3, 4, 5].map(i => [`azure-webjobs-eventhub/orders-ns.servicebus.windows.net/orders/$Default/ownership/${i}`, 30 + 5 * i]),
    ['jobs/nightly', 30], ['jobs/reindex', 60],
  ]) await server.lease(name, seconds, { 'User-Agent': 'azsdk-go-azblob/v1.8.3 (go1.26; linux)' });
  await server.act('jobs/reindex', 'break', { 'x-ms-lease-break-period': '45' });
  for (let i = 0; i < 14; i++) await server.lease('jobs/nightly', 15).catch(() => {});
  for (let i = 0; i < 3; i++) await server.ask('PUT', 'tfstate/prod/network.tfstate', { 'x-ms-blob-type': 'BlockBlob' }).catch(() => {});
}
