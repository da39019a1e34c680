//! Which keys are already claimed, and by which row.
//!
//! The set is exact: two different keys never count as one. It is also compact, since a file may hold ten million
//! keys: the bytes stand end to end in an arena of fixed segments (which never moves, and so never needs twice its
//! memory), and a hash table holds four bytes a key, its place in the arena.

use std::hash::{BuildHasher, Hasher};

use hashbrown::HashTable;

/// The segments' size. A key never spans two.
const SEGMENT_BYTES: usize = 1 << 18;
/// Keys start at multiples of this, so that four bytes address 16 GiB.
const ALIGNMENT: usize = 4;
/// Row number and length, before the key's bytes.
const HEAD_BYTES: usize = 6;

/// A set of keys, each with the row that claimed it.
pub(super) struct Claims {
    segments: Vec<Box<[u8]>>,
    /// Where the next key goes, in units of [`ALIGNMENT`], over all segments.
    next: u32,
    places: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
}

impl Claims {
    /// The longest key in bytes.
    pub(super) const LONGEST_KEY: usize = 4096;

    pub(super) fn new() -> Self {
        Claims {
            segments: Vec::new(),
            next: 0,
            places: HashTable::new(),
            hasher: foldhash::fast::RandomState::default(),
        }
    }

    /// The row that claimed this key, if one did.
    pub(super) fn holder(&self, key: &[u8]) -> Option<u32> {
        let found = self.places.find(self.hash(key), |&place| entry(&self.segments, place).1 == key)?;
        Some(entry(&self.segments, *found).0)
    }

    /// Claims a key that [`Claims::holder`] knows nothing of.
    ///
    /// # Panics
    /// When the key is longer than [`Claims::LONGEST_KEY`], or when the keys of one file fill 16 GiB.
    pub(super) fn claim(&mut self, key: &[u8], row: u32) {
        assert!(key.len() <= Self::LONGEST_KEY, "the judge refuses longer keys");
        let size = (HEAD_BYTES + key.len()).next_multiple_of(ALIGNMENT);
        let mut at = self.next as usize * ALIGNMENT;
        if at % SEGMENT_BYTES + size > SEGMENT_BYTES {
            at = at.next_multiple_of(SEGMENT_BYTES);
        }
        if at / SEGMENT_BYTES == self.segments.len() {
            self.segments.push(vec![0; SEGMENT_BYTES].into_boxed_slice());
        }
        let slot = &mut self.segments[at / SEGMENT_BYTES][at % SEGMENT_BYTES..][..HEAD_BYTES + key.len()];
        slot[..4].copy_from_slice(&row.to_le_bytes());
        slot[4..6].copy_from_slice(&(key.len() as u16).to_le_bytes());
        slot[6..].copy_from_slice(key);
        let place = u32::try_from(at / ALIGNMENT).expect("the keys of one file fill less than 16 GiB");
        self.next = u32::try_from((at + size) / ALIGNMENT).expect("the keys of one file fill less than 16 GiB");
        let (segments, hasher) = (&self.segments, &self.hasher);
        self.places.insert_unique(hash(hasher, key), place, |&place| hash(hasher, entry(segments, place).1));
    }

    fn hash(&self, key: &[u8]) -> u64 {
        hash(&self.hasher, key)
    }
}

/// Keyed anew in each process, so that nobody can craft a file of keys that collide.
fn hash(hasher: &foldhash::fast::RandomState, key: &[u8]) -> u64 {
    let mut state = hasher.build_hasher();
    state.write(key);
    state.finish()
}

/// The row and the key at a place.
fn entry(segments: &[Box<[u8]>], place: u32) -> (u32, &[u8]) {
    let at = place as usize * ALIGNMENT;
    let bytes = &segments[at / SEGMENT_BYTES][at % SEGMENT_BYTES..];
    let row = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let length = usize::from(u16::from_le_bytes([bytes[4], bytes[5]]));
    (row, &bytes[HEAD_BYTES..HEAD_BYTES + length])
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_agrees_with_a_plain_map(keys in prop::collection::vec("[a-c]{0,3}|[x-z]{60,3000}", 0..400)) {
            let (mut claims, mut map) = (Claims::new(), HashMap::new());
            for (row, key) in keys.iter().enumerate() {
                let row = row as u32 + 1;
                prop_assert_eq!(claims.holder(key.as_bytes()), map.get(key).copied());
                if !map.contains_key(key) {
                    map.insert(key.clone(), row);
                    claims.claim(key.as_bytes(), row);
                }
            }
        }
    }

    #[test]
    fn many_keys_cross_segments_and_growth() {
        let mut claims = Claims::new();
        for row in 0..200_000u32 {
            claims.claim(format!("ACC{row:010}").as_bytes(), row);
        }
        for row in (0..200_000u32).step_by(997) {
            assert_eq!(claims.holder(format!("ACC{row:010}").as_bytes()), Some(row));
        }
        assert_eq!(claims.holder(b"ACC"), None);
    }
}
