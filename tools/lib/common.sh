# Shared by the scripts in tools/: where things are, what must be installed, how steps are printed.
# Sourced, not run; expects `set -euo pipefail`.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
INSTALL_BIN="$ROOT/artifacts/install/bin"
CONFIGURATION=Release

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_CLI_WORKLOAD_UPDATE_NOTIFY_DISABLE=true
# mke2fs, debugfs and drbdmeta live where an ordinary user's PATH does not look.
export PATH="$PATH:/usr/sbin:/sbin"

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Which Debian package brings a command (or, with a leading slash, a file).
package_of() {
    case "$1" in
        cmake) echo cmake ;;
        make) echo make ;;
        gcc) echo gcc ;;
        /usr/include/stdio.h) echo libc6-dev ;;
        aarch64-linux-gnu-gcc) echo gcc-aarch64-linux-gnu ;;
        /usr/aarch64-linux-gnu/include/stdio.h) echo libc6-dev-arm64-cross ;;
        qemu-aarch64-static) echo qemu-user-static ;;
        clang) echo clang ;;
        /usr/include/zlib.h) echo zlib1g-dev ;;
        zstd) echo zstd ;;
        fio) echo fio ;;
        nbdcopy | nbdinfo) echo libnbd-bin ;;
        qemu-io | qemu-img) echo qemu-utils ;;
        qemu-storage-daemon) echo qemu-system-common ;;
        mke2fs | debugfs | e2fsck) echo e2fsprogs ;;
        tshark) echo tshark ;;
        tcpdump) echo tcpdump ;;
        tgtd) echo tgt ;;
        iscsi-inq) echo libiscsi-bin ;;
        drbdmeta) echo drbd-utils ;;
        sbd) echo sbd ;;
        losetup) echo mount ;;
        fence_sbd) echo fence-agents ;;
        corosync) echo corosync ;;
        pacemakerd) echo pacemaker ;;
        crm) echo crmsh ;;
        crm_mon) echo pacemaker-cli-utils ;;
        /usr/lib/ocf/resource.d/heartbeat/Filesystem) echo resource-agents ;;
        fuser) echo psmisc ;;
        ping) echo iputils-ping ;;
        ip) echo iproute2 ;;
        qemu-system-x86_64) echo qemu-system-x86 ;;
        qemu-system-aarch64) echo qemu-system-arm ;;
        cpio) echo cpio ;;
        modprobe) echo kmod ;;
        xz) echo xz-utils ;;
        stress-ng) echo stress-ng ;;
        dpkg-deb) echo dpkg ;;
        debootstrap) echo debootstrap ;;
        file) echo file ;;
        lintian) echo lintian ;;
        *) fail "no package known for $1" ;;
    esac
}

is_present() {
    case "$1" in
        /*) [ -e "$1" ] ;;
        *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

# Prints the packages, each once, of those arguments that are not present.
missing_packages() {
    local item
    for item in "$@"; do
        is_present "$item" || package_of "$item"
    done | sort -u | tr '\n' ' '
}

# Services among them are not started, now (policy-rc.d forbids it) or with the machine: tests start what they need.
apt_install() (
    policy=/usr/sbin/policy-rc.d
    log="$(mktemp)"
    trap 'rm -f "$log"' EXIT
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$log" "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        return 1
    fi
    for service in "$@"; do
        case "$service" in
            corosync | pacemaker | tgt) systemctl disable "$service" >/dev/null 2>&1 || true ;;
        esac
    done
)

# need ITEM...: installs what is missing (as root), or names it and ends.
need() {
    local missing
    missing="$(missing_packages "$@")"
    [ -z "$missing" ] && return 0
    if [ "$(id -u)" = 0 ] && is_present apt-get; then
        say "installing Debian packages: $missing"
        # shellcheck disable=SC2086
        apt_install $missing || fail "apt-get could not install: $missing"
        return 0
    fi
    fail "these Debian packages are missing; install them with: sudo apt-get install $missing"
}

# want ITEM...: as need, but what cannot be installed is only named: the parts that use it skip themselves.
want() {
    local missing
    missing="$(missing_packages "$@")"
    [ -z "$missing" ] && return 0
    if [ "$(id -u)" = 0 ] && is_present apt-get; then
        say "installing Debian packages: $missing"
        # shellcheck disable=SC2086
        apt_install $missing || say "note: apt-get could not install: $missing"
        return 0
    fi
    say "note: without these Debian packages some parts are skipped: $missing"
}

# newest_package ARCH: the Debian package that tools/package made last.
newest_package() {
    local found
    found="$(ls -t "$ROOT/artifacts/packages/"blockrepl_*_"$1".deb 2>/dev/null | head -n 1)"
    [ -n "$found" ] || fail "there is no package for $1; run: tools/package $1"
    printf '%s' "$found"
}

need_dotnet() {
    command -v dotnet >/dev/null 2>&1 ||
        fail "the .NET 10 SDK is missing: https://dotnet.microsoft.com/download/dotnet/10.0"
    local version
    version="$(cd "$ROOT" && dotnet --version)"
    case "$version" in
        1[0-9].*) ;;
        *) fail "the .NET SDK is $version; BlockRepl needs 10.0 or newer" ;;
    esac
}

# build_native x64|arm64: builds native/ into artifacts/native/ARCH; prints nothing unless it fails.
build_native() {
    local log
    log="$(mktemp)"
    if ! "$ROOT/native/build" "$1" >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}
