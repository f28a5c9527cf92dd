//! The training samples as all heads see them: about their mean, packed once if they fit.

use rayon::prelude::*;

use super::room::Room;
use crate::error::Result;
use crate::kernels::Packed;
use crate::losses::Samples;
use crate::numbers::Real;
use crate::train::seen::Seen;

/// Samples per batch.
pub(super) const ROWS: usize = 256;

/// Packed features are kept from pass to pass up to this many bytes.
const KEPT: usize = 2 << 30;

/// All samples of all views in batches.
pub(super) struct Shared<'a, R: Real> {
    seen: &'a Seen<'a, R>,
    shift: &'a [R],
    /// View and first row of each batch.
    places: Vec<(usize, usize)>,
    kept: Vec<Packed<R>>,
}

impl<'a, R: Real> Shared<'a, R> {
    pub(super) fn new(seen: &'a Seen<'a, R>, shift: &'a [R]) -> Result<Self> {
        let (n, dim) = (seen.problem.labels.len(), seen.problem.dim);
        let views = 0..seen.problem.views.len();
        let places: Vec<(usize, usize)> =
            views.flat_map(|view| (0..n).step_by(ROWS).map(move |row| (view, row))).collect();
        let mut shared = Self { seen, shift, places, kept: vec![] };
        if size_of::<R>() * dim * ROWS * shared.places.len() <= KEPT {
            // Threads have memory of their own, which no other could use later: theirs comes from here.
            let room = |batch| Packed::with_room(dim, shared.samples(batch).len());
            let mut kept: Vec<_> = (0..shared.places.len()).map(room).collect();
            let pack = |gathered: &mut Vec<R>, (batch, packed): (usize, &mut Packed<R>)| {
                shared.pack(batch, packed, gathered)
            };
            kept.par_iter_mut().enumerate().try_for_each_init(Vec::new, pack)?;
            shared.kept = kept;
        }
        Ok(shared)
    }

    pub(super) fn n_batches(&self) -> usize {
        self.places.len()
    }

    /// The classes and weights of a batch's samples.
    pub(super) fn samples(&self, batch: usize) -> Samples<'a> {
        let first = self.places[batch].1;
        self.seen.problem.samples().part(first..first + ROWS)
    }

    /// Calls `work` with a packed batch; `room` is where it goes if it is not kept.
    pub(super) fn with<T>(
        &self,
        batch: usize,
        room: &mut Room<R>,
        work: impl FnOnce(&Packed<R>) -> T,
    ) -> Result<T> {
        if let Some(packed) = self.kept.get(batch) {
            return Ok(work(packed));
        }
        let Room { packed, gathered } = room;
        let packed = packed.get_or_insert_with(|| Packed::new(self.seen.problem.dim, None));
        self.pack(batch, packed, gathered)?;
        Ok(work(packed))
    }

    fn pack(&self, batch: usize, packed: &mut Packed<R>, gathered: &mut Vec<R>) -> Result<()> {
        let (view, first) = self.places[batch];
        let n = self.samples(batch).len();
        let rows: Vec<u32> = (first as u32..(first + n) as u32).collect();
        self.seen.gather(view, &rows, gathered)?;
        let dim = self.seen.problem.dim;
        for row in gathered.chunks_exact_mut(dim) {
            row.iter_mut().zip(self.shift).for_each(|(value, &shift)| *value = *value - shift);
        }
        packed.pack(gathered.chunks_exact(dim));
        Ok(())
    }
}
