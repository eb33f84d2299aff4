//! `set-config`: one change, applied to a copy of the configuration.

use super::{Changed, Params, SetConfigError, VALUE_MAX, required, xdr};
use crate::check::validate;
use crate::registry::{Context, Support, command};
use crate::tree::namespace::Set;
use crate::tree::security::{SUPPORT as SECURITY, SecurityLog};
use crate::tree::values::DataOpScope;
use crate::tree::xdr::SUPPORT as XDR;
use crate::tree::{Config, NAMESPACE_NAME_MAX, SET_NAME_MAX};

/// A configuration after a command, and what the command did.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The configuration that holds from now on.
    pub config: Config,
    /// What was changed; `old` and `new` may be equal.
    pub change: Change,
}

/// One change of a setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// `service`, `network`, `namespace`, `security` or `xdr`.
    pub context: &'static str,
    /// The namespace, in contexts `namespace` and `xdr`.
    pub namespace: Option<String>,
    /// The set, if the setting is a set's.
    pub set: Option<String>,
    /// The data center, in context `xdr`.
    pub data_center: Option<String>,
    /// The setting, as the command names it; in context `xdr` also `action`.
    pub name: String,
    /// Its value before, as `get-config` shows it.
    pub old: String,
    /// Its value now.
    pub new: String,
}

impl Change {
    fn new(context: &'static str, changed: Changed) -> Self {
        let Changed { name, old, new } = changed;
        Self { context, name, old, new, ..Self::default() }
    }
}

/// Settings that decide which node of several has what. On a node alone they have no effect, and it answers
/// as the Community edition does.
const ABOUT_OTHERS: [&str; 5] = [
    "active-rack",
    "ignore-migrate-fill-delay",
    "migrate-fill-delay",
    "prefer-uniform-balance",
    "rack-id",
];

/// Applies `set-config:<params>`. Nothing but the returned copy changes. `is_alone`: the node is in a cluster
/// by itself.
///
/// # Errors
/// Rendered, an error is the original's answer. A change is refused if the setting is unknown or
/// not dynamic, if it has no effect, if the value breaks its bounds, and if the configuration would
/// contradict itself where it did not before.
pub fn set_config(
    config: &Config,
    params: &str,
    is_alone: bool,
) -> Result<Applied, SetConfigError> {
    let params = Params(params);
    let mut changed = config.clone();
    let change = match required(&params, "context", None, VALUE_MAX)? {
        "service" => service(&mut changed, &params)?,
        "network" => network(&mut changed, &params)?,
        "namespace" => namespace(&mut changed, &params)?,
        "security" if SECURITY == Support::Works => security(&mut changed, &params)?,
        "xdr" if XDR == Support::Works => xdr::set(&mut changed, &params)?,
        "security" | "xdr" => return Err(SetConfigError::NotYet),
        _ => return Err(SetConfigError::InvalidContext),
    };
    if is_alone && ABOUT_OTHERS.contains(&&*change.name) {
        return Err(refused("it has no effect on a node that is alone"));
    }
    without_conflict(config, Applied { config: changed, change })
}

/// Whether `set-config:<params>` is about a setting of a set.
pub fn is_about_set(params: &str) -> bool {
    let params = Params(params);
    params.get("context") == Some("namespace") && params.get("set").is_some()
}

/// Gives a setting of a set of a namespace a value, which is text as a command has it. Nothing but the
/// returned copy changes.
///
/// # Errors
/// As those of [`set_config`].
pub fn set_in_set(
    config: &Config,
    (namespace, set): (&str, &str),
    (name, value): (&str, &str),
) -> Result<Applied, SetConfigError> {
    let mut changed = config.clone();
    let assignment = format!("{name}={value}");
    let change = in_namespace(&mut changed, namespace, Some(set), &Params(&assignment))?;
    without_conflict(config, Applied { config: changed, change })
}

/// Refuses what contradicts itself where the configuration before did not.
fn without_conflict(before: &Config, applied: Applied) -> Result<Applied, SetConfigError> {
    let before = validate(before);
    match validate(&applied.config).into_iter().find(|conflict| !before.contains(conflict)) {
        Some(conflict) => Err(SetConfigError::InvalidParameter(conflict.to_string())),
        None => Ok(applied),
    }
}

/// Applies the parameter that names a dynamic setting of `target`.
pub(super) fn apply<T: Context>(
    target: &mut T,
    params: &Params<'_>,
) -> Result<Changed, SetConfigError> {
    match command(target, "", params) {
        None => Err(refused("no parameter names a dynamic setting of this context")),
        Some(Err(fault)) => Err(refused(fault)),
        Some(Ok(changed)) => Ok(changed),
    }
}

pub(super) fn refused(why: impl ToString) -> SetConfigError {
    SetConfigError::InvalidParameter(why.to_string())
}

