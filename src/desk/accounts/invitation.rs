//! How somebody gets in for the first time, or again after losing password or telephone.
//!
//! Promises: a one-time code that this program draws, good for three days, opens the keyring once, and only to choose
//! a password and a second factor of one's own. It takes two people, the first time as after a loss: one proposes, with
//! the keys of his session, another confirms; each is shown half of the code, so that neither can enter in the owner's
//! place, nor under a name that he made up, and nothing of the code is kept once it was shown. Wrong codes are counted as
//! wrong passwords are.

use jiff::SignedDuration;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::account::{self, By, Change, New, account, bump, salt_of, tell, time_of};
use super::code::{self, Code};
use super::derive::{Cost, LoginDigest, Salt, Unlocked};
use super::entry::{Proven, Refusal, count, failures, forgive};
use super::throttle::{self, Failures};
use super::wrapped::Keyring;
use super::{Enrolled, Error, Rule, State, cells};
use crate::desk::cell::Place;
use crate::desk::keyring::RegisterKey;
use crate::desk::rights::Role;
use crate::desk::session::AccountId;
use crate::frame::BoxTime;
use crate::vault::{Store, Tx};

/// How long a code is good for.
const GOOD_FOR: SignedDuration = SignedDuration::from_hours(72);

const fn place<'a>(column: &'static str, row: &'a str) -> Place<'a> {
    Place {
        table: "account_invitation",
        column,
        row,
    }
}

/// A code that was drawn, and what it unlocks.
pub struct Drawn {
    first: Code,
    second: Code,
    salt: Salt,
    unlocked: Unlocked,
}

impl Drawn {
    /// Draws one. Slow.
    pub fn draw() -> Result<Self, Error> {
        let (first, second) = (Code::draw(code::HALF)?, Code::draw(code::HALF)?);
        let salt = Salt::draw(Cost::LEAST)?;
        let unlocked = salt.unlock(Code::join(&first, &second).as_str())?;
        Ok(Self {
            first,
            second,
            salt,
            unlocked,
        })
    }

    fn write(
        &self,
        tx: &Tx<'_>,
        (id, kind): (&str, &str),
        keyring: &Keyring,
        by: By<'_>,
        now: BoxTime,
    ) -> Result<(), Error> {
        let Salt { bytes, cost } = self.salt;
        let until = now.0.saturating_add(GOOD_FOR).unwrap_or(now.0);
        tx.raw().execute(
            "INSERT OR REPLACE INTO account_invitation
                 (account, kind, proposed, until, salt, memory, passes, lanes, keyring, half)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                id,
                kind,
                by.account,
                until.to_string(),
                bytes,
                cost.memory,
                cost.passes,
                cost.lanes,
                keyring.wrap(&self.unlocked, place("keyring", id))?,
                cells::seal(&keyring.register.0, place("half", id), &self.second.as_str())?
            ],
        )?;
        Ok(())
    }
}

/// Makes an account and invites its owner; the id, and the first half of the code.
pub fn invite(
    store: &mut Store,
    held: &Keyring,
    by: By<'_>,
    new: &New<'_>,
    drawn: &Drawn,
    now: BoxTime,
) -> Result<(AccountId, Code), Error> {
    if !by.makes(new.role) {
        return Err(Error::Refused(Rule::NotYours));
    }
    let given = held.for_role(new.role).ok_or(Error::Refused(Rule::NotYours))?;
    let id = store.transaction(|tx| {
        let id = account::insert(tx, &held.register, new, now)?;
        drawn.write(tx, (&id, "first"), &given, by, now)?;
        tell(tx, now, &id, Some(by.account), Change::Made)?;
        Ok::<_, Error>(id)
    })?;
    Ok((id, drawn.first.clone()))
}

