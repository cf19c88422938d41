//! Carries out what is due.
//!
//! Promises:
//! - what is due goes lot by lot, each in one transaction: wrapped keys, rows, list of erasures and journal line; then
//!   files are overwritten and the write-ahead log is cut;
//! - a certificate says that it is gone only after a look found it so, and is on record with the journal line that
//!   names it; what a crash cut off between the two, the next run certifies;
//! - what is due and may not be erased (no agreement of the archives) is locked from its day on, on record;
//! - nothing is erased by an hour that is not believed ([`super::clock`]), and nothing twice.
//!
//! Leaves what evidence consists of to whoever keeps it ([`Destroys`]).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::clock::{Mark, Trust};
use super::plan::{self, Class, Ground, Object, Planned, Standing, Subject, Terms, days_between};
use super::{Error, erasures, marks, records, tasks};
use crate::desk::transmission;
use crate::frame::{BoxTime, Digest};
use crate::transfer::desk::forget_lines;
use crate::vault::certificate::erasure::{Check, Erased, ErasureCertificate, Motive, OFFICE_LIMIT, Site};
use crate::vault::checkpoint;
use crate::vault::item::ItemId;
use crate::vault::store::{ITEMS, LOG, Tx};
use crate::vault::{Entry, Kind, Store};

/// Days after which every backup that is made as it should be holds no key any more to what was erased.
pub const BACKUP_DAYS: i32 = 7;
/// Events that go in one transaction, under one certificate.
const LOT: usize = 200;

/// What keeps the evidence, as retention sees it.
pub trait Destroys {
    /// Everything that has a term, with its dates in `zone`.
    fn objects(&self, db: &Connection, zone: &TimeZone) -> Result<Vec<Object>, Error>;
    /// Destroys one of them in this transaction: rows, wrapped keys, items.
    fn destroy(&self, tx: &mut Tx<'_>, subject: &Subject, now: BoxTime) -> Result<Destroyed, Error>;
    /// Whether anything of it is still there.
    fn is_there(&self, db: &Connection, subject: &Subject) -> Result<bool, Error>;
}

/// What was destroyed of one object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Destroyed {
    /// Events.
    pub events: u64,
    /// Records.
    pub records: u64,
    /// Sealed files.
    pub items: Vec<ItemId>,
    /// Their bytes.
    pub bytes: u64,
    /// The infraction file's number, as it stands on documents.
    pub number: Option<String>,
}

/// What a run must know of the city.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Where its days are counted.
    pub zone: TimeZone,
    /// Its terms.
    pub terms: Terms,
    /// Its cameras, for certificates.
    pub sites: Vec<Site>,
}

/// Things of one kind that go together, under one certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Lot {
    subjects: Vec<Subject>,
    motive: Motive,
    basis: String,
    agreement: Option<String>,
    cameras: Vec<Site>,
    facts: (Date, Date),
    due: Date,
    late_days: u32,
    erased: Option<Erased>,
    items: Vec<String>,
    ended: Option<BoxTime>,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ran {
    /// The day that was believed; none while the clock was never set.
    pub day: Option<Date>,
    /// How the clock stands.
    pub clock: Trust,
    /// Objects that were erased, by class.
    pub erased: BTreeMap<&'static str, u64>,
    /// Numbers of the certificates.
    pub certificates: Vec<String>,
    /// Lots that were erased and of which something was still found: they are looked at again.
    pub unclean: u64,
    /// Objects that are due and locked.
    pub locked: u64,
    /// Objects that are due and held.
    pub held: u64,
    /// The last line of the journal that its term let go.
    pub pruned: Option<u64>,
}

/// The plan as it stands: nothing is written.
pub fn planned(
    store: &Store,
    setting: &Setting,
    with: &dyn Destroys,
    now: BoxTime,
) -> Result<(Mark, Vec<Planned>), Error> {
    let mark = marks::at(store, now)?;
    let Some(today) = mark.today(&setting.zone) else {
        return Ok((mark, Vec::new()));
    };
    Ok((mark, plan_on(store, setting, with, today)?))
}

fn plan_on(
    store: &Store,
    setting: &Setting,
    with: &dyn Destroys,
    today: Date,
) -> Result<Vec<Planned>, Error> {
    let objects = with.objects(store.sql(), &setting.zone)?;
    Ok(plan::plan(
        today,
        objects,
        &records::facts(store.sql())?,
        &setting.terms,
    ))
}

