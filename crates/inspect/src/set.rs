//! Whether the devices given are one whole set, in order.

use crate::device::Device;

/// What a device says of the set it belongs to.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Membership<'d> {
    name: &'d str,
    namespace: &'d str,
    set: u64,
    /// From 0.
    place: u32,
    count: u32,
}

/// What is wrong with the devices as a set, each in a sentence; nothing if they are one whole set in
/// its order.
pub fn objections(devices: &[Device]) -> Vec<String> {
    let members: Vec<_> = devices.iter().filter_map(membership).collect();
    let headless = devices.iter().filter(|device| device.namespace().is_none());
    let mut objections: Vec<_> = headless.map(headless_objection).collect();
    let Some(first) = members.first() else { return objections };
    for member in members.iter().skip(1) {
        objections.extend(foreign(first, member));
    }
    let of_set: Vec<_> = members.iter().filter(|member| foreign(first, member).is_none()).collect();
    for (at, member) in of_set.iter().enumerate() {
        if let Some(same) = of_set[..at].iter().find(|same| same.place == member.place) {
            objections.push(format!(
                "{} and {} are both device {} of the set: one is a copy of the other",
                same.name,
                member.name,
                member.place + 1
            ));
        }
    }
    if !of_set.is_sorted_by_key(|member| member.place) {
        let order: Vec<_> = of_set.iter().map(|member| (member.place + 1).to_string()).collect();
        objections.push(format!(
            "the devices are not in their order: these are numbers {} of the set",
            order.join(", ")
        ));
    }
    objections.extend(missing(first, &of_set));
    objections
}

fn headless_objection(device: &Device) -> String {
    format!(
        "{} has lost its header: its namespace, its place in the set and what was truncated are unknown",
        device.name()
    )
}

fn membership(device: &Device) -> Option<Membership<'_>> {
    let (name, namespace) = (device.name(), device.namespace()?);
    Some(match device {
        Device::Own(device) => {
            let (place, count) = device.header.place;
            let (set, place, count) = (device.header.device_set, place.into(), count.into());
            Membership { name, namespace, set, place, count }
        }
        Device::Original(device) => {
            let header = &device.header;
            let (set, place, count) = (header.random, header.device, header.device_count);
            Membership { name, namespace, set, place, count }
        }
    })
}

fn foreign(first: &Membership<'_>, member: &Membership<'_>) -> Option<String> {
    let (name, other) = (member.name, first.name);
    if member.namespace != first.namespace {
        let (of, not) = (member.namespace, first.namespace);
        return Some(format!("{name} belongs to namespace {of}, {other} to namespace {not}"));
    }
    if member.set != first.set {
        return Some(format!("{name} belongs to another set of devices than {other}"));
    }
    (member.count != first.count).then(|| {
        let (count, of) = (member.count, first.count);
        format!("{name} is of a set of {count} devices, {other} of one of {of}")
    })
}

fn missing(first: &Membership<'_>, of_set: &[&Membership<'_>]) -> Option<String> {
    // A damaged count must not make a list without end.
    const LISTED_MAX: u32 = 128;
    let is_missing = |place: &u32| of_set.iter().all(|member| member.place != *place);
    let places: Vec<_> = (0..first.count.min(LISTED_MAX)).filter(is_missing).collect();
    if places.is_empty() {
        return None;
    }
    let numbers: Vec<_> = places.iter().map(|place| (place + 1).to_string()).collect();
    Some(format!("the set has {} devices; missing: number {}", first.count, numbers.join(", ")))
}
