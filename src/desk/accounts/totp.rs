//! The second factor: time-based one-time passwords (RFC 6238) of six digits, every 30 seconds.
//!
//! Promises: one step early or late is accepted (RFC 6238 §5.2), no step twice, none before one that was used; the
//! secret has 160 bits (RFC 4226 §4) and is wiped when dropped; the QR code is drawn here, no service sees the secret.
//! SHA-1, for the applications on people's telephones know nothing else; HMAC-SHA-1 is not touched by what is known
//! against SHA-1 (RFC 4226 §B.2).

use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use totp_rs::{Algorithm, Builder};
use zeroize::Zeroizing;

use super::Error;
use crate::frame::BoxTime;

/// Bytes of a secret.
pub const SECRET: usize = 20;
/// Seconds of a step.
const STEP: u64 = 30;
/// Steps that a telephone's clock may be off.
const SKEW: u16 = 1;

/// The secret that the telephone and the desk share.
#[derive(Clone)]
pub struct Secret(Zeroizing<[u8; SECRET]>);

impl Secret {
    /// A new one.
    pub fn draw() -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; SECRET]);
        getrandom::fill(&mut *bytes)?;
        Ok(Self(bytes))
    }

    /// One that was kept.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// To keep it, sealed.
    pub fn as_bytes(&self) -> &[u8; SECRET] {
        &self.0
    }

    /// The step to which the typed code belongs, if it is one of now's and after `last`, the step used last.
    pub fn check(&self, typed: &str, now: BoxTime, last: Option<u64>) -> Option<u64> {
        let digits: Zeroizing<String> =
            Zeroizing::new(typed.chars().filter(|c| !c.is_whitespace()).collect());
        let seconds = u64::try_from(now.0.as_second()).ok()?;
        let step = self.totp().check(&digits, seconds)?;
        last.is_none_or(|last| step > last).then_some(step)
    }

    /// The code of an instant, as the telephone shows it.
    pub fn code_at(&self, now: BoxTime) -> String {
        let seconds = u64::try_from(now.0.as_second()).unwrap_or(0);
        self.totp().generate(seconds).to_string()
    }

    fn totp(&self) -> totp_rs::Totp {
        Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(6)
            .with_skew(SKEW)
            .with_step_duration(STEP)
            .with_secret(*self.0)
            .build_noncompliant()
    }

    /// The secret as it is typed where no camera reads the QR code: base32 (RFC 4648 §6), in groups of four.
    pub fn to_type(&self) -> Zeroizing<String> {
        let plain = Zeroizing::new(totp_rs::Secret::from(*self.0).to_base32());
        let mut groups = Zeroizing::new(String::with_capacity(plain.len() * 5 / 4 + 1));
        for (at, sign) in plain.chars().enumerate() {
            if at > 0 && at % 4 == 0 {
                groups.push(' ');
            }
            groups.push(sign);
        }
        groups
    }

    /// The `otpauth:` address (Key URI Format) that the QR code holds. The account is named by its log-in.
    pub fn address(&self, login: &str) -> Zeroizing<String> {
        let plain = Zeroizing::new(totp_rs::Secret::from(*self.0).to_base32());
        Zeroizing::new(format!(
            "otpauth://totp/vigie:{}?secret={}&issuer=vigie&algorithm=SHA1&digits=6&period={STEP}",
            percent(login.trim()),
            *plain
        ))
    }

    /// The QR code as an SVG element, dark on light whatever the page's colours.
    pub fn qr(&self, login: &str) -> Result<Zeroizing<String>, Error> {
        let code = QrCode::with_error_correction_level(self.address(login).as_bytes(), EcLevel::M);
        let code = code.map_err(|_| Error::TooLong("login"))?;
        let drawn = code
            .render::<svg::Color<'_>>()
            .min_dimensions(240, 240)
            .quiet_zone(true)
            .dark_color(svg::Color("#000"))
            .light_color(svg::Color("#fff"))
            .build();
        // Without the XML declaration, for it stands in a page.
        let start = drawn.find("<svg").unwrap_or(0);
        Ok(Zeroizing::new(drawn[start..].to_owned()))
    }
}

/// RFC 3986 §2.1: all but the unreserved.
fn percent(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> BoxTime {
        BoxTime(jiff::Timestamp::from_second(seconds).expect("an instant"))
    }

    /// RFC 6238 appendix B, the last six of its eight digits.
    #[test]
    fn the_codes_are_those_of_the_rfc() {
        let secret = Secret::from_bytes(b"12345678901234567890").expect("20 bytes");
        for (second, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
        ] {
            assert_eq!(secret.code_at(at(second)), code);
        }
    }

    #[test]
    fn one_step_early_or_late_is_accepted_and_no_more() {
        let secret = Secret::draw().expect("drawn");
        let now = 1_800_000_015;
        for (shift, accepted) in [(-60, false), (-30, true), (0, true), (30, true), (60, false)] {
            let code = secret.code_at(at(now + shift));
            // Two steps may have the same code once in a million; then the test says nothing.
            let other = [-30, 0, 30]
                .iter()
                .any(|near| *near != shift && secret.code_at(at(now + near)) == code);
            assert!(
                other || secret.check(&code, at(now), None).is_some() == accepted,
                "{shift}"
            );
        }
    }

    #[test]
    fn no_code_is_used_twice_nor_one_before_it() {
        let secret = Secret::from_bytes(b"12345678901234567890").expect("20 bytes");
        let (earlier, code) = (secret.code_at(at(30)), secret.code_at(at(60)));
        let step = secret.check(&code, at(60), None).expect("accepted");
        assert_eq!(step, 2);
        assert_eq!(secret.check(&code, at(60), Some(step)), None);
        assert_eq!(secret.check(&earlier, at(60), Some(step)), None);
        assert_eq!(secret.check(&secret.code_at(at(90)), at(61), Some(step)), Some(3));
    }

    #[test]
    fn the_qr_code_is_drawn_here_and_names_no_other_place() {
        let secret = Secret::from_bytes(b"12345678901234567890").expect("20 bytes");
        let address = secret.address("marie dupont@ville");
        assert_eq!(
            *address,
            "otpauth://totp/vigie:marie%20dupont%40ville?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=vigie&algorithm=SHA1&digits=6&period=30"
        );
        let svg = secret.qr("marie").expect("drawn");
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>"));
        let elsewhere = svg.replace("http://www.w3.org/2000/svg", "");
        assert!(!elsewhere.contains("http") && !elsewhere.contains("style="));
        assert_eq!(*secret.to_type(), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
    }
}
