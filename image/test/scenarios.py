"""What the image promises, one function a promise; its docstring is its name. Run by image/test/run.

Each makes its own box and can be run alone. They stand in the order of what would hurt most."""

import http.server
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

from box import BOOT_AT, BOOT_SIZE, CARD_DATA_AT, MB, VERSION, WORK, Box, Camera, config, copy_sparse, free_port, piece, run, say, wait_for

IMAGE = WORK / "built" / f"hindsight-{VERSION}-arm64.img"
UPDATE = WORK / "built" / f"hindsight-{VERSION}+next-arm64.hsu"
SCENARIOS = []


def scenario(function):
    SCENARIOS.append(function)
    return function


class Bench:
    """What a scenario uses; cleared away after it."""

    def __init__(self, folder):
        self.folder = folder
        self.boxes, self.others = [], []

    def box(self, ssd_mb=1024, camera=True, **keys):
        box = Box(self.folder / f"box{len(self.boxes)}", IMAGE, ssd_mb)
        self.boxes.append(box)
        if camera:
            box.camera = Camera()
            self.others.append(box.camera)
            box.card.write("hindsight.toml", config(box.camera.url, **keys))
        return box

    def serve(self, *files):
        """Files over HTTP on loopback; the address as the guest sees it."""
        folder = self.folder / "served"
        folder.mkdir(exist_ok=True)
        for file in files:
            target = folder / Path(file).name
            target.unlink(missing_ok=True)
            os.symlink(Path(file).resolve(), target)

        class Quiet(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, directory=str(folder), **kwargs)

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.others.append(type("S", (), {"stop": staticmethod(server.shutdown)}))
        return f"http://10.0.2.2:{server.server_port}"

    def close(self):
        for one in self.boxes:
            one.cut()
        for one in self.others:
            one.stop()


def verify(box):
    """`hindsight verify` over the storage, on the box: nothing to complain about."""
    return box.shell("hindsight verify /var/lib/hindsight", limit=300)


def ends_of(box, press):
    """What became of a press, by the API: the entry of its camera, None while it is open."""
    status, answer = box.ask("/highlights")
    assert status == 200, answer
    for entry in answer["highlights"] if isinstance(answer, dict) else answer:
        if press in str(entry):
            return entry
    return None


# ── it is a box ──


@scenario
def comes_up(bench):
    """A flashed card comes up, takes the empty SSD, and makes a clip that verify has nothing against."""
    box = bench.box()
    box.start()
    box.wait_until_ready()
    press, clips = box.press(wait=True)
    assert clips and clips[0]["status"] == "queued" and clips[0]["clip"], clips
    assert abs(clips[0]["duration_ms"] - 10_000) < 100, clips
    say(f"clip: {clips[0]['size_bytes']} bytes, {clips[0]['duration_ms']} ms")
    print(indent(verify(box)))
    failed = box.shell("systemctl list-units --failed --no-legend --plain").strip()
    assert not failed, f"units that failed:\n{failed}"
    mounts = box.shell("cat /proc/mounts")
    root = next(line for line in mounts.splitlines() if line.split()[1] == "/")
    assert root.split()[2] == "ext4" and root.split()[3].startswith("ro"), root
    assert any(l.split()[1] == "/boot/firmware" and l.split()[3].startswith("ro") for l in mounts.splitlines()), mounts
    disk = box.shell("cat /run/hindsight-box/disk.json")
    assert '"ssd"' in disk, disk
    name = box.shell("hostname").strip()
    assert name.startswith("hindsight-") and len(name) > len("hindsight-"), name
    say(f"{name}; {box.shell('systemd-analyze').splitlines()[0]}")
    print(indent(box.shell("systemd-analyze critical-chain hindsight.service --no-pager", check=False)))


