# Sourced by image/build: Hindsight itself, for arm64, as its own package has it.

# Builds the package and prints its path. HINDSIGHT_DEB names one that is there already.
the_program() {
    if [ -n "${HINDSIGHT_DEB:-}" ]; then
        realpath "$HINDSIGHT_DEB"
        return
    fi
    say "building Hindsight's package for arm64"
    echo "$repo/$("$repo/packaging/deb" arm64 | tail -n 1)"
}

# The package into the root, by its files alone: its scripts are for machines that are administered,
# and what they do is done below, natively.
install_program() {
    local root=$1 deb=$2
    dpkg-deb -x "$deb" "$root"
    rm -rf "$root/usr/share/doc" "$root/usr/share/lintian"
    [ -x "$root/usr/bin/hindsight" ] || die "$deb has no /usr/bin/hindsight"
    systemd-sysusers --root="$root" >&2 2>/dev/null || die "the users of the system could not be made"
    grep -q '^hindsight:' "$root/etc/passwd" || die "$deb does not make the user hindsight"
}
