//! Files that say the same thing in different bytes.

use std::collections::BTreeMap;

/// What of a text counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Its lines, in any order.
    Lines,
    /// passwd(5) and group(5): names, in any order; a number stands for the name that it has in the same tree.
    Accounts,
}

/// Whether both texts say the same, given each tree's groups by number.
pub fn same(form: Form, a: (&str, &BTreeMap<u32, String>), b: (&str, &BTreeMap<u32, String>)) -> bool {
    canonical(form, a) == canonical(form, b)
}

fn canonical(form: Form, (text, groups): (&str, &BTreeMap<u32, String>)) -> Vec<Vec<String>> {
    let mut parts: Vec<Vec<String>> = match form {
        Form::Lines => text.lines().map(|line| vec![line.to_owned()]).collect(),
        Form::Accounts => text.lines().map(|line| account(line, groups)).collect(),
    };
    parts.sort();
    parts
}

fn account(line: &str, groups: &BTreeMap<u32, String>) -> Vec<String> {
    let mut fields: Vec<String> = line.split(':').map(str::to_owned).collect();
    match fields.as_mut_slice() {
        [_, _, uid, gid, _, _, _] => {
            uid.clear();
            if let Some(name) = gid.parse().ok().and_then(|gid| groups.get(&gid)) {
                gid.clone_from(name);
            }
        }
        [_, _, gid, members] => {
            if gid.parse::<u32>().is_ok() {
                gid.clear();
            }
            let mut sorted: Vec<&str> = members.split(',').collect();
            sorted.sort_unstable();
            *members = sorted.join(",");
        }
        _ => {}
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(form: Form, a: &str, b: &str) -> bool {
        let groups = |number: u32| BTreeMap::from([(number, "grp".to_owned())]);
        same(form, (a, &groups(101)), (b, &groups(102)))
    }

    #[test]
    fn order_does_not_count_and_content_does() {
        assert!(alike(Form::Lines, "a\nb\n", "b\na\n") && !alike(Form::Lines, "a\nb\n", "a\nb\nb\n"));
    }

    #[test]
    fn numbers_of_accounts_do_not_count_and_their_names_do() {
        let passwd = |gid: u32, shell: &str| format!("bus:x:{gid}:{gid}::/run:{shell}\n");
        assert!(alike(Form::Accounts, &passwd(101, "/bin/sh"), &passwd(102, "/bin/sh")));
        assert!(!alike(Form::Accounts, &passwd(101, "/bin/sh"), &passwd(102, "/bin/false")));
        assert!(!alike(Form::Accounts, &passwd(101, "/bin/sh"), &passwd(101, "/bin/sh")), "101 is another group there");
        assert!(alike(Form::Accounts, "adm:x:4:b,a\n", "adm:x:5:a,b\n"));
        assert!(!alike(Form::Accounts, "adm:x:4:a\n", "adm:x:4:\n"));
        assert!(!alike(Form::Accounts, "adm:!::a\n", "adm:*::a\n"));
    }
}
