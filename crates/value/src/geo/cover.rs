//! Covering a region with cells: the algorithm of S2's region coverer.
//!
//! The library has one of its own, but it merges cells while it still counts them, and so ends up
//! with finer coverings than the original, whose cells a client can see. Here cells are merged at
//! the end, as in the C++ library.
//!
//! Cells of the region's rough bound are split, the largest first, until a further split would make
//! more cells than asked for. Of cells of one size those go first that split into the fewest.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use s2rst::s2::region_coverer::RegionCoverer;
use s2rst::s2::{Cell, CellId, CellUnion, Level, LevelMod, Region};

/// Cells to start from, unless the region touches more faces of the cube.
const INITIAL_CELLS_MAX: usize = 4;

/// How finely to cover; [`super::CoverOptions`] in the library's types.
#[derive(Clone, Copy)]
pub(super) struct Options {
    pub(super) min_level: Level,
    /// At least `min_level`.
    pub(super) max_level: Level,
    pub(super) level_mod: LevelMod,
    /// Cells to aim for.
    pub(super) max_cells: usize,
    /// Cells above which a covering is of no use.
    pub(super) limit: usize,
}

/// Covers a region; the cells come back ascending and merged. `None` when the limit is exceeded.
pub(super) fn covering(region: &dyn Region, options: Options) -> Option<Vec<CellId>> {
    let mut coverer = Coverer { region, options, queue: BinaryHeap::new(), result: Vec::new() };
    for cell in coverer.initial_cells() {
        if let Some(candidate) = coverer.candidate(cell) {
            coverer.add(candidate);
        }
    }
    while let Some(Queued { cell, children, .. }) = coverer.queue.pop() {
        let others = coverer.result.len() + coverer.queue.len();
        let is_too_large = cell.level() < options.min_level;
        if is_too_large && others > options.limit {
            // None of these can be merged any more: the smallest cells allowed are still to come.
            return None;
        }
        if is_too_large || children.len() == 1 || others + children.len() <= options.max_cells {
            for child in children {
                coverer.add(child);
            }
        } else {
            coverer.result.push(cell);
        }
    }
    let mut union = CellUnion::from_cell_ids(coverer.result);
    union.normalize();
    let union = union.denormalize(options.min_level, options.level_mod);
    (union.cell_ids().len() <= options.limit).then(|| union.cell_ids().to_vec())
}

/// A cell that touches the region.
struct Candidate {
    cell: CellId,
    /// Splitting it further is useless or not allowed.
    is_final: bool,
}

/// A cell that waits for its turn to be split.
struct Queued {
    cell: CellId,
    children: Vec<Candidate>,
    /// Smaller is sooner: by level, then children, then final children.
    turn: usize,
}

struct Coverer<'a> {
    region: &'a dyn Region,
    options: Options,
    queue: BinaryHeap<Queued>,
    result: Vec<CellId>,
}

impl Coverer<'_> {
    fn initial_cells(&self) -> Vec<CellId> {
        let Options { min_level, max_level, level_mod, max_cells, .. } = self.options;
        let coverer =
            RegionCoverer::new().max_level(max_level).max_cells(max_cells.min(INITIAL_CELLS_MAX));
        let mut cells = self.region.cell_union_bound();
        coverer.canonicalize_covering(&mut cells);
        for cell in &mut cells {
            let above_min = cell.level().as_u8().saturating_sub(min_level.as_u8());
            let off_level = above_min % level_mod.get();
            *cell = cell.parent_at_level(cell.level() - off_level);
        }
        // Of cells that now contain each other, the larger one is enough.
        CellUnion::from_cell_ids(cells).cell_ids().to_vec()
    }

    fn candidate(&self, id: CellId) -> Option<Candidate> {
        let cell = Cell::from(id);
        if !self.region.intersects_cell(&cell) {
            return None;
        }
        let Options { min_level, max_level, level_mod, .. } = self.options;
        let is_smallest = id.level().as_u8() + level_mod.get() > max_level.as_u8();
        let is_final = id.level() >= min_level && (is_smallest || self.region.contains_cell(&cell));
        Some(Candidate { cell: id, is_final })
    }

    fn add(&mut self, candidate: Candidate) {
        let cell = candidate.cell;
        if candidate.is_final {
            self.result.push(cell);
            return;
        }
        let level_mod = self.options.level_mod.get();
        let levels = if cell.level() < self.options.min_level { 1 } else { level_mod };
        let mut children = Vec::new();
        self.split(cell, levels, &mut children);
        let final_children = children.iter().filter(|child| child.is_final).count();
        let shift = 2 * level_mod;
        if final_children == 1 << shift && cell.level() >= self.options.min_level {
            // All of it is needed: take it whole.
            self.result.push(cell);
        } else if !children.is_empty() {
            let level = usize::from(cell.level().as_u8());
            let turn = (((level << shift) + children.len()) << shift) + final_children;
            self.queue.push(Queued { cell, children, turn });
        }
    }

    fn split(&self, cell: CellId, levels: u8, children: &mut Vec<Candidate>) {
        for child in cell.children() {
            if levels == 1 {
                children.extend(self.candidate(child));
            } else if self.region.intersects_cell(&Cell::from(child)) {
                self.split(child, levels - 1, children);
            }
        }
    }
}

impl Ord for Queued {
    fn cmp(&self, other: &Self) -> Ordering {
        // The heap gives out its greatest item.
        other.turn.cmp(&self.turn)
    }
}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Queued {}
