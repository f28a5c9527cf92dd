//! numpy's legacy random numbers, so that published subsets are reproduced image for image.

/// MT19937, the generator behind `np.random`.
#[derive(Clone, Debug)]
pub struct Mt19937 {
    state: [u32; 624],
    next: usize,
}

impl Mt19937 {
    /// The generator as `np.random.seed(seed)` leaves it.
    pub fn new(seed: u32) -> Self {
        let mut state = [seed; 624];
        for i in 1..624 {
            let last = state[i - 1];
            state[i] = 1_812_433_253_u32.wrapping_mul(last ^ (last >> 30)).wrapping_add(i as u32);
        }
        Self { state, next: 624 }
    }

    fn next_u32(&mut self) -> u32 {
        if self.next == 624 {
            for i in 0..624 {
                let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % 624] & 0x7fff_ffff);
                let twist = if y & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[i] = self.state[(i + 397) % 624] ^ (y >> 1) ^ twist;
            }
            self.next = 0;
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// `np.random.shuffle`: each index is drawn by masking 32 bits and rejecting.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let mask =
                (i as u32).checked_next_power_of_two().map_or(u32::MAX, |p| p - 1) | i as u32;
            let j = loop {
                let j = (self.next_u32() & mask) as usize;
                if j <= i {
                    break j;
                }
            };
            items.swap(i, j);
        }
    }
}
