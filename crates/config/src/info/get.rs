//! `get-config`.

use super::{Params, SetConfigError, VALUE_MAX, required, xdr};
use crate::registry::{Context, Pairs, show, show_settings};
use crate::tree::namespace::{Namespace, Set};
use crate::tree::{Config, NAMESPACE_NAME_MAX};

/// The answer to `get-config:<params>`, without the echoed command. Errors are answers too.
pub fn get_config(config: &Config, params: &str) -> String {
    answer(config, &Params(params)).unwrap_or_else(|error| error.to_string())
}

fn answer(config: &Config, params: &Params<'_>) -> Result<String, SetConfigError> {
    if params.is_empty() {
        return Ok(rendered(config));
    }
    match required(params, "context", None, VALUE_MAX)? {
        "service" => Ok(rendered(&config.service)),
        "network" => Ok(rendered(&config.network)),
        "namespace" => {
            let name = required(params, "namespace", Some("id"), NAMESPACE_NAME_MAX)?;
            let namespace = config.namespace(name).ok_or(SetConfigError::UnknownNamespace)?;
            Ok(rendered(namespace))
        }
        "security" => Ok(config.security.as_ref().map_or_else(String::new, rendered)),
        "xdr" => xdr::get(&config.xdr, params),
        _ => Err(SetConfigError::InvalidContext),
    }
}

fn rendered<T: Context>(context: &T) -> String {
    let mut pairs = Pairs::default();
    show(context, &mut pairs);
    pairs.render()
}

/// The settings of a namespace as `get-config` shows them; `namespace/<name>` shows the same after
/// its statistics.
pub fn namespace_config_pairs(
    namespace: &Namespace,
) -> impl Iterator<Item = (String, String)> + use<> {
    let mut pairs = Pairs::default();
    show(namespace, &mut pairs);
    pairs.into_vec().into_iter()
}

/// The settings of a set as the command `sets` shows them after its statistics.
pub fn set_config_pairs(set: &Set) -> impl Iterator<Item = (String, String)> + use<> {
    let mut pairs = Pairs::default();
    show_settings(set, &mut pairs);
    pairs.into_vec().into_iter()
}