@scenario
def answers_only_on_its_ports(bench):
    """The box answers on its documented ports and on no other, and logs nobody in without a key."""
    box = bench.box()
    box.card.remove("authorized_keys")
    box.start()
    box.wait_for_http()
    probe = subprocess.run(["ssh", "-p", str(box.ssh_port), "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "StrictHostKeyChecking=no",
                            "-o", "UserKnownHostsFile=/dev/null", "root@127.0.0.1", "true"], capture_output=True)
    assert probe.returncode, "logged in without a key on the card"
    box.cut()
    box.card.write("authorized_keys", Path(f"{box.key}.pub").read_text())
    box.start()
    box.wait_for_shell()
    rules = box.shell("nft list ruleset")
    assert "policy drop" in rules and "dport 8080" in rules, rules
    heard = {line.split()[4] for line in box.shell("ss -Hltun").splitlines()}
    say(f"sockets that listen (the firewall lets 8080, 22 and 5353 through): {' '.join(sorted(heard))}")


@scenario
def budget(bench):
    """What a start costs, in the machine's own instructions, and what that makes on a Raspberry Pi 4 (printed, not judged)."""
    box = bench.box()
    # The first start makes keys and a file system; the one that counts is the second.
    box.start()
    box.wait_until_ready()
    box.stop()
    # One instruction, one nanosecond, whatever else this machine does: a processor of 1 GIPS with one core.
    box.more_options = ["-icount", "shift=0,sleep=on,align=off"]
    box.start()
    box.wait_until_ready(limit=1800)
    box.wait_for_shell(limit=900)
    print(indent(box.shell("systemd-analyze --no-pager; systemd-analyze critical-chain hindsight.service --no-pager", check=False, limit=300)))
    first = box.shell("journalctl -b -u hindsight -o short-monotonic --no-pager | grep -i -m1 -E 'key frame|picture|camera.*(up|live|ready|stream)' || true", limit=300)
    say(f"first picture: {first.strip()}")
    say(f"read from the card up to now: {box.card_counts()['rd_bytes'] / 1e6:.0f} MB")
    print(indent(box.shell("journalctl -b -u hindsight -o short-monotonic --no-pager | head -30", check=False, limit=300)))


@scenario
def leaves_the_card_alone(bench):
    """In normal work with an SSD not one sector of the card is written, over many highlights and a restart of the service."""
    box = bench.box()
    box.start()
    box.wait_until_ready()
    box.press(wait=True)
    box.stop()
    # Its first start has written what a first start may; from here on nothing.
    before = box.folder / "before.img"
    copy_sparse(box.card.path, before)
    minutes = float(os.environ.get("HINDSIGHT_CARD_MINUTES", "6"))
    box.start()
    box.wait_until_ready()
    end = time.monotonic() + minutes * 60
    count = 20
    for number in range(count):
        box.press()
        time.sleep(max(4.0, (end - time.monotonic()) / (count - number)))
    box.shell("systemctl restart hindsight", limit=120)
    box.wait_until_ready()
    box.press(wait=True)
    writes, size = box.written_to_card()
    say(f"{count + 1} highlights in {minutes:.0f} minutes: {writes} writes to the card, {size} bytes")
    verify(box)
    box.stop()
    assert (writes, size) == (0, 0), f"the card was written to: {writes} times, {size} bytes"
    whole = os.path.getsize(before)
    assert piece(before, 0, whole) == piece(box.card.path, 0, whole), "the card differs from before"
    before.unlink()


# ── updates ──


def ready_box(bench, **keys):
    box = bench.box(**keys)
    box.start()
    box.wait_until_ready()
    return box


def send_update(bench, box, file=UPDATE, signature=None, check=True, limit=900):
    """`hindsight update FILE` with a file that was copied onto the data disk."""
    target = f"/var/lib/hindsight/{Path(file).name}"
    for source, name in ((file, target), (signature or f"{file}.minisig", f"{target}.minisig")):
        with open(source, "rb") as content:
            subprocess.run(
                ["ssh", "-i", box.key, "-p", str(box.ssh_port), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                 "-o", "LogLevel=ERROR", "root@127.0.0.1", f"cat >'{name}'"], stdin=content, check=True, timeout=limit)
    command = f"hindsight update '{target}' 2>&1; echo code $?; rm -f '{target}' '{target}.minisig'"
    answer = box.shell(command, limit=limit)
    return answer


def code_of(answer):
    return int(answer.split("code ")[-1].split()[0])


def reboot(box):
    """`reboot` on the box, and until the next system answers."""
    was = box.shell("cat /proc/sys/kernel/random/boot_id").strip()
    box.shell("systemctl reboot --no-block", check=False)
    def other():
        try:
            now = box.shell("cat /proc/sys/kernel/random/boot_id", limit=40, check=False).strip()
        except subprocess.TimeoutExpired:
            return False
        return now and now != was
    wait_for("the next system answers", 900, other, 4)


