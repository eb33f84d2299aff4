//! Who the node is and what it can do.

use super::call::{Call, Refusal, put, put_joined};
use super::registry;

/// The release of the original that clients and tools take this server for. Clients choose commands
/// by it, so it stays below 8.1 until what 8.1 added is there.
pub const BUILD: &str = "8.0.0.7";
/// The edition that tools take this server for. They expect all of the Enterprise features where
/// they read "Enterprise", so it stays as it is until all of them are there.
const EDITION: &str = "Aerospike Community Edition";
/// Lowest and highest of these numbers in a cluster tell what its nodes can say to each other.
pub(crate) const COMPATIBILITY_ID: u32 = 15;
/// What clients may ask of the server (info reference, features); they refuse one without `pscans`.
const FEATURES: &str = "batch-any;batch-index;blob-bits;cdt-index;cdt-list;cdt-map;cluster-stable;\
    float;geo;sindex-exists;peers;pipelining;pquery;pscans;query-show;relaxed-sc;replicas;\
    replicas-all;replicas-master;replicas-max;truncate-namespace;udf";

type Outcome = Result<(), Refusal>;

pub(super) fn status(_: &Call<'_>, out: &mut Vec<u8>) -> Outcome {
    put(out, "ok");
    Ok(())
}

pub(super) fn node(call: &Call<'_>, out: &mut Vec<u8>) -> Outcome {
    put(out, format_args!("{:X}", call.node.id()));
    Ok(())
}

pub(super) fn cluster_name(call: &Call<'_>, out: &mut Vec<u8>) -> Outcome {
    let config = call.node.config();
    put(out, config.service.cluster_name.as_deref().unwrap_or_default());
    Ok(())
}

pub(super) fn features(_: &Call<'_>, out: &mut Vec<u8>) -> Outcome {
    put(out, FEATURES);
    Ok(())
}

pub(super) fn compatibility_id(_: &Call<'_>, out: &mut Vec<u8>) -> Outcome {
    put(out, COMPATIBILITY_ID);
    Ok(())
}

pub(super) fn edition(_: &Call<'_>, out: &mut Vec<u8>) -> Outcome {
    put(out, EDITION);
    Ok(())
}

pub(super) fn build(_: &Call<'_>, out: &mut Vec<u8>) -> Outcome {
    put(out, BUILD);
    Ok(())
}

pub(super) fn version(_: &Call<'_>, out: &mut Vec<u8>) -> Outcome {
    put(out, format_args!("{EDITION} build {BUILD}"));
    Ok(())
}

/// The release of this product itself.
pub(super) fn product_version(_: &Call<'_>, out: &mut Vec<u8>) -> Outcome {
    put(out, concat!("bolide ", env!("CARGO_PKG_VERSION")));
    Ok(())
}

pub(super) fn build_arch(_: &Call<'_>, out: &mut Vec<u8>) -> Outcome {
    put(out, std::env::consts::ARCH);
    Ok(())
}

pub(super) fn build_os(_: &Call<'_>, out: &mut Vec<u8>) -> Outcome {
    put(out, std::env::consts::OS);
    Ok(())
}

/// The commit that was built, if the build was told.
pub(super) fn build_sha(_: &Call<'_>, out: &mut Vec<u8>) -> Outcome {
    put(out, option_env!("BOLIDE_BUILD_SHA").unwrap_or_default());
    Ok(())
}

/// When it was built, if the build was told.
pub(super) fn build_time(_: &Call<'_>, out: &mut Vec<u8>) -> Outcome {
    put(out, option_env!("BOLIDE_BUILD_TIME").unwrap_or_default());
    Ok(())
}

/// The original's Enterprise edition is built of two repositories; this server is of one.
pub(super) fn build_ee_sha(_: &Call<'_>, _: &mut Vec<u8>) -> Outcome {
    Ok(())
}

/// The pairs of a licence key: there is none.
pub(super) fn feature_key(_: &Call<'_>, _: &mut Vec<u8>) -> Outcome {
    Ok(())
}

pub(super) fn digests(_: &Call<'_>, out: &mut Vec<u8>) -> Outcome {
    put(out, "RIPEMD160");
    Ok(())
}

pub(super) fn namespaces(call: &Call<'_>, out: &mut Vec<u8>) -> Outcome {
    put_joined(out, b';', &call.node.namespaces, |out, namespace| put(out, &namespace.name));
    Ok(())
}

/// The summary's commands in its order, then all others by name.
pub(super) fn help(_: &Call<'_>, out: &mut Vec<u8>) -> Outcome {
    let others = registry::COMMANDS.iter().filter(|command| command.summary.is_none());
    let listed = registry::summary().chain(others).filter(|command| command.listed);
    put_joined(out, b';', listed, |out, command| put(out, command.name));
    Ok(())
}
