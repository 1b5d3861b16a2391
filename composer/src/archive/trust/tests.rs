//! Indices signed by keys that are made here.

use pgp::composed::{
    ArmorOptions, CleartextSignedMessage, EncryptionCaps, KeyType, SecretKeyParamsBuilder, SignedPublicKey,
    SignedSecretKey, SubkeyParamsBuilder,
};
use pgp::packet::{KeyFlags, SignatureConfig, SignatureType, Subpacket, SubpacketData};
use pgp::types::{Password, Timestamp};
use proptest::prelude::*;

use super::*;

/// 22 November 2026.
pub const NOW: u64 = 1_795_305_600;

/// An archive's key, with a signing subkey.
pub fn key() -> SignedSecretKey {
    key_made(2020)
}

fn key_made(year: u32) -> SignedSecretKey {
    let created = Timestamp::from_secs((year - 1970) * 31_557_600);
    let subkey = SubkeyParamsBuilder::default()
        .key_type(KeyType::Ed25519Legacy)
        .created_at(created)
        .can_sign(true)
        .can_encrypt(EncryptionCaps::None)
        .build()
        .unwrap();
    let mut params = SecretKeyParamsBuilder::default();
    params
        .key_type(KeyType::Ed25519Legacy)
        .created_at(created)
        .can_certify(true)
        .can_sign(true)
        .primary_user_id("Archive <archive@example.org>".into())
        .subkeys(vec![subkey]);
    params.build().unwrap().generate(rand::thread_rng()).unwrap()
}

pub fn armoured(key: &SignedSecretKey) -> String {
    SignedPublicKey::from(key.clone()).to_armored_string(ArmorOptions::default()).unwrap()
}

pub fn signed(text: &str, key: &SignedSecretKey) -> String {
    let message = CleartextSignedMessage::sign(rand::thread_rng(), text, &key.primary_key, &Password::empty()).unwrap();
    message.to_armored_string(ArmorOptions::default()).unwrap()
}

fn release(more: &str) -> String {
    format!("Suite: stable\nCodename: trixie\nDate: Sat, 21 Nov 2026 00:00:00 UTC\n{more}SHA256:\n {SHA} 12 main/x\n")
}

const SHA: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The tests sign with the clock of the machine they run on, so this must not lie before it.
fn later() -> u64 {
    u64::from(Timestamp::now().as_secs()).max(NOW)
}

#[test]
fn debian_keys_are_readable_and_there() {
    assert!(Keyring::debian().is_ok());
    assert!(Keyring::of("no key").is_none());
    assert!(Keyring::of("c0ffee").is_none());
}

#[test]
fn a_signed_index_is_believed_and_returned_as_signed() {
    let key = key();
    let text = release("");
    let keys = Keyring::of(&armoured(&key)).unwrap();
    let signed = verify(signed(&text, &key).as_bytes(), &keys, later()).unwrap();
    assert_eq!(signed.text.trim_end(), text.trim_end());
    assert_eq!(signed.by.len(), 1);
    assert_eq!(Release::parse(&signed.text).unwrap().file("main/x"), Some((SHA.parse().unwrap(), 12)));
}

#[test]
fn unsigned_foreign_and_framed_indices_are_refused() {
    let (ours, theirs) = (key(), key());
    let keys = Keyring::of(&armoured(&ours)).unwrap();
    let (text, now) = (release(""), later());
    let good = signed(&text, &ours);
    let bad = [
        text.clone(),
        signed(&text, &theirs),
        format!("Suite: other\n\n{good}"),
        format!("{good}\nSuite: other\n"),
        format!("{good}{good}"),
        good.replace("trixie", "sid"),
        String::new(),
    ];
    let reasons: Vec<String> = bad.iter().map(|b| verify(b.as_bytes(), &keys, now).unwrap_err()).collect();
    insta::assert_snapshot!(reasons.join("\n"));
}

#[test]
fn keys_that_are_revoked_or_younger_than_now_do_not_count() {
    let key = key();
    let text = signed(&release(""), &key);
    let mut public = SignedPublicKey::from(key.clone());
    let mut config =
        SignatureConfig::from_key(rand::thread_rng(), &key.primary_key, SignatureType::KeyRevocation).unwrap();
    config.hashed_subpackets = vec![
        Subpacket::regular(SubpacketData::SignatureCreationTime(Timestamp::now())).unwrap(),
        Subpacket::regular(SubpacketData::IssuerFingerprint(pgp::types::KeyDetails::fingerprint(&key.primary_key)))
            .unwrap(),
    ];
    let revocation = config.sign_key(&key.primary_key, &Password::empty(), &public.primary_key).unwrap();
    public.details.revocation_signatures.push(revocation);
    let revoked = Keyring::of(&public.to_armored_string(ArmorOptions::default()).unwrap()).unwrap();
    assert!(verify(text.as_bytes(), &revoked, later()).is_err());
    // A signature that is younger than the clock says: either is wrong.
    let keys = Keyring::of(&armoured(&key)).unwrap();
    assert!(verify(text.as_bytes(), &keys, 1_600_000_000).is_err());
}

