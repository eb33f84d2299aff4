//! Result codes: the one byte that says how a request ended.

use std::fmt;

/// How a request ended, as a wire number (`reference`: result codes of the client protocol).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct ResultCode(pub u8);

macro_rules! result_codes {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        impl ResultCode {
            $(#[doc = $text] pub const $name: Self = Self($number);)*

            /// Every code that has a name, with that name and its meaning, ascending.
            pub const ALL: &[(Self, &'static str, &'static str)] =
                &[$((Self($number), stringify!($name), $text),)*];
        }
    };
}

result_codes! {
    OK = 0, "Success.";
    UNKNOWN = 1, "An internal failure, or a malformed list or map value.";
    NOT_FOUND = 2, "No such record.";
    GENERATION = 3, "The generation check failed.";
    PARAMETER = 4, "The request is malformed or its parts do not fit together.";
    RECORD_EXISTS = 5, "Create-only, and the record exists.";
    BIN_EXISTS = 6, "Create-only operation, and the bin exists.";
    CLUSTER_KEY_MISMATCH = 7, "The cluster changed or is not in the state asked for.";
    OUT_OF_SPACE = 8, "The namespace takes no writes, or has no space left.";
    TIMEOUT = 9, "The request's time is over.";
    UNUSED_10 = 10, "Not used.";
    UNAVAILABLE = 11, "The partition is not available.";
    INCOMPATIBLE_TYPE = 12, "The operation does not fit the type of the bin.";
    RECORD_TOO_BIG = 13, "The record would exceed max-record-size.";
    KEY_BUSY = 14, "Too many requests wait for this record.";
    QUERY_ABORT = 15, "The query was aborted.";
    UNSUPPORTED_FEATURE = 16, "Not supported in this form.";
    BIN_NOT_FOUND = 17, "The operation needs a bin that is missing.";
    DEVICE_OVERLOAD = 18, "The storage write queue is too deep.";
    KEY_MISMATCH = 19, "The key sent differs from the stored key.";
    NAMESPACE = 20, "No such namespace.";
    BIN_NAME = 21, "A bin name is too long or not allowed.";
    FORBIDDEN = 22, "The operation is not allowed now.";
    ELEMENT_NOT_FOUND = 23, "No such element in the list or map.";
    ELEMENT_EXISTS = 24, "The element exists in the list or map.";
    ENTERPRISE_ONLY = 25, "A feature that is not there yet.";
    OP_NOT_APPLICABLE = 26, "The operation cannot be applied to the value.";
    FILTERED_OUT = 27, "The filter expression is false.";
    LOST_CONFLICT = 28, "A write lost against a newer version.";
    XDR_KEY_BUSY = 32, "A previous write of the record is still being shipped.";
    SEC_OK_LAST = 50, "End of a list of users or roles.";
    SEC_NOT_SUPPORTED = 51, "Security is not supported.";
    SEC_NOT_CONFIGURED = 52, "Security is not configured.";
    SEC_SCHEME = 53, "Unknown scheme of a security message.";
    SEC_COMMAND = 54, "Unknown security command.";
    SEC_FIELD = 55, "Unparsable field of a security message.";
    SEC_STATE = 56, "Security command not expected in this state.";
    SEC_USER = 60, "No or unknown user.";
    SEC_USER_EXISTS = 61, "The user exists.";
    SEC_PASSWORD = 62, "No or bad password.";
    SEC_EXPIRED_PASSWORD = 63, "The password has expired.";
    SEC_FORBIDDEN_PASSWORD = 64, "The password may not be used.";
    SEC_CREDENTIAL = 65, "No or bad credential.";
    SEC_EXPIRED_SESSION = 66, "The session has expired.";
    SEC_ROLE = 70, "No or unknown role.";
    SEC_ROLE_EXISTS = 71, "The role exists.";
    SEC_PRIVILEGE = 72, "Unknown privilege.";
    SEC_WHITELIST = 73, "Bad whitelist.";
    SEC_QUOTAS_NOT_ENABLED = 74, "Quotas are not enabled.";
    SEC_QUOTA = 75, "Bad quota.";
    SEC_NOT_AUTHENTICATED = 80, "The connection has not logged in.";
    SEC_ROLE_VIOLATION = 81, "A privilege is missing.";
    SEC_NOT_WHITELISTED = 82, "The client's address is not allowed.";
    SEC_QUOTA_EXCEEDED = 83, "The user's quota is exceeded.";
    LDAP_NOT_CONFIGURED = 90, "LDAP is not configured.";
    LDAP_SETUP = 91, "LDAP cannot be set up.";
    LDAP_TLS_SETUP = 92, "TLS for LDAP cannot be set up.";
    LDAP_AUTHENTICATION = 93, "LDAP refused the user.";
    LDAP_QUERY = 94, "An LDAP query failed.";
    UDF_EXECUTION = 100, "A UDF failed; the FAILURE bin says why.";
    MRT_BLOCKED = 120, "Another transaction has locked the record.";
    MRT_VERSION_MISMATCH = 121, "A record read by the transaction has changed.";
    MRT_EXPIRED = 122, "The transaction's deadline is over.";
    MRT_TOO_MANY_WRITES = 123, "Too many writes in the transaction.";
    MRT_COMMITTED = 124, "The transaction is committed already.";
    MRT_ABORTED = 125, "The transaction is rolled back already.";
    MRT_ALREADY_LOCKED = 126, "This transaction has locked the record already.";
    MRT_MONITOR_EXISTS = 127, "A transaction with this id exists.";
    BATCH_DISABLED = 150, "Batches are disabled.";
    BATCH_MAX_REQUESTS = 151, "The batch has too many rows.";
    BATCH_QUEUES_FULL = 152, "No batch queue has room.";
    GEO_INVALID_GEOJSON = 160, "The GeoJSON is not valid or not supported.";
    SINDEX_FOUND = 200, "The index exists.";
    SINDEX_NOT_FOUND = 201, "No such index.";
    SINDEX_OOM = 202, "Not used.";
    SINDEX_NOT_READABLE = 203, "The index is still being built.";
    SINDEX_GENERIC = 204, "Not used.";
    SINDEX_NAME = 205, "Not used.";
    SINDEX_MAX_COUNT = 206, "The namespace has the greatest number of indexes.";
}

impl fmt::Debug for ResultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::ALL.iter().find(|(code, ..)| code == self) {
            Some((code, name, _)) => write!(f, "{name}({})", code.0),
            None => write!(f, "ResultCode({})", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted_and_unique() {
        assert!(ResultCode::ALL.windows(2).all(|pair| pair[0].0.0 < pair[1].0.0));
    }
}
