"""A Hindsight box in QEMU: its card, its SSD on USB, its network; what is written to which disk, and what
it answers. Not here: what is asked of it (scenarios.py)."""

import json
import os
import socket
import struct
import subprocess
import time
import urllib.error
import urllib.request
import zlib
from pathlib import Path

WORK = Path(os.environ.get("HINDSIGHT_WORK", "target/image-test"))
VERSION = os.environ.get("HINDSIGHT_VERSION", "0")
MB = 1 << 20
BOOT_AT, BOOT_SIZE = 4 * MB, 256 * MB
SLOT_SIZE = 1024 * MB
SLOT_AT = {"a": BOOT_AT + BOOT_SIZE, "b": BOOT_AT + BOOT_SIZE + SLOT_SIZE}
CARD_DATA_AT = SLOT_AT["b"] + SLOT_SIZE

# Emulated, on a machine with other work: nothing here is a claim about speed, only a limit to waiting.
BOOT_LIMIT = 900


def say(text):
    print(f"    {text}", flush=True)


def run(*command, **options):
    """Runs a tool; its output is shown only when it fails."""
    done = subprocess.run([str(c) for c in command], capture_output=True, **options)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr.decode(errors='replace').strip()[-800:]}")
    return done.stdout


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, limit, look, pause=1.0):
    """Calls `look` until it gives something true; says what was waited for when it never does."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(pause)
    raise AssertionError(f"waited {limit} s in vain for: {what}")


def copy_sparse(source, target):
    run("cp", "--sparse=always", "--reflink=auto", source, target)


def piece(path, at, size):
    """What lies in a stretch of a disk image, as a hash that is quick over holes."""
    crc = 0
    with open(path, "rb") as disk:
        here, end = at, at + size
        while here < end:
            try:
                data = os.lseek(disk.fileno(), here, os.SEEK_DATA)
            except OSError:
                break
            if data >= end:
                break
            hole = min(os.lseek(disk.fileno(), data, os.SEEK_HOLE), end)
            disk.seek(data)
            while data < hole:
                block = disk.read(min(hole - data, MB))
                # Blocks of zeros count as holes: two sparse copies of one disk differ in them.
                if block.count(0) != len(block):
                    for i in range(0, len(block), 4096):
                        part = block[i : i + 4096]
                        if part.count(0) != len(part):
                            crc = zlib.crc32(struct.pack("<Q", data + i - at) + part, crc)
                data += len(block)
            here = hole
    return crc


class Card:
    """The card, as a file. What a person does with it on another computer is done with mtools."""

    def __init__(self, path):
        self.path = path

    def _fat(self):
        return f"{self.path}@@{BOOT_AT}"

    def write(self, name, content):
        run("mcopy", "-o", "-i", self._fat(), "-", f"::{name}", input=content if isinstance(content, bytes) else content.encode())

    def read(self, name):
        done = subprocess.run(["mtype", "-i", self._fat(), f"::{name}"], capture_output=True)
        return done.stdout.decode(errors="replace") if done.returncode == 0 else None

    def remove(self, name):
        run("mdel", "-i", self._fat(), f"::{name}")

    def files(self):
        return run("mdir", "-b", "-i", self._fat(), "::").decode().split()

    def slots(self):
        """What the two copies of the switch say, None for one that is broken."""
        found = []
        for copy in (0, 1):
            block = run("mtype", "-i", self._fat(), f"::slots-{copy}.env")
            if len(block) == 512 and struct.unpack("<I", block[:4])[0] == zlib.crc32(block[4:]):
                words = [w.decode() for w in block[4:].split(b"\0") if w]
                found.append(dict(w.split("=", 1) for w in words))
            else:
                found.append(None)
        return found

    def set_slots(self, **values):
        text = b"".join(f"{k}={v}".encode() + b"\0" for k, v in sorted(values.items())) + b"\0"
        block = text.ljust(508, b"\0")
        for copy in (0, 1):
            self.write(f"slots-{copy}.env", struct.pack("<I", zlib.crc32(block)) + block)

    def slot(self, name):
        return piece(self.path, SLOT_AT[name], SLOT_SIZE)

    def put_into_slot(self, name, source):
        run("dd", f"if={source}", f"of={self.path}", "bs=1M", f"seek={SLOT_AT[name] // MB}", "conv=notrunc,sparse", "status=none")

    def spoil(self, slot, name, content):
        """Overwrites one file inside a slot, as if the card had rotted there."""
        part = Path(f"{self.path}.part")
        run("dd", f"if={self.path}", f"of={part}", "bs=1M", f"skip={SLOT_AT[slot] // MB}", f"count={SLOT_SIZE // MB}", "conv=sparse", "status=none")
        junk = Path(f"{self.path}.junk")
        junk.write_bytes(content)
        run("debugfs", "-w", "-f", "-", part, input=f"rm {name}\nwrite {junk} {name}\n".encode())
        run("dd", f"if={part}", f"of={self.path}", "bs=1M", f"seek={SLOT_AT[slot] // MB}", "conv=notrunc", "status=none")
        part.unlink()
        junk.unlink()


class Camera:
    """The project's own camera on loopback; the guest sees it as 10.0.2.2."""

    def __init__(self):
        self.process = subprocess.Popen([WORK / "camera"], stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip().replace("127.0.0.1", "10.0.2.2")

    def stop(self):
        self.process.kill()
        self.process.wait()


def config(camera_url, **keys):
    """A venue's hindsight.toml, with windows short enough for an emulated machine."""
    keys = {"pre": "6s", "post": "4s", "more": "", **keys}
    return f"""[venue]
name = "Test arena"
timezone = "Europe/Berlin"
[highlight]
pre = "{keys['pre']}"
post = "{keys['post']}"
[ring]
seconds = 40
max_bitrate = "4M"
[http]
listen = "0.0.0.0:8080"
{keys['more']}
[[camera]]
id = "court1"
url = "{camera_url}"
latency = "0ms"
"""


class Box:
    """One box: a folder with its disks; `start` and `cut` are the wall switch."""

    def __init__(self, folder, image, ssd_mb=1024):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.card = Card(self.folder / "card.img")
        copy_sparse(image, self.card.path)
        self.ssd = None
        if ssd_mb:
            self.ssd = self.folder / "ssd.img"
            run("truncate", "-s", f"{ssd_mb}M", self.ssd)
        self.key = WORK / "ssh_key"
        self.card.write("authorized_keys", Path(f"{self.key}.pub").read_text())
        # An emulated machine beside other work may take minutes where a real one takes seconds.
        self.card.write("boot-extra.txt", "extra=systemd.default_device_timeout_sec=900 systemd.default_timeout_start_sec=600\n")
        self.machine = self.serial = None
        self.starts = 0
        self.block_log = None
        self.memory_mb = 1024
        self.more_options = []
        self.port = self.ssh_port = None

    # ── power ──

    def _ssd_options(self):
        if not self.ssd:
            return []
        node = ["-blockdev", f"driver=file,node-name=ssdfile,filename={self.ssd},cache.direct=off"]
        last = "ssdfile"
        if self.block_log:
            node += ["-blockdev", f"driver=file,node-name=logfile,filename={self.block_log}"]
            node += ["-blockdev", f"driver=raw,node-name=ssdraw,file=ssdfile"]
            node += ["-blockdev", "driver=blklogwrites,node-name=ssdlog,file=ssdraw,log=logfile,log-sector-size=512"]
            last = "ssdlog"
        else:
            node += ["-blockdev", f"driver=raw,node-name=ssdraw,file=ssdfile"]
            last = "ssdraw"
        return node + ["-device", "qemu-xhci,id=xhci", "-device", f"usb-storage,bus=xhci.0,drive={last},id=ssd,serial=HSTEST0001"]

    def start(self):
        """Switches the box on. Returns at once."""
        assert self.machine is None, "it runs already"
        self.starts += 1
        self.port, self.ssh_port = free_port(), free_port()
        self.serial = self.folder / f"serial-{self.starts}.log"
        self.monitor = self.folder / "qmp"
        self.monitor.unlink(missing_ok=True)
        command = [
            "qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53", "-smp", "2", "-m", str(self.memory_mb),
            "-bios", os.environ["HINDSIGHT_U_BOOT"], "-display", "none", "-serial", f"file:{self.serial}",
            "-qmp", f"unix:{self.monitor},server=on,wait=off",
            "-blockdev", f"driver=file,node-name=cardfile,filename={self.card.path}",
            "-blockdev", "driver=raw,node-name=card,file=cardfile",
            "-device", "virtio-blk-pci,drive=card,id=carddisk",
            "-netdev", f"user,id=n0,restrict=off,hostfwd=tcp:127.0.0.1:{self.port}-:8080,hostfwd=tcp:127.0.0.1:{self.ssh_port}-:22",
            "-device", "virtio-net-pci,netdev=n0,romfile=", "-device", "virtio-rng-pci",
            *self._ssd_options(), *self.more_options,
        ]
        self.machine = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=open(self.folder / "qemu.log", "w"))
        self.began = time.monotonic()

    def cut(self):
        """Pulls the plug: the emulator dies, and with it everything the box had not written."""
        if self.machine:
            self.machine.kill()
            self.machine.wait()
            self.machine = None

    def stop(self):
        """Switches it off as `systemctl poweroff` does."""
        self.shell("systemctl poweroff --no-block")
        self.machine.wait(timeout=180)
        self.machine = None

    def qmp(self, name, **arguments):
        """Asks the emulator itself."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.monitor))
            stream = s.makefile("rw")
            stream.readline()
            for order in ({"execute": "qmp_capabilities"}, {"execute": name, "arguments": arguments}):
                stream.write(json.dumps(order) + "\n")
                stream.flush()
                while True:
                    answer = json.loads(stream.readline())
                    if "return" in answer or "error" in answer:
                        break
            return answer["return"]

    def card_counts(self):
        """What the card has seen since the box was switched on, as the emulator counts it."""
        for disk in self.qmp("query-blockstats"):
            if disk.get("qdev", "").startswith("/machine/peripheral/carddisk") or disk.get("node-name") == "card":
                return disk["stats"]
        raise AssertionError("the emulator knows no card")

    def written_to_card(self):
        """How many writes, and how many bytes of them."""
        counts = self.card_counts()
        return counts["wr_operations"], counts["wr_bytes"]

    # ── talk ──

    def ask(self, path, body=None, token=None, limit=20):
        """One HTTP request; (status, answer), (0, reason) where nobody answered."""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=data, method="POST" if body is not None else "GET")
        request.add_header("Content-Type", "application/json")
        token = token or getattr(self, "token", None)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=limit) as answer:
                raw = answer.read()
                return answer.status, json.loads(raw) if raw[:1] in b"{[" else raw
        except urllib.error.HTTPError as error:
            raw = error.read()
            try:
                return error.code, json.loads(raw)
            except ValueError:
                return error.code, raw.decode(errors="replace")
        except (OSError, ValueError) as error:
            return 0, str(error)

    def shell(self, command, limit=120, check=True, input=None):
        """A command on the box, over SSH, as the person with the key would."""
        done = subprocess.run(
            ["ssh", "-i", self.key, "-p", str(self.ssh_port), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
             "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=30", "-o", "BatchMode=yes", "root@127.0.0.1", command],
            capture_output=True, timeout=limit, input=input,
        )
        if check and done.returncode:
            raise RuntimeError(f"on the box, {command!r}: {done.returncode}: {(done.stdout + done.stderr).decode(errors='replace')[-1500:]}")
        return done.stdout.decode(errors="replace")

    def _alive(self):
        if self.machine.poll() is not None:
            raise AssertionError(f"the emulator ended ({self.machine.returncode}): {(self.folder / 'qemu.log').read_text()[-400:]}")
        return True

    def wait_for_http(self, limit=BOOT_LIMIT):
        """Until the service answers at all, with or without cameras."""
        wait_for("the service answers", limit, lambda: self._alive() and self.ask("/health")[0] == 200, 2)

    def wait_for_shell(self, limit=BOOT_LIMIT):
        def look():
            self._alive()
            try:
                return self.shell("echo here", limit=40, check=False).strip() == "here"
            except subprocess.TimeoutExpired:
                return False
        wait_for("a login by SSH", limit, look, 3)

    def learn_token(self):
        """The token that the box made at its first start. Card files are read after a sync of the guest's."""
        self.token = self.shell("head -n 1 /boot/firmware/token.txt").strip()

    def wait_until_ready(self, limit=BOOT_LIMIT):
        """Until presses give clips: a picture is in the ring."""
        self.wait_for_http(limit)
        if not getattr(self, "token", None):
            self.wait_for_shell()
            self.learn_token()
        def look():
            self._alive()
            status, answer = self.ask("/health")
            return status == 200 and answer.get("status") != "unhealthy"
        wait_for("health is not 'unhealthy'", limit, look, 2)
        say(f"ready {time.monotonic() - self.began:.0f} s after power-on (emulated)")
        # The ring is empty at first: what a window asks for has to have been seen.
        time.sleep(8)

    def press(self, wait=False):
        """A press over HTTP; its id. With `wait` also what became of it."""
        for _ in range(3):
            status, answer = self.ask("/save-clip" + ("?wait=true" if wait else ""), {}, limit=240 if wait else 60)
            # Nobody answered: not acknowledged, and nothing is owed. Like a person, it presses again. (A machine
            # that stops for a while with the emulator on it lets the service's watchdog bite.)
            if status:
                break
            say(f"nobody answered the press ({answer})")
            self.wait_until_ready()
        assert status == 200 and answer["success"], f"the press was not taken: {status} {answer}"
        return (answer["press_id"], answer.get("clips")) if wait else answer["press_id"]

    def facts(self):
        """What the running system says of itself."""
        words = self.shell("cat /proc/cmdline").split()
        return dict(w.split("=", 1) for w in words if "=" in w)

    def tail(self, lines=40):
        if not self.serial:
            return "(it was never switched on)"
        try:
            return "\n".join(self.serial.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""
