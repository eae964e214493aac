//! Which system calls are left to a process that reads cameras: those of sockets, memory, time.
//!
//! What is not on the list is answered as if the kernel did not have it (`ENOSYS`): libraries know that
//! answer and do without, and a parser's bug gets no farther.
//!
//! Not here: other locks.

use super::report::LockState;

/// Where this program has a list of calls.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub fn lock() -> LockState {
    match list::filter().and_then(|filter| seccompiler::apply_filter(&filter)) {
        Ok(()) => LockState::Holds,
        Err(error) => LockState::Missing(error.to_string()),
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub fn lock() -> LockState {
    LockState::Missing("there is no list of calls for this processor".to_owned())
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod list {
    use std::collections::BTreeMap;

    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen as Wide, SeccompCmpOp as Op, SeccompCondition,
        SeccompFilter, SeccompRule,
    };

    /// Whatever their arguments.
    const ALLOWED: &[libc::c_long] = &[
        // What is open: the sockets, the runtime's own.
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_readv,
        libc::SYS_writev,
        libc::SYS_close,
        libc::SYS_lseek,
        libc::SYS_fstat,
        libc::SYS_epoll_create1,
        libc::SYS_epoll_ctl,
        libc::SYS_epoll_pwait,
        libc::SYS_eventfd2,
        libc::SYS_ppoll,
        // Sockets; of which kind, see below.
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_listen,
        libc::SYS_accept,
        libc::SYS_accept4,
        libc::SYS_getsockname,
        libc::SYS_getpeername,
        libc::SYS_setsockopt,
        libc::SYS_getsockopt,
        libc::SYS_shutdown,
        libc::SYS_sendto,
        libc::SYS_sendmsg,
        libc::SYS_sendmmsg,
        libc::SYS_recvfrom,
        libc::SYS_recvmsg,
        libc::SYS_recvmmsg,
        // Memory; nothing that can be executed, see below.
        libc::SYS_brk,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        // Time, locks, the bell of a ring.
        libc::SYS_futex,
        libc::SYS_clock_gettime,
        libc::SYS_clock_getres,
        libc::SYS_clock_nanosleep,
        libc::SYS_nanosleep,
        libc::SYS_gettimeofday,
        libc::SYS_getrandom,
        libc::SYS_sched_yield,
        libc::SYS_sched_getaffinity,
        // Of itself.
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_getppid,
        libc::SYS_rt_sigreturn,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigaction,
        libc::SYS_sigaltstack,
        libc::SYS_restart_syscall,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ];

    /// Calls that newer machines do without.
    #[cfg(target_arch = "x86_64")]
    const OLD: &[libc::c_long] = &[libc::SYS_poll, libc::SYS_epoll_wait, libc::SYS_time];
    #[cfg(target_arch = "aarch64")]
    const OLD: &[libc::c_long] = &[];

    pub fn filter() -> Result<BpfProgram, seccompiler::Error> {
        let all = ALLOWED.iter().chain(OLD);
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
            all.map(|call| (*call, Vec::new())).collect();
        let is =
            |arg, value: libc::c_int| one(arg, Op::Eq, u64::try_from(value).unwrap_or(u64::MAX));
        rules.insert(
            libc::SYS_socket,
            vec![is(0, libc::AF_INET)?, is(0, libc::AF_INET6)?],
        );
        rules.insert(libc::SYS_ioctl, vec![one(1, Op::Eq, FIONBIO)?]);
        let about_flags = [
            libc::F_GETFL,
            libc::F_SETFL,
            libc::F_GETFD,
            libc::F_SETFD,
            libc::F_DUPFD_CLOEXEC,
        ];
        let about_flags: Result<Vec<_>, _> =
            about_flags.map(|what| is(1, what)).into_iter().collect();
        rules.insert(libc::SYS_fcntl, about_flags?);
        let not_executed = || one(2, Op::MaskedEq(EXECUTED), 0);
        rules.insert(libc::SYS_mmap, vec![not_executed()?]);
        rules.insert(libc::SYS_mprotect, vec![not_executed()?]);
        // Aborting is a signal to oneself.
        rules.insert(
            libc::SYS_tgkill,
            vec![is(0, nix::unistd::getpid().as_raw())?],
        );
        let not_there = SeccompAction::Errno(NOT_THERE);
        let arch = std::env::consts::ARCH.try_into()?;
        let filter = SeccompFilter::new(rules, not_there, SeccompAction::Allow, arch)?;
        Ok(filter.try_into()?)
    }

    /// `libc::ENOSYS`, `FIONBIO` and `PROT_EXEC` as the filter wants them.
    const NOT_THERE: u32 = libc::ENOSYS.unsigned_abs();
    const FIONBIO: u64 = 0x5421;
    const EXECUTED: u64 = 4;

    fn one(arg: u8, op: Op, value: u64) -> Result<SeccompRule, seccompiler::BackendError> {
        SeccompRule::new(vec![SeccompCondition::new(arg, Wide::Dword, op, value)?])
    }
}
