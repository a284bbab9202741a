//! Whether a codec string that a manifest claims says the same as the one that a configuration makes (RFC 6381 and the
//! bindings of the codecs).

/// Whether `claimed` may stand for what is `found`.
///
/// Letters are compared without case, numbers by value. A short form of AV1 or VP9 leaves open what it does not say, and what a
/// stream does not tell may be claimed in any way. `hvc1` may stand alone, which RFC 6381 has no more about; H.264, AV1, VP9 and
/// MPEG-4 audio have a form that must be whole. SBR and PS may be claimed or left out, since they need not be signalled.
pub fn codecs_agree(claimed: &str, found: &str) -> bool {
    let (claimed, found) = (claimed.trim().to_ascii_lowercase(), found.to_ascii_lowercase());
    if claimed == found {
        return true;
    }
    let claimed: Vec<_> = claimed.split('.').take(MOST_PARTS).collect();
    let found: Vec<_> = found.split('.').take(MOST_PARTS).collect();
    match (claimed[0], found[0]) {
        ("av01", "av01") => agree_in_short_or_long_form(&claimed, &found, 4, 5),
        ("vp09", "vp09") | ("vp08", "vp08") => agree_in_short_or_long_form(&claimed, &found, 4, 5),
        ("mp4a", "mp4a") => mp4a_agree(&claimed[1..], &found[1..]),
        // The fields behind the type tell a profile that the file does not.
        ("stpp", "stpp") | ("wvtt", "wvtt") => found.len() == 1,
        (one, other) if one == other && is_hevc(one) => claimed.len() == 1 || hevc_agree(&claimed, &found),
        _ => false,
    }
}

/// More than any codec string has.
const MOST_PARTS: usize = 16;

fn is_hevc(kind: &str) -> bool {
    matches!(kind, "hvc1" | "hev1")
}

/// Constraint bytes of zero at the end, and zeros in front of a number, say nothing.
fn hevc_agree(claimed: &[&str], found: &[&str]) -> bool {
    let whole = |parts: &[&str]| -> Vec<String> {
        let mut parts: Vec<_> = parts.iter().map(|part| part.trim_start_matches('0').to_owned()).collect();
        while parts.len() > 4 && parts.last().is_some_and(String::is_empty) {
            parts.pop();
        }
        parts
    };
    whole(claimed) == whole(found)
}

/// Forms of `short` parts and more, where colours start at part `colours`. The parts behind `short` have these defaults.
fn agree_in_short_or_long_form(claimed: &[&str], found: &[&str], short: usize, colours: usize) -> bool {
    const DEFAULTS_AV1: [&str; 6] = ["0", "110", "01", "01", "01", "0"];
    const DEFAULTS_VP9: [&str; 5] = ["01", "01", "01", "01", "00"];
    let defaults: &[&str] = if found[0] == "av01" { &DEFAULTS_AV1 } else { &DEFAULTS_VP9 };
    let same = |one: &str, other: &str| one.trim_start_matches('0') == other.trim_start_matches('0');
    if claimed.len() < short || found.len() < short {
        return false;
    }
    if !claimed[..short].iter().zip(&found[..short]).all(|(one, other)| same(one, other)) {
        return false;
    }
    if claimed.len() > short + defaults.len() {
        return false;
    }
    let colours = if found[0] == "av01" { colours + 1 } else { colours };
    claimed.iter().enumerate().skip(short).all(|(at, part)| {
        let other = found.get(at).copied().unwrap_or(defaults[at - short]);
        // 2 is "unspecified"; 1 also stands for what is not said.
        let is_open = (colours..colours + 3).contains(&at) && (same(other, "1") || same(other, "2"));
        same(part, other) || is_open && (same(part, "1") || same(part, "2"))
    })
}

/// Object type indication in hexadecimal, and the audio object type of MPEG-4 audio in decimal.
fn mp4a_agree(claimed: &[&str], found: &[&str]) -> bool {
    let number = |part: Option<&&str>| part.and_then(|part| part.parse::<u32>().ok());
    match (claimed, found) {
        (["40", ..], ["40", ..]) => {
            let (Some(one), Some(other)) = (number(claimed.get(1)), number(found.get(1))) else {
                return false;
            };
            let may_have_sbr = |object_type| matches!(object_type, 2 | 5 | 29);
            claimed.len() == 2 && (one == other || may_have_sbr(one) && may_have_sbr(other))
        }
        // MPEG-1 and MPEG-2 layer 3 has an object type in MPEG-4 as well.
        (["40", "34"], ["69" | "6b"]) | (["69" | "6b"], ["40", "34"] | ["69" | "6b"]) => true,
        _ => claimed == found,
    }
}
