"""Replays what the data disk was written, write by write, and looks at it after each as a power cut would leave
it. The log is QEMU's `blklogwrites`. Not here: who writes (scenarios.py)."""

import json
import os
import signal
import struct
import subprocess
import time
import urllib.request

from box import MB, WORK, copy_sparse, free_port, run

FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
# To Hindsight each HINDSIGHT_… would be a key of its configuration.
PLAIN = {key: value for key, value in os.environ.items() if not key.startswith("HINDSIGHT_")}


def entries(path):
    """(where the entry ends in the log, first byte, flags, what was written), in order."""
    with open(path, "rb") as log:
        magic, version, count, sector = struct.unpack("<QQQI", log.read(28))
        assert magic == 0x6A736677736872, "this is no block log"
        at = sector
        for _ in range(count):
            log.seek(at)
            first, sectors, flags, _ = struct.unpack("<QQQQ", log.read(32))
            at += sector
            data = b""
            if sectors and not flags & (DISCARD | MARK):
                log.seek(at)
                data = log.read(sectors * sector)
                at += sectors * sector
            yield at, first * sector, sectors * sector, flags, data


def partition_at(disk):
    """Where the first partition of a GPT disk begins, in bytes."""
    table = json.loads(run("sfdisk", "--json", disk))["partitiontable"]
    return table["partitions"][0]["start"] * table.get("sectorsize", 512)


class Look:
    """Starts the service of this machine's own build over a disk, and asks what it makes of it."""

    def __init__(self, folder):
        self.mount = folder / "mnt"
        self.mount.mkdir(exist_ok=True)
        self.ring = folder / "ring"
        self.ring.mkdir(exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", "size=64M", "ring", self.ring)
        self.config = folder / "look.toml"
        self.log = folder / "look.log"

    def close(self):
        subprocess.run(["umount", self.ring])

    def __call__(self, disk, offset, presses):
        """None where all is well, else what is wrong. `presses`: those acknowledged by then."""
        mounted = subprocess.run(["mount", "-o", f"loop,offset={offset},noatime", disk, self.mount], capture_output=True, text=True)
        if mounted.returncode:
            return f"does not mount: {mounted.stderr.strip()}"
        try:
            return self._service(presses) or self._verify()
        finally:
            run("umount", self.mount)

    def _service(self, presses):
        port = free_port()
        self.config.write_text(
            f'[venue]\nname = "t"\n[storage]\npath = "{self.mount}/hindsight"\n[ring]\ndir = "{self.ring}"\nseconds = 40\nmax_bitrate = "1M"\n'
            f'[highlight]\npre = "6s"\npost = "4s"\n[trigger]\nmode = "http"\n[board]\nbackend = "none"\n'
            f'[http]\nlisten = "127.0.0.1:{port}"\n[[camera]]\nid = "court1"\nurl = "rtsp://127.0.0.1:9/x"\n')
        with open(self.log, "w") as log:
            service = subprocess.Popen([WORK / "hindsight", "run", "--config", self.config], env=PLAIN, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            missing = presses
            for _ in range(600):
                if service.poll() is not None:
                    return f"the service ended with {service.returncode}: {self.log.read_text()[-600:]}"
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/highlights", timeout=5) as answer:
                        listed = answer.read().decode()
                    missing = [press for press in presses if press not in listed]
                    if not missing:
                        return None
                except OSError:
                    pass
                time.sleep(0.05)
            return f"acknowledged presses without an end: {missing}"
        finally:
            service.send_signal(signal.SIGTERM)
            service.wait(timeout=60)
            for left in self.ring.iterdir():
                left.unlink()

    def _verify(self):
        done = subprocess.run([WORK / "hindsight", "verify", self.mount / "hindsight"], env=PLAIN, capture_output=True, text=True)
        return None if done.returncode == 0 else f"verify: {done.stdout[-800:]}{done.stderr[-400:]}"


def replay(base, log, acknowledged, folder, most):
    """Every so-manieth state of the disk, at most `most` of them and always those right after a press was
    acknowledged: it mounts, the service finds each press, verify is content. Returns a summary.
    `acknowledged`: (length of the log at the acknowledgement, press)."""
    disk, trial = folder / "state.img", folder / "trial.img"
    copy_sparse(base, disk)
    all_entries = [entry for entry in entries(log)]
    writes = [i for i, entry in enumerate(all_entries) if entry[4]]
    step = max(1, len(writes) // most)
    wanted = set(writes[::step]) | {writes[-1]}
    for length, _ in acknowledged:
        after = [i for i in writes if all_entries[i][0] >= length]
        wanted.update(after[:2])
    offset = partition_at(disk)
    look, looked, bad = Look(folder), 0, []
    try:
        with open(disk, "r+b") as state:
            for i, (end, at, size, flags, data) in enumerate(all_entries):
                if data:
                    state.seek(at)
                    state.write(data)
                if i not in wanted:
                    continue
                state.flush()
                copy_sparse(disk, trial)
                known = [press for length, press in acknowledged if length <= end]
                wrong = look(trial, offset, known)
                looked += 1
                if wrong:
                    bad.append((i, wrong))
                    if len(bad) > 3:
                        break
    finally:
        look.close()
    assert not bad, f"{len(bad)} of {looked} states: {bad}"
    flushes = sum(1 for entry in all_entries if entry[3] & (FLUSH | FUA))
    return (f"{len(writes)} writes, {flushes} flushes, {len(acknowledged)} presses acknowledged: "
            f"{looked} states looked at (every {step}. write), all of them well")
