package leasehold;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.azure.core.util.BinaryData;
import com.azure.storage.blob.BlobAsyncClient;
import com.azure.storage.blob.models.BlobStorageException;
import com.azure.storage.blob.models.LeaseStateType;
import com.azure.storage.blob.specialized.BlobLeaseAsyncClient;
import com.azure.storage.blob.specialized.BlobLeaseClientBuilder;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** Leases through the reactive lease client. */
class AsyncLeaseTest {
  private static BlobAsyncClient blob() {
    return Server.ASYNC
        .createBlobContainer("java-" + UUID.randomUUID())
        .map(box -> box.getBlobAsyncClient("sample"))
        .flatMap(client -> client.upload(BinaryData.fromString("sample")).thenReturn(client))
        .block();
  }

  private static BlobLeaseAsyncClient lease(BlobAsyncClient client) {
    return new BlobLeaseClientBuilder().blobAsyncClient(client).buildAsyncClient();
  }

  private static Mono<LeaseStateType> state(BlobAsyncClient client) {
    return client.getProperties().map(p -> p.getLeaseState());
  }

  @Test
  void acquireRenewChangeRelease() {
    BlobAsyncClient client = blob();
    BlobLeaseAsyncClient holder = lease(client);
    String next = UUID.randomUUID().toString();
    assertEquals(LeaseStateType.LEASED, holder.acquireLease(30).then(state(client)).block());
    assertEquals(next, holder.renewLease().then(holder.changeLease(next)).block());
    assertEquals(LeaseStateType.AVAILABLE, holder.releaseLease().then(state(client)).block());
  }

  @Test
  void breakLease() {
    BlobAsyncClient client = blob();
    BlobLeaseAsyncClient holder = lease(client);
    assertEquals(0, holder.acquireLease(-1).then(holder.breakLease()).block());
    assertEquals(LeaseStateType.BROKEN, state(client).block());
  }

  @Test
  void oneOfManyWins() {
    BlobAsyncClient client = blob();
    long winners = Flux.range(0, 32)
        .flatMap(i -> lease(client).acquireLease(60).map(id -> 1)
            .onErrorResume(BlobStorageException.class, e -> {
              assertEquals("LeaseAlreadyPresent", e.getErrorCode().toString());
              return Mono.empty();
            }), 32)
        .count().block();
    assertEquals(1, winners);
  }
}
