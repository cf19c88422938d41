//! Hardening of the process: what it holds in memory must not reach a disk.
//!
//! A core file or a page in swap would be an unsealed copy of keys and of unredacted pixels. [`begin`] runs before
//! anything is read. It takes nothing from what the program promises if the system refuses: it is told in the log.
//! Leaves wiping secrets from memory to their owners (`zeroize`), and to docs/keys.md what the system itself must do.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};
use rustix::thread::{CapabilitySet, capabilities};

/// Switches core files off and, where it may lock as much memory as it will use, keeps all of it out of swap.
pub fn begin() {
    // The limit stops the kernel's own core files, the flag those that are handed to a program (core(5)); with the flag
    // other processes of the same user can neither trace this one nor read its memory (prctl(2)).
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(errno) = setrlimit(Resource::Core, none) {
        tracing::warn!(%errno, "the limit of core files cannot be set");
    }
    if let Err(errno) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%errno, "core files cannot be switched off");
    }
    // Under a finite limit, locking what is still to come would let the program run out of memory half-way.
    let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    if may_lock_all()
        && let Err(errno) = mlockall(flags)
    {
        tracing::warn!(%errno, "memory is not kept out of swap");
    }
}

/// Without a limit, or above it (mlock(2), capabilities(7)).
fn may_lock_all() -> bool {
    let unlimited = getrlimit(Resource::Memlock).current.is_none();
    let above = || capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK));
    unlimited || above()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_core_is_dumped_once_it_began() {
        begin();
        let dumpable = rustix::process::dumpable_behavior().expect("told");
        assert_eq!(dumpable, DumpableBehavior::NotDumpable);
        assert_eq!(getrlimit(Resource::Core).maximum, Some(0));
    }

    #[test]
    fn memory_is_locked_where_it_may_be() {
        begin();
        let status = std::fs::read_to_string("/proc/self/status").expect("told");
        let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:"));
        let locked = locked.map(str::trim).expect("told") != "0 kB";
        assert_eq!(locked, may_lock_all());
    }
}