/// Invites the owner of an account anew who has not come in time; the first half of the code.
pub fn invite_again(
    store: &mut Store,
    held: &Keyring,
    by: By<'_>,
    (id, version): (&str, i64),
    drawn: &Drawn,
    now: BoxTime,
) -> Result<Code, Error> {
    let before = account(store.sql(), &held.register, id)?;
    if !by.makes(before.role) || before.state != State::Invited {
        return Err(Error::Refused(Rule::NotYours));
    }
    let given = held.for_role(before.role).ok_or(Error::Refused(Rule::NotYours))?;
    store.transaction(|tx| {
        bump(tx, id, version)?;
        drawn.write(tx, (id, "first"), &given, by, now)?;
        tell(tx, now, id, Some(by.account), Change::Made)
    })?;
    Ok(drawn.first.clone())
}

/// Proposes that the owner of an account choose anew; the first half of the code.
pub fn propose(
    store: &mut Store,
    held: &Keyring,
    by: By<'_>,
    (id, version): (&str, i64),
    drawn: &Drawn,
    now: BoxTime,
) -> Result<Code, Error> {
    let before = account(store.sql(), &held.register, id)?;
    if by.account == id {
        return Err(Error::Refused(Rule::Own));
    }
    // A chef holds the keys of every role, the admin only those of the roles without evidence.
    let may = matches!(by.role, Role::Chef | Role::Admin) && before.state == State::Active;
    let given = held.for_role(before.role).filter(|_| may);
    let given = given.ok_or(Error::Refused(Rule::NotYours))?;
    store.transaction(|tx| {
        bump(tx, id, version)?;
        drawn.write(tx, (id, "reset"), &given, by, now)?;
        tell(tx, now, id, Some(by.account), Change::ResetProposed)
    })?;
    Ok(drawn.first.clone())
}

/// Confirms what another proposed; the second half of the code, which is kept no longer.
pub fn confirm(
    store: &mut Store,
    register: &RegisterKey,
    by: By<'_>,
    (id, version): (&str, i64),
    now: BoxTime,
) -> Result<Code, Error> {
    let proposed = account(store.sql(), register, id)?.invitation;
    let open = proposed.filter(|open| open.confirmed.is_none() && now < open.until);
    let open = open.ok_or(Error::Refused(Rule::NothingProposed))?;
    let told = if open.reset {
        Change::ResetConfirmed
    } else {
        Change::Confirmed
    };
    if !matches!(by.role, Role::Chef | Role::Admin) {
        return Err(Error::Refused(Rule::NotYours));
    }
    if open.proposed == by.account || by.account == id {
        return Err(Error::Refused(Rule::SamePerson));
    }
    store.transaction(|tx| {
        bump(tx, id, version)?;
        let half = "SELECT half FROM account_invitation WHERE account = ? AND half IS NOT NULL";
        let half: Option<Vec<u8>> = tx.raw().query_row(half, [id], |row| row.get(0)).optional()?;
        let half = half.ok_or(Error::Refused(Rule::NothingProposed))?;
        let half: String = cells::open(&register.0, place("half", id), &half)?;
        let half = Code::read(&half, code::HALF).ok_or(Error::Damaged("half"))?;
        let confirm = "UPDATE account_invitation SET confirmed = ?, half = NULL WHERE account = ?";
        tx.raw().execute(confirm, params![by.account, id])?;
        // Who has forgotten his password has tried it; he is to get to his code.
        let failures = "DELETE FROM entry_failure WHERE login = (SELECT login FROM account WHERE id = ?)";
        tx.raw().execute(failures, [id])?;
        tell(tx, now, id, Some(by.account), told)?;
        Ok(half)
    })
}

/// Takes a proposed reset back, confirmed or not; an account that nobody has entered yet is closed instead.
pub fn withdraw(
    store: &mut Store,
    by: By<'_>,
    (id, version): (&str, i64),
    now: BoxTime,
) -> Result<(), Error> {
    if !matches!(by.role, Role::Chef | Role::Admin) {
        return Err(Error::Refused(Rule::NotYours));
    }
    store.transaction(|tx| {
        bump(tx, id, version)?;
        let delete = "DELETE FROM account_invitation WHERE account = ? AND kind = 'reset'";
        match tx.raw().execute(delete, [id])? {
            1 => tell(tx, now, id, Some(by.account), Change::ResetWithdrawn),
            _ => Err(Error::Refused(Rule::NothingProposed)),
        }
    })
}

