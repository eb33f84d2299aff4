//! Counters that the ticker shows together, in one line a family.

use std::fmt::Write as _;

use engine::Namespace;
use engine::stats::NamespaceCounter;
use engine::stats::NamespaceCounter::*;

/// Counters of one subject; the line is left out while all of them are zero.
pub(super) struct Family {
    name: &'static str,
    groups: &'static [Group],
}

/// A word and its counters. One without counters belongs to a part that is not there yet.
struct Group(&'static str, &'static [NamespaceCounter]);

impl Family {
    /// The line, if there is something to show.
    pub fn line(&self, namespace: &Namespace) -> Option<String> {
        let sum = |counter: &NamespaceCounter| namespace.counters.sum(*counter);
        let mut all = self.groups.iter().flat_map(|group| group.1);
        if all.all(|counter| sum(counter) == 0) {
            return None;
        }
        let mut line = format!("{{{}}} {}:", namespace.name, self.name);
        for Group(word, counters) in self.groups {
            let values: Vec<_> = counters.iter().map(|counter| sum(counter).to_string()).collect();
            // Writing to a string cannot fail.
            let _ = match &values[..] {
                [] => write!(line, " {word} 0"),
                [value] => write!(line, " {word} {value}"),
                values => write!(line, " {word} ({})", values.join(",")),
            };
        }
        Some(line)
    }
}

