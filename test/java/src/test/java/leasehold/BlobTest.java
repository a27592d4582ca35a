package leasehold;

import static leasehold.Refusal.refused;
import static leasehold.Server.blob;
import static leasehold.Server.box;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import com.azure.core.util.BinaryData;
import com.azure.storage.blob.BlobClient;
import com.azure.storage.blob.BlobContainerClient;
import com.azure.storage.blob.models.AccessTier;
import com.azure.storage.blob.models.AppendBlobRequestConditions;
import com.azure.storage.blob.models.BlobHttpHeaders;
import com.azure.storage.blob.models.BlobItem;
import com.azure.storage.blob.models.BlobListDetails;
import com.azure.storage.blob.models.BlobRange;
import com.azure.storage.blob.models.BlobRequestConditions;
import com.azure.storage.blob.models.BlobRetentionPolicy;
import com.azure.storage.blob.models.BlockListType;
import com.azure.storage.blob.models.CopyStatusType;
import com.azure.storage.blob.models.DeleteSnapshotsOptionType;
import com.azure.storage.blob.models.ListBlobsOptions;
import com.azure.storage.blob.models.PageRange;
import com.azure.storage.blob.models.ParallelTransferOptions;
import com.azure.storage.blob.models.SequenceNumberActionType;
import com.azure.storage.blob.models.TaggedBlobItem;
import com.azure.storage.blob.options.BlobDownloadToFileOptions;
import com.azure.storage.blob.options.BlobParallelUploadOptions;
import com.azure.storage.blob.sas.BlobSasPermission;
import com.azure.storage.blob.sas.BlobServiceSasSignatureValues;
import com.azure.storage.blob.specialized.AppendBlobClient;
import com.azure.storage.blob.specialized.BlockBlobClient;
import com.azure.storage.blob.specialized.PageBlobClient;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import reactor.core.publisher.Flux;

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

  @Test
  void downloadInRangesToFile(@TempDir Path dir) throws IOException {
    BlobClient client = box().getBlobClient("big");
    byte[] body = new byte[(5 << 20) + 7];
    new Random(2).nextBytes(body);
    Files.write(dir.resolve("in"), body);
    client.uploadFromFile(dir.resolve("in").toString());
    var parallel = new com.azure.storage.common.ParallelTransferOptions().setBlockSizeLong(1L << 20).setMaxConcurrency(4);
    client.downloadToFileWithResponse(
        new BlobDownloadToFileOptions(dir.resolve("out").toString()).setParallelTransferOptions(parallel), null, null);
    assertArrayEquals(body, Files.readAllBytes(dir.resolve("out")));
    try (var stream = client.openInputStream(new BlobRange(1 << 20, 10L), null)) {
      assertArrayEquals(Arrays.copyOfRange(body, 1 << 20, (1 << 20) + 10), stream.readAllBytes());
    }
  }

  @Test
  void blockList() throws IOException {
    BlockBlobClient client = box().getBlobClient("blocks").getBlockBlobClient();
    List<String> ids = List.of("MDAwMQ==", "MDAwMg==");
    for (String id : ids) {
      client.stageBlock(id, BinaryData.fromString(id));
    }
    assertEquals(2, client.listBlocks(BlockListType.ALL).getUncommittedBlocks().size());
    client.commitBlockList(List.of(ids.get(1), ids.get(0)));
    assertEquals(ids.get(1) + ids.get(0), client.downloadContent().toString());
    try (var out = client.getBlobOutputStream(true)) {
      out.write("streamed".getBytes());
    }
    assertEquals("streamed", client.downloadContent().toString());
  }

  @Test
  void append() {
    AppendBlobClient client = box().getBlobClient("log").getAppendBlobClient();
    client.create();
    var first = new AppendBlobRequestConditions().setAppendPosition(0L);
    client.appendBlockWithResponse(stream("one"), 3, null, first, null, null);
    refused(412, "AppendPositionConditionNotMet",
        () -> client.appendBlockWithResponse(stream("two"), 3, null, first, null, null));
    client.appendBlock(stream("two"), 3);
    client.seal();
    refused(409, "BlobIsSealed", () -> client.appendBlock(stream("x"), 1));
    assertEquals("onetwo", client.downloadContent().toString());
  }

  @Test
  void pages() {
    PageBlobClient client = box().getBlobClient("disk").getPageBlobClient();
    client.create(2048);
    client.uploadPages(new PageRange().setStart(0).setEnd(1023), new ByteArrayInputStream(new byte[1024]));
    String snapshot = client.createSnapshot().getSnapshotId();
    client.clearPages(new PageRange().setStart(512).setEnd(1023));
    var ranges = client.listPageRanges(new BlobRange(0)).stream().map(r -> r.getRange().toString()).toList();
    assertEquals(List.of("bytes=0-511"), ranges);
    var cleared = client.listPageRangesDiff(new BlobRange(0), snapshot).stream()
        .map(r -> r.isClear() + " " + r.getRange()).toList();
    assertEquals(List.of("true bytes=512-1023"), cleared);
    client.resize(4096);
    client.updateSequenceNumber(SequenceNumberActionType.UPDATE, 7L);
    assertEquals(7, client.getProperties().getBlobSequenceNumber());
    assertEquals(4096, client.getProperties().getBlobSize());
  }

  @Test
  void copies() {
    BlobContainerClient box = box();
    BlobClient source = box.getBlobClient("source");
    source.upload(BinaryData.fromString("sample"));
    String url = source.getBlobUrl() + "?" + source.generateSas(new BlobServiceSasSignatureValues(
        OffsetDateTime.now().plusHours(1), new BlobSasPermission().setReadPermission(true)));
    BlobClient copy = box.getBlobClient("copy");
    var done = copy.beginCopy(url, Duration.ofSeconds(1)).waitForCompletion();
    assertEquals(CopyStatusType.SUCCESS, done.getValue().getCopyStatus());
    refused(409, "NoPendingCopyOperation", () -> copy.abortCopyFromUrl(done.getValue().getCopyId()));
    copy.copyFromUrl(url);
    copy.getBlockBlobClient().uploadFromUrl(url, true);
    assertEquals("sample", copy.downloadContent().toString());
  }

  @Test
  void snapshots() {
    BlobClient client = blob();
    var snapshot = client.createSnapshot();
    client.upload(BinaryData.fromString("newer"), true);
    assertEquals("sample", snapshot.downloadContent().toString());
    refused(409, "SnapshotsPresent", client::delete);
    client.deleteWithResponse(DeleteSnapshotsOptionType.INCLUDE, null, null, null);
    assertFalse(client.exists());
  }

  @Test
  void tags() {
    BlobContainerClient box = box();
    BlobClient client = box.getBlobClient("x");
    client.upload(BinaryData.fromString("x"));
    client.setTags(Map.of("box", box.getBlobContainerName(), "stage", "one"));
    assertEquals(Map.of("box", box.getBlobContainerName(), "stage", "one"), client.getTags());
    String query = "box='" + box.getBlobContainerName() + "'";
    assertEquals(List.of("x"), Server.SYNC.findBlobsByTags(query).stream().map(TaggedBlobItem::getName).toList());
    assertEquals(0, box.findBlobsByTags(query + " AND stage='two'").stream().count());
    var conditions = new BlobRequestConditions().setTagsConditions("stage='two'");
    refused(412, "ConditionNotMet", () -> client.setMetadataWithResponse(Map.of(), conditions, null, null));
  }

  @Test
  void softDelete() {
    var service = Server.SYNC.getProperties();
    service.setDeleteRetentionPolicy(new BlobRetentionPolicy().setEnabled(true).setDays(2));
    Server.SYNC.setProperties(service);
    try {
      BlobContainerClient box = box();
      BlobClient client = box.getBlobClient("x");
      client.upload(BinaryData.fromString("sample"));
      client.delete();
      assertFalse(client.exists());
      var deleted = new ListBlobsOptions().setDetails(new BlobListDetails().setRetrieveDeletedBlobs(true));
      assertEquals(List.of(true), box.listBlobs(deleted, null).stream().map(BlobItem::isDeleted).toList());
      client.undelete();
      assertEquals("sample", client.downloadContent().toString());
    } finally {
      service.setDeleteRetentionPolicy(new BlobRetentionPolicy().setEnabled(false));
      Server.SYNC.setProperties(service);
    }
  }

  @Test
  void tiersAndHeaders() {
    BlobClient client = blob();
    client.setAccessTier(AccessTier.COOL);
    client.setHttpHeaders(new BlobHttpHeaders().setContentType("text/css").setCacheControl("no-cache"));
    var p = client.getProperties();
    assertEquals(List.of(AccessTier.COOL, "text/css", "no-cache"),
        List.of(p.getAccessTier(), p.getContentType(), p.getCacheControl()));
  }

  @Test
  void reactive() {
    var box = Server.ASYNC.getBlobContainerAsyncClient(box().getBlobContainerName());
    byte[] body = new byte[(3 << 20) + 1];
    new Random(3).nextBytes(body);
    var transfer = new ParallelTransferOptions()
        .setBlockSizeLong(1L << 20).setMaxSingleUploadSizeLong(1L << 20).setMaxConcurrency(3);
    var big = box.getBlobAsyncClient("big");
    big.upload(Flux.just(ByteBuffer.wrap(body)), transfer).block();
    assertArrayEquals(body, big.downloadContent().block().toBytes());
    var log = box.getBlobAsyncClient("log").getAppendBlobAsyncClient();
    log.create().then(log.appendBlock(Flux.just(ByteBuffer.wrap("one".getBytes())), 3)).block();
    var disk = box.getBlobAsyncClient("disk").getPageBlobAsyncClient();
    var page = new PageRange().setStart(512).setEnd(1023);
    disk.create(1024).then(disk.uploadPages(page, Flux.just(ByteBuffer.wrap(new byte[512])))).block();
    assertEquals(List.of("bytes=512-1023"),
        disk.listPageRanges(new BlobRange(0)).map(r -> r.getRange().toString()).collectList().block());
    var old = log.createSnapshot().block();
    log.setTags(Map.of("a", "b")).then(log.appendBlock(Flux.just(ByteBuffer.wrap("two".getBytes())), 3)).block();
    assertEquals("one", old.downloadContent().block().toString());
    assertEquals(Map.of("a", "b"), log.getTags().block());
    assertEquals(List.of("big", "disk", "log"), box.listBlobs().map(BlobItem::getName).collectList().block());
    log.deleteWithResponse(DeleteSnapshotsOptionType.INCLUDE, null).block();
    assertEquals(false, log.exists().block());
  }

  private static ByteArrayInputStream stream(String text) {
    return new ByteArrayInputStream(text.getBytes());
  }
}
