# Sourced by image/build: the FAT partition, the card, the update file, the manifest.

fat_id=48494e44

# Everything that the Raspberry Pi's firmware and U-Boot read, and what a person may write.
make_boot_partition() {
    local root=$1 boot=$2 file=$3 dir=$work/boot base one
    base=$(echo "$boot"/usr/lib/modules/*)
    mkdir -p "$dir/overlays"
    cp "$boot"/usr/lib/raspi-firmware/{bootcode.bin,start.elf,fixup.dat,start4.elf,fixup4.dat,start_cd.elf,fixup_cd.dat,start4cd.elf,fixup4cd.dat} "$dir/"
    cp "$base"/dtb/broadcom/bcm2[78]??-rpi-{3-*,4-*,cm4-io,zero-2-w,5-b,cm3*,400}.dtb "$dir/"
    # The firmware asks for the later Raspberry Pi 5 by another name than Linux has for it.
    cp "$base/dtb/broadcom/bcm2712-d-rpi-5-b.dtb" "$dir/bcm2712d0-rpi-5-b.dtb"
    cp "$boot/usr/lib/u-boot/rpi_arm64/u-boot.bin" "$dir/"
    cat "$image/card/config.txt" "$repo/hw/overlay/config.txt" >"$dir/config.txt"
    dtc -q -@ -I dts -O dtb -o "$dir/overlays/hindsight.dtbo" "$repo/hw/overlay/hindsight-overlay.dts"
    mkimage -q -A arm64 -T script -C none -n hindsight -d "$image/card/boot.cmd" "$dir/boot.scr"
    environment 16384 <"$image/card/uboot-env.txt" >"$dir/uboot.env"
    for one in 0 1; do printf 'slot=a\ntry=none\nleft=0\n' | environment 512 >"$dir/slots-$one.env"; done
    example_config >"$dir/hindsight.toml"
    cp "$image/card/README.txt" "$dir/README.txt"
    find "$dir" -print0 | xargs -0 touch -d "@$SOURCE_DATE_EPOCH"
    truncate -s "${boot_mb}M" "$file"
    mkfs.vfat --invariant -F 32 -i "$fat_id" -n HINDSIGHT "$file" >/dev/null
    # One by one and in order, so that every file lies where it lay the last time.
    (cd "$dir" && mmd -i "$file" ::overlays && find . -type f | sort | while read -r one; do mcopy -m -i "$file" "$one" "::${one#./}"; done)
}

# What U-Boot's `env import -c` reads: a checksum, then NAME=VALUE lines ended by zeros.
environment() {
    python3 -c '
import sys, zlib
size = int(sys.argv[1])
body = b"".join(line.rstrip("\n").encode() + b"\0" for line in sys.stdin if line.strip()) + b"\0"
body = body.ljust(size - 4, b"\0")
assert len(body) == size - 4, "too long"
sys.stdout.buffer.write(zlib.crc32(body).to_bytes(4, "little") + body)' "$1"
}

# The example, every line of it a comment: a new box says that it knows no camera, not that it
# cannot reach one that does not exist.
example_config() {
    echo "# Take the \"#  \" away from the lines that you want. A box without a camera says so by its lights."
    sed -e 's/^$/#/; t' -e 's/^#/#  #/; t' -e 's/^/#  /' "$repo/hindsight.example.toml"
}

# make_card WORK FILE
make_card() {
    local parts=$1 file=$2 start=8192 empty=$work/empty
    rm -f "$file"
    truncate -s $((4 + boot_mb + 2 * slot_mb + data_mb))M "$file"
    sfdisk -q "$file" <<S
label: dos
label-id: 0x$disk_id
start=$start, size=$((boot_mb * 2048)), type=c, bootable
start=$((start + boot_mb * 2048)), size=$((slot_mb * 2048)), type=83
start=$((start + (boot_mb + slot_mb) * 2048)), size=$((slot_mb * 2048)), type=83
start=$((start + (boot_mb + 2 * slot_mb) * 2048)), size=$((data_mb * 2048)), type=83
S
    mkdir -p "$empty"
    touch -d "@$SOURCE_DATE_EPOCH" "$empty"
    truncate -s "${data_mb}M" "$parts/data.ext4"
    E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH mke2fs -q -F -t ext4 -m 0 -L hindsight-card -U "$card_uuid" \
        -E "hash_seed=${slot_uuid}03,lazy_itable_init=0,root_owner=0:0" -d "$empty" "$parts/data.ext4"
    same_times "$parts/data.ext4"
    place "$parts/boot.fat" "$file" 4
    place "$parts/slot.ext4" "$file" $((4 + boot_mb))
    place "$parts/data.ext4" "$file" $((4 + boot_mb + 2 * slot_mb))
}
place() { dd if="$1" of="$2" bs=1M seek="$3" conv=notrunc,sparse status=none; }

# Always in blocks and threads of the same number, so that the packed file is the same, too.
pack_card() {
    say "packing the card"
    xz -6 --block-size=64MiB -T4 -kf "$1"
    rm "$1"
    local size
    size=$(stat -c %s "$1.xz")
    say "$(basename "$1").xz: $((size / 1000000)) MB (at most 350 are allowed)"
    [ "$size" -le 350000000 ] || die "the packed image is larger than 350 MB"
}

# The slot as one signed file: src/update reads it, and says what the header means.
make_update() {
    local slot=$1 file=$2 level=-19
    [ -z "${HINDSIGHT_QUICK:-}" ] || level=-3
    say "making the update file"
    printf '{"format":1,"version":"%s","arch":"arm64","size":%s,"sha256":"%s"}\n' \
        "$version" "$(stat -c %s "$slot")" "$(sha256sum "$slot" | cut -d' ' -f1)" >"$file"
    zstd -q $level -T2 -c "$slot" >>"$file"
    rm -f "$file.minisig"
    if [ -n "${HINDSIGHT_SIGN_KEY:-}" ]; then
        minisign -S -s "$HINDSIGHT_SIGN_KEY" -m "$file" -t "hindsight $version arm64" </dev/null >/dev/null
    else
        say "not signed (HINDSIGHT_SIGN_KEY names no key): no box takes this update"
    fi
}

# Every package with its version and hash, and everything of ours by its hash.
make_manifest() {
    local boot=$1 file=$2
    {
        echo "# hindsight $version, arm64: what the image is made of. NAME VERSION SHA-256 of the package"
        echo "# installed"
        cat "$cache/root.manifest"
        echo "# unpacked"
        cat "$boot/manifest"
        echo "# ours: FILE SHA-256"
        (cd "$work" && sha256sum slot.ext4 boot.fat data.ext4) | awk '{print $2, $1}'
        (cd "$image" && find card initramfs recipe root -type f | sort | xargs sha256sum) | awk '{print "image/" $2, $1}'
        echo "package-of-hindsight $(sha256sum <"$program" | cut -d' ' -f1)"
    } >"$file"
}
