//! The forms that strings must have, in words.

/// How the value of this key must look, for a person; nothing for keys that the schema describes well enough.
pub fn of_key(key: &str) -> Option<&'static str> {
    Some(match key {
        "profile" => "lower-case letters, digits and `-`, at most 63, with no `-` at the ends",
        "hostname" => "letters, digits and `-`, at most 63, with no `-` at the ends",
        "offline_model" => "a model as Ollama names it, such as `phi3:instruct`",
        "locale" => "a locale such as `de_DE.UTF-8`",
        "timezone" => "a time zone such as `Europe/Berlin`",
        "layout" => "an XKB layout such as `us` or `de`",
        "variant" => "an XKB variant such as `nodeadkeys`",
        "packages" => {
            "a Debian package's name: lower-case letters, digits, `+`, `-`, `.`, and no version or architecture"
        }
        "mirrors" | "uri" => "an address that starts with http:// or https:// and has no spaces, quotes or `\\`",
        "users" => "a login name: lower-case letters, digits and `-`, at most 32, a letter first",
        "shell" => "an absolute path such as `/bin/bash`",
        "groups" | "owner" | "group" => "a user or group name: lower-case letters, digits, `-` and `_`, at most 32",
        "mode" => "three or four octal digits in quotes, such as \"0640\"",
        "repositories" => "a short name: lower-case letters, digits and `-`",
        "suite" => "a suite's name such as `stable`",
        "tag" => "letters, digits, `.`, `_` and `-`",
        "label" => "at most 32 of A-Z, 0-9 and `_`",
        "size_limit" => "a size such as `2 GB`, `700 MB` or `1 GiB`",
        _ => return None,
    })
}

/// The form of the value at a JSON pointer.
pub fn of_pointer(pointer: &str) -> Option<&'static str> {
    let mut steps = pointer.rsplit('/').filter(|step| step.parse::<usize>().is_err());
    match steps.next()? {
        // `name` means something else in each list.
        "name" => steps.next().and_then(of_key),
        key => of_key(key),
    }
}