/// Looks at the clock, erases what is due, certifies it, locks what may not go, prunes the journal. `ran`: how long
/// the program ran since the last such run; zero at a start.
pub fn carry_out(
    store: &mut Store,
    setting: &Setting,
    with: &dyn Destroys,
    now: BoxTime,
    ran: Duration,
) -> Result<Ran, Error> {
    let mark = marks::look(store, now, ran)?;
    let mut done = Ran {
        day: mark.today(&setting.zone),
        clock: mark.trust(),
        erased: BTreeMap::new(),
        certificates: Vec::new(),
        unclean: 0,
        locked: 0,
        held: 0,
        pruned: None,
    };
    let Some(today) = done.day else {
        return Ok(done);
    };
    certify(store, with, (today, now), &mut done)?;
    let plan = plan_on(store, setting, with, today)?;
    for lot in lots(today, &plan, setting, &agreements(store)?) {
        for subject in &lot.subjects {
            *done.erased.entry(subject.class.as_str()).or_default() += 1;
        }
        destroy(store, with, lot, now)?;
    }
    certify(store, with, (today, now), &mut done)?;
    let of = |wanted: fn(&Standing) -> bool| {
        plan.iter().filter(|planned| wanted(&planned.standing)).count() as u64
    };
    done.locked = of(|standing| matches!(standing, Standing::Locked));
    done.held = of(|standing| matches!(standing, Standing::Held { .. }));
    lock(store, &plan, now)?;
    make_tasks(store, today, now)?;
    done.pruned = store
        .prune(now, mark.believed, None)?
        .map(|checkpoint| checkpoint.seq);
    forget(store, mark.believed, now)?;
    Ok(done)
}

/// Lets go of what the journal's term bounds as well: the boxes' journals, and the register's lines of transmissions whose
/// file is gone. Certificates stay: they name nobody, and are what is left to show that a thing was destroyed.
fn forget(store: &mut Store, believed: BoxTime, now: BoxTime) -> Result<(), Error> {
    let Some(before) = checkpoint::term_began(believed) else {
        return Ok(());
    };
    store.transaction(|tx| {
        let failed = |error: &dyn std::fmt::Display| Error::Evidence(error.to_string());
        let lines = forget_lines(tx, before).map_err(|error| failed(&error))?;
        let transmissions = transmission::register::forget(tx, before).map_err(|error| failed(&error))?;
        let lines = lines.iter().map(|(device, seq)| format!("lines:{device}-{seq}"));
        let transmissions = transmissions
            .iter()
            .map(|number| format!("transmission:{number}"));
        let subjects: Vec<_> = lines.chain(transmissions).collect();
        if subjects.is_empty() {
            return Ok(());
        }
        let body = json!({"agreement": null, "due": before, "motive": Motive::Term, "subjects": subjects});
        let kind = Kind::Destroyed;
        Ok::<_, Error>(tx.journal(now, &Entry { kind, body })?)
    })
}

fn agreements(store: &Store) -> Result<BTreeMap<i64, String>, Error> {
    let all = records::agreements(store.sql())?;
    Ok(all
        .into_iter()
        .map(|record| (record.agreement.id, record.words()))
        .collect())
}

/// What is due, in lots: an infraction file by itself, events of one day together.
fn lots(today: Date, plan: &[Planned], setting: &Setting, agreements: &BTreeMap<i64, String>) -> Vec<Lot> {
    // Due day, file, ground, agreement: what has all of them in common goes under one certificate.
    type Common = (Date, Option<String>, Ground, Option<i64>);
    let mut together: BTreeMap<Common, Vec<&Planned>> = BTreeMap::new();
    for planned in plan {
        let Standing::Due { since, agreement } = planned.standing else {
            continue;
        };
        let subject = &planned.object.subject;
        let file = (subject.class != Class::Unreviewed).then(|| subject.id.clone());
        let common = (since, file, planned.ground, agreement);
        together.entry(common).or_default().push(planned);
    }
    let mut lots = Vec::new();
    for ((since, _, ground, agreement), objects) in together {
        let agreement = agreement.and_then(|id| agreements.get(&id));
        for objects in objects.chunks(LOT) {
            lots.push(lot(today, objects, (ground, since), agreement, setting));
        }
    }
    lots
}

