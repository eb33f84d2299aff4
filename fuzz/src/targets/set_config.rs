//! What `set-config` is told.

use std::path::Path;

use config::{Config, get_config, set_config, validate};

use super::{Entry, Outcome, Target};

/// Commands after which the configuration is the default one again.
const COMMANDS_MAX: u32 = 100;

pub const ENTRY: Entry = Entry {
    name: "set_config",
    what: "parameters of set-config, one after the other",
    seeds: |corpus| {
        let mut seeds = super::arguments(corpus, b"set-config");
        let config = fresh();
        for context in ["service", "network", "namespace;namespace=test", "security"] {
            let shown = get_config(&config, &format!("context={context}"));
            seeds.extend(shown.split(';').map(|pair| format!("context={context};{pair}").into()));
        }
        for (name, value) in
            [("stop-writes-count", "5"), ("default-ttl", "1d"), ("enable-index", "true")]
        {
            seeds.push(format!("context=namespace;namespace=test;set=s;{name}={value}").into());
        }
        for action in
            ["create", "delete", "node-address-port=h:1;action=add", "namespace=test;action=add"]
        {
            seeds.push(format!("context=xdr;dc=dc1;action={action}").into());
        }
        seeds
    },
    make: |_| Box::new(Told { config: fresh(), commands: 0 }),
};

fn fresh() -> Config {
    let mut config = Config::default_single_node(Path::new("/nowhere"));
    config.resolve(&config::Host { cpus: 2, node_id: 0xA1, heartbeat_mtu_bytes: 1500 });
    config
}

struct Told {
    config: Config,
    commands: u32,
}

impl Target for Told {
    fn feed(&mut self, input: &[u8]) -> Outcome {
        self.commands += 1;
        if self.commands == COMMANDS_MAX {
            (self.config, self.commands) = (fresh(), 0);
        }
        let params = String::from_utf8_lossy(input);
        let applied = match set_config(&self.config, &params, false) {
            Ok(applied) => applied,
            Err(error) => {
                assert!(error.to_string().starts_with("ERROR:"), "{error}");
                return Outcome::of(error.to_string());
            }
        };
        let before = validate(&self.config).len();
        assert!(validate(&applied.config).len() <= before, "a new contradiction");
        let change = &applied.change;
        if matches!(change.context, "service" | "network" | "namespace") {
            let again =
                set_config(&applied.config, &params, false).expect("what was set can be set");
            assert_eq!(again.config, applied.config, "set once more");
            assert_eq!(again.change.old, change.new, "what was set is there");
        }
        let outcome = Outcome::of((change.context, &change.name, change.old == change.new));
        self.config = applied.config;
        outcome
    }
}
