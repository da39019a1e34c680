//! Chance that can be had again.

/// A small generator, so that a seed says everything.
pub struct Dice(u64);

impl Dice {
    pub fn new() -> Dice {
        let seed = uuid::Uuid::new_v4().as_u128() as u64;
        println!("seed {seed}");
        Dice(seed | 1)
    }

    pub fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}
