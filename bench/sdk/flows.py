"""Runs the flows of the SDK comparison with the Azure SDK for Python, and prints the seconds of each as JSON.

usage: flows.py CONNECTION_STRING CONTAINER FILLED, the last being the container to list
"""
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from azure.storage.blob import BlobServiceClient

SMALL, SMALL_SIZE, LARGE_SIZE, LEASES, WORKERS = 1000, 1024, 256 << 20, 1000, 16


def main(connection, container, filled):
    service = BlobServiceClient.from_connection_string(connection)
    box = service.create_container(container)
    small, large = b"x" * SMALL_SIZE, b"x" * LARGE_SIZE
    names = [f"small/{i:04}" for i in range(SMALL)]

    def each(do):
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(do, names))

    def lease_cycles():
        blob = box.get_blob_client(names[0])
        for _ in range(LEASES):
            blob.acquire_lease(15).release()

    flows = {
        "upload small": lambda: each(lambda n: box.upload_blob(n, small)),
        "download small": lambda: each(lambda n: box.download_blob(n).readall()),
        "upload large": lambda: box.upload_blob("large", large, max_concurrency=4),
        "download large": lambda: box.download_blob("large", max_concurrency=4).readinto(open("/dev/null", "wb")),
        "list": lambda: sum(1 for _ in service.get_container_client(filled).list_blobs()),
        "leases": lease_cycles,
    }
    for name, run in flows.items():
        began = time.perf_counter()
        run()
        print(json.dumps({"flow": name, "seconds": time.perf_counter() - began}), flush=True)
    box.delete_container()


main(*sys.argv[1:])
