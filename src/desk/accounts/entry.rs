//! Logging in.
//!
//! Promises: name, password and code are looked at together, and whichever was wrong, the answer is the same and so is
//! the work, for a name that exists and for one that does not; a code counts once; what is counted is counted in the
//! transaction that decides. Three steps: [`Claim::of`] reads, [`Claim::weigh`] derives without the office, [`settle`]
//! writes.

use std::sync::Arc;

use jiff::SignedDuration;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::json;
use subtle::{Choice, ConstantTimeEq as _};

use super::account::{self, Change, Factor, lock_place, salt_of, tell};
use super::code::{self, Code};
use super::derive::{Cost, LoginDigest, Salt};
use super::throttle::{self, Failures, Verdict};
use super::wrapped::Keyring;
use super::{Account, Enrolled, Error, Rule, State, office_keys};
use crate::desk::keyring::EvidenceKeys;
use crate::desk::rights::Role;
use crate::desk::session::{AccountId, Ended};
use crate::frame::BoxTime;
use crate::vault::{Entry, Kind, Store, Tx};

/// Names that nobody has, counted at most: whoever tries more loses count of the oldest.
const MOST_COUNTED: u32 = 1000;
/// Lines in the journal for names that nobody has, in a minute at most.
const MOST_TOLD: u32 = 10;

/// Why nobody enters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Name, password or code: it is not told which.
    Wrong,
    /// Not before then.
    Wait(BoxTime),
    /// Locked, until then at the latest.
    Locked(BoxTime),
}

impl Refusal {
    pub(super) fn of(verdict: Verdict) -> Result<(), Self> {
        match verdict {
            Verdict::Try => Ok(()),
            Verdict::Wait(until) => Err(Self::Wait(until)),
            Verdict::Locked(until) => Err(Self::Locked(until)),
        }
    }
}

/// What the desk knows of a name that somebody gives.
pub struct Claim {
    login: LoginDigest,
    failures: Option<Failures>,
    found: Option<Found>,
}

struct Found {
    id: AccountId,
    role: Role,
    salt: Salt,
    keyring: Vec<u8>,
    factor: Vec<u8>,
    step: Option<u64>,
    recovery: Vec<[u8; 32]>,
}

/// Somebody who proved to be the account's owner.
pub struct Proven {
    /// The account.
    pub account: AccountId,
    /// Its role.
    pub role: Role,
    /// Its keys.
    pub keyring: Keyring,
    /// By what, beside the password.
    pub by: Second,
}

/// The second factor that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Second {
    /// A code of the telephone, of that step.
    Step(u64),
    /// A recovery code, by its digest.
    Recovery([u8; 32]),
}

/// What was worked out of an attempt.
pub struct Weighed {
    login: LoginDigest,
    account: Option<AccountId>,
    proven: Option<Proven>,
}

impl Claim {
    /// What is known of that name.
    pub fn of(sql: &Connection, login: LoginDigest) -> Result<Self, Error> {
        let found = "SELECT a.id, a.role, l.salt, l.memory, l.passes, l.lanes, l.keyring, l.factor, l.step
                       FROM account a JOIN account_lock l ON l.account = a.id WHERE a.login = ? AND a.state = 'active'";
        let row = sql.query_row(found, [&login.0], |row| {
            let role: String = row.get(1)?;
            Ok((
                role,
                Found {
                    id: row.get(0)?,
                    role: Role::Agent,
                    salt: salt_of(row, 2)?,
                    keyring: row.get(6)?,
                    factor: row.get(7)?,
                    step: row.get(8)?,
                    recovery: Vec::new(),
                },
            ))
        });
        let found = match row.optional()? {
            None => None,
            Some((role, found)) => Some(Found {
                role: account::role_of(&role)?,
                recovery: recovery(sql, &found.id)?,
                ..found
            }),
        };
        Ok(Self {
            failures: failures(sql, login)?,
            login,
            found,
        })
    }

    /// Whether it is looked at at all.
    pub fn verdict(&self, now: BoxTime) -> Result<(), Refusal> {
        Refusal::of(throttle::judge(self.failures, now))
    }

