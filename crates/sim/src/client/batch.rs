//! Batches: requests about several records in one message.

use wire::batch::{BatchBuilder, BatchFlags};
use wire::client::RequestBuilder;
use wire::{FieldType, Info1, Info3, ResultCode};

use super::request::{TIME_MS, builder_of, messages, verdict_of};
use super::{Action, KeyNumber, Keys, Verdict};

/// A row: the record, what is done with it, and the number that makes what is written different.
pub type Row = (KeyNumber, Action, i64);

/// The body of a batch. The index of a row is its place.
pub fn batch_of(keys: &Keys, rows: &[Row]) -> Vec<u8> {
    let mut batch = BatchBuilder::new(BatchFlags::RESPOND_ALL | BatchFlags::INLINE);
    for (index, (key, action, own)) in rows.iter().enumerate() {
        batch.row(index as u32, &keys.digest(*key), &builder_of(keys, *key, *action, *own));
    }
    let message = RequestBuilder::new().info1(Info1::BATCH).transaction_ttl_ms(TIME_MS);
    message.field(FieldType::BATCH, &batch.into_data()).into_body()
}

/// What the reply to a batch says of each of so many rows. Of a row that is not answered nothing is known.
pub fn read_batch(frames: &[u8], rows: usize) -> Vec<Verdict> {
    let mut verdicts = vec![Verdict::Doubt(ResultCode::UNKNOWN); rows];
    messages(frames, |reply| {
        if reply.header.info3.contains(Info3::LAST) {
            return;
        }
        // A row's index travels where requests have their time.
        if let Some(verdict) = verdicts.get_mut(reply.header.transaction_ttl_ms as usize) {
            *verdict = verdict_of(reply);
        }
    });
    verdicts
}