@scenario
def update_works(bench):
    """A signed update runs from the other slot after a restart, and stays once it was healthy for two minutes."""
    box = ready_box(bench)
    a = box.card.slot("a")
    press = box.press(wait=True)[0]
    answer = send_update(bench, box)
    assert code_of(answer) == 0, answer
    reboot(box)
    facts = box.facts()
    assert facts["hindsight.slot"] == "b" and facts["hindsight.tried"] == "yes", facts
    assert box.shell("cat /etc/hindsight-image").strip() == f"{VERSION}+next"
    box.wait_until_ready()
    wait_for("the update confirms itself", 900, lambda: box.shell("systemctl show -P ActiveState hindsight-confirm").strip() == "active", 5)
    print(indent(box.shell("hindsight update --status")))
    reboot(box)
    facts = box.facts()
    assert facts["hindsight.slot"] == "b" and facts["hindsight.tried"] == "no", facts
    box.wait_until_ready()
    assert ends_of(box, press), "the clip from before the update is not listed any more"
    verify(box)
    box.stop()
    one, two = box.card.slots()
    assert one == two and one["slot"] == "b" and one["try"] == "none", (one, two)
    assert box.card.slot("a") == a, "the slot that ran before was changed"


@scenario
def update_that_panics(bench):
    """An update whose kernel comes up and then panics is tried twice, and the box is back on the system before."""
    box = ready_box(bench)
    bad = spoilt_update(bench, "/sbin/init")
    answer = send_update(bench, box, bad)
    assert code_of(answer) == 0, answer
    reboot(box)
    facts = box.facts()
    assert facts["hindsight.slot"] == "a", facts
    box.wait_until_ready()
    box.press(wait=True)
    print(indent(box.shell("hindsight update --status", check=False)))
    verify(box)
    box.stop()
    assert box.card.slots()[0]["left"] == "0", box.card.slots()


@scenario
def update_without_kernel(bench):
    """An update whose kernel cannot be read does not even start: U-Boot goes on with the other slot at once."""
    box = bench.box()
    box.card.put_into_slot("b", unpacked_slot(bench))
    box.card.spoil("b", "/boot/Image.gz", b"not a kernel" * 1000)
    box.card.set_slots(slot="a", **{"try": "b", "left": "2"})
    box.start()
    box.wait_for_shell()
    facts = box.facts()
    assert facts["hindsight.slot"] == "a" and facts["hindsight.tried"] == "no", facts
    box.wait_until_ready()
    box.press(wait=True)
    assert box.card.slots()[0]["left"] == "1", box.card.slots()


@scenario
def update_with_a_dead_service(bench):
    """An update that comes up, but whose service does not get healthy, gives the box back by itself."""
    box = ready_box(bench)
    bad = spoilt_update(bench, "/usr/bin/hindsight")
    answer = send_update(bench, box, bad)
    assert code_of(answer) == 0, answer
    reboot_to_a = lambda: box.facts()["hindsight.slot"] == "a"
    box.shell("systemctl reboot --no-block", check=False)
    time.sleep(60)
    def back():
        try:
            return reboot_to_a()
        except (RuntimeError, KeyError, subprocess.TimeoutExpired):
            return False
    wait_for("the box is back on the system before", 1500, back, 10)
    box.wait_until_ready()
    box.press(wait=True)
    verify(box)


def unpacked_slot(bench, update=UPDATE):
    """The bytes of a slot out of an update file."""
    slot = bench.folder / "slot.ext4"
    # Unbuffered, so that zstd begins right behind the header's line.
    with open(update, "rb", buffering=0) as source, open(slot, "wb") as target:
        source.readline()
        subprocess.run(["zstd", "-dqc", "--sparse"], stdin=source, stdout=target, check=True)
    return slot


