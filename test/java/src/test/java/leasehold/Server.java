package leasehold;

import com.azure.core.util.BinaryData;
import com.azure.storage.blob.BlobClient;
import com.azure.storage.blob.BlobContainerClient;
import com.azure.storage.blob.BlobServiceAsyncClient;
import com.azure.storage.blob.BlobServiceClient;
import com.azure.storage.blob.BlobServiceClientBuilder;
import com.azure.storage.common.policy.RequestRetryOptions;
import com.azure.storage.common.policy.RetryPolicyType;
import java.util.UUID;

/** The server under test, named by AZURE_STORAGE_CONNECTION_STRING. */
final class Server {
  private Server() {}

  private static BlobServiceClientBuilder builder() {
    // No retries: a test must see the first answer.
    return new BlobServiceClientBuilder()
        .connectionString(System.getenv("AZURE_STORAGE_CONNECTION_STRING"))
        .retryOptions(new RequestRetryOptions(RetryPolicyType.FIXED, 1, 60, null, null, null));
  }

  static final BlobServiceClient SYNC = builder().buildClient();
  static final BlobServiceAsyncClient ASYNC = builder().buildAsyncClient();

  /** Makes a container for one test. */
  static BlobContainerClient box() {
    return SYNC.createBlobContainer("java-" + UUID.randomUUID());
  }

  /** Makes a small block blob in a container of its own. */
  static BlobClient blob() {
    BlobClient client = box().getBlobClient("dir/sample blob.txt");
    client.upload(BinaryData.fromString("sample"));
    return client;
  }
}
