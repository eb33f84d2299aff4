//! The event counters of the node as a whole.

use engine::counter_names;

counter_names! {
    /// What the node counts since it came up (statistics reference, service).
    ServiceCounter {
        InfoComplete = "info_complete",
        InfoTimeout = "info_timeout",
        DemarshalError = "demarshal_error",
        EarlyTsvcClientError = "early_tsvc_client_error",
        EarlyTsvcFromProxyError = "early_tsvc_from_proxy_error",
        EarlyTsvcFromProxyBatchSubError = "early_tsvc_from_proxy_batch_sub_error",
        BatchIndexInitiate = "batch_index_initiate",
        BatchIndexComplete = "batch_index_complete",
        BatchIndexError = "batch_index_error",
        BatchIndexTimeout = "batch_index_timeout",
        BatchIndexDelay = "batch_index_delay",
        BatchIndexHugeBuffers = "batch_index_huge_buffers",
        BatchIndexCreatedBuffers = "batch_index_created_buffers",
    }
}
