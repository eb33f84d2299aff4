//! Health of host, devices and peers.

use wire::ResultCode;

use super::call::{Call, Refusal, put, put_joined};

/// Most bytes of a device's path.
const PATH_BYTES_MAX: usize = 1023;

/// Checks of the host that failed at start: none is made.
pub(super) fn best_practices(_: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put(out, "failed_best_practices=none");
    Ok(())
}

/// Peers and devices that are worse than the others; nothing while nobody watches.
pub(super) fn outliers(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put_joined(out, b';', call.node.health_outliers(), put);
    Ok(())
}

/// What is watched of peers and devices; nothing while nobody watches.
pub(super) fn stats(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put_joined(out, b';', call.node.health_readings(), put);
    Ok(())
}

/// Resident and dirty bytes of indexes in files: no index is in one.
pub(super) fn index_pressure(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put_joined(out, b';', &call.node.namespaces, |out, namespace| {
        put(out, format_args!("{}:0:0", namespace.name));
    });
    Ok(())
}

/// Age of the devices under a path: no device is asked for its own.
pub(super) fn physical_devices(call: &Call<'_>, _: &mut Vec<u8>) -> Result<(), Refusal> {
    call.required("path", PATH_BYTES_MAX)?;
    Err(Refusal::new(ResultCode::NOT_FOUND, "no device info"))
}
