"""What a systemd unit's sandbox is, done without systemd.

Reads the unit's own settings and applies them to a process that is about to
be executed: SystemCallFilter, RestrictAddressFamilies, RestrictNamespaces,
MemoryDenyWriteExecute as a seccomp filter, as systemd makes it; no new
privileges; and for root also a file system that is read-only but for some
folders, no capabilities, and another user. Not imitated: PrivateUsers,
PrivateDevices, ProtectProc, RestrictSUIDSGID.
"""

import ctypes
import os
import subprocess

ALLOW, ERRNO = 0x7FFF0000, 0x00050000
EQ, MASKED_EQ = 4, 7
EPERM, ENOSYS = 1, 38
NAMESPACES = 0x7E020080  # CLONE_NEW…
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}
PROT_WRITE, PROT_EXEC, SHM_EXEC = 2, 4, 0o100000
NOBODY = 65534
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 1 << 18
MOUNT_ATTR_RDONLY, AT_RECURSIVE, AT_FDCWD = 1, 0x8000, -100
SYS_MOUNT_SETATTR = 442

libc = ctypes.CDLL(None, use_errno=True)


class Compare(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int),
                ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


class MountAttr(ctypes.Structure):
    _fields_ = [(n, ctypes.c_uint64) for n in
                ("set", "clear", "propagation", "userns")]


def checked(rc, what):
    if rc != 0:
        raise OSError(ctypes.get_errno() or -rc, what)


def settings(path):
    """{name: [values]} of [Service]; an empty value forgets those before."""
    found, section = {}, ""
    with open(path, encoding="utf-8") as f:
        for line in f.read().replace("\\\n", " ").split("\n"):
            if line.startswith("["):
                section = line
            elif section == "[Service]" and "=" in line and line[0] not in "#;":
                name, value = line.split("=", 1)
                found.setdefault(name, []).append(value.strip())
    return found


def group(name, seen):
    """The system calls of a word of SystemCallFilter, as systemd knows them."""
    if not name.startswith("@"):
        return {name}
    if name not in seen:
        out = subprocess.run(["systemd-analyze", "syscall-filter", name],
                             capture_output=True, text=True, check=True).stdout
        words = [line.strip() for line in out.split("\n")[1:]]
        seen[name] = set()
        for word in words:
            if word and not word.startswith("#"):
                seen[name] |= group(word, seen)
    return seen[name]


def allowed_calls(unit):
    calls, seen = group("@default", {}) | {"execve"}, {}
    for line in unit["SystemCallFilter"]:
        words = line.lstrip("~").split()
        for word in words:
            if line.startswith("~"):
                calls = calls - group(word, seen)
            else:
                calls = calls | group(word, seen)
    return calls


class Filter:
    def __init__(self):
        self.lib = ctypes.CDLL("libseccomp.so.2")
        self.lib.seccomp_init.restype = ctypes.c_void_p
        self.ctx = ctypes.c_void_p(self.lib.seccomp_init(ERRNO | EPERM))

    def rule(self, name, *compare, action=ALLOW):
        number = self.lib.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            return  # not of this architecture
        args = (Compare * max(1, len(compare)))(*compare)
        checked(self.lib.seccomp_rule_add_array(
            self.ctx, ctypes.c_uint32(action), number, len(compare), args),
            name)

    def load(self):
        checked(self.lib.seccomp_load(self.ctx), "seccomp_load")


def make_filter(unit):
    assert unit["SystemCallErrorNumber"] == ["EPERM"]
    assert unit["RestrictNamespaces"] == ["yes"]
    assert unit["MemoryDenyWriteExecute"] == ["yes"]
    f, calls = Filter(), allowed_calls(unit)
    special = {"socket", "mmap", "mprotect", "pkey_mprotect", "shmat", "clone",
               "clone3", "unshare", "setns"}
    for name in sorted(calls - special):
        f.rule(name)
    for family in " ".join(unit["RestrictAddressFamilies"]).split():
        f.rule("socket", Compare(0, EQ, FAMILIES[family], 0))
    both = PROT_WRITE | PROT_EXEC
    for prot in (0, PROT_WRITE, PROT_EXEC):
        f.rule("mmap", Compare(2, MASKED_EQ, both, prot))
    for name in ("mprotect", "pkey_mprotect"):
        f.rule(name, Compare(2, MASKED_EQ, PROT_EXEC, 0))
    f.rule("shmat", Compare(2, MASKED_EQ, SHM_EXEC, 0))
    for name in ("clone", "unshare"):
        f.rule(name, Compare(0, MASKED_EQ, NAMESPACES, 0))
    # Its flags are behind a pointer: systemd makes it unknown, and the C
    # library takes clone() then.
    f.rule("clone3", action=ERRNO | ENOSYS)
    return f


def read_only_but(folders):
    checked(libc.unshare(0x20000), "unshare")  # mounts
    checked(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None),
            "mount /")
    for folder in folders:
        path = folder.encode()
        checked(libc.mount(path, path, None, MS_BIND, None), folder)
    change = MountAttr(set=MOUNT_ATTR_RDONLY)
    checked(libc.syscall(SYS_MOUNT_SETATTR, AT_FDCWD, b"/", AT_RECURSIVE,
                         ctypes.byref(change), ctypes.sizeof(change)),
            "mount_setattr /")
    change = MountAttr(clear=MOUNT_ATTR_RDONLY)
    for folder in folders:
        checked(libc.syscall(SYS_MOUNT_SETATTR, AT_FDCWD, folder.encode(), 0,
                             ctypes.byref(change), ctypes.sizeof(change)),
                folder)


def nobody():
    for capability in range(64):
        if libc.prctl(24, capability, 0, 0, 0) != 0:  # PR_CAPBSET_DROP
            break
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def enter(unit, f, folders):
    """In the child, before exec. What it was root for is given away."""
    assert unit["ProtectSystem"] == ["strict"]
    assert unit["CapabilityBoundingSet"] == [""]
    assert unit["NoNewPrivileges"] == ["yes"]
    if os.getuid() == 0:
        read_only_but(folders)
        nobody()
    checked(libc.prctl(38, 1, 0, 0, 0), "no_new_privs")
    os.umask(int(unit["UMask"][0], 8))
    f.load()
