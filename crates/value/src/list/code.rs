//! Operation codes of lists (`reference`: cdt.md, section 3).

pub(super) const SET_TYPE: u64 = 0;
pub(super) const APPEND: u64 = 1;
pub(super) const APPEND_ITEMS: u64 = 2;
pub(super) const INSERT: u64 = 3;
pub(super) const INSERT_ITEMS: u64 = 4;
pub(super) const POP: u64 = 5;
pub(super) const POP_RANGE: u64 = 6;
pub(super) const REMOVE: u64 = 7;
pub(super) const REMOVE_RANGE: u64 = 8;
pub(super) const SET: u64 = 9;
pub(super) const TRIM: u64 = 10;
pub(super) const CLEAR: u64 = 11;
pub(super) const INCREMENT: u64 = 12;
pub(super) const SORT: u64 = 13;
pub(super) const SIZE: u64 = 16;
pub(super) const GET: u64 = 17;
pub(super) const GET_RANGE: u64 = 18;
pub(super) const GET_BY_INDEX: u64 = 19;
pub(super) const GET_BY_VALUE: u64 = 20;
pub(super) const GET_BY_RANK: u64 = 21;
pub(super) const GET_ALL_BY_VALUE: u64 = 22;
pub(super) const GET_BY_VALUE_LIST: u64 = 23;
pub(super) const GET_BY_INDEX_RANGE: u64 = 24;
pub(super) const GET_BY_VALUE_INTERVAL: u64 = 25;
pub(super) const GET_BY_RANK_RANGE: u64 = 26;
pub(super) const GET_BY_VALUE_REL_RANK_RANGE: u64 = 27;
pub(super) const REMOVE_BY_INDEX: u64 = 32;
pub(super) const REMOVE_BY_VALUE: u64 = 33;
pub(super) const REMOVE_BY_RANK: u64 = 34;
pub(super) const REMOVE_ALL_BY_VALUE: u64 = 35;
pub(super) const REMOVE_BY_VALUE_LIST: u64 = 36;
pub(super) const REMOVE_BY_INDEX_RANGE: u64 = 37;
pub(super) const REMOVE_BY_VALUE_INTERVAL: u64 = 38;
pub(super) const REMOVE_BY_RANK_RANGE: u64 = 39;
pub(super) const REMOVE_BY_VALUE_REL_RANK_RANGE: u64 = 40;

/// Codes of the operations that take elements away. On a missing list they do nothing.
pub(super) const REMOVING: [u64; 15] = [
    POP,
    POP_RANGE,
    REMOVE,
    REMOVE_RANGE,
    TRIM,
    CLEAR,
    REMOVE_BY_INDEX,
    REMOVE_BY_VALUE,
    REMOVE_BY_RANK,
    REMOVE_ALL_BY_VALUE,
    REMOVE_BY_VALUE_LIST,
    REMOVE_BY_INDEX_RANGE,
    REMOVE_BY_VALUE_INTERVAL,
    REMOVE_BY_RANK_RANGE,
    REMOVE_BY_VALUE_REL_RANK_RANGE,
];