/// What the desk knows of a name that somebody gives with a code.
pub struct Ticket {
    login: LoginDigest,
    failures: Option<Failures>,
    found: Option<Found>,
}

struct Found {
    id: AccountId,
    role: Role,
    salt: Salt,
    keyring: Vec<u8>,
    until: BoxTime,
    open: bool,
}

/// What was worked out of a code.
pub struct Weighed {
    login: LoginDigest,
    account: Option<AccountId>,
    admitted: Option<Admitted>,
    until: Option<BoxTime>,
}

/// Somebody who may choose a password and a second factor now. Wiped when dropped.
pub struct Admitted {
    /// The account.
    pub account: AccountId,
    /// Its role.
    pub role: Role,
    /// Its keys.
    pub keyring: Keyring,
    salt: [u8; 16],
    login: LoginDigest,
}

impl Ticket {
    /// What is known of that name.
    pub fn of(sql: &Connection, login: LoginDigest) -> Result<Self, Error> {
        let found = "SELECT a.id, a.role, i.salt, i.memory, i.passes, i.lanes, i.keyring, i.until,
                            i.confirmed IS NOT NULL
                       FROM account a JOIN account_invitation i ON i.account = a.id
                      WHERE a.login = ? AND a.state != 'closed'";
        let row = sql.query_row(found, [&login.0], |row| {
            let role: String = row.get(1)?;
            let until = time_of(row, 7)?;
            Ok((
                (role, until),
                row.get(0)?,
                salt_of(row, 2)?,
                row.get(6)?,
                row.get(8)?,
            ))
        });
        let found = match row.optional()? {
            None => None,
            Some(((role, until), id, salt, keyring, open)) => Some(Found {
                id,
                role: account::role_of(&role)?,
                salt,
                keyring,
                until: until.ok_or(Error::Damaged("until"))?,
                open,
            }),
        };
        Ok(Self {
            login,
            failures: failures(sql, login)?,
            found,
        })
    }

    /// Whether it is looked at at all.
    pub fn verdict(&self, now: BoxTime) -> Result<(), Refusal> {
        Refusal::of(throttle::judge(self.failures, now))
    }

    /// Works out whether the code is the one. Slow, and as slow for a name that nobody has.
    pub fn weigh(self, typed: &str) -> Result<Weighed, Error> {
        let Self { login, found, .. } = self;
        let code = Code::read(typed, code::ONE_TIME);
        let known = code.as_ref().map_or("", Code::as_str);
        let Some(found) = found else {
            let mut bytes = [0; 16];
            bytes.copy_from_slice(&login.0[..16]);
            let cost = Cost::LEAST;
            Salt { bytes, cost }.unlock(known)?;
            return Ok(Weighed {
                login,
                account: None,
                admitted: None,
                until: None,
            });
        };
        let unlocked = found.salt.unlock(known)?;
        let keyring = Keyring::unwrap(&found.keyring, &unlocked, place("keyring", &found.id));
        let admitted = keyring.ok().filter(|_| found.open).map(|keyring| Admitted {
            account: found.id.clone(),
            role: found.role,
            keyring,
            salt: found.salt.bytes,
            login,
        });
        Ok(Weighed {
            login,
            account: Some(found.id),
            admitted,
            until: Some(found.until),
        })
    }
}

