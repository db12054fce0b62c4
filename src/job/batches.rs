//! How items are cut into batches.

use std::num::NonZeroU32;

use super::{identity::BatchNum, items::Items};

/// The items of a job and how many go in a batch.
#[derive(Clone, Debug)]
pub struct Batches {
    /// How many items go in a batch; the last one may be shorter.
    pub size: NonZeroU32,
    /// The first item's number, from 1.
    pub start_item: u32,
    /// The last item's number. With `start_item` 11 and `total_items` 552 there are 542 items.
    pub total_items: u32,
    /// The items themselves, where the job lists them.
    pub items: Option<Items>,
}

/// One batch: a slice of the items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its number, from 1.
    pub number: BatchNum,
    /// The number of its first item.
    pub start_item: u32,
    /// The number of its last item.
    pub end_item: u32,
}

impl Batches {
    /// How many batches there are.
    pub fn total(&self) -> u32 {
        let items = (self.total_items + 1).saturating_sub(self.start_item);
        items.div_ceil(self.size.get())
    }

    /// Batch `number`, or `None` when there is no such batch.
    pub fn get(&self, number: BatchNum) -> Option<Batch> {
        if number.0 == 0 || number.0 > self.total() {
            return None;
        }
        let start_item = self.start_item + (number.0 - 1) * self.size.get();
        let end_item = start_item.saturating_add(self.size.get() - 1).min(self.total_items);
        Some(Batch { number, start_item, end_item })
    }

    /// The values of a batch's items, where the job lists them.
    pub fn items_of(&self, batch: Batch) -> &[serde_json::Value] {
        let Some(items) = &self.items else { return &[] };
        let from = (batch.start_item - self.start_item) as usize;
        let to = (batch.end_item + 1 - self.start_item) as usize;
        items.values.get(from..to.min(items.values.len())).unwrap_or(&[])
    }
}
