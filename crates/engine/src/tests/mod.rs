//! Scenarios on a whole namespace, from request bodies to replies and statistics.

mod copies;
mod deletes;
mod device_settings;
mod devices;
mod eviction;
mod expiry;
mod expressions;
mod fixture;
mod generations;
mod keys;
mod limits;
mod model;
mod policies;
mod robustness;
mod set_index;
mod sets;
mod sindex;
mod stress;
mod supervision;
mod truncation;