    /// Who it is, if password and code are the account's; nothing is counted or used up. Slow.
    pub fn proven(&self, password: &str, code: &str, now: BoxTime) -> Result<Option<Proven>, Error> {
        match &self.found {
            Some(found) => found.prove(password, code, now),
            None => {
                let mut bytes = [0; 16];
                bytes.copy_from_slice(&self.login.0[..16]);
                let cost = Cost::PASSWORD;
                Salt { bytes, cost }.unlock(password)?;
                Ok(None)
            }
        }
    }

    /// Works out whether password and code are the account's. Slow, and as slow for a name that nobody has.
    pub fn weigh(self, password: &str, code: &str, now: BoxTime) -> Result<Weighed, Error> {
        let proven = self.proven(password, code, now)?;
        Ok(Weighed {
            login: self.login,
            account: self.found.map(|found| found.id),
            proven,
        })
    }
}

impl Found {
    fn prove(&self, password: &str, code: &str, now: BoxTime) -> Result<Option<Proven>, Error> {
        let unlocked = self.salt.unlock(password)?;
        let place = lock_place("keyring", &self.id);
        // A wrong password and a changed row look the same, and are answered the same.
        let Ok(keyring) = Keyring::unwrap(&self.keyring, &unlocked, place) else {
            return Ok(None);
        };
        let Ok(factor) = Factor::unwrap(&self.factor, &unlocked, &self.id) else {
            return Ok(None);
        };
        let step = factor.secret.check(code, now, self.step).map(Second::Step);
        let by = step.or_else(|| self.recovered(&factor, code));
        Ok(by.map(|by| Proven {
            account: self.id.clone(),
            role: self.role,
            keyring,
            by,
        }))
    }

    /// All of them are compared, whichever fits.
    fn recovered(&self, factor: &Factor, typed: &str) -> Option<Second> {
        let digest = factor.digest(&Code::read(typed, code::RECOVERY)?);
        let fits = self
            .recovery
            .iter()
            .fold(Choice::from(0), |fits, one| fits | one.ct_eq(&digest));
        bool::from(fits).then_some(Second::Recovery(digest))
    }
}

fn recovery(sql: &Connection, id: &str) -> Result<Vec<[u8; 32]>, Error> {
    let mut all = sql.prepare_cached("SELECT digest FROM account_recovery WHERE account = ?")?;
    let digests = all.query_map([id], |row| row.get(0))?;
    Ok(digests.collect::<Result<_, _>>()?)
}

pub(super) fn failures(sql: &Connection, login: LoginDigest) -> Result<Option<Failures>, Error> {
    let counted = "SELECT count, last FROM entry_failure WHERE login = ?";
    let row = sql.query_row(counted, [&login.0], |row| {
        let last = account::time_of(row, 1)?;
        Ok((row.get(0)?, last))
    });
    let failures = row
        .optional()?
        .and_then(|(count, last)| Some(Failures { count, last: last? }));
    Ok(failures)
}

/// The keyring of an account, opened anew with its password. Slow.
pub(super) fn reopen(sql: &Connection, id: &str, password: &str) -> Result<Keyring, Error> {
    let lock = "SELECT salt, memory, passes, lanes, keyring FROM account_lock WHERE account = ?";
    let (salt, keyring): (Salt, Vec<u8>) =
        sql.query_row(lock, [id], |row| Ok((salt_of(row, 0)?, row.get(4)?)))?;
    Keyring::unwrap(&keyring, &salt.unlock(password)?, lock_place("keyring", id))
}

/// Decides an attempt, and writes down what is to be counted.
pub fn settle(store: &mut Store, weighed: Weighed, now: BoxTime) -> Result<Result<Proven, Refusal>, Error> {
    let Weighed {
        login,
        account,
        proven,
    } = weighed;
    store.transaction(|tx| {
        // Asked again: others may have been wrong while this was worked out.
        if let Err(refusal) = Refusal::of(throttle::judge(failures(tx.raw(), login)?, now)) {
            return Ok(Err(refusal));
        }
        let first_time = |proven: &Proven| uses_up(tx, &proven.account, proven.by);
        match proven {
            Some(proven) if first_time(&proven)? => {
                forgive(tx, login)?;
                Ok(Ok(proven))
            }
            _ => {
                let after = count(tx, login, account.as_deref(), "credentials", now)?;
                let verdict = Refusal::of(throttle::judge(Some(after), now));
                Ok(Err(verdict.err().unwrap_or(Refusal::Wrong)))
            }
        }
    })
}

