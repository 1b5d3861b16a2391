//! Values that the environment puts over the profile's (`BORG_OFFLINE_MODEL`, `OFFLINE_ONLY`).

use serde_json::{Value, json};

use super::types::Profile;
use super::{check, forms, schema};
use crate::catalogue::Catalogue;
use crate::error::{Error, Result};

/// Puts the values over the profile's, held to the same rules.
pub fn apply(profile: &mut Profile, offline_model: Option<&str>, offline_only: Option<bool>) -> Result<()> {
    if let Some(model) = offline_model {
        if !is_model(model) {
            let form = forms::of_key("offline_model").unwrap_or_default();
            return Err(
                Error::input("BORG_OFFLINE_MODEL has the wrong form").help(format!("write {form}, or unset it"))
            );
        }
        profile.offline_model = Some(model.to_owned());
    }
    if let Some(only) = offline_only {
        profile.offline_only = Some(only);
    }
    Ok(())
}

fn is_model(text: &str) -> bool {
    let schema = schema::schema(&Catalogue::default());
    let rule = schema.pointer("/properties/offline_model").unwrap_or(&Value::Bool(false));
    check::compile(rule).is_ok_and(|rule| rule.is_valid(&json!(text)))
}
