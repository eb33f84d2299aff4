//! Whether all nodes have the same metadata, and whether what was acknowledged counts.
//!
//! Any node takes a change and acknowledges it once it keeps it; then the others hear of it. Where two changes meet
//! that did not know of each other, one of them counts, by an order of items that all nodes follow. So what was
//! acknowledged is there, or something that comes after it in that order. Clients see no order, so nodes' files are
//! looked at; but a change that was made when all had come to rest and none came after it is simply there.

use std::time::Duration;

use node::metadata::{Item, Module, merge};

use super::{Finding, report};
use crate::client::Outcome;
use crate::client::change::{Change, SETTING_SET};
use crate::machine::Process;
use crate::world::World;

/// The modules that are changed.
const MODULES: [Module; 4] = [Module::Sindex, Module::Truncate, Module::Udf, Module::SetSettings];
/// All nodes know of a change that is so old, if they were of one view all the time.
const SPREAD_TIME: Duration = Duration::from_secs(12);

impl World {
    /// Compares the nodes' metadata with each other and with what was acknowledged.
    pub fn check_metadata(&self, findings: &mut Vec<Finding>) {
        let Some(first) = self.processes().next() else { return };
        let mut already = 0;
        for module in MODULES {
            let items = sorted(first, module);
            for process in self.processes() {
                let (me, theirs) = (process.node.cluster.me(), sorted(process, module));
                if theirs != items {
                    let name = module.name();
                    let text = format_args!("{name}: {me} has {theirs:?}, another {items:?}");
                    report(findings, &mut already, text);
                }
            }
            let changes = self.clients.changes.iter().enumerate();
            for (place, change) in changes.filter(|(_, change)| change.matter.module() == module) {
                let item = items.iter().find(|item| change.matter.is_about(item));
                if let Some(problem) = self.lost(change, item) {
                    let Change { matter, ended, .. } = change;
                    let text = format_args!("change {place}, {matter:?} of {ended:?}: {problem}");
                    report(findings, &mut already, text);
                }
            }
            for item in &items {
                let mut changes = self.clients.changes.iter();
                if !changes.any(|of| may_count(of) && of.matter.is_said_by(item)) {
                    let text = format_args!("{item:?} says what nobody may have wanted");
                    report(findings, &mut already, text);
                }
            }
        }
        for process in self.processes() {
            check_effect(process, findings);
        }
    }

    /// Why a change should count more than it does.
    fn lost(&self, change: &Change, item: Option<&Item>) -> Option<String> {
        if change.outcome != Outcome::Done {
            return None;
        }
        let module = change.matter.module();
        if let Some(kept) = &change.kept {
            let now = item.map(std::slice::from_ref).unwrap_or_default();
            if merge::merge(module, now, std::slice::from_ref(kept)) != now {
                return Some(format!("{kept:?} was acknowledged, and there is {item:?}"));
            }
        }
        let is_last = self.is_last(change) && module != Module::Truncate;
        // What was never there may be absent without a trace.
        let holds = item.is_none_or(|item| change.matter.is_said_by(item));
        (is_last && !holds).then(|| format!("nobody changed that since, and there is {item:?}"))
    }

    /// Whether all nodes knew of all else that was done to the same thing when a change was made, and nothing was
    /// since.
    fn is_last(&self, change: &Change) -> bool {
        let key = change.matter.key();
        let about = self.clients.changes.iter().filter(|of| of.matter.key() == key);
        let mut others = about.filter(|of| may_count(of) && !std::ptr::eq(*of, change));
        let quiet = change.begun.saturating_sub(SPREAD_TIME);
        others.all(|of| of.outcome == Outcome::Done && of.ended < quiet)
            && !self.was_divided(quiet, change.ended)
    }
}

fn may_count(change: &Change) -> bool {
    matches!(change.outcome, Outcome::Done | Outcome::Doubt | Outcome::Open)
}

fn sorted(process: &Process, module: Module) -> Vec<Item> {
    let mut items = process.node.metadata.items(module);
    items.sort_by(|one, other| one.key.cmp(&other.key));
    items
}

/// Whether a node does what its metadata say: has the indexes, filled, and the setting.
fn check_effect(process: &Process, findings: &mut Vec<Finding>) {
    let (me, namespace) = (process.node.cluster.me(), &process.node.namespaces[0]);
    let kept = process.node.metadata.items(Module::SetSettings).pop();
    let wanted = kept.and_then(|item| item.value);
    let config = namespace.config();
    let count = config.set(SETTING_SET).map(|set| set.stop_writes_count.to_string());
    if count.as_deref().map(str::as_bytes) != wanted.as_deref() {
        let text = format!("{me} has the setting {count:?}, and should have {wanted:?}");
        findings.push(Finding(text));
    }
    let items = process.node.metadata.items(Module::Sindex);
    let mut wanted: Vec<_> = items.iter().filter_map(|item| item.value.clone()).collect();
    wanted.sort_unstable();
    let indexes = namespace.sindexes.all();
    let mut names: Vec<_> = indexes.iter().map(|index| index.name()).collect();
    names.sort_unstable();
    if !names.iter().map(|name| &name[..]).eq(wanted.iter().map(|name| &name[..])) {
        findings
            .push(Finding(format!("{me} has the indexes {names:?}, and should have {wanted:?}")));
    }
    for index in indexes.iter().filter(|index| !index.is_readable()) {
        findings.push(Finding(format!("{me} has not filled {:?}", index.name())));
    }
}
