//! Who may speak to the service: root, its own user, and the members of one group.
//!
//! The socket's mode says the same to the kernel; this is asked once more of each connection, for a mode can be changed.
//! Users and groups are those of the box's own files (passwd(5), group(5)): no name service is asked, which could hang.

use std::fs;

/// A group of this box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its number.
    pub gid: u32,
    /// The users that are members by name.
    pub members: Vec<String>,
}

/// Who is at the other end (unix(7), `SO_PEERCRED`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// User.
    pub uid: u32,
    /// Main group.
    pub gid: u32,
}

impl Group {
    /// The group of this name in a file of group(5).
    pub fn find(file: &str, name: &str) -> Option<Self> {
        file.lines().find_map(|line| {
            let mut fields = line.split(':');
            if fields.next() != Some(name) {
                return None;
            }
            let gid = fields.nth(1)?.parse().ok()?;
            let members = fields.next().unwrap_or("").split(',').map(str::trim);
            let members = members
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect();
            Some(Self { gid, members })
        })
    }

    /// The group of this name on this box.
    pub fn of_this_box(name: &str) -> Option<Self> {
        Self::find(&fs::read_to_string("/etc/group").ok()?, name)
    }
}

/// The name of a user in a file of passwd(5).
fn user_name(file: &str, uid: u32) -> Option<&str> {
    file.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

/// Whether `peer` may speak to the service that runs as `own`; `users` is a file of passwd(5).
pub fn may_speak(peer: Peer, own: u32, group: Option<&Group>, users: &str) -> bool {
    let is_member = |group: &Group| {
        let by_name =
            || user_name(users, peer.uid).is_some_and(|name| group.members.iter().any(|m| m == name));
        group.gid == peer.gid || by_name()
    };
    peer.uid == 0 || peer.uid == own || group.is_some_and(is_member)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: &str = "root:x:0:\nvigie-firmware:x:990:cam, lte\nodd\nvigie:x:991\n";
    const USERS: &str =
        "root:x:0:0::/:/bin/sh\ncam:x:1001:1001::/:/bin/false\nmia:x:1002:1002::/:/bin/sh\nodd:x\n";

    #[test]
    fn groups_are_read_as_they_stand() {
        let group = Group::find(GROUPS, "vigie-firmware").expect("there");
        assert_eq!(
            (group.gid, &group.members[..]),
            (990, &["cam".to_owned(), "lte".to_owned()][..])
        );
        assert_eq!(
            Group::find(GROUPS, "vigie").expect("there").members,
            Vec::<String>::new()
        );
        assert_eq!(Group::find(GROUPS, "odd"), None);
        assert_eq!(Group::find(GROUPS, "vigie-"), None);
    }

    #[test]
    fn root_the_service_itself_and_the_group_may_speak_and_nobody_else() {
        let group = Group::find(GROUPS, "vigie-firmware");
        let may = |uid, gid, group: Option<&Group>| may_speak(Peer { uid, gid }, 995, group, USERS);
        for (uid, gid) in [(0, 0), (995, 995), (1001, 1001), (4242, 990)] {
            assert!(may(uid, gid, group.as_ref()), "{uid}:{gid}");
        }
        for (uid, gid) in [(1002, 1002), (65534, 65534), (990, 1)] {
            assert!(!may(uid, gid, group.as_ref()), "{uid}:{gid}");
        }
        assert!(!may(1001, 1001, None) && may(0, 0, None));
    }
}