/// Decides an attempt with a code, and writes down what is to be counted.
pub fn settle(store: &mut Store, weighed: Weighed, now: BoxTime) -> Result<Result<Admitted, Refusal>, Error> {
    let Weighed {
        login,
        account,
        admitted,
        until,
    } = weighed;
    store.transaction(|tx| {
        if let Err(refusal) = Refusal::of(throttle::judge(failures(tx.raw(), login)?, now)) {
            return Ok(Err(refusal));
        }
        match admitted.filter(|_| until.is_some_and(|until| now < until)) {
            Some(admitted) => Ok(Ok(admitted)),
            None => {
                let after = count(tx, login, account.as_deref(), "code", now)?;
                let verdict = Refusal::of(throttle::judge(Some(after), now));
                Ok(Err(verdict.err().unwrap_or(Refusal::Wrong)))
            }
        }
    })
}

/// Lets the owner in from now on by what he chose; the code is used up.
pub fn complete(
    store: &mut Store,
    admitted: Admitted,
    enrolled: &Enrolled,
    now: BoxTime,
) -> Result<Proven, Error> {
    let Admitted {
        account,
        role,
        keyring,
        salt,
        login,
    } = admitted;
    store.transaction(|tx| {
        // The salt tells the invitation: one that was withdrawn or drawn anew meanwhile is another.
        let used = "DELETE FROM account_invitation WHERE account = ? AND salt = ? AND until > ?";
        if tx.raw().execute(used, params![account, salt, now.to_string()])? != 1 {
            return Err(Error::Refused(Rule::NothingProposed));
        }
        enrolled.write(tx, &account, &keyring)?;
        forgive(tx, login)?;
        tell(tx, now, &account, None, Change::Enrolled)
    })?;
    Ok(Proven {
        account,
        role,
        keyring,
        by: enrolled.second(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::trial::{Trial, at, trial};
    use super::*;

    const CHEAP: Cost = Cost {
        memory: 64,
        passes: 1,
        lanes: 1,
    };

    fn opens(trial: &mut Trial, code: &Code, now: BoxTime) -> bool {
        let ticket = Ticket::of(trial.store.sql(), trial.login).expect("read");
        let weighed = ticket.weigh(code.as_str()).expect("worked out");
        settle(&mut trial.store, weighed, now).expect("settled").is_ok()
    }

    fn proposed(trial: &mut Trial) -> (Drawn, i64) {
        let drawn = Drawn::draw().expect("drawn");
        let by = By {
            account: "one",
            role: Role::Chef,
        };
        let keyring = trial.keyring.clone();
        let version = |trial: &Trial| {
            account(trial.store.sql(), &keyring.register, &trial.id)
                .expect("there")
                .version
        };
        let at_version = version(trial);
        let id = trial.id.clone();
        let first =
            propose(&mut trial.store, &keyring, by, (&id, at_version), &drawn, at(0)).expect("proposed");
        assert!(first.is(&drawn.first));
        let now_version = version(trial);
        (drawn, now_version)
    }

    #[test]
    fn a_reset_opens_nothing_before_a_second_person_and_nothing_after_three_days() {
        let mut trial = trial(Role::Agent, CHEAP);
        let (drawn, version) = proposed(&mut trial);
        let whole = Code::join(&drawn.first, &drawn.second);
        assert!(!opens(&mut trial, &whole, at(1)), "before it is confirmed");
        let (id, register) = (trial.id.clone(), trial.keyring.register.clone());
        let other = By {
            account: "other",
            role: Role::Admin,
        };
        let second = confirm(&mut trial.store, &register, other, (&id, version), at(2)).expect("confirmed");
        assert!(second.is(&drawn.second));
        let swapped = Code::join(&drawn.second, &drawn.first);
        assert!(!opens(&mut trial, &swapped, at(3)));
        assert!(opens(&mut trial, &whole, at(4)));
        assert!(opens(&mut trial, &whole, at(72 * 3600 - 1)));
        assert!(!opens(&mut trial, &whole, at(72 * 3600)));
    }

    #[test]
    fn whoever_makes_an_account_does_not_enter_it_alone_nor_once_he_invites_anew() {
        let mut trial = trial(Role::Chef, CHEAP);
        let salt = account::login_salt(trial.store.sql()).expect("a salt");
        trial.login = salt.digest_of_login("jean").expect("derived");
        let (drawn, anew) = (Drawn::draw().expect("drawn"), Drawn::draw().expect("drawn"));
        let whole = |drawn: &Drawn| Code::join(&drawn.first, &drawn.second);
        let [maker, other] = ["one", "other"].map(|account| By {
            account,
            role: Role::Chef,
        });
        let person = account::Person {
            name: "Jean Martin".to_owned(),
            login: "jean".to_owned(),
        };
        let new = New {
            role: Role::Chef,
            person: &person,
            login: trial.login,
            sheet: None,
        };
        let keyring = trial.keyring.clone();
        let register = keyring.register.clone();
        let (id, half) = invite(&mut trial.store, &keyring, maker, &new, &drawn, at(0)).expect("invited");
        assert!(half.is(&drawn.first));
        assert!(
            !opens(&mut trial, &whole(&drawn), at(1)),
            "before it is confirmed"
        );
        let refused = confirm(&mut trial.store, &register, maker, (&id, 1), at(2));
        assert!(matches!(refused, Err(Error::Refused(Rule::SamePerson))));
        let second = confirm(&mut trial.store, &register, other, (&id, 1), at(2)).expect("confirmed");
        assert!(second.is(&drawn.second));
        assert!(opens(&mut trial, &whole(&drawn), at(3)));

        let half = invite_again(&mut trial.store, &keyring, maker, (&id, 2), &anew, at(4)).expect("invited");
        assert!(half.is(&anew.first));
        for code in [whole(&drawn), whole(&anew)] {
            assert!(
                !opens(&mut trial, &code, at(5)),
                "that confirmation was for another code"
            );
        }
        confirm(&mut trial.store, &register, other, (&id, 3), at(6)).expect("confirmed");
        assert!(opens(&mut trial, &whole(&anew), at(7)));
    }

    #[test]
    fn the_second_half_is_kept_no_longer_than_until_it_is_shown() {
        let mut trial = trial(Role::Agent, CHEAP);
        let (_, version) = proposed(&mut trial);
        let kept = |trial: &Trial| {
            let half = "SELECT half IS NOT NULL FROM account_invitation";
            trial
                .store
                .sql()
                .query_row(half, [], |row| row.get::<_, bool>(0))
                .expect("a row")
        };
        assert!(kept(&trial));
        let (id, register) = (trial.id.clone(), trial.keyring.register.clone());
        let same = By {
            account: "one",
            role: Role::Chef,
        };
        let refused = confirm(&mut trial.store, &register, same, (&id, version), at(1));
        assert!(matches!(refused, Err(Error::Refused(Rule::SamePerson))));
        let own = By {
            account: &id,
            role: Role::Chef,
        };
        let refused = confirm(&mut trial.store, &register, own, (&id, version), at(1));
        assert!(matches!(refused, Err(Error::Refused(Rule::SamePerson))));
        let agent = By {
            account: "other",
            role: Role::Agent,
        };
        let refused = confirm(&mut trial.store, &register, agent, (&id, version), at(1));
        assert!(matches!(refused, Err(Error::Refused(Rule::NotYours))));
        let other = By {
            account: "other",
            role: Role::Chef,
        };
        confirm(&mut trial.store, &register, other, (&id, version), at(1)).expect("confirmed");
        assert!(!kept(&trial));
    }

    #[test]
    fn whoever_holds_no_evidence_key_proposes_nothing_for_who_does() {
        let mut trial = trial(Role::Agent, CHEAP);
        let admin = trial.keyring.for_role(Role::Admin).expect("keys");
        let by = By {
            account: "one",
            role: Role::Admin,
        };
        let drawn = Drawn::draw().expect("drawn");
        let id = trial.id.clone();
        let version = account(trial.store.sql(), &admin.register, &id)
            .expect("there")
            .version;
        let refused = propose(&mut trial.store, &admin, by, (&id, version), &drawn, at(0));
        assert!(matches!(refused, Err(Error::Refused(Rule::NotYours))));
    }
}
