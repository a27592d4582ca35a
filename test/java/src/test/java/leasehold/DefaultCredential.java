package leasehold;

import static leasehold.Refusal.refused;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.azure.core.util.BinaryData;
import com.azure.identity.DefaultAzureCredentialBuilder;
import com.azure.storage.blob.BlobClient;
import com.azure.storage.blob.BlobContainerClient;
import com.azure.storage.blob.BlobServiceAsyncClient;
import com.azure.storage.blob.BlobServiceClient;
import com.azure.storage.blob.BlobServiceClientBuilder;
import com.azure.storage.blob.models.LeaseStateType;
import com.azure.storage.blob.specialized.BlobLeaseAsyncClient;
import com.azure.storage.blob.specialized.BlobLeaseClient;
import com.azure.storage.blob.specialized.BlobLeaseClientBuilder;
import java.util.UUID;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

/**
 * Leases through the default Azure credential, in the environment that "leasehold env" prints. The name says to Surefire
 * that this is not for the other environment.
 */
class DefaultCredential {
  private static BlobServiceClientBuilder builder() {
    return new BlobServiceClientBuilder()
        .endpoint("https://" + System.getenv("AZURE_STORAGE_ACCOUNT") + ".blob.core.windows.net/")
        .credential(new DefaultAzureCredentialBuilder().build());
  }

  private final BlobServiceClient service = builder().buildClient();
  private final BlobServiceAsyncClient asyncService = builder().buildAsyncClient();
  private final String name = "java-" + UUID.randomUUID();

  @Test
  void blob() {
    BlobContainerClient container = service.createBlobContainer(name);
    BlobClient blob = container.getBlobClient("sample-blob.txt");
    blob.upload(BinaryData.fromString("sample"));
    held(new BlobLeaseClientBuilder().blobClient(blob).buildClient(), () -> blob.getProperties().getLeaseState());
    container.delete();
  }

  @Test
  void container() {
    BlobContainerClient container = service.createBlobContainer(name);
    held(new BlobLeaseClientBuilder().containerClient(container).buildClient(), () -> container.getProperties().getLeaseState());
    container.delete();
  }

  @Test
  void asyncBlob() {
    var container = asyncService.createBlobContainer(name).block();
    var blob = container.getBlobAsyncClient("sample-blob.txt");
    blob.upload(BinaryData.fromString("sample")).block();
    held(new BlobLeaseClientBuilder().blobAsyncClient(blob).buildAsyncClient());
    container.delete().block();
  }

  @Test
  void asyncContainer() {
    var container = asyncService.createBlobContainer(name).block();
    held(new BlobLeaseClientBuilder().containerAsyncClient(container).buildAsyncClient());
    container.delete().block();
  }

  /** Acquires, renews and releases a lease, which there is no more to break then. */
  private static void held(BlobLeaseClient lease, Supplier<LeaseStateType> state) {
    String id = lease.acquireLease(30);
    assertEquals(LeaseStateType.LEASED, state.get());
    assertEquals(id, lease.renewLease());
    lease.releaseLease();
    refused(409, "LeaseNotPresentWithLeaseOperation", lease::breakLease);
  }

  /** The same with the reactive client. */
  private static void held(BlobLeaseAsyncClient lease) {
    String id = lease.acquireLease(30).block();
    assertEquals(id, lease.renewLease().block());
    lease.releaseLease().block();
    refused(409, "LeaseNotPresentWithLeaseOperation", () -> lease.breakLease().block());
  }
}