/// Whether the second factor was not used before; it is from now on.
fn uses_up(tx: &Tx<'_>, id: &str, by: Second) -> Result<bool, Error> {
    let used = match by {
        Second::Step(step) => tx.raw().execute(
            "UPDATE account_lock SET step = ?1 WHERE account = ?2 AND (step IS NULL OR step < ?1)",
            params![step, id],
        ),
        Second::Recovery(digest) => tx.raw().execute(
            "DELETE FROM account_recovery WHERE account = ? AND digest = ?",
            params![id, digest],
        ),
    };
    Ok(used? == 1)
}

pub(super) fn forgive(tx: &Tx<'_>, login: LoginDigest) -> Result<(), Error> {
    tx.raw()
        .execute("DELETE FROM entry_failure WHERE login = ?", [&login.0])?;
    Ok(())
}

/// Counts one more failure of that name, and tells the journal: always of an account, of names that nobody has not
/// more often than it bears.
pub(super) fn count(
    tx: &mut Tx<'_>,
    login: LoginDigest,
    account: Option<&str>,
    why: &'static str,
    now: BoxTime,
) -> Result<Failures, Error> {
    let after = throttle::after_another(failures(tx.raw(), login)?, now);
    tx.raw().execute(
        "INSERT INTO entry_failure (login, count, last) VALUES (?1, ?2, ?3)
         ON CONFLICT (login) DO UPDATE SET count = ?2, last = ?3",
        params![login.0, after.count, after.last.to_string()],
    )?;
    let unknown = "SELECT login FROM entry_failure WHERE login NOT IN (SELECT login FROM account WHERE login IS NOT NULL)
                   ORDER BY last DESC, login";
    tx.raw().execute(
        &format!("DELETE FROM entry_failure WHERE login IN ({unknown} LIMIT -1 OFFSET {MOST_COUNTED})"),
        [],
    )?;
    let minute = BoxTime(
        now.0
            .saturating_sub(SignedDuration::from_mins(1))
            .unwrap_or(now.0),
    );
    let lately = "SELECT count(*) FROM entry_failure WHERE last > ?";
    let lately: u32 = tx
        .raw()
        .query_row(lately, [minute.to_string()], |row| row.get(0))?;
    if account.is_some() || lately <= MOST_TOLD {
        let entry = Entry {
            kind: Kind::SessionRefused,
            body: json!({"account": account, "failures": after.count, "why": why}),
        };
        tx.journal(now, &entry)?;
    }
    if let Some(account) = account
        && after.count == throttle::LOCKING
    {
        tell(tx, now, account, None, Change::Locked)?;
    }
    Ok(after)
}

/// Lets the owner in by a new password and a new second factor from now on.
pub fn renew(store: &mut Store, proven: Proven, enrolled: &Enrolled, now: BoxTime) -> Result<Proven, Error> {
    store.transaction(|tx| {
        let still = "SELECT 1 FROM account WHERE id = ? AND state = 'active'";
        if !tx.raw().prepare_cached(still)?.exists([&proven.account])? {
            return Err(Error::Refused(Rule::NoAccount));
        }
        enrolled.write(tx, &proven.account, &proven.keyring)?;
        tell(tx, now, &proven.account, None, Change::Password)
    })?;
    Ok(Proven {
        by: enrolled.second(),
        ..proven
    })
}

/// Somebody who entered: what a session is made of.
pub struct Entered {
    /// The account, opened with its own key.
    pub account: Account,
    /// Its keys.
    pub keyring: Keyring,
    /// The keys to evidence, with the service's, of agents and chefs.
    pub evidence: Option<Arc<EvidenceKeys>>,
}

