"""Makes shared access signatures as the file LEASEHOLD_SAS_WANTED asks for, and
writes them to LEASEHOLD_SAS_MADE. It sends no request.
"""

import json
import os

from azure.storage.blob import (
    ResourceTypes,
    Services,
    UserDelegationKey,
    generate_account_sas,
    generate_blob_sas,
    generate_container_sas,
)


def delegation_key(fields):
    key = UserDelegationKey()
    key.signed_oid, key.signed_tid = fields["objectId"], fields["tenantId"]
    key.signed_start, key.signed_expiry = fields["start"], fields["expiry"]
    key.signed_service, key.signed_version = fields["service"], fields["version"]
    key.value = fields["value"]
    return key


def make(order, one):
    options = {
        "account_name": order["account"],
        "permission": one.get("permissions"),
        "start": one.get("start"),
        "expiry": one.get("expiry"),
        "ip": one.get("ip"),
        "protocol": one.get("protocol"),
        "encryption_scope": one.get("scope"),
    }
    if one["kind"] == "account":
        return generate_account_sas(
            account_key=order["key"],
            resource_types=ResourceTypes.from_string(one["types"]),
            services=Services.from_string(one["services"]),
            **options,
        )
    options["content_type"] = one.get("contentType")
    if one["kind"] == "service":
        options["account_key"] = order["key"]
        options["policy_id"] = one.get("policy")
    else:
        options["user_delegation_key"] = delegation_key(order["delegation"])
        options["correlation_id"] = one.get("correlation")
        options["user_delegation_oid"] = one.get("user")
        options["request_headers"] = one.get("headers")
        options["request_query_params"] = one.get("queries")
    if not one.get("blob"):
        return generate_container_sas(container_name=one["container"], **options)
    return generate_blob_sas(
        container_name=one["container"],
        blob_name=one["blob"],
        snapshot=one.get("snapshot"),
        version_id=one.get("version"),
        is_directory=one.get("directory"),
        **options,
    )


with open(os.environ["LEASEHOLD_SAS_WANTED"], encoding="utf-8") as file:
    order = json.load(file)
made = {one["name"]: make(order, one) for one in order["wanted"]}
with open(os.environ["LEASEHOLD_SAS_MADE"], "w", encoding="utf-8") as file:
    json.dump(made, file)