fn service(config: &mut Config, params: &Params<'_>) -> Result<Change, SetConfigError> {
    let changed = apply(&mut config.service, params)?;
    // Counts made in one unit would mix with counts in the other.
    if changed.name == "microsecond-histograms" && has_benchmarks(config) {
        return Err(refused("the unit cannot change while a benchmark is enabled"));
    }
    Ok(Change::new("service", changed))
}

/// Whether any latency histogram is kept that starts and stops by command.
fn has_benchmarks(config: &Config) -> bool {
    config.service.enable_benchmarks_fabric
        || config.service.enable_hist_info
        || config.namespaces.iter().any(|namespace| {
            namespace.enable_benchmarks_batch_sub
                || namespace.enable_benchmarks_ops_sub
                || namespace.enable_benchmarks_read
                || namespace.enable_benchmarks_udf
                || namespace.enable_benchmarks_udf_sub
                || namespace.enable_benchmarks_write
                || namespace.enable_hist_proxy
                || namespace.storage_engine.enable_benchmarks_storage
        })
}

fn network(config: &mut Config, params: &Params<'_>) -> Result<Change, SetConfigError> {
    // Not a value that the setting keeps: it only restarts the protocol.
    if params.get("heartbeat.protocol") == Some("reset") {
        let old = config.network.heartbeat.protocol.to_string();
        let changed = Changed { name: "heartbeat.protocol".into(), old, new: "reset".into() };
        return Ok(Change::new("network", changed));
    }
    Ok(Change::new("network", apply(&mut config.network, params)?))
}

fn namespace(config: &mut Config, params: &Params<'_>) -> Result<Change, SetConfigError> {
    let name = required(params, "namespace", Some("id"), NAMESPACE_NAME_MAX)?;
    in_namespace(config, name, params.get("set"), params)
}

fn in_namespace(
    config: &mut Config,
    name: &str,
    set_name: Option<&str>,
    params: &Params<'_>,
) -> Result<Change, SetConfigError> {
    let namespace = config
        .namespaces
        .iter_mut()
        .find(|namespace| namespace.name == name)
        .ok_or(SetConfigError::UnknownNamespace)?;
    let changed = match set_name {
        None => apply(namespace, params)?,
        Some(set_name) => apply(find_or_add_set(&mut namespace.sets, set_name)?, params)?,
    };
    Ok(Change {
        namespace: Some(name.to_owned()),
        set: set_name.map(str::to_owned),
        ..Change::new("namespace", changed)
    })
}

fn find_or_add_set<'s>(sets: &'s mut Vec<Set>, name: &str) -> Result<&'s mut Set, SetConfigError> {
    if name.is_empty() || name.len() > SET_NAME_MAX {
        return Err(refused("not a set's name"));
    }
    let index = sets.iter().position(|set| set.name == name).unwrap_or_else(|| {
        sets.push(Set { name: name.to_owned(), ..Set::default() });
        sets.len() - 1
    });
    sets.get_mut(index).ok_or_else(|| refused("not a set's name"))
}

fn security(config: &mut Config, params: &Params<'_>) -> Result<Change, SetConfigError> {
    let security = config.security.as_mut().ok_or_else(|| refused("security is off"))?;
    let changed = match report(&mut security.log, params) {
        Some(changed) => changed?,
        None => apply(security, params)?,
    };
    Ok(Change::new("security", changed))
}

/// The lists of the audit log: `true` adds an entry, `false` removes it, and the entry itself
/// stands in parameters of its own.
fn report(log: &mut SecurityLog, params: &Params<'_>) -> Option<Result<Changed, SetConfigError>> {
    let entry = |key| params.get(key).filter(|entry| !entry.is_empty()).map(str::to_owned);
    if let Some(value) = params.get("log.report-data-op") {
        let scope = entry("namespace").map(|namespace| {
            let set = entry("set");
            DataOpScope { namespace, set }
        });
        return Some(toggle("log.report-data-op", &mut log.report_data_op, value, scope));
    }
    if let Some(value) = params.get("log.report-data-op-role") {
        let roles = &mut log.report_data_op_roles;
        return Some(toggle("log.report-data-op-role", roles, value, entry("role")));
    }
    let value = params.get("log.report-data-op-user")?;
    let users = &mut log.report_data_op_users;
    Some(toggle("log.report-data-op-user", users, value, entry("user")))
}

fn toggle<T: PartialEq>(
    name: &str,
    list: &mut Vec<T>,
    value: &str,
    entry: Option<T>,
) -> Result<Changed, SetConfigError> {
    let entry = entry.ok_or_else(|| refused(format!("{name} needs to know of whom or what")))?;
    let old = list.contains(&entry);
    match value {
        "true" if old => {}
        "true" => list.push(entry),
        "false" => list.retain(|other| *other != entry),
        _ => return Err(refused(format!("{name} must be true or false"))),
    }
    Ok(Changed { name: name.into(), old: old.to_string(), new: value.into() })
}