fn lot(
    today: Date,
    objects: &[&Planned],
    (ground, since): (Ground, Date),
    agreement: Option<&String>,
    setting: &Setting,
) -> Lot {
    let began = || objects.iter().map(|planned| planned.began);
    let cameras: BTreeSet<_> = objects
        .iter()
        .filter_map(|planned| planned.object.camera.as_deref())
        .collect();
    let sites = setting
        .sites
        .iter()
        .filter(|site| cameras.contains(site.camera.as_str()));
    let class = objects
        .first()
        .map_or(Class::Unreviewed, |planned| planned.object.subject.class);
    let term = setting.terms.of(class).french();
    Lot {
        subjects: objects
            .iter()
            .map(|planned| planned.object.subject.clone())
            .collect(),
        motive: match ground {
            Ground::Term => Motive::Term,
            Ground::Relaxe => Motive::Relaxe,
            Ground::Classement => Motive::Classement,
        },
        basis: match (ground, class) {
            (Ground::Relaxe | Ground::Classement, _) => "décision de justice devenue définitive".to_owned(),
            (Ground::Term, Class::Unreviewed) => format!("{term} à compter des faits (CSI, art. L. 252-5)"),
            (Ground::Term, _) => format!("{term} à compter des faits, engagement public de la commune"),
        },
        agreement: agreement.cloned(),
        cameras: sites.cloned().collect(),
        facts: (began().min().unwrap_or(today), began().max().unwrap_or(today)),
        due: since,
        late_days: u32::try_from(days_between(since, today)).unwrap_or(0),
        erased: None,
        items: Vec::new(),
        ended: None,
    }
}

/// Erases a lot, and notes that it is to be certified.
fn destroy(store: &mut Store, with: &dyn Destroys, mut lot: Lot, now: BoxTime) -> Result<(), Error> {
    store.transaction(|tx| {
        let mut erased = Erased {
            file: None,
            events: 0,
            records: 0,
            items: 0,
            bytes: 0,
        };
        for subject in &lot.subjects {
            let gone = with.destroy(tx, subject, now)?;
            erased.events += gone.events;
            erased.records += gone.records;
            erased.items += gone.items.len() as u64;
            erased.bytes += gone.bytes;
            erased.file = erased.file.take().or(gone.number);
            lot.items.extend(gone.items.iter().map(ToString::to_string));
            erasures::list(tx, subject.class.as_str(), &subject.id)?;
            let unlock = "DELETE FROM locked WHERE class = ? AND id = ?";
            tx.raw()
                .execute(unlock, params![subject.class.as_str(), subject.id])?;
            if subject.class == Class::Record {
                records::forget_words(tx, &subject.id)?;
            }
        }
        lot.erased = Some(erased);
        lot.ended = Some(now);
        let text = serde_json::to_string(&lot).map_err(|error| Error::Damaged(error.to_string()))?;
        tx.raw()
            .execute("INSERT INTO uncertified (lot) VALUES (?)", [text])?;
        let subjects: Vec<_> = lot
            .subjects
            .iter()
            .map(|s| format!("{}:{}", s.class.as_str(), s.id))
            .collect();
        let body =
            json!({"agreement": lot.agreement, "due": lot.due, "motive": lot.motive, "subjects": subjects});
        let kind = Kind::Destroyed;
        Ok::<_, Error>(tx.journal(now, &Entry { kind, body })?)
    })
}

/// Certifies what was erased and is gone.
fn certify(
    store: &mut Store,
    with: &dyn Destroys,
    (today, now): (Date, BoxTime),
    done: &mut Ran,
) -> Result<(), Error> {
    let mut query = store.sql().prepare("SELECT n, lot FROM uncertified ORDER BY n")?;
    let rows = query.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    let waiting = rows.collect::<Result<Vec<_>, _>>()?;
    drop(query);
    if waiting.is_empty() {
        return Ok(());
    }
    // Rows that hold no item leave a write-ahead log behind as well.
    let fold = "PRAGMA wal_checkpoint(TRUNCATE)";
    store.sql().query_row(fold, [], |_| Ok(()))?;
    let log = store.dir().join(LOG).metadata().map_or(0, |meta| meta.len());
    for (n, text) in waiting {
        let lot: Lot = serde_json::from_str(&text).map_err(|_| Error::Damaged(text))?;
        let check = look(store, with, &lot, log)?;
        if check.is_clean() {
            done.certificates
                .push(certify_lot(store, n, lot, check, (today, now))?);
        } else {
            tracing::error!(?check, "what was erased is not gone; it is looked at again");
            done.unclean += 1;
        }
    }
    Ok(store.put_out_certificates()?)
}

