# Sourced by image/build: the root folder of a slot, and its file system.

# make_root ROOT TAR BOOT DEB
make_root() {
    local root=$1 tar=$2 boot=$3 deb=$4
    mkdir -p "$root"
    say "unpacking the Debian root"
    tar -xf "$tar" -C "$root" --numeric-owner --exclude='./dev/*'
    clean_root "$root"
    install_program "$root" "$deb"
    cp -a --no-preserve=ownership "$image/root/." "$root/"
    system_settings "$root"
    install_kernel "$root" "$boot"
    echo "$version" >"$root/etc/hindsight-image"
    make_initramfs "$root" "$boot"
    # The same time on everything; also what tells systemd that nothing in /etc waits to be made.
    touch "$root/etc/.updated"
    find "$root" -newermt "@$SOURCE_DATE_EPOCH" -print0 | xargs -0r touch -h -d "@$SOURCE_DATE_EPOCH"
    touch -d "@$SOURCE_DATE_EPOCH" "$root/usr" "$root/etc/.updated"
}

# What packages left of their making, and what only a machine with apt needs.
clean_root() {
    local root=$1
    rm -rf "$root"/var "$root"/usr/share/doc "$root"/boot "$root"/home "$root"/srv "$root"/media "$root"/opt
    rm -rf "$root"/etc/apt "$root"/etc/cron* "$root"/etc/ssh/ssh_host_* "$root"/usr/lib/python3* "$root"/etc/.pwd.lock
    rm -f "$root"/etc/{passwd-,shadow-,group-,gshadow-,subuid-,subgid-,resolv.conf,hostname,motd}
    find "$root" -name '__pycache__' -prune -exec rm -rf {} +
    mkdir -p "$root"/{var,boot/firmware,dev,proc,sys,run,tmp,mnt,media,root} "$root"/etc/hindsight
    chmod 1777 "$root/tmp"
    chmod 0700 "$root/root"
}

system_settings() {
    local root=$1 unit=usr/lib/systemd/system/systemd-timesyncd.service one
    ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
    echo hindsight >"$root/etc/hostname"
    printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
    : >"$root/etc/machine-id"
    # A wall clock that was never set starts here, not in 1970.
    touch -d "@$SOURCE_DATE_EPOCH" "$root/usr/lib/clock-epoch"
    # Debian starts it before everything else; here its clock is on the data disk, which comes later.
    sed -e 's/ sysinit.target / /' -e 's/^WantedBy=sysinit.target/WantedBy=multi-user.target/' \
        "$root/$unit" >"$root/etc/systemd/system/systemd-timesyncd.service"
    mkdir -p "$root/etc/systemd/system.conf.d"
    install -m 644 "$repo/hw/overlay/watchdog.conf" "$root/etc/systemd/system.conf.d/hindsight-watchdog.conf"
    install -m 644 "$image/recipe/avahi-service.xml" "$root/etc/avahi/services/hindsight.service"
    if [ -n "${HINDSIGHT_SIGN_PUB:-}" ]; then
        install -m 644 "$HINDSIGHT_SIGN_PUB" "$root/etc/hindsight/update.pub"
    fi
    words "$image/recipe/masked" | while read -r one; do ln -sf /dev/null "$root/etc/systemd/system/$one"; done
    : >"$root/etc/default/locale"
    systemctl --root="$root" preset-all 2>&1 | grep -vE '^(Created|Removed)|^$' >&2 || true
    # A unit of ours that nobody starts would only be seen on the box.
    for one in hindsight hindsight-disk hindsight-config hindsight-confirm nftables systemd-networkd; do
        find "$root/etc/systemd/system" -name "$one.service" -type l | grep -q . || die "$one.service is not enabled in the image"
    done
}