/// All families, in the order of their lines.
pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "client",
        groups: &[
            Group("tsvc", &[ClientTsvcError, ClientTsvcTimeout]),
            Group("proxy", &[ClientProxyComplete, ClientProxyError, ClientProxyTimeout]),
            Group(
                "read",
                &[
                    ClientReadSuccess,
                    ClientReadError,
                    ClientReadTimeout,
                    ClientReadNotFound,
                    ClientReadFilteredOut,
                ],
            ),
            Group(
                "write",
                &[ClientWriteSuccess, ClientWriteError, ClientWriteTimeout, ClientWriteFilteredOut],
            ),
            Group(
                "delete",
                &[
                    ClientDeleteSuccess,
                    ClientDeleteError,
                    ClientDeleteTimeout,
                    ClientDeleteNotFound,
                    ClientDeleteFilteredOut,
                ],
            ),
            Group(
                "udf",
                &[ClientUdfComplete, ClientUdfError, ClientUdfTimeout, ClientUdfFilteredOut],
            ),
            Group(
                "lang",
                &[
                    ClientLangReadSuccess,
                    ClientLangWriteSuccess,
                    ClientLangDeleteSuccess,
                    ClientLangError,
                ],
            ),
        ],
    },
    Family {
        name: "xdr-client",
        groups: &[
            Group("write", &[XdrClientWriteSuccess, XdrClientWriteError, XdrClientWriteTimeout]),
            Group(
                "delete",
                &[
                    XdrClientDeleteSuccess,
                    XdrClientDeleteError,
                    XdrClientDeleteTimeout,
                    XdrClientDeleteNotFound,
                ],
            ),
        ],
    },
    Family {
        name: "from-proxy",
        groups: &[
            Group("tsvc", &[FromProxyTsvcError, FromProxyTsvcTimeout]),
            Group(
                "read",
                &[
                    FromProxyReadSuccess,
                    FromProxyReadError,
                    FromProxyReadTimeout,
                    FromProxyReadNotFound,
                    FromProxyReadFilteredOut,
                ],
            ),
            Group(
                "write",
                &[
                    FromProxyWriteSuccess,
                    FromProxyWriteError,
                    FromProxyWriteTimeout,
                    FromProxyWriteFilteredOut,
                ],
            ),
            Group(
                "delete",
                &[
                    FromProxyDeleteSuccess,
                    FromProxyDeleteError,
                    FromProxyDeleteTimeout,
                    FromProxyDeleteNotFound,
                    FromProxyDeleteFilteredOut,
                ],
            ),
            Group(
                "udf",
                &[
                    FromProxyUdfComplete,
                    FromProxyUdfError,
                    FromProxyUdfTimeout,
                    FromProxyUdfFilteredOut,
                ],
            ),
            Group(
                "lang",
                &[
                    FromProxyLangReadSuccess,
                    FromProxyLangWriteSuccess,
                    FromProxyLangDeleteSuccess,
                    FromProxyLangError,
                ],
            ),
        ],
    },
    Family {
        name: "xdr-from-proxy",
        groups: &[
            Group(
                "write",
                &[XdrFromProxyWriteSuccess, XdrFromProxyWriteError, XdrFromProxyWriteTimeout],
            ),
            Group(
                "delete",
                &[
                    XdrFromProxyDeleteSuccess,
                    XdrFromProxyDeleteError,
                    XdrFromProxyDeleteTimeout,
                    XdrFromProxyDeleteNotFound,
                ],
            ),
        ],
    },
    Family {
        name: "batch-sub",
        groups: &[
            Group("tsvc", &[BatchSubTsvcError, BatchSubTsvcTimeout]),
            Group("proxy", &[BatchSubProxyComplete, BatchSubProxyError, BatchSubProxyTimeout]),
            Group(
                "read",
                &[
                    BatchSubReadSuccess,
                    BatchSubReadError,
                    BatchSubReadTimeout,
                    BatchSubReadNotFound,
                    BatchSubReadFilteredOut,
                ],
            ),
            Group(
                "write",
                &[
                    BatchSubWriteSuccess,
                    BatchSubWriteError,
                    BatchSubWriteTimeout,
                    BatchSubWriteFilteredOut,
                ],
            ),
            Group(
                "delete",
                &[
                    BatchSubDeleteSuccess,
                    BatchSubDeleteError,
                    BatchSubDeleteTimeout,
                    BatchSubDeleteNotFound,
                    BatchSubDeleteFilteredOut,
                ],
            ),
            Group(
                "udf",
                &[
                    BatchSubUdfComplete,
                    BatchSubUdfError,
                    BatchSubUdfTimeout,
                    BatchSubUdfFilteredOut,
                ],
            ),
            Group(
                "lang",
                &[
                    BatchSubLangReadSuccess,
                    BatchSubLangWriteSuccess,
                    BatchSubLangDeleteSuccess,
                    BatchSubLangError,
                ],
            ),
        ],
    },
    Family {
        name: "from-proxy-batch-sub",
        groups: &[
            Group("tsvc", &[FromProxyBatchSubTsvcError, FromProxyBatchSubTsvcTimeout]),
            Group(
                "read",
                &[
                    FromProxyBatchSubReadSuccess,
                    FromProxyBatchSubReadError,
                    FromProxyBatchSubReadTimeout,
                    FromProxyBatchSubReadNotFound,
                    FromProxyBatchSubReadFilteredOut,
                ],
            ),
            Group(
                "write",
                &[
                    FromProxyBatchSubWriteSuccess,
                    FromProxyBatchSubWriteError,
                    FromProxyBatchSubWriteTimeout,
                    FromProxyBatchSubWriteFilteredOut,
                ],
            ),
            Group(
                "delete",
                &[
                    FromProxyBatchSubDeleteSuccess,
                    FromProxyBatchSubDeleteError,
                    FromProxyBatchSubDeleteTimeout,
                    FromProxyBatchSubDeleteNotFound,
                    FromProxyBatchSubDeleteFilteredOut,
                ],
            ),
            Group(
                "udf",
                &[
                    FromProxyBatchSubUdfComplete,
                    FromProxyBatchSubUdfError,
                    FromProxyBatchSubUdfTimeout,
                    FromProxyBatchSubUdfFilteredOut,
                ],
            ),
            Group(
                "lang",
                &[
                    FromProxyBatchSubLangReadSuccess,
                    FromProxyBatchSubLangWriteSuccess,
                    FromProxyBatchSubLangDeleteSuccess,
                    FromProxyBatchSubLangError,
                ],
            ),
        ],
    },
    Family {
        name: "pi-query",
        groups: &[
            Group(
                "short-basic",
                &[PiQueryShortBasicComplete, PiQueryShortBasicError, PiQueryShortBasicTimeout],
            ),
            Group(
                "long-basic",
                &[PiQueryLongBasicComplete, PiQueryLongBasicError, PiQueryLongBasicAbort],
            ),
            Group("aggr", &[PiQueryAggrComplete, PiQueryAggrError, PiQueryAggrAbort]),
            Group("udf-bg", &[PiQueryUdfBgComplete, PiQueryUdfBgError, PiQueryUdfBgAbort]),
            Group("ops-bg", &[PiQueryOpsBgComplete, PiQueryOpsBgError, PiQueryOpsBgAbort]),
        ],
    },
    Family {
        name: "si-query",
        groups: &[
            Group(
                "short-basic",
                &[SiQueryShortBasicComplete, SiQueryShortBasicError, SiQueryShortBasicTimeout],
            ),
            Group(
                "long-basic",
                &[SiQueryLongBasicComplete, SiQueryLongBasicError, SiQueryLongBasicAbort],
            ),
            Group("aggr", &[SiQueryAggrComplete, SiQueryAggrError, SiQueryAggrAbort]),
            Group("udf-bg", &[SiQueryUdfBgComplete, SiQueryUdfBgError, SiQueryUdfBgAbort]),
            Group("ops-bg", &[SiQueryOpsBgComplete, SiQueryOpsBgError, SiQueryOpsBgAbort]),
        ],
    },
    Family {
        name: "udf-sub",
        groups: &[
            Group("tsvc", &[UdfSubTsvcError, UdfSubTsvcTimeout]),
            Group(
                "udf",
                &[UdfSubUdfComplete, UdfSubUdfError, UdfSubUdfTimeout, UdfSubUdfFilteredOut],
            ),
            Group(
                "lang",
                &[
                    UdfSubLangReadSuccess,
                    UdfSubLangWriteSuccess,
                    UdfSubLangDeleteSuccess,
                    UdfSubLangError,
                ],
            ),
        ],
    },
    Family {
        name: "ops-sub",
        groups: &[
            Group("tsvc", &[OpsSubTsvcError, OpsSubTsvcTimeout]),
            Group(
                "write",
                &[OpsSubWriteSuccess, OpsSubWriteError, OpsSubWriteTimeout, OpsSubWriteFilteredOut],
            ),
        ],
    },
    Family {
        name: "dup-res",
        groups: &[
            Group("ask", &[DupResAsk]),
            Group("respond", &[DupResRespondRead, DupResRespondNoRead]),
        ],
    },
    Family {
        name: "retransmits",
        groups: &[
            Group("migration", &[]),
            Group(
                "dup-res",
                &[
                    RetransmitAllReadDupRes,
                    RetransmitAllWriteDupRes,
                    RetransmitAllDeleteDupRes,
                    RetransmitAllUdfDupRes,
                    RetransmitAllBatchSubReadDupRes,
                    RetransmitAllBatchSubWriteDupRes,
                    RetransmitAllBatchSubDeleteDupRes,
                    RetransmitAllBatchSubUdfDupRes,
                    RetransmitUdfSubDupRes,
                    RetransmitOpsSubDupRes,
                ],
            ),
            Group("repl-ping", &[RetransmitAllReadReplPing, RetransmitAllBatchSubReadReplPing]),
            Group(
                "repl-write",
                &[
                    RetransmitAllWriteReplWrite,
                    RetransmitAllDeleteReplWrite,
                    RetransmitAllUdfReplWrite,
                    RetransmitAllBatchSubWriteReplWrite,
                    RetransmitAllBatchSubDeleteReplWrite,
                    RetransmitAllBatchSubUdfReplWrite,
                    RetransmitUdfSubReplWrite,
                    RetransmitOpsSubReplWrite,
                ],
            ),
        ],
    },
    Family {
        name: "read-touch",
        groups: &[
            Group("tsvc", &[ReadTouchTsvcError, ReadTouchTsvcTimeout]),
            Group(
                "all-triggers",
                &[ReadTouchSuccess, ReadTouchError, ReadTouchTimeout, ReadTouchSkip],
            ),
        ],
    },
    Family {
        name: "re-repl",
        groups: &[
            Group("tsvc", &[ReReplTsvcError, ReReplTsvcTimeout]),
            Group("all-triggers", &[ReReplSuccess, ReReplError, ReReplTimeout]),
            Group("unreplicated-records", &[]),
        ],
    },
    Family {
        name: "mrt-finish",
        groups: &[
            Group("verify-read", &[MrtVerifyReadSuccess, MrtVerifyReadError, MrtVerifyReadTimeout]),
            Group(
                "roll-forward",
                &[MrtRollForwardSuccess, MrtRollForwardError, MrtRollForwardTimeout],
            ),
            Group("roll-back", &[MrtRollBackSuccess, MrtRollBackError, MrtRollBackTimeout]),
        ],
    },
    Family {
        name: "mrt-monitor-finish",
        groups: &[
            Group(
                "roll-forward",
                &[
                    MrtMonitorRollForwardSuccess,
                    MrtMonitorRollForwardError,
                    MrtMonitorRollForwardTimeout,
                ],
            ),
            Group(
                "roll-back",
                &[MrtMonitorRollBackSuccess, MrtMonitorRollBackError, MrtMonitorRollBackTimeout],
            ),
        ],
    },
    Family {
        name: "special-errors",
        groups: &[
            Group("key-busy", &[FailKeyBusy, FailXdrKeyBusy]),
            Group("record-too-big", &[FailRecordTooBig]),
            Group("lost-conflict", &[FailClientLostConflict, FailXdrLostConflict]),
        ],
    },
];
