//! `security { }`: users, sessions, audit. The presence of the context switches security on.

use super::values::DataOpScope;
use crate::registry::{Nested, Support, context, words};

/// Whether this release has users and their rights.
pub(crate) const SUPPORT: Support = Support::Later;

words! {
    /// Hash of the session tokens of users from LDAP.
    pub enum TokenHash {
        /// SHA-256.
        Sha256 = "sha-256",
        /// SHA-512.
        Sha512 = "sha-512",
    }
}

context! {
    /// Users and their roles from an LDAP server. `${un}` stands for the user's name, `${dn}` for
    /// the distinguished one.
    pub struct Ldap {}
    settings {
        /// Talks to the server without TLS.
        "disable-tls" disable_tls: bool = false, flag().enterprise();
        /// Threads that log users in.
        "login-threads" login_threads: u32 = 8, number(1, 64).enterprise();
        /// How often users' roles are asked for again; 0 for never.
        "polling-period" polling_period_seconds: u32 = 300,
            duration(0, 86_400).dynamic().enterprise();
        /// Where users are looked for.
        "query-base-dn" query_base_dn: Option<String> = None, text(1_023).enterprise();
        /// Who asks the server.
        "query-user-dn" query_user_dn: Option<String> = None, text(1_023).enterprise();
        /// The password of the one who asks.
        "query-user-password-file" query_user_password_file: Option<String> = None,
            path().enterprise();
        /// Where roles are looked for.
        "role-query-base-dn" role_query_base_dn: Option<String> = None, text(1_023).enterprise();
        /// A search that finds a user's roles.
        "role-query-pattern" role_query_patterns: Vec<String> = Vec::new(),
            text(1_023).indexed(64).enterprise();
        /// Looks for roles among organizational units as well.
        "role-query-search-ou" role_query_search_ou: bool = false, flag().enterprise();
        /// The server.
        "server" server: Option<String> = None, text(1_023).enterprise();
        /// Certificates of the authorities to trust.
        "tls-ca-file" tls_ca_file: Option<String> = None, path().enterprise();
        /// Hash of session tokens.
        "token-hash-method" token_hash_method: TokenHash = TokenHash::Sha256,
            word(TokenHash::WORDS).enterprise();
        /// Makes a user's distinguished name.
        "user-dn-pattern" user_dn_pattern: Option<String> = None, text(1_023).enterprise();
        /// A search that finds a user's distinguished name.
        "user-query-pattern" user_query_pattern: Option<String> = None, text(1_023).enterprise();
    }
    obsolete {}
    children []
    hooks {}
}

context! {
    /// What the audit log reports.
    pub struct SecurityLog {}
    settings {
        /// Reports logins.
        "report-authentication" report_authentication: bool = false,
            flag().dynamic().enterprise();
        /// Reports accesses to records of a namespace or set. Commands give `true` or `false` for
        /// it, and `namespace` and `set` beside it.
        "report-data-op" report_data_op: Vec<DataOpScope> = Vec::new(),
            of(Kind::DataOp).indexed(1_024).dynamic().enterprise();
        /// Reports accesses to records by users of a role. Commands give `true` or `false` for it,
        /// and `role` beside it.
        "report-data-op-role" report_data_op_roles: Vec<String> = Vec::new(),
            text(63).indexed(1_024).dynamic().enterprise();
        /// Reports accesses to records by a user. Commands give `true` or `false` for it, and `user`
        /// beside it.
        "report-data-op-user" report_data_op_users: Vec<String> = Vec::new(),
            text(63).indexed(1_024).dynamic().enterprise();
        /// Reports commands that control the server.
        "report-sys-admin" report_sys_admin: bool = false, flag().dynamic().enterprise();
        /// Reports commands about users and roles.
        "report-user-admin" report_user_admin: bool = false, flag().dynamic().enterprise();
        /// Reports whatever was refused for lack of a permission.
        "report-violation" report_violation: bool = false, flag().dynamic().enterprise();
    }
    obsolete {}
    children []
    hooks {}
}

context! {
    /// Users, sessions and audit. The presence of the context switches security on.
    pub struct Security {
        /// Users and their roles from an LDAP server, if any.
        pub ldap: Option<Ldap> = None;
        /// What the audit log reports.
        pub log: SecurityLog = SecurityLog::default();
    }
    settings {
        /// Holds the password that the first administrator starts with.
        "default-password-file" default_password_file: Option<String> = None, path().enterprise();
        /// Limits how many requests a second a role may make.
        "enable-quotas" enable_quotas: bool = false, flag().enterprise();
        /// How often privileges are looked up again.
        "privilege-refresh-period" privilege_refresh_period_seconds: u32 = 300,
            duration(10, 86_400).dynamic().enterprise();
        /// How long a login holds.
        "session-ttl" session_ttl_seconds: u32 = 86_400,
            duration(120, 864_000).dynamic().enterprise();
        /// Seconds that a role's rate of requests is averaged over.
        "tps-weight" tps_weight: u32 = 2, number(2, 20).dynamic().enterprise();
    }
    obsolete {
        "enable-ldap" => "the presence of the ldap context switches LDAP on";
        "enable-security" => "the presence of the security context switches security on";
        "syslog" => "use a syslog sink in logging, with the log context audit";
    }
    children [
        &Nested {
            name: "ldap",
            shown: Some("ldap."),
            commands: Some("ldap."),
            support: Support::Works,
            get: |security: &Security| security.ldap.as_ref(),
            get_mut: |security| security.ldap.get_or_insert_default(),
        },
        &Nested {
            name: "log",
            shown: Some("log."),
            commands: Some("log."),
            support: Support::Works,
            get: |security: &Security| Some(&security.log),
            get_mut: |security| &mut security.log,
        },
    ]
    hooks {}
}
