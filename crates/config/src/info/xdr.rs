//! `get-config` and `set-config` in context `xdr`: shipping has objects within objects, and actions
//! beside settings.

use super::set::{apply, refused};
use super::{Change, Changed, Params, SetConfigError, required};
use crate::registry::{Element, Input, Pairs, Source, show_settings, spec};
use crate::tree::values::HostPort;
use crate::tree::xdr::{DataCenter, Xdr, XdrNamespace};
use crate::tree::{Config, NAMESPACE_NAME_MAX};

const DATA_CENTERS_MAX: usize = 64;
const DC_NAME_MAX: usize = 31;

fn names<'n>(names: impl Iterator<Item = &'n String>) -> String {
    names.map(String::as_str).collect::<Vec<_>>().join(",")
}

/// Shipping as a whole, one data center, or one of its namespaces. Empty if there is nothing.
pub(super) fn get(xdr: &Xdr, params: &Params<'_>) -> Result<String, SetConfigError> {
    let mut pairs = Pairs::default();
    if params.get("dc").is_none() {
        if xdr != &Xdr::default() {
            pairs.push("dcs", names(xdr.data_centers.iter().map(|dc| &dc.name)));
            show_settings(xdr, &mut pairs);
        }
        return Ok(pairs.render());
    }
    let Some(dc) = xdr.data_center(required(params, "dc", None, DC_NAME_MAX)?) else {
        return Ok(String::new());
    };
    if params.get("namespace").is_none() {
        show_settings(dc, &mut pairs);
        pairs.push("namespaces", names(dc.namespaces.iter().map(|namespace| &namespace.name)));
        return Ok(pairs.render());
    }
    let name = required(params, "namespace", None, NAMESPACE_NAME_MAX)?;
    if let Some(namespace) = dc.namespaces.iter().find(|namespace| namespace.name == name) {
        pairs.push("enabled", "true");
        show_settings(namespace, &mut pairs);
    }
    Ok(pairs.render())
}

/// Changes a setting, or creates, deletes, adds or removes an object.
pub(crate) fn set(config: &mut Config, params: &Params<'_>) -> Result<Change, SetConfigError> {
    if params.get("dc").is_none() {
        let changed = apply(&mut config.xdr, params)?;
        return Ok(in_xdr(None, None, changed));
    }
    let name = required(params, "dc", None, DC_NAME_MAX)?;
    let dcs = &mut config.xdr.data_centers;
    match params.get("action") {
        Some("create") => create(dcs, name)?,
        Some("delete") => delete(dcs, name)?,
        _ => {
            let dc = dcs.iter_mut().find(|dc| dc.name == name);
            let dc = dc.ok_or_else(|| refused("no such data center"))?;
            return set_in_dc(dc, params);
        }
    }
    Ok(in_xdr(Some(name), None, action(params)))
}

fn in_xdr(dc: Option<&str>, namespace: Option<&str>, changed: Changed) -> Change {
    Change {
        context: "xdr",
        namespace: namespace.map(str::to_owned),
        data_center: dc.map(str::to_owned),
        name: changed.name,
        old: changed.old,
        new: changed.new,
        set: None,
    }
}

fn action(params: &Params<'_>) -> Changed {
    let action = params.get("action").unwrap_or_default();
    let rewind = params.get("rewind").map(|rewind| format!(";rewind={rewind}"));
    let new = format!("{action}{}", rewind.unwrap_or_default());
    Changed { name: "action".into(), old: String::new(), new }
}

fn create(dcs: &mut Vec<DataCenter>, name: &str) -> Result<(), SetConfigError> {
    if dcs.len() >= DATA_CENTERS_MAX || dcs.iter().any(|dc| dc.name == name) {
        return Err(refused("too many data centers, or one of this name"));
    }
    dcs.push(DataCenter { name: name.to_owned(), ..DataCenter::default() });
    Ok(())
}

/// A data center must have lost its namespaces before it can go.
fn delete(dcs: &mut Vec<DataCenter>, name: &str) -> Result<(), SetConfigError> {
    let count = dcs.len();
    dcs.retain(|dc| dc.name != name || !dc.namespaces.is_empty());
    match dcs.len() < count {
        true => Ok(()),
        false => Err(refused("no such data center, or it still has namespaces")),
    }
}

fn set_in_dc(dc: &mut DataCenter, params: &Params<'_>) -> Result<Change, SetConfigError> {
    let dc_name = dc.name.clone();
    if params.get("namespace").is_some() {
        let name = required(params, "namespace", None, NAMESPACE_NAME_MAX)?;
        let changed = set_in_namespace(dc, name, params)?;
        return Ok(in_xdr(Some(&dc_name), Some(name), changed));
    }
    let changed = match params.get("node-address-port") {
        Some(address) => set_node(dc, address, params.get("action"))?,
        None => apply(dc, params)?,
    };
    Ok(in_xdr(Some(&dc_name), None, changed))
}

fn set_node(
    dc: &mut DataCenter,
    address: &str,
    action: Option<&str>,
) -> Result<Changed, SetConfigError> {
    let rules = spec::host_port_tls();
    let input = Input { spec: &rules, words: &[address], source: Source::Command };
    let node = HostPort::parse(&input).map_err(refused)?;
    let known = dc.node_addresses.contains(&node);
    match action {
        Some("add") if !known => dc.node_addresses.push(node),
        Some("remove") if known => dc.node_addresses.retain(|other| *other != node),
        _ => return Err(refused("node-address-port needs action=add or action=remove")),
    }
    let name = "node-address-port".to_owned();
    Ok(Changed { name, old: known.to_string(), new: (!known).to_string() })
}

fn set_in_namespace(
    dc: &mut DataCenter,
    name: &str,
    params: &Params<'_>,
) -> Result<Changed, SetConfigError> {
    let position = dc.namespaces.iter().position(|namespace| namespace.name == name);
    match (params.get("action"), position) {
        (Some("add"), None) => {
            let rewind = params.get("rewind").unwrap_or("all");
            if rewind != "all" && rewind.parse::<u32>().is_err() {
                return Err(refused("rewind must be all or a number of seconds"));
            }
            let namespace = XdrNamespace { name: name.to_owned(), ..XdrNamespace::default() };
            dc.namespaces.push(namespace);
            Ok(action(params))
        }
        (Some("remove"), Some(position)) => {
            dc.namespaces.remove(position);
            Ok(action(params))
        }
        (None, Some(position)) => {
            let namespace = dc.namespaces.get_mut(position);
            let namespace = namespace.ok_or_else(|| refused("no such namespace"))?;
            let changed = apply(namespace, params)?;
            unlist(namespace, params);
            Ok(changed)
        }
        _ => Err(refused("no such action for this namespace")),
    }
}

/// A bin or set that was just put on one list leaves the other.
fn unlist(namespace: &mut XdrNamespace, params: &Params<'_>) {
    let lists = [
        ("ship-bin", &mut namespace.ignored_bins),
        ("ignore-bin", &mut namespace.shipped_bins),
        ("ship-set", &mut namespace.ignored_sets),
        ("ignore-set", &mut namespace.shipped_sets),
    ];
    for (key, list) in lists {
        if let Some(name) = params.get(key) {
            list.retain(|other| other != name);
        }
    }
}
