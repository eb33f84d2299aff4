//! The one way to run things in this workspace.

fn main() -> anyhow::Result<()> {
    anyhow::bail!("usage: cargo xtask test")
}
