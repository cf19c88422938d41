//! After a wipe: its certificate, and all that follows from it on record.
//!
//! Promises: the certificate, the journal's line that names it and the ledger's rows are one transaction, with a line
//! for each erasure that was intended before and that the wipe has done.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;

use super::Wiped;
use crate::card::CardPath;
use crate::config::{self, Camera};
use crate::frame::{BoxTime, CameraId, Digest};
use crate::trap::ledger::{Ledger, State};
use crate::trap::service::Service;
use crate::trap::terms::{self, Intent, Terms, WipeTerm};
use crate::trap::{Error, ageing, erasing, videos};
use crate::vault::certificate::{self, Certificate, LIMIT, Period, Regime, What};
use crate::vault::{Entry, Kind, Tx};

impl Service<'_> {
    /// Signs the certificate, and puts all that follows from the wipe on record at once.
    pub(super) fn certify(
        &mut self,
        camera: &Camera,
        term: &WipeTerm,
        intent: &Intent,
        wipe: certificate::Wipe,
        left: &BTreeSet<CardPath>,
    ) -> Result<Wiped, Error> {
        let ended = (self.clock)();
        let due = later(term.since, self.config.wipe_period.into());
        let whole = wipe.is_whole();
        let (files, bytes) = (wipe.files, wipe.fill.bytes);
        let certificate = Certificate {
            number: number(camera, term),
            what: What::Wipe(wipe.clone()),
            device: self.store.device(),
            device_key: self.store.device_key().clone(),
            camera: camera.id.clone(),
            site: camera.site.clone(),
            regime: regime(&camera.regime),
            period: Period {
                from: term.since,
                until: intent.began,
            },
            due,
            began: intent.began,
            ended,
            late_seconds: u64::try_from(ended.0.duration_since(due.0).as_secs()).unwrap_or(0),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            journal: self.store.head().into(),
            limit: LIMIT.to_owned(),
            page: Digest::of(b""),
        };
        let (certificate, filed) = self.store.certificate(certificate)?;
        let entry = Entry {
            kind: Kind::Wiped,
            body: json!({
                "bytes": files.bytes,
                "camera": camera.id,
                "certificate": filed.digest(),
                "files": files.frames + files.videos + files.others,
                "filled": bytes,
                "number": filed.number,
                "whole": whole,
            }),
        };
        let after = WipeTerm {
            since: terms::mark(self.store.sql(), ended)?.time,
            wipes: term.wipes + 1,
            whole,
            under_way: None,
        };
        self.store.transaction(|tx| {
            tell_erased(tx, ended, &camera.id, left)?;
            let terms = Terms::of(tx.raw(), &camera.id);
            terms.card_wiped()?;
            terms.set_wipe(&after)?;
            tx.keep_certificate(&filed)?;
            tx.journal(ended, &entry)?;
            Ok::<_, Error>(())
        })?;
        self.store.put_out_certificates()?;
        Ok(Wiped {
            wipe,
            certificate,
            filed,
        })
    }
}

/// Ends the erasures that were intended before, and that the wipe has done: their folders are gone too, so nobody could
/// tell later. `left`: the files that are on the card yet.
fn tell_erased(
    tx: &mut Tx<'_>,
    now: BoxTime,
    camera: &CameraId,
    left: &BTreeSet<CardPath>,
) -> Result<(), Error> {
    for row in Ledger::of(tx.raw(), camera).in_state(State::Erasing)? {
        if !left.contains(&row.path) {
            let digest = row.digest;
            Ledger::of(tx.raw(), camera).set_state(&digest, State::Gone)?;
            tx.journal(now, &erasing::entry(Kind::Discarded, camera, Some(row), &digest))?;
        }
    }
    for (path, digest) in videos::intended(tx.raw(), camera)? {
        if !left.contains(&path) {
            videos::gone(tx, now, camera, &path, digest)?;
        }
    }
    for file in Terms::of(tx.raw(), camera).files()? {
        if let Some(token) = file.token.filter(|_| !left.contains(&file.path)) {
            Terms::of(tx.raw(), camera).forget_file(&file.path)?;
            tx.journal(now, &ageing::entry(Kind::Discarded, camera, token))?;
        }
    }
    Ok(())
}

/// The certificate's number, in the language of those who file it.
pub(super) fn number(camera: &Camera, term: &WipeTerm) -> String {
    format!("vidage-{}-{:04}", camera.id, term.wipes + 1)
}

pub(in crate::trap) fn regime(regime: &config::Regime) -> Regime {
    use config::RegimeKind as K;
    let kind = match &regime.kind {
        K::Videoprotection => "videoprotection",
        K::ActeEnquete => "acte_enquete",
        K::SansTexte { .. } => "sans_texte",
        K::Quebec => "quebec",
    };
    Regime {
        kind: kind.to_owned(),
        reference: regime.reference.clone(),
    }
}

/// The end of a term.
pub fn later(since: BoxTime, term: Duration) -> BoxTime {
    SignedDuration::try_from(term)
        .ok()
        .and_then(|term| since.0.checked_add(term).ok())
        .map_or(since, BoxTime)
}
