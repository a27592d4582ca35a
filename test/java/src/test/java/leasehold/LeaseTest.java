package leasehold;

import static leasehold.Refusal.refused;
import static leasehold.Server.blob;
import static leasehold.Server.box;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.azure.core.util.BinaryData;
import com.azure.storage.blob.BlobClient;
import com.azure.storage.blob.BlobContainerClient;
import com.azure.storage.blob.models.BlobRequestConditions;
import com.azure.storage.blob.models.LeaseDurationType;
import com.azure.storage.blob.models.LeaseStateType;
import com.azure.storage.blob.models.LeaseStatusType;
import com.azure.storage.blob.options.BlobBreakLeaseOptions;
import com.azure.storage.blob.options.BlobParallelUploadOptions;
import com.azure.storage.blob.specialized.BlobLeaseClient;
import com.azure.storage.blob.specialized.BlobLeaseClientBuilder;
import java.time.Duration;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** Leases through the synchronous lease client. */
class LeaseTest {
  private static BlobLeaseClient lease(BlobClient client) {
    return new BlobLeaseClientBuilder().blobClient(client).buildClient();
  }

  private static void assertState(BlobClient client, LeaseStateType state, LeaseDurationType duration) {
    var p = client.getProperties();
    assertEquals(state, p.getLeaseState());
    assertEquals(duration, p.getLeaseDuration());
    boolean locked = state == LeaseStateType.LEASED || state == LeaseStateType.BREAKING;
    assertEquals(locked ? LeaseStatusType.LOCKED : LeaseStatusType.UNLOCKED, p.getLeaseStatus());
  }

  @Test
  void acquireRenewRelease() {
    BlobClient client = blob();
    assertState(client, LeaseStateType.AVAILABLE, null);
    BlobLeaseClient holder = lease(client);
    assertEquals(holder.acquireLease(30), holder.getLeaseId());
    assertState(client, LeaseStateType.LEASED, LeaseDurationType.FIXED);
    assertEquals(holder.getLeaseId(), holder.renewLease());
    holder.releaseLease();
    assertState(client, LeaseStateType.AVAILABLE, null);
  }

  @Test
  void acquireForEverAndChange() {
    BlobClient client = blob();
    BlobLeaseClient holder = lease(client);
    holder.acquireLease(-1);
    assertState(client, LeaseStateType.LEASED, LeaseDurationType.INFINITE);
    String next = UUID.randomUUID().toString();
    assertEquals(next, holder.changeLease(next));
    holder.releaseLease();
  }

  @Test
  void secondHolderIsRefused() {
    BlobClient client = blob();
    lease(client).acquireLease(15);
    refused(409, "LeaseAlreadyPresent", () -> lease(client).acquireLease(15));
  }

  @Test
  void breakLease() {
    BlobClient client = blob();
    BlobLeaseClient holder = lease(client);
    holder.acquireLease(60);
    int left = holder.breakLeaseWithResponse(
        new BlobBreakLeaseOptions().setBreakPeriod(Duration.ofSeconds(20)), null, null).getValue();
    assertTrue(left == 20 || left == 19, "left " + left);
    assertState(client, LeaseStateType.BREAKING, null);
    refused(409, "LeaseIsBrokenAndCannotBeRenewed", holder::renewLease);
    holder.breakLeaseWithResponse(new BlobBreakLeaseOptions().setBreakPeriod(Duration.ZERO), null, null);
    assertState(client, LeaseStateType.BROKEN, null);
  }

  @Test
  void breakAfterRelease() {
    BlobLeaseClient holder = lease(blob());
    holder.acquireLease(15);
    holder.releaseLease();
    refused(409, "LeaseNotPresentWithLeaseOperation", holder::breakLease);
  }

  @Test
  void writesNeedTheLease() {
    BlobClient client = blob();
    BlobLeaseClient holder = lease(client);
    holder.acquireLease(30);
    BinaryData body = BinaryData.fromString("new");
    refused(412, "LeaseIdMissing", () -> client.upload(body, true));
    refused(412, "LeaseIdMissing", client::delete);
    var conditions = new BlobRequestConditions().setLeaseId(holder.getLeaseId());
    client.uploadWithResponse(new BlobParallelUploadOptions(body).setRequestConditions(conditions), null, null);
    assertEquals("new", client.downloadContent().toString());
    conditions.setLeaseId(UUID.randomUUID().toString());
    refused(412, "LeaseIdMismatchWithBlobOperation", () ->
        client.uploadWithResponse(new BlobParallelUploadOptions(body).setRequestConditions(conditions), null, null));
  }

  @Test
  void container() {
    BlobContainerClient client = box();
    BlobLeaseClient holder = new BlobLeaseClientBuilder().containerClient(client).buildClient();
    holder.acquireLease(15);
    assertEquals(LeaseStateType.LEASED, client.getProperties().getLeaseState());
    refused(412, "LeaseIdMissing", client::delete);
    holder.releaseLease();
    assertNull(client.getProperties().getLeaseDuration());
    client.delete();
  }

  @Test
  void missingBlob() {
    refused(404, "BlobNotFound", () -> lease(box().getBlobClient("nothing")).acquireLease(15));
  }
}
