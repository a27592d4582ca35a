package leasehold;

import com.azure.json.JsonProviders;
import com.azure.json.JsonReader;
import com.azure.json.JsonWriter;
import com.azure.storage.blob.BlobClient;
import com.azure.storage.blob.BlobContainerClient;
import com.azure.storage.blob.BlobServiceClientBuilder;
import com.azure.storage.blob.models.UserDelegationKey;
import com.azure.storage.blob.sas.BlobContainerSasPermission;
import com.azure.storage.blob.sas.BlobSasPermission;
import com.azure.storage.blob.sas.BlobServiceSasSignatureValues;
import com.azure.storage.common.StorageSharedKeyCredential;
import com.azure.storage.common.sas.AccountSasPermission;
import com.azure.storage.common.sas.AccountSasResourceType;
import com.azure.storage.common.sas.AccountSasService;
import com.azure.storage.common.sas.AccountSasSignatureValues;
import com.azure.storage.common.sas.SasIpRange;
import com.azure.storage.common.sas.SasProtocol;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.OffsetDateTime;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/**
 * Makes shared access signatures as the file LEASEHOLD_SAS_WANTED asks for, and writes them to
 * LEASEHOLD_SAS_MADE. It sends no request. It is a test by form only, so that Maven runs it, and only by name.
 */
class MakeSas {
  private String account;
  private StorageSharedKeyCredential credential;
  private UserDelegationKey key;

  @Test
  @SuppressWarnings("unchecked")
  void make() throws Exception {
    Map<String, Object> order;
    try (JsonReader reader = JsonProviders.createReader(Files.readString(Path.of(System.getenv("LEASEHOLD_SAS_WANTED"))))) {
      order = (Map<String, Object>) reader.readUntyped();
    }
    account = (String) order.get("account");
    credential = new StorageSharedKeyCredential(account, (String) order.get("key"));
    key = delegationKey((Map<String, String>) order.get("delegation"));
    var made = new LinkedHashMap<String, Object>();
    for (var one : (List<Map<String, Object>>) order.get("wanted")) {
      made.put((String) one.get("name"), make(one));
    }
    try (JsonWriter writer = JsonProviders.createWriter(Files.newOutputStream(Path.of(System.getenv("LEASEHOLD_SAS_MADE"))))) {
      writer.writeUntyped(made);
    }
  }

  private static UserDelegationKey delegationKey(Map<String, String> fields) {
    return new UserDelegationKey()
        .setSignedObjectId(fields.get("objectId")).setSignedTenantId(fields.get("tenantId"))
        .setSignedStart(OffsetDateTime.parse(fields.get("start"))).setSignedExpiry(OffsetDateTime.parse(fields.get("expiry")))
        .setSignedService(fields.get("service")).setSignedVersion(fields.get("version"))
        .setValue(fields.get("value"));
  }

  private static Optional<String> text(Map<String, Object> one, String name) {
    return Optional.ofNullable((String) one.get(name));
  }

  private static SasProtocol protocol(String text) {
    return text.equals("https") ? SasProtocol.HTTPS_ONLY : SasProtocol.HTTPS_HTTP;
  }

  private String make(Map<String, Object> one) {
    var builder = new BlobServiceClientBuilder().endpoint("https://" + account + ".blob.core.windows.net").credential(credential);
    if (one.get("kind").equals("account")) {
      return accountSas(one);
    }
    text(one, "scope").ifPresent(builder::encryptionScope);
    BlobContainerClient container = builder.buildClient().getBlobContainerClient((String) one.get("container"));
    var values = text(one, "policy").map(BlobServiceSasSignatureValues::new).orElseGet(BlobServiceSasSignatureValues::new);
    fill(values, one);
    boolean service = one.get("kind").equals("service");
    if (one.get("blob") == null) {
      text(one, "permissions").map(BlobContainerSasPermission::parse).ifPresent(values::setPermissions);
      return service ? container.generateSas(values) : container.generateUserDelegationSas(values, key);
    }
    BlobClient blob = container.getBlobClient((String) one.get("blob"));
    if (one.get("snapshot") != null) {
      blob = blob.getSnapshotClient((String) one.get("snapshot"));
    }
    if (one.get("version") != null) {
      blob = blob.getVersionClient((String) one.get("version"));
    }
    text(one, "permissions").map(BlobSasPermission::parse).ifPresent(values::setPermissions);
    return service ? blob.generateSas(values) : blob.generateUserDelegationSas(values, key);
  }

  private String accountSas(Map<String, Object> one) {
    var values = new AccountSasSignatureValues(
        OffsetDateTime.parse((String) one.get("expiry")), AccountSasPermission.parse((String) one.get("permissions")),
        AccountSasService.parse((String) one.get("services")),
        AccountSasResourceType.parse((String) one.get("types")));
    text(one, "start").map(OffsetDateTime::parse).ifPresent(values::setStartTime);
    text(one, "ip").map(SasIpRange::parse).ifPresent(values::setSasIpRange);
    text(one, "protocol").map(MakeSas::protocol).ifPresent(values::setProtocol);
    text(one, "scope").ifPresent(values::setEncryptionScope);
    return values.generateSasQueryParameters(credential).encode();
  }

  @SuppressWarnings("unchecked")
  private static void fill(BlobServiceSasSignatureValues values, Map<String, Object> one) {
    text(one, "start").map(OffsetDateTime::parse).ifPresent(values::setStartTime);
    text(one, "expiry").map(OffsetDateTime::parse).ifPresent(values::setExpiryTime);
    text(one, "ip").map(SasIpRange::parse).ifPresent(values::setSasIpRange);
    text(one, "protocol").map(MakeSas::protocol).ifPresent(values::setProtocol);
    text(one, "contentType").ifPresent(values::setContentType);
    text(one, "correlation").ifPresent(values::setCorrelationId);
    text(one, "user").ifPresent(values::setDelegatedUserObjectId);
    values.setDirectory((Boolean) one.get("directory"));
    values.setRequestHeaders((Map<String, String>) one.get("headers"));
    values.setRequestQueryParameters((Map<String, String>) one.get("queries"));
  }
}