/// Opens what the keys open, and writes down that a session begins.
pub fn enter(store: &mut Store, proven: Proven, now: BoxTime) -> Result<Entered, Error> {
    let Proven {
        account: id,
        keyring,
        by,
        ..
    } = proven;
    let account = account::account(store.sql(), &keyring.register, &id)?;
    // It may have been closed while its owner read the notice.
    if account.state != State::Active {
        return Err(Error::Refused(Rule::NoAccount));
    }
    let evidence = office_keys::evidence(store.sql(), &keyring)?;
    let second = match by {
        Second::Step(_) => "totp",
        Second::Recovery(_) => "recovery",
    };
    store.transaction(|tx| {
        let entered = "UPDATE account SET entered = ? WHERE id = ?";
        tx.raw().execute(entered, params![now.to_string(), id])?;
        let entry = Entry {
            kind: Kind::SessionOpened,
            body: json!({"account": id, "second": second}),
        };
        Ok::<_, Error>(tx.journal(now, &entry)?)
    })?;
    Ok(Entered {
        account,
        keyring,
        evidence: evidence.map(Arc::new),
    })
}

/// Writes down that a session ended.
pub fn ended(store: &mut Store, ended: &Ended, now: BoxTime) -> Result<(), Error> {
    store.transaction(|tx| {
        let entry = Entry {
            kind: Kind::SessionEnded,
            body: json!({"account": ended.account, "why": ended.why.code()}),
        };
        Ok(tx.journal(now, &entry)?)
    })
}

/// Whether the confidentiality notice is to be accepted (law.md I51T).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// It was, less than eleven months ago.
    Good,
    /// It will have to be within a month: a reminder.
    Soon,
    /// It has to be, before anything else.
    Due,
}

/// Whether it is due at `now`, having been accepted then.
pub fn notice(accepted: Option<BoxTime>, now: BoxTime) -> Notice {
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    match accepted.map(|then| now.0.duration_since(then.0)) {
        Some(age) if age < days(335) => Notice::Good,
        Some(age) if age < days(365) => Notice::Soon,
        _ => Notice::Due,
    }
}

#[cfg(test)]
mod tests {
    use super::super::derive::DONE;
    use super::super::trial::{PASSWORD, Trial, at, trial};
    use super::*;

    const CHEAP: Cost = Cost {
        memory: 64,
        passes: 1,
        lanes: 1,
    };

    fn claim(trial: &Trial, login: LoginDigest) -> Claim {
        Claim::of(trial.store.sql(), login).expect("read")
    }

    fn weighed(trial: &Trial, password: &str, code: &str) -> Weighed {
        claim(trial, trial.login)
            .weigh(password, code, at(60))
            .expect("worked out")
    }

    #[test]
    fn the_work_is_the_same_for_a_name_that_nobody_has() {
        let trial = trial(Role::Admin, Cost::PASSWORD);
        let salt = account::login_salt(trial.store.sql()).expect("a salt");
        let nobody = salt.digest_of_login("personne").expect("derived");
        let work = |login, password| {
            DONE.take();
            let weighed = claim(&trial, login)
                .weigh(password, "000000", at(60))
                .expect("worked out");
            assert!(weighed.proven.is_none());
            DONE.take()
        };
        let expected = vec![Cost::PASSWORD];
        assert_eq!(work(trial.login, "another password"), expected);
        assert_eq!(work(trial.login, PASSWORD), expected);
        assert_eq!(work(nobody, "another password"), expected);
    }

    #[test]
    fn a_code_that_two_browsers_send_at_once_lets_one_of_them_in() {
        let mut trial = trial(Role::Dpd, CHEAP);
        let recovery = trial.enrolled.codes()[0].to_string();
        for code in [trial.secret.code_at(at(60)), recovery] {
            let both = [weighed(&trial, PASSWORD, &code), weighed(&trial, PASSWORD, &code)];
            assert!(both.iter().all(|weighed| weighed.proven.is_some()));
            let settled = both.map(|weighed| {
                settle(&mut trial.store, weighed, at(60))
                    .expect("settled")
                    .is_ok()
            });
            assert_eq!(settled, [true, false]);
        }
    }

