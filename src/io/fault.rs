//! Faults on demand, so that tests can make each system call of the output fail once. `check(operation)?` stands directly in
//! front of the call; outside of tests it is nothing.

use rustix::io::Errno;

/// What a system call of the output is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Making a directory.
    CreateDirectory,
    /// Making a file, unnamed or under a reserved name.
    CreateFile,
    /// Whether a file may be unnamed; what fails here is made under a reserved name.
    UnnamedFile,
    /// Removing a file.
    Remove,
    /// Setting space aside.
    Allocate,
    /// Mapping a file.
    Map,
    /// Making pages of a mapping present.
    Grow,
    /// Writing to a file.
    Write,
    /// Moving payload within a file.
    Slide,
    /// Giving the file its final size.
    Trim,
    /// Putting a file or the names in a directory on the medium.
    Sync,
    /// Giving the file its name.
    Link,
    /// Reading a file back.
    Read,
}

/// An error if a test asked for one here.
#[cfg(not(test))]
#[inline(always)]
pub(crate) fn check(_: Operation) -> Result<(), Errno> {
    Ok(())
}

#[cfg(test)]
pub(crate) use injected::{check, count, fail_at, fail_at_then, fail_nth, fired, reset};

#[cfg(test)]
mod injected {
    use std::cell::Cell;

    use super::{Errno, Operation};

    #[derive(Clone, Copy, Debug, Default)]
    struct State {
        /// The one kind that is to fail; of `None`, any.
        only: Option<Operation>,
        /// What is to fail once more when that has.
        then: Option<Operation>,
        /// Checks of that kind that still succeed before one fails.
        left: Option<u64>,
        /// Checks of any kind.
        count: u64,
        fired: bool,
    }

    thread_local! {
        static STATE: Cell<State> = const { Cell::new(State { only: None, then: None, left: None, count: 0, fired: false }) };
    }

    /// Lets the `nth` check of `operation` from here on fail, once, on this thread; 0 is the next.
    pub(crate) fn fail_at(operation: Operation, nth: u64) {
        STATE.set(State { only: Some(operation), left: Some(nth), ..State::default() });
    }

    /// As [`fail_at`], and then the next check of `then`.
    pub(crate) fn fail_at_then(operation: Operation, nth: u64, then: Operation) {
        STATE.set(State { only: Some(operation), left: Some(nth), then: Some(then), ..State::default() });
    }

    /// Lets the `nth` check of any kind from here on fail, once, on this thread; 0 is the next.
    pub(crate) fn fail_nth(nth: u64) {
        STATE.set(State { left: Some(nth), ..State::default() });
    }

    /// Nothing fails any more; counts from zero again.
    pub(crate) fn reset() {
        STATE.set(State::default());
    }

    /// Checks on this thread since the last [`fail_at`], [`fail_nth`] or [`reset`].
    pub(crate) fn count() -> u64 {
        STATE.get().count
    }

    /// Whether the failure that was asked for came. It need not have reached the caller: some are got around.
    pub(crate) fn fired() -> bool {
        STATE.get().fired
    }

    pub(crate) fn check(operation: Operation) -> Result<(), Errno> {
        let mut state = STATE.get();
        state.count += 1;
        let mut answer = Ok(());
        if state.only.is_none_or(|only| only == operation) {
            answer = match state.left {
                Some(0) => {
                    state.fired = true;
                    Err(match operation {
                        Operation::Allocate | Operation::Grow | Operation::Write => Errno::NOSPC,
                        _ => Errno::IO,
                    })
                }
                _ => Ok(()),
            };
            state.left = state.left.and_then(|left| left.checked_sub(1));
            if answer.is_err() && state.then.is_some() {
                (state.only, state.left) = (state.then.take(), Some(0));
            }
        }
        STATE.set(state);
        answer
    }

    #[test]
    fn the_nth_check_fails_once() {
        let failed = |operations: &[Operation]| -> Vec<bool> {
            operations.iter().map(|operation| check(*operation).is_err()).collect()
        };
        let calls = [Operation::Link, Operation::Trim, Operation::Link, Operation::Link];
        fail_at(Operation::Link, 1);
        assert_eq!(failed(&calls), [false, false, true, false]);
        assert!(fired());
        fail_nth(1);
        assert_eq!((failed(&calls), count()), (vec![false, true, false, false], 4));
        fail_nth(4);
        assert_eq!(failed(&calls), [false; 4]);
        assert!(!fired());
    }
}
