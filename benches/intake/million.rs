//! The same with a million incidents in the store. Built in the next step.

pub(crate) fn run() -> anyhow::Result<()> {
    Ok(())
}