def spoilt_update(bench, without):
    """A rightly signed update in which one file is missing."""
    slot = unpacked_slot(bench)
    run("debugfs", "-w", "-R", f"rm {resolved(slot, without)}", slot)
    file = bench.folder / f"hindsight-{VERSION}+spoilt-arm64.hsu"
    digest = run("sha256sum", slot).decode().split()[0]
    with open(file, "wb") as target:
        target.write(f'{{"format":1,"version":"{VERSION}+spoilt","arch":"arm64","size":{slot.stat().st_size},"sha256":"{digest}"}}\n'.encode())
        target.flush()
        subprocess.run(["zstd", "-q", "-1", "-T2", "-c", slot], stdout=target, check=True)
    sign(file, WORK / "trusted.key")
    slot.unlink()
    return file


def resolved(slot, name):
    """debugfs does not follow links in the path: /sbin is one to usr/sbin."""
    return name.replace("/sbin/", "/usr/sbin/", 1) if name.startswith("/sbin/") else name


def sign(file, key):
    subprocess.run(["minisign", "-S", "-s", str(key), "-m", str(file)], input=b"\n", capture_output=True, check=True)


@scenario
def update_with_wrong_signature(bench):
    """An update signed by somebody else, and one changed after it was signed, are refused, and nothing is written."""
    box = ready_box(bench)
    slots = {name: box.card.slot(name) for name in "ab"}
    foreign = bench.folder / "foreign.hsu"
    shutil.copy(UPDATE, foreign)
    sign(foreign, WORK / "foreign.key")
    answer = send_update(bench, box, foreign)
    assert code_of(answer) == 1, answer
    say(answer.splitlines()[0])
    changed = bench.folder / "changed.hsu"
    shutil.copy(UPDATE, changed)
    with open(changed, "r+b") as file:
        file.seek(-1000, os.SEEK_END)
        file.write(b"changed")
    answer = send_update(bench, box, changed, signature=f"{UPDATE}.minisig")
    assert code_of(answer) == 1, answer
    say(answer.splitlines()[0])
    assert box.card.slots()[0]["try"] == "none", box.card.slots()
    box.stop()
    assert slots == {name: box.card.slot(name) for name in "ab"}, "a slot was changed by a refused update"


@scenario
def update_cut_in_the_middle(bench):
    """Power lost while the other slot is being written: the box comes up as it was, and the update can be done again."""
    box = ready_box(bench)
    a = box.card.slot("a")
    target = "/var/lib/hindsight/next.hsu"
    for source, name in ((UPDATE, target), (f"{UPDATE}.minisig", f"{target}.minisig")):
        box.shell(f"cat >{name}", input=Path(source).read_bytes(), limit=600)
    box.shell(f"sync; nohup hindsight update {target} >/run/update.log 2>&1 </dev/null &")
    before = box.written_to_card()[1]
    wait_for("a good part of the slot is written", 600, lambda: box.written_to_card()[1] > before + 150 * MB, 0.3)
    box.cut()
    say("cut while the slot was being written")
    assert box.card.slots()[0]["try"] == "none", box.card.slots()
    assert box.card.slot("a") == a, "the running slot was changed"
    box.start()
    box.wait_until_ready()
    assert box.facts()["hindsight.slot"] == "a"
    verify(box)
    answer = box.shell(f"hindsight update {target} 2>&1; echo code $?", limit=900)
    assert code_of(answer) == 0, answer
    reboot(box)
    assert box.facts()["hindsight.slot"] == "b"


# ── power ──


@scenario
def five_cuts(bench):
    """Five times the plug is pulled after acknowledged presses: each has one of the ends of law 3, and the roots are untouched."""
    count = int(os.environ.get("HINDSIGHT_CUTS", "5"))
    seed = int(os.environ.get("HINDSIGHT_SEED", random.randrange(1 << 32)))
    chance = random.Random(seed)
    say(f"seed {seed}")
    box = bench.box()
    slots = {name: box.card.slot(name) for name in "ab"}
    box.start()
    box.wait_until_ready()
    presses = []
    for cut in range(count):
        presses += [box.press() for _ in range(1 + cut % 2)]
        # From before the window's end to after the clip's commit.
        pause = chance.uniform(0.0, 9.0)
        time.sleep(pause)
        box.cut()
        say(f"cut {cut + 1}: {pause:.1f} s after a press")
        box.start()
        box.wait_until_ready()
        for press in presses:
            wait_for(f"press {press} has an end", 240, lambda: ends_of(box, press), 2)
        verify(box)
    for press in presses:
        end = ends_of(box, press)
        say(f"{press}: {short_end(end)}")
        assert has_an_end(end), end
    box.stop()
    assert slots == {name: box.card.slot(name) for name in "ab"}, "a root partition was changed"


