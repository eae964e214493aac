#!/usr/bin/env bash
# Kernel, modules, firmware, U-Boot and busybox: fetched from Debian, checked by apt, unpacked
# without running anything of theirs. Prints the folder; its `manifest` lists what is in it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
state=$cache/apt
[ -e "$state/apt.conf" ] || apt_state "$state"
export APT_CONFIG=$state/apt.conf

# name=version of everything to unpack: what the list says, and the packages a kernel is split into.
wanted() {
    local package from
    while read -r package from; do
        if [ "$package" = linux-image-arm64 ]; then
            apt-get -qq -s -o Debug::NoLocking=1 -t "$from" install "$package" |
                sed -nE 's/^Inst (linux-(image|binary|modules|base)-[0-9][^ ]*) \(([^ ]*) .*/\1=\3/p'
        else
            apt-get -qq -s -o Debug::NoLocking=1 -t "$from" --no-install-recommends install "$package" |
                sed -nE "s/^Inst ($package) \(([^ ]*) .*/\1=\2/p"
        fi
    done < <(words "$image/recipe/boot-packages" "$@")
}
mapfile -t packages < <(wanted | sort -u)
[ ${#packages[@]} -gt 3 ] || die "apt found no kernel; see recipe/boot-packages"
manifest=$(for one in "${packages[@]}"; do
    printf '%s %s\n' "${one/=/ }" "$(apt-cache show "$one" | sed -n 's/^SHA256: //p' | head -1)"
done)
dir=$cache/boot-$(sha256sum <<<"$manifest" | cut -c1-16)
if [ ! -e "$dir/manifest" ]; then
    rm -rf "$dir" "$dir.part"
    mkdir -p "$dir.part/debs"
    say "fetching the kernel, the firmware and U-Boot"
    (cd "$dir.part/debs" && apt-get -qq download "${packages[@]}" >&2)
    for deb in "$dir.part"/debs/*.deb; do dpkg-deb -x "$deb" "$dir.part"; done
    # apt has compared them with the signed lists; what we write down is compared here.
    (cd "$dir.part/debs" && sha256sum ./*.deb) | cut -d' ' -f1 | sort | diff - <(cut -d' ' -f3 <<<"$manifest" | sort) >&2
    rm -r "$dir.part/debs"
    echo "$manifest" >"$dir.part/manifest"
    mv "$dir.part" "$dir"
fi
echo "$dir"