fn look(store: &Store, with: &dyn Destroys, lot: &Lot, log: u64) -> Result<Check, Error> {
    let mut check = Check {
        rows: 0,
        files: 0,
        log,
    };
    for subject in &lot.subjects {
        check.rows += u64::from(with.is_there(store.sql(), subject)?);
    }
    for item in &lot.items {
        let there = store.dir().join(ITEMS).join(item).symlink_metadata().is_ok();
        check.files += u64::from(there);
    }
    Ok(check)
}

fn certify_lot(
    store: &mut Store,
    n: i64,
    lot: Lot,
    check: Check,
    (today, now): (Date, BoxTime),
) -> Result<String, Error> {
    let (Some(erased), Some(ended)) = (lot.erased, lot.ended) else {
        return Err(Error::Damaged(format!("lot {n}")));
    };
    let certificate = ErasureCertificate {
        number: format!("destruction-{:06}", store.head().seq + 1),
        what: erased,
        motive: lot.motive,
        basis: lot.basis,
        agreement: lot.agreement,
        device: store.device(),
        device_key: store.device_key().clone(),
        cameras: lot.cameras,
        facts: lot.facts,
        due: lot.due,
        ended,
        late_days: lot.late_days,
        check,
        backups_until: today.saturating_add(BACKUP_DAYS.days()),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        journal: store.head().into(),
        limit: OFFICE_LIMIT.to_owned(),
        page: Digest::of(b""),
    };
    let (_, filed) = store.certificate(certificate)?;
    let body = json!({"certificate": filed.digest(), "lot": n, "number": filed.number});
    store.transaction(|tx| {
        tx.raw().execute("DELETE FROM uncertified WHERE n = ?", [n])?;
        tx.keep_certificate(&filed)?;
        let kind = Kind::Certified;
        Ok::<_, Error>(tx.journal(now, &Entry { kind, body })?)
    })?;
    Ok(filed.number)
}

/// Has the table of what is locked say what the plan says.
fn lock(store: &mut Store, plan: &[Planned], now: BoxTime) -> Result<(), Error> {
    let is_locked = |planned: &&Planned| planned.standing == Standing::Locked;
    let wanted: BTreeSet<(String, String)> = plan
        .iter()
        .filter(is_locked)
        .map(|planned| key(&planned.object.subject))
        .collect();
    let mut query = store.sql().prepare("SELECT class, id FROM locked")?;
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let there = rows.collect::<Result<BTreeSet<(String, String)>, _>>()?;
    drop(query);
    if there == wanted {
        return Ok(());
    }
    store.transaction(|tx| {
        for (class, id) in there.difference(&wanted) {
            tx.raw().execute(
                "DELETE FROM locked WHERE class = ? AND id = ?",
                params![class, id],
            )?;
        }
        for (class, id) in wanted.difference(&there) {
            let insert = "INSERT INTO locked (class, id, since) VALUES (?, ?, ?)";
            tx.raw().execute(insert, params![class, id, now.to_string()])?;
        }
        let named = |set: Vec<&(String, String)>| {
            set.iter()
                .map(|(class, id)| format!("{class}:{id}"))
                .collect::<Vec<_>>()
        };
        let body = json!({
            "locked": named(wanted.difference(&there).collect()),
            "unlocked": named(there.difference(&wanted).collect()),
        });
        let kind = Kind::Locked;
        Ok::<_, Error>(tx.journal(now, &Entry { kind, body })?)
    })
}

fn key(subject: &Subject) -> (String, String) {
    (subject.class.as_str().to_owned(), subject.id.clone())
}

fn make_tasks(store: &mut Store, today: Date, now: BoxTime) -> Result<(), Error> {
    let missing = tasks::missing(store.sql(), today)?;
    if missing.is_empty() {
        return Ok(());
    }
    store.transaction(|tx| {
        missing
            .iter()
            .try_for_each(|task| tasks::make(tx, *task, today, now))
    })
}