    #[test]
    fn attempts_worked_out_side_by_side_are_counted_one_after_the_other() {
        let mut trial = trial(Role::Dpd, CHEAP);
        let code = trial.secret.code_at(at(60));
        let wrong: Vec<_> = (0..5)
            .map(|_| weighed(&trial, "another password", &code))
            .collect();
        let right = weighed(&trial, PASSWORD, &code);
        for weighed in wrong {
            assert!(
                settle(&mut trial.store, weighed, at(60))
                    .expect("settled")
                    .is_err()
            );
        }
        let settled = settle(&mut trial.store, right, at(60)).expect("settled");
        assert!(matches!(settled, Err(Refusal::Wait(_))));
    }

    #[test]
    fn names_that_nobody_has_fill_neither_table_nor_journal() {
        let mut trial = trial(Role::Dpd, CHEAP);
        let made = |number: u32| {
            let mut digest = [7; 32];
            digest[..4].copy_from_slice(&number.to_be_bytes());
            LoginDigest(digest)
        };
        for number in 0..MOST_COUNTED + 20 {
            let told = trial
                .store
                .transaction(|tx| count(tx, made(number), None, "credentials", at(i64::from(number) / 100)));
            told.expect("counted");
        }
        let rows = |sql: &str| {
            trial
                .store
                .sql()
                .query_row(sql, [], |row| row.get::<_, u32>(0))
                .expect("counted")
        };
        assert_eq!(rows("SELECT count(*) FROM entry_failure"), MOST_COUNTED);
        assert!(rows("SELECT count(*) FROM journal WHERE kind = 'session_refused'") <= MOST_TOLD);
    }

    #[test]
    fn a_closed_account_does_not_enter_though_it_waited_to() {
        let mut trial = trial(Role::Agent, CHEAP);
        let code = trial.secret.code_at(at(60));
        let right = weighed(&trial, PASSWORD, &code);
        let proven = settle(&mut trial.store, right, at(60))
            .expect("settled")
            .expect("proven");
        let by = super::super::By {
            account: "another",
            role: Role::Chef,
        };
        let register = trial.keyring.register.clone();
        let version = account::account(trial.store.sql(), &register, &trial.id)
            .expect("there")
            .version;
        super::super::close(&mut trial.store, &register, by, (&trial.id, version), at(60)).expect("closed");
        assert!(matches!(
            enter(&mut trial.store, proven, at(61)),
            Err(Error::Refused(Rule::NoAccount))
        ));
        let locks = "SELECT (SELECT count(*) FROM account_lock) + (SELECT count(*) FROM account_recovery)";
        assert_eq!(
            trial.store.sql().query_row(locks, [], |row| row.get::<_, u32>(0)),
            Ok(0)
        );
    }

    #[test]
    fn the_last_chef_is_not_closed_by_one_who_was_closed_meanwhile() {
        let mut trial = trial(Role::Chef, CHEAP);
        let by = super::super::By {
            account: "another",
            role: Role::Chef,
        };
        let register = trial.keyring.register.clone();
        let version = account::account(trial.store.sql(), &register, &trial.id)
            .expect("there")
            .version;
        let closed = super::super::close(&mut trial.store, &register, by, (&trial.id, version), at(60));
        assert!(matches!(closed, Err(Error::Refused(Rule::LastOne))));
    }

    #[test]
    fn the_notice_is_accepted_once_a_year_with_a_reminder_before() {
        let day = |day: i64| {
            BoxTime(jiff::Timestamp::from_second(1_800_000_000 + day * 86_400).expect("an instant"))
        };
        let accepted = Some(day(0));
        for (at, expected) in [
            (0, Notice::Good),
            (334, Notice::Good),
            (335, Notice::Soon),
            (364, Notice::Soon),
        ] {
            assert_eq!(notice(accepted, day(at)), expected, "{at}");
        }
        assert_eq!(notice(accepted, day(365)), Notice::Due);
        assert_eq!(notice(None, day(0)), Notice::Due);
    }
}