#[test]
fn a_subkey_signs_only_if_it_is_bound_both_ways() {
    let key = key();
    let text = release("");
    let subkey = &key.secret_subkeys[0].key;
    let by_subkey = CleartextSignedMessage::sign(rand::thread_rng(), &text, subkey, &Password::empty()).unwrap();
    let by_subkey = by_subkey.to_armored_string(ArmorOptions::default()).unwrap();
    let keys = Keyring::of(&armoured(&key)).unwrap();
    let signed_by = verify(by_subkey.as_bytes(), &keys, later()).unwrap().by;
    assert_eq!(signed_by, [pgp::types::KeyDetails::fingerprint(&key.primary_key).to_string().to_uppercase()]);
    // Another certificate that claims the same subkey, without the subkey's word for it.
    let other = key_made(2021);
    let mut thief = SignedPublicKey::from(other.clone());
    thief.public_subkeys = SignedPublicKey::from(key.clone()).public_subkeys;
    let stolen = &mut thief.public_subkeys[0];
    let mut flags = KeyFlags::default();
    flags.set_sign(true);
    let mut config =
        SignatureConfig::from_key(rand::thread_rng(), &other.primary_key, SignatureType::SubkeyBinding).unwrap();
    config.hashed_subpackets = vec![
        Subpacket::regular(SubpacketData::SignatureCreationTime(Timestamp::now())).unwrap(),
        Subpacket::regular(SubpacketData::KeyFlags(flags)).unwrap(),
    ];
    let claim =
        config.sign_subkey_binding(&other.primary_key, &thief.primary_key, &Password::empty(), &stolen.key).unwrap();
    assert!(claim.verify_subkey_binding(&thief.primary_key, &stolen.key).is_ok());
    stolen.signatures = vec![claim];
    let thief = Keyring::of(&thief.to_armored_string(ArmorOptions::default()).unwrap()).unwrap();
    assert!(verify(by_subkey.as_bytes(), &thief, later()).is_err());
    // The bindings taken away.
    let mut bare = SignedPublicKey::from(key.clone());
    bare.details.users.clear();
    let bare = Keyring::of(&bare.to_armored_string(ArmorOptions::default()).unwrap());
    assert!(bare.is_none_or(|keys| verify(by_subkey.as_bytes(), &keys, later()).is_err()));
}

#[test]
fn an_expired_key_does_not_count() {
    let key = key();
    let text = signed(&release(""), &key);
    let expiring = |seconds: u32| {
        let mut public = SignedPublicKey::from(key.clone());
        let mut config = SignatureConfig::from_key(rand::thread_rng(), &key.primary_key, SignatureType::Key).unwrap();
        config.hashed_subpackets = vec![
            Subpacket::regular(SubpacketData::SignatureCreationTime(Timestamp::now())).unwrap(),
            Subpacket::regular(SubpacketData::IssuerFingerprint(pgp::types::KeyDetails::fingerprint(&key.primary_key)))
                .unwrap(),
            Subpacket::regular(SubpacketData::KeyExpirationTime(pgp::types::Duration::from_secs(seconds))).unwrap(),
        ];
        let direct = config.sign_key(&key.primary_key, &Password::empty(), &public.primary_key).unwrap();
        public.details.users.clear();
        public.details.direct_signatures.push(direct);
        Keyring::of(&public.to_armored_string(ArmorOptions::default()).unwrap()).unwrap()
    };
    assert!(verify(text.as_bytes(), &expiring(3_000_000_000), later()).is_ok());
    assert!(verify(text.as_bytes(), &expiring(1000), later()).is_err());
}

#[test]
fn age_and_name_are_checked() {
    let parse = |more: &str| Release::parse(&release(more)).unwrap();
    let date = parse("").date;
    assert_eq!(date, 1_795_219_200);
    let asked = Asked { suite: "trixie", now: NOW, newest: Some(date) };
    assert_eq!(parse("").check(asked), Ok(()));
    assert_eq!(parse("").check(Asked { suite: "stable", ..asked }), Ok(()));
    let refused = [
        parse("").check(Asked { suite: "bookworm", ..asked }),
        parse("").check(Asked { now: date - 86_400, ..asked }),
        parse("").check(Asked { newest: Some(date + 1), ..asked }),
        parse("Valid-Until: Sat, 21 Nov 2026 12:00:00 UTC\n").check(asked),
        parse("Valid-Until: some day\n").check(asked),
    ];
    let reasons: Vec<String> = refused.into_iter().map(Result::unwrap_err).collect();
    insta::assert_snapshot!(reasons.join("\n"));
}

proptest! {
    #[test]
    fn any_release_parses(text in "((Date|SHA256|Suite): ?\\PC{0,20}\n| \\PC{0,20}\n){0,8}") {
        let _ = Release::parse(&text);
    }

    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(verify(&bytes, &Keyring::debian().unwrap(), NOW).is_err());
    }
}