def short_end(entry):
    """How it ended, wherever in the entry that stands."""
    if isinstance(entry, list):
        return "; ".join(filter(None, map(short_end, entry)))
    if not isinstance(entry, dict):
        return ""
    own = [f"{key}: {entry[key]}" for key in ("status", "ended", "reason") if isinstance(entry.get(key), str)]
    return "; ".join(own + list(filter(None, map(short_end, entry.values()))))


def has_an_end(entry):
    """Law 3: a whole clip; a shorter one that says why; none, and a reason."""
    text = str(entry)
    return ("'status': 'queued'" in text or "'status': 'watermarked'" in text or "'status': 'uploaded'" in text
            or ("'status': 'none'" in text and "'reason': None" not in text))


@scenario
def every_write_a_power_cut(bench):
    """The data disk as it was after each of its writes: it mounts, and no press and no clip on it is broken."""
    from blocklog import replay

    box = bench.box(ssd_mb=512)
    # The first start makes the file system; the log begins with it there, so that replaying is quick.
    box.start()
    box.wait_until_ready()
    box.stop()
    base = bench.folder / "base.img"
    copy_sparse(box.ssd, base)
    box.block_log = bench.folder / "writes.log"
    box.block_log.touch()
    box.start()
    box.wait_until_ready()
    acknowledged = []
    for wait in (True, False, True):
        press = box.press(wait=wait)
        acknowledged.append((box.block_log.stat().st_size, press[0] if wait else press))
    box.stop()
    say(replay(base, box.block_log, acknowledged, bench.folder, int(os.environ.get("HINDSIGHT_STATES", "200"))))


# ── the person's mistakes ──


@scenario
def bad_config(bench):
    """A mistake in hindsight.toml does not stop the box: the last good one runs, the error file says line, key and remedy, and goes when it is mended."""
    box = ready_box(bench)
    box.stop()
    good = box.card.read("hindsight.toml")
    box.card.write("hindsight.toml", good.replace('pre = "6s"', "pre = 6"))
    box.start()
    box.wait_until_ready()
    press, clips = box.press(wait=True)
    assert clips[0]["clip"], clips
    status, health = box.ask("/health")
    say(f"health: {health}")
    assert health["status"] != "healthy", health
    box.stop()
    error = box.card.read("hindsight-error.txt")
    assert error, f"there is no hindsight-error.txt: {box.card.files()}"
    print(indent(error))
    assert "pre" in error and "hindsight.toml" in error, error
    box.card.write("hindsight.toml", good)
    box.start()
    box.wait_until_ready()
    box.stop()
    assert not box.card.read("hindsight-error.txt"), "the error file stayed after the mistake was mended"


@scenario
def new_box_without_config(bench):
    """A card as it was flashed, with nothing filled in, comes up, says what is missing, and runs once a camera is written down."""
    box = bench.box(camera=False)
    box.start()
    box.wait_for_shell()
    wait_for("the box has said what is missing", 240, lambda: box.shell("systemctl is-active hindsight-config", check=False).strip() == "active", 3)
    time.sleep(5)
    say(box.shell("systemctl is-active hindsight || true").strip())
    box.stop()
    error = box.card.read("hindsight-error.txt")
    assert error and "camera" in error, error
    print(indent(error))


# ── disks ──


@scenario
def full_disk(bench):
    """A full SSD: presses are refused and say so, nothing breaks, and there is room again after deleting."""
    box = ready_box(bench)
    box.press(wait=True)
    box.shell("fallocate -l $(($(df --output=avail -B1 /var/lib/hindsight | tail -1) - 2000000)) /run/hindsight-disk/hindsight/filler || true; sync", limit=300)
    def refused():
        status, answer = box.ask("/save-clip", {}, limit=60)
        return answer if status == 507 else None
    answer = wait_for("a press is refused", 120, refused, 2)
    say(answer["message"])
    # It looks once a second.
    unhealthy = wait_for("health says so", 60, lambda: next((h for h in [box.ask("/health")[1]] if h["status"] == "unhealthy"), None), 1)
    say(f"health: {unhealthy}")
    box.shell("rm /run/hindsight-disk/hindsight/filler; sync")
    wait_for("presses are taken again", 120, lambda: box.ask("/health")[1]["status"] != "unhealthy", 2)
    box.press(wait=True)
    verify(box)


