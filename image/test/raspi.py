"""The image as the SD card of QEMU's raspi3b: the same U-Boot, boot.scr, kernel, device tree and initramfs as
on a Raspberry Pi 3. What comes before U-Boot (the firmware that reads config.txt) is not emulated: QEMU hands
U-Boot the device tree instead, so overlays are not applied. Its watchdog does not count: it bites as soon as it
is started, so the box is told to leave it alone."""

import os
import subprocess
import time
from pathlib import Path

from box import BOOT_AT, Card, copy_sparse, run, say


def boot_on_raspi3b(bench, image, limit=900, longer=240):
    """As far as it comes: `longer` after the last step that must be seen."""
    folder = bench.folder
    card = folder / "card.img"
    copy_sparse(image, card)
    # Everything on the serial line that U-Boot has, so that it can be seen.
    Card(card).write("boot-extra.txt", "extra=console=ttyS1,115200 loglevel=5 systemd.watchdog_sec=0 systemd.log_target=kmsg systemd.log_level=info\n")
    # The emulated controller takes only cards whose size is a power of two.
    run("truncate", "-s", "4G", card)
    for name in ("u-boot.bin", "bcm2837-rpi-3-b.dtb"):
        run("mcopy", "-n", "-o", "-i", f"{card}@@{BOOT_AT}", f"::{name}", folder)
    serial = folder / "serial-raspi3b.log"
    machine = subprocess.Popen(
        ["qemu-system-aarch64", "-M", "raspi3b", "-kernel", folder / "u-boot.bin", "-dtb", folder / "bcm2837-rpi-3-b.dtb",
         "-drive", f"file={card},if=sd,format=raw", "-netdev", "user,id=n0", "-device", "usb-net,netdev=n0",
         "-serial", "null", "-serial", f"file:{serial}", "-display", "none", "-monitor", "none"],
        stdout=subprocess.DEVNULL, stderr=open(folder / "qemu-raspi3b.log", "w"))
    began = time.monotonic()
    steps = {
        "U-Boot has its own settings from the card": "Loading Environment from FAT... OK",
        "boot.scr chose a slot": "Hindsight: slot a",
        "the kernel has control": "Starting kernel",
        "systemd runs from the slot": "systemd[1]: ",
        "the data disk was looked for": "hindsight-disk.service",
        "the service is started": "hindsight.service",
        "the system is up": "Reached target multi-user.target",
    }
    needed = list(steps)[:4]
    seen = {}
    try:
        until = limit
        while time.monotonic() - began < until and len(seen) < len(steps):
            assert machine.poll() is None, f"the emulator ended: {(folder / 'qemu-raspi3b.log').read_text()[-400:]}"
            text = serial.read_text(errors="replace") if serial.exists() else ""
            for step, sign in steps.items():
                if step not in seen and sign in text:
                    seen[step] = time.monotonic() - began
                    say(f"{step}: {seen[step]:.0f} s (emulated)")
            if all(step in seen for step in needed):
                until = min(limit, max(seen.values()) + longer)
            time.sleep(1)
    finally:
        machine.kill()
        machine.wait()
    missing = [step for step in needed if step not in seen]
    assert not missing, f"not seen: {missing}; the last it said:\n" + "\n".join(text.splitlines()[-30:])
    return f"as far as: {list(seen)[-1]}"
