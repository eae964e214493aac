#!/usr/bin/env bash
# The slow part of an image: a Debian root for arm64, as a tar, made under qemu-user
# (about 20 minutes). Kept outside the tree under the hash of its manifest, so it is made
# again only when a package, a hash or this recipe has changed. Prints the tar's path.
# Nothing of Hindsight is in it; image/build adds that.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || die "must run as root: the root's files belong to many users"
need mmdebstrap qemu-user-static arch-test debian-archive-keyring

state=$cache/apt
apt_state "$state"
export APT_CONFIG=$state/apt.conf

# What apt would put into an empty machine: name, version, SHA-256, sorted.
resolve() {
    local wanted
    mapfile -t wanted < <(words "$image/recipe/packages" | awk '{print $1}')
    # apt counts itself as essential; a box that cannot be changed needs no apt.
    apt-get -qq -s -o Debug::NoLocking=1 install '?and(?essential,?not(?exact-name(apt)))' "${wanted[@]}" |
        sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1=\2/p' |
        while IFS= read -r one; do
            printf '%s %s\n' "${one/=/ }" "$(apt-cache show "$one" | sed -n 's/^SHA256: //p' | head -1)"
        done | sort
}
manifest=$cache/root.manifest
resolve >"$manifest.new"
[ "$(wc -l <"$manifest.new")" -gt 50 ] || die "apt could not work out the packages; see recipe/packages"
mv "$manifest.new" "$manifest"
# Counted up when the way the root is made changes.
way=1
key=$( (cat "$manifest" "$image/recipe/left-out"; echo "way $way") | sha256sum | cut -c1-16)
tar=$cache/root-$key.tar
if [ -e "$tar" ]; then
    say "the Debian root is there already ($(wc -l <"$manifest") packages)"
    echo "$tar"
    exit
fi

# An arm64 program must run: the kernel asks qemu-user for it.
mountpoint -q /proc/sys/fs/binfmt_misc || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
[ -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ] || cat /usr/lib/binfmt.d/qemu-aarch64.conf >/proc/sys/fs/binfmt_misc/register

unset APT_CONFIG
options=()
while IFS= read -r path; do options+=(--dpkgopt="path-exclude=$path"); done < <(words "$image/recipe/left-out")
say "making a Debian root of $(wc -l <"$manifest") packages; this takes 20 minutes, once"
archives | mmdebstrap --mode=root --variant=essential --architectures=arm64 --quiet \
    --aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' --dpkgopt=force-confold \
    "${options[@]}" --include="$(words "$image/recipe/packages" | awk '{print $1}' | paste -sd,)" \
    --customize-hook='chroot "$1" dpkg-query -W -f "\${Package} \${Version}\n" | sort >'"$tar.packages" \
    --format=tar "$suite" "$tar.part" - >&2
# What went in must be what was worked out before.
cut -d' ' -f1,2 "$manifest" | sort | diff - "$tar.packages" >&2 || die "the archive changed in between; run it again"
mv "$tar.part" "$tar"
say "Debian root: $(du -h "$tar" | cut -f1)"
echo "$tar"