@scenario
def no_disk(bench):
    """Without an SSD highlights go to the card's own small partition, with a warning, and the roots stay untouched."""
    box = bench.box(ssd_mb=0)
    slots = {name: box.card.slot(name) for name in "ab"}
    box.start()
    box.wait_until_ready()
    _, clips = box.press(wait=True)
    assert clips[0]["clip"], clips
    assert '"card"' in box.shell("cat /run/hindsight-box/disk.json")
    health = box.ask("/health")[1]
    say(f"health: {health}")
    assert health["status"] == "degraded", health
    verify(box)
    box.stop()
    assert slots == {name: box.card.slot(name) for name in "ab"}, "a root partition was changed"


@scenario
def foreign_disk(bench):
    """A disk that holds somebody's files is not touched: the box says how to agree, and takes it once that was done."""
    box = bench.box()
    folder = bench.folder / "holiday"
    folder.mkdir()
    (folder / "photo.txt").write_text("somebody's only copy")
    run("mke2fs", "-q", "-F", "-t", "ext4", "-L", "holiday", "-d", folder, box.ssd)
    before = piece(box.ssd, 0, os.path.getsize(box.ssd))
    box.start()
    box.wait_until_ready()
    assert '"card"' in box.shell("cat /run/hindsight-box/disk.json")
    health = box.ask("/health")[1]
    say(f"health: {health}")
    assert health["status"] == "degraded", health
    box.press(wait=True)
    box.stop()
    assert piece(box.ssd, 0, os.path.getsize(box.ssd)) == before, "somebody's disk was written to"
    error = box.card.read("hindsight-error.txt")
    assert error and "use-this-disk.txt" in error, error
    print(indent(error))
    box.card.write("use-this-disk.txt", "HSTEST0001\n")
    box.start()
    box.wait_until_ready()
    assert '"ssd"' in box.shell("cat /run/hindsight-box/disk.json")
    box.press(wait=True)
    verify(box)


# ── an emulated Raspberry Pi ──


@scenario
def raspberry_pi_3(bench):
    """On an emulated Raspberry Pi 3 Debian's U-Boot for it reads the card, starts slot a, and the kernel mounts the root."""
    from raspi import boot_on_raspi3b
    say(boot_on_raspi3b(bench, IMAGE))


def indent(text):
    return "\n".join("      " + line for line in text.rstrip().splitlines())


def chosen(words):
    if not words:
        return SCENARIOS
    return [one for one in SCENARIOS if any(w.lower() in one.__name__ or w.lower() in one.__doc__.lower() for w in words)]


def main():
    words = sys.argv[1:]
    if words[:1] == ["--list"]:
        for one in SCENARIOS:
            print(f"{one.__name__:30} {one.__doc__}")
        return 0
    results = []
    for one in chosen(words):
        print(f"\n== {one.__doc__}", flush=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{one.__name__}-", dir=WORK))
        bench, began, error = Bench(folder), time.monotonic(), None
        try:
            one(bench)
        except Exception as problem:
            error = problem
            traceback.print_exc()
            for box in bench.boxes:
                print(indent(box.tail()))
        finally:
            bench.close()
        if error is None and not os.environ.get("HINDSIGHT_KEEP"):
            shutil.rmtree(folder)
        elif error:
            print(f"    disks and logs: {folder}")
        results.append((one, error, time.monotonic() - began))
        print(f"   {'FAIL' if error else 'PASS'} in {results[-1][2]:.0f} s", flush=True)
    print("\nmake image-test:")
    for one, error, took in results:
        print(f"  {'FAIL' if error else 'PASS'}  {took:5.0f} s  {one.__doc__}" + (f"\n        {error}" if error else ""))
    bad = sum(1 for _, error, _ in results if error)
    print(f"{len(results) - bad} of {len(results)} hold, {sum(t for _, _, t in results) / 60:.0f} minutes")
    return 1 if bad or not results else 0


sys.exit(main())