# The modules of a list, with all that they need, as paths below lib/modules/VERSION.
modules_of() {
    local base=$1 list=$2
    python3 - "$base" <(words "$list") <<'P'
import re, sys
base, wanted = sys.argv[1], open(sys.argv[2]).read().split()
needs, by_name = {}, {}
for line in open(base + "/modules.dep"):
    path, rest = line.split(":")
    needs[path] = rest.split()
    by_name[re.sub(r"\.ko(\.xz)?$", "", path.rsplit("/", 1)[1]).replace("-", "_")] = path
builtin = {re.sub(r"\.ko$", "", p.strip().rsplit("/", 1)[1]).replace("-", "_") for p in open(base + "/modules.builtin")}
done, missing = [], []
def take(path):
    # modules.dep names the nearest first; what is needed must be loaded before.
    for one in reversed(needs[path]):
        if one not in done: take(one)
    if path not in done: done.append(path)
for name in wanted:
    name = name.replace("-", "_")
    if name in by_name: take(by_name[name])
    elif name not in builtin: missing.append(name)
if missing: print("make image: this kernel has no module " + ", ".join(missing), file=sys.stderr)
print("\n".join(done))
P
}

# Kernel, device trees' version and the modules that a box may need.
install_kernel() {
    local root=$1 boot=$2 base kernel path
    base=$(echo "$boot"/usr/lib/modules/*)
    kernel=$(basename "$base")
    [ -e "$base/modules.dep" ] || depmod -b "$boot/usr" "$kernel"
    mkdir -p "$root/usr/lib/modules/$kernel"
    cp "$base"/modules.{builtin,builtin.modinfo,order} "$root/usr/lib/modules/$kernel/"
    # Unpacked: they load faster, and the image as a whole is packed better than each by itself.
    modules_of "$base" "$image/recipe/modules" | while read -r path; do
        mkdir -p "$(dirname "$root/usr/lib/modules/$kernel/$path")"
        xz -dc "$base/$path" >"$root/usr/lib/modules/$kernel/${path%.xz}"
    done
    depmod -b "$root" "$kernel"
    # Names and numbers of the Wi-Fi chip that Debian keeps beside the Raspberry Pi's firmware.
    [ ! -d "$boot/usr/lib/firmware/brcm" ] || cp -an "$boot/usr/lib/firmware/brcm/." "$root/usr/lib/firmware/brcm/"
    # Of Broadcom's firmware only what sits on a Raspberry Pi.
    find "$root/usr/lib/firmware" -path '*brcm/*' ! -name '*4343*' ! -name '*43455*' ! -name '*43456*' ! -name '*43436*' ! -type d -delete
    mkdir -p "$root/boot"
    gzip -9nc "$base/vmlinuz" >"$root/boot/Image.gz"
    cp "$base/config" "$root/boot/config"
}

make_initramfs() {
    local root=$1 boot=$2 base path dir=$work/initramfs tool
    base=$(echo "$boot"/usr/lib/modules/*)
    mkdir -p "$dir"/{bin,proc,sys,dev,run,root,modules}
    cp "$boot/usr/bin/busybox" "$dir/bin/"
    for tool in sh mount insmod switch_root sleep cat dd od md5sum cut reboot echo; do ln -s busybox "$dir/bin/$tool"; done
    cp "$image/initramfs/init" "$dir/init"
    modules_of "$base" "$image/recipe/initramfs-modules" | while read -r path; do
        xz -dc "$base/$path" >"$dir/modules/$(basename "${path%.xz}")"
        basename "${path%.xz}" >>"$dir/modules/order"
    done
    find "$dir" -print0 | xargs -0 touch -h -d "@$SOURCE_DATE_EPOCH"
    (cd "$dir" && find . | sort | cpio -o -H newc -R 0:0 --reproducible --quiet | gzip -9n) >"$root/boot/initrd.img"
}

# make_slot ROOT FILE: the same folder gives the same bytes.
make_slot() {
    local root=$1 file=$2
    say "making a slot's file system"
    truncate -s "${slot_mb}M" "$file"
    # No journal: nothing ever writes to it.
    E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH mke2fs -q -F -t ext4 -O ^has_journal,^resize_inode -m 0 -L hindsight \
        -U "${slot_uuid}01" -E "hash_seed=${slot_uuid}02,lazy_itable_init=0,root_owner=0:0" -d "$root" "$file"
    same_times "$file"
    e2fsck -fn "$file" >/dev/null 2>&1 || die "the slot's file system is not clean"
}

# mke2fs takes over when our copy of each file was made; that is no part of the image.
same_times() {
    python3 "$image/steps/same_times.py" "$1" "$SOURCE_DATE_EPOCH"
}
