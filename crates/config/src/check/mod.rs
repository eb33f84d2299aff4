//! Checks across settings: what no single row can see.
//!
//! Source of the rules: "checks after parsing" and the footnotes of the configuration reference.

mod network;
mod storage;

use std::fmt;

use crate::tree::Config;
use crate::tree::namespace::Namespace;
use crate::tree::values::SetOverride;

/// Settings that contradict each other, or something required that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Where: contexts from the outside in, joined by dots, as in `namespace test.storage-engine`.
    pub context: String,
    /// The setting to look at; empty if it is the context as a whole.
    pub setting: String,
    /// What is wrong, as a sentence without its end.
    pub problem: String,
    /// What to do, as a sentence without its end.
    pub cure: String,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.context.is_empty() {
            write!(f, "in '{}': ", self.context)?;
        }
        write!(f, "{}: {}", self.problem, self.cure)
    }
}

/// Collects conflicts of one context.
struct Findings {
    context: String,
    conflicts: Vec<Conflict>,
}

impl Findings {
    fn of(context: impl Into<String>) -> Self {
        Self { context: context.into(), conflicts: Vec::new() }
    }

    /// Notes a conflict if `wrong` holds.
    fn note(
        &mut self,
        wrong: bool,
        setting: &str,
        problem: impl Into<String>,
        cure: impl Into<String>,
    ) {
        if wrong {
            let (context, setting) = (self.context.clone(), setting.to_owned());
            let (problem, cure) = (problem.into(), cure.into());
            self.conflicts.push(Conflict { context, setting, problem, cure });
        }
    }
}

/// Everything in a configuration that contradicts itself.
#[must_use]
pub fn validate(config: &Config) -> Vec<Conflict> {
    let mut conflicts = service(config);
    conflicts.extend(network::conflicts(&config.network));
    conflicts.extend(storage::shared_devices(config));
    for namespace in &config.namespaces {
        conflicts.extend(self::namespace(namespace));
        conflicts.extend(storage::conflicts(namespace));
    }
    conflicts.extend(xdr(config));
    conflicts
}

/// What the original insists on finding in a file. A server without a file needs none of it.
pub(crate) fn missing_in_file(config: &Config) -> Vec<Conflict> {
    let mut service = Findings::of("service");
    service.note(
        config.service.cluster_name.is_none(),
        "",
        "cluster-name is missing",
        "add cluster-name with the same name on every node of the cluster",
    );
    let mut file = Findings::of("");
    file.note(
        config.namespaces.is_empty(),
        "",
        "there is no namespace",
        "add a context such as 'namespace test { ... }'",
    );
    let mut conflicts = service.conflicts;
    conflicts.extend(file.conflicts);
    conflicts.extend(network::missing(&config.network));
    conflicts
}

fn service(config: &Config) -> Vec<Conflict> {
    let service = &config.service;
    let mut found = Findings::of("service");
    found.note(
        service.node_id.is_some() && service.node_id_interface.is_some(),
        "node-id-interface",
        "both node-id and node-id-interface are given",
        "keep one of them",
    );
    found.conflicts
}

fn namespace(namespace: &Namespace) -> Vec<Conflict> {
    const CURE: &str = "set nsup-period, for example to 120, or allow-ttl-without-nsup true";
    let context = format!("namespace {}", namespace.name);
    let nothing_expires = namespace.nsup_period_seconds == 0 && !namespace.allow_ttl_without_nsup;
    let mut found = Findings::of(&context);
    found.note(
        nothing_expires && namespace.default_ttl_seconds != 0,
        "default-ttl",
        "default-ttl is given, but nothing would remove expired records",
        CURE,
    );
    for set in &namespace.sets {
        let mut in_set = Findings::of(format!("{context}.set {}", set.name));
        in_set.note(
            nothing_expires && matches!(set.default_ttl, SetOverride::Value(_)),
            "default-ttl",
            "default-ttl is given, but nothing would remove expired records",
            CURE,
        );
        found.conflicts.append(&mut in_set.conflicts);
    }
    let geo = &namespace.geo2dsphere_within;
    let mut within = Findings::of(format!("{context}.geo2dsphere-within"));
    within.note(
        geo.min_level > geo.max_level,
        "min-level",
        format!("min-level {} is above max-level {}", geo.min_level, geo.max_level),
        "lower min-level or raise max-level",
    );
    found.conflicts.append(&mut within.conflicts);
    found.conflicts
}

fn xdr(config: &Config) -> Vec<Conflict> {
    use crate::tree::xdr::AuthMode;
    let mut conflicts = Vec::new();
    for dc in &config.xdr.data_centers {
        let context = format!("xdr.dc {}", dc.name);
        let mut found = Findings::of(&context);
        let needs_login = !matches!(dc.auth_mode, AuthMode::None | AuthMode::Pki);
        found.note(
            needs_login && (dc.auth_user.is_none() || dc.auth_password_file.is_none()),
            "auth-mode",
            format!("auth-mode {} needs somebody to log in", dc.auth_mode),
            "add auth-user and auth-password-file",
        );
        found.note(
            dc.auth_mode == AuthMode::Pki && dc.tls_name.is_none(),
            "auth-mode",
            "auth-mode pki needs a certificate",
            "add tls-name",
        );
        conflicts.append(&mut found.conflicts);
        for namespace in &dc.namespaces {
            let mut found = Findings::of(format!("{context}.namespace {}", namespace.name));
            found.note(
                config.namespace(&namespace.name).is_none(),
                "",
                format!("this server has no namespace '{}' to ship", namespace.name),
                "correct the name, or configure the namespace",
            );
            conflicts.append(&mut found.conflicts);
        }
    }
    conflicts
}

#[cfg(test)]
mod tests;
