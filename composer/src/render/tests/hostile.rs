//! Values that try to be code, in every field that reaches a shell, a preseed or a configuration file.

use super::super::testing::{full_spec, test_file};
use super::*;
use crate::spec::types::{Password, UserSpec};

/// Every field that the profile's own checks would let pass, and those that they would not.
const HOSTILE: [&str; 9] =
    ["$(touch /x)", "`touch /x`", "'; touch /x; '", "\" ; touch /x", "a\\", "%n", "a;b", "a\nb", "a b"];

fn user(value: &str) -> UserSpec {
    UserSpec {
        name: "eve".into(),
        uid: 1000,
        groups: vec![value.into()],
        shell: value.into(),
        ssh_keys: vec![value.into()],
        password: Password::Hash(value.into()),
    }
}

#[test]
fn hooks_stay_words() {
    for value in HOSTILE {
        let mut spec = full_spec();
        spec.users = vec![user(value)];
        spec.files = vec![test_file(&format!("/srv/{value}"), "text")];
        spec.locale = format!("de_DE@{value}");
        let Ok(tree) = config_tree(&spec, None, &Assets::embedded()) else {
            // The preseed has one line a value, and a configuration line must not go on in the next.
            assert!(value.contains('\n') || value.ends_with('\\'), "{value:?}");
            continue;
        };
        for hook in ["9100-borg-users", "9110-borg-owners", "9120-borg-locale"] {
            let script = text(&tree, &format!("config/hooks/normal/{hook}.hook.chroot"));
            let words = shlex::split(&script).unwrap_or_else(|| panic!("{hook} with {value:?}: {script}"));
            assert!(words.iter().any(|word| word.ends_with(value)), "{hook} with {value:?}: {words:?}");
        }
    }
}

#[test]
fn the_preseed_keeps_its_lines() {
    let questions = |tree: &Tree| {
        let preseed = text(tree, "config/includes.installer/preseed.cfg");
        preseed.lines().map(|l| l.split(' ').take(3).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    // nginx refuses some host names by itself.
    let without_nginx = || {
        let mut spec = full_spec();
        spec.services.retain(|service| service.name != "nginx");
        spec
    };
    let calm = questions(&render(&without_nginx()));
    for value in HOSTILE {
        let mut spec = without_nginx();
        spec.users[0] = UserSpec { name: "alice".into(), ..user(value) };
        spec.hostname = value.into();
        spec.timezone = value.into();
        spec.network.dns = vec![value.into()];
        if let Ok(tree) = config_tree(&spec, None, &Assets::embedded()) {
            assert_eq!(questions(&tree), calm, "{value:?}");
            let preseed = text(&tree, "config/includes.installer/preseed.cfg");
            let late = preseed.lines().find_map(|l| l.strip_prefix("d-i preseed/late_command string ")).unwrap();
            let words = shlex::split(late).unwrap();
            assert!(words.iter().filter(|word| word.trim_end_matches(';') == value).count() >= 3, "{words:?}");
        } else {
            assert!(value.contains('\n') || value.ends_with('\\'), "{value:?} refused");
        }
    }
}

#[test]
fn live_build_options_stay_words_or_are_refused() {
    for value in HOSTILE {
        let mut spec = full_spec();
        spec.image.label = value.into();
        match config_tree(&spec, None, &Assets::embedded()) {
            Ok(tree) => {
                let words = shlex::split(&text(&tree, "auto/config")).unwrap();
                assert!(words.iter().any(|word| word == value), "{words:?}");
                assert!(matches!(value, "%n" | "a b"), "{value:?} let through");
            }
            Err(error) => assert!(error.to_string().starts_with("cannot render templates/auto/config.j2"), "{error}"),
        }
    }
}

#[test]
fn units_and_configuration_keep_their_lines() {
    let names = |tree: &Tree| tree.iter().map(|(path, _)| path.to_owned()).collect::<Vec<_>>();
    let with = |value: &str| {
        let mut spec = full_spec();
        for service in &mut spec.services {
            for name in ["root", "server_name"] {
                if let Some(option) = service.options.get_mut(name) {
                    *option = value.into();
                }
            }
        }
        spec
    };
    let calm = render(&with("calm"));
    for value in HOSTILE {
        let Ok(tree) = config_tree(&with(value), None, &Assets::embedded()) else { continue };
        assert_eq!(names(&tree), names(&calm));
        for path in [
            "etc/systemd/system/borg-mcp-fs.service",
            "etc/systemd/system/borg-nginx-certificate.service",
            "etc/nginx/nginx.conf",
        ] {
            let path = format!("{}/{path}", super::super::INCLUDES);
            assert_eq!(text(&tree, &path).lines().count(), text(&calm, &path).lines().count(), "{value:?}");
        }
    }
}

#[test]
fn a_path_cannot_leave_the_tree() {
    for path in ["etc/relative", "/../../x", "/a//b", "/a/./b", "/"] {
        let mut spec = test_spec();
        spec.files = vec![test_file(path, "")];
        let error = config_tree(&spec, None, &Assets::embedded()).unwrap_err();
        assert_eq!(error.to_string(), format!("`{path}` is no place for a file of the image"));
    }
}

#[test]
fn a_value_that_is_missing_is_no_word() {
    let mut spec = test_spec();
    for service in spec.services.iter_mut().filter(|service| service.name == "nginx") {
        service.options.insert("certificate".into(), "/etc/ssl/a.pem".into());
    }
    let error = config_tree(&spec, None, &Assets::embedded()).unwrap_err();
    assert!(error.to_string().starts_with("cannot render units/nginx/nginx.conf.j2, line "), "{error}");
}
