package leasehold;

import static leasehold.Refusal.refused;
import static leasehold.Server.blob;
import static leasehold.Server.box;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.azure.core.util.BinaryData;
import com.azure.storage.blob.BlobClient;
import com.azure.storage.blob.BlobContainerClient;
import com.azure.storage.blob.models.BlobItem;
import com.azure.storage.blob.models.ParallelTransferOptions;
import com.azure.storage.blob.options.BlobParallelUploadOptions;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Uploads, downloads and listings. */
class BlobTest {
  @Test
  void uploadInBlocksAndReadBack() throws IOException {
    BlobClient client = box().getBlobClient("big");
    byte[] body = new byte[(5 << 20) + 7];
    new Random(1).nextBytes(body);
    var transfer = new ParallelTransferOptions()
        .setBlockSizeLong(1L << 20).setMaxSingleUploadSizeLong(1L << 20).setMaxConcurrency(4);
    client.uploadWithResponse(
        new BlobParallelUploadOptions(new ByteArrayInputStream(body)).setParallelTransferOptions(transfer), null, null);
    assertArrayEquals(body, client.downloadContent().toBytes());
    try (var stream = client.openInputStream()) {
      assertArrayEquals(body, stream.readAllBytes());
    }
  }

  @Test
  void emptyBlob() throws IOException {
    BlobClient client = box().getBlobClient("empty");
    client.upload(BinaryData.fromBytes(new byte[0]));
    assertEquals(0, client.downloadContent().toBytes().length);
    try (var stream = client.openInputStream()) {
      assertEquals(0, stream.readAllBytes().length);
    }
  }

  @Test
  void uploadWithoutOverwrite() {
    BlobClient client = blob();
    refused(409, "BlobAlreadyExists", () -> client.upload(BinaryData.fromString("x")));
  }

  @Test
  void metadata() {
    BlobClient client = blob();
    client.setMetadata(Map.of("owner", "me"));
    assertEquals(Map.of("owner", "me"), client.getProperties().getMetadata());
  }

  @Test
  void list() {
    BlobContainerClient box = box();
    for (String name : List.of("a/1", "a/2", "b")) {
      box.getBlobClient(name).upload(BinaryData.fromString(name));
    }
    assertEquals(List.of("a/1", "a/2", "b"), box.listBlobs().stream().map(BlobItem::getName).toList());
    var top = box.listBlobsByHierarchy("/", null, null).stream().map(BlobItem::getName).sorted().toList();
    assertEquals(List.of("a/", "b"), top);
  }
}
