//! Sets of batch numbers as ranges: small however many batches there are.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::job::identity::BatchNum;

/// A set of batch numbers, kept as ascending ranges that neither touch nor overlap. Its text form is `1-38,40`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(Vec<(u32, u32)>);

/// Why a text is no [`Ranges`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no list of batches like 3,7-9")]
pub struct InvalidRanges(pub String);

impl Ranges {
    /// From `first` to `last`, both included; empty when `last` is less than `first`.
    pub fn span(first: u32, last: u32) -> Self {
        if last < first { Self::default() } else { Self(vec![(first, last)]) }
    }

    /// The ranges, ascending.
    pub fn spans(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.0.iter().copied()
    }

    /// Every number, ascending.
    pub fn iter(&self) -> impl Iterator<Item = BatchNum> + '_ {
        self.0.iter().flat_map(|&(first, last)| (first..=last).map(BatchNum))
    }

    /// How many numbers are in the set.
    pub fn len(&self) -> u32 {
        self.0.iter().map(|&(first, last)| last - first + 1).sum()
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The largest number.
    pub fn last(&self) -> Option<BatchNum> {
        self.0.last().map(|&(_, last)| BatchNum(last))
    }

    /// The smallest number of the set that is greater than `batch`.
    pub fn next_after(&self, batch: BatchNum) -> Option<BatchNum> {
        let next = batch.0.saturating_add(1);
        let at = self.0.partition_point(|&(_, last)| last < next);
        self.0.get(at).map(|&(first, _)| BatchNum(first.max(next)))
    }

    /// What is in this set and not in `other`.
    pub fn without(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        for &(first, last) in &self.0 {
            // One more than a batch's number can be is where the last span may end.
            let (mut at, end) = (u64::from(first), u64::from(last) + 1);
            let cuts = &other.0[other.0.partition_point(|&(_, last)| last < first)..];
            for &(first, last) in cuts.iter().take_while(|&&(first, _)| u64::from(first) < end) {
                left.extend(span(at, u64::from(first)));
                at = u64::from(last) + 1;
            }
            left.extend(span(at, end));
        }
        Self(left)
    }

    /// What is in this set, in `other`, or in both.
    pub fn with(&self, other: &Self) -> Self {
        Self::merged(self.0.iter().chain(&other.0).copied().collect())
    }

    /// The set of all that is in `spans`, which may come in any order and overlap.
    fn merged(mut spans: Vec<(u32, u32)>) -> Self {
        spans.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(spans.len());
        for (first, last) in spans {
            match merged.last_mut() {
                Some(previous) if first <= previous.1.saturating_add(1) => previous.1 = previous.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        Self(merged)
    }

    /// Whether `batch` is in the set.
    pub fn contains(&self, batch: BatchNum) -> bool {
        let after = self.0.partition_point(|&(first, _)| first <= batch.0);
        after > 0 && self.0[after - 1].1 >= batch.0
    }

    /// Adds `batch`; says whether it was not there.
    pub fn insert(&mut self, batch: BatchNum) -> bool {
        let number = batch.0;
        let after = self.0.partition_point(|&(first, _)| first <= number);
        if after > 0 && self.0[after - 1].1 >= number {
            return false;
        }
        let joins_left = after > 0 && self.0[after - 1].1 + 1 == number;
        let joins_right = after < self.0.len() && self.0[after].0 == number + 1;
        match (joins_left, joins_right) {
            (true, true) => {
                self.0[after - 1].1 = self.0[after].1;
                self.0.remove(after);
            }
            (true, false) => self.0[after - 1].1 = number,
            (false, true) => self.0[after].0 = number,
            (false, false) => self.0.insert(after, (number, number)),
        }
        true
    }

    /// Takes `batch` away; says whether it was there.
    pub fn remove(&mut self, batch: BatchNum) -> bool {
        let number = batch.0;
        let after = self.0.partition_point(|&(first, _)| first <= number);
        if after == 0 || self.0[after - 1].1 < number {
            return false;
        }
        let (first, last) = self.0[after - 1];
        let left = (number > first).then(|| (first, number - 1));
        let right = (number < last).then(|| (number + 1, last));
        self.0.splice(after - 1..after, left.into_iter().chain(right));
        true
    }
}

/// The numbers from `from` up to and without `to`, if there are any. Both are at most one more than a number can be.
fn span(from: u64, to: u64) -> Option<(u32, u32)> {
    let last = to.checked_sub(1).filter(|last| from <= *last)?;
    Some((u32::try_from(from).ok()?, u32::try_from(last).ok()?))
}

impl FromIterator<BatchNum> for Ranges {
    fn from_iter<I: IntoIterator<Item = BatchNum>>(numbers: I) -> Self {
        let mut set = Self::default();
        for number in numbers {
            set.insert(number);
        }
        set
    }
}

impl fmt::Display for Ranges {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.spans().enumerate() {
            if index > 0 {
                formatter.write_str(",")?;
            }
            if first == last { write!(formatter, "{first}")? } else { write!(formatter, "{first}-{last}")? }
        }
        Ok(())
    }
}

impl FromStr for Ranges {
    type Err = InvalidRanges;

    /// Reads `3,7-9`; an empty text is the empty set. Parts may come in any order and overlap.
    fn from_str(text: &str) -> Result<Self, InvalidRanges> {
        let invalid = || InvalidRanges(text.to_owned());
        let number =
            |part: &str| part.trim().parse::<u32>().ok().filter(|number| *number > 0).ok_or_else(invalid);
        let mut spans = Vec::new();
        for part in text.split(',').filter(|_| !text.trim().is_empty()) {
            let (first, last) = match part.split_once('-') {
                Some((first, last)) => (number(first)?, number(last)?),
                None => (number(part)?, number(part)?),
            };
            if last < first {
                return Err(invalid());
            }
            spans.push((first, last));
        }
        Ok(Self::merged(spans))
    }
}

impl schemars::JsonSchema for Ranges {
    fn schema_name() -> Cow<'static, str> {
        "Ranges".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "Numbers of batches, ascending: `1-38,40`.",
            "pattern": "^([0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*)?$",
        })
    }
}

impl Serialize for Ranges {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Ranges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
