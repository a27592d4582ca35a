package leasehold;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.azure.storage.blob.models.BlobStorageException;
import org.junit.jupiter.api.function.Executable;

/** What the service says to a call that it does not carry out. */
final class Refusal {
  private Refusal() {}

  /** Asserts that the call is refused with this status and this error code. */
  static void refused(int status, String code, Executable call) {
    BlobStorageException e = assertThrows(BlobStorageException.class, call);
    assertEquals(status + " " + code, e.getStatusCode() + " " + e.getErrorCode());
  }
}
