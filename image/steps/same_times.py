"""Sets the change and creation time of every inode in an ext4 image to one instant, and gives
the inodes the checksums that belong to it. mke2fs copies them from the files it was given, and
there they tell when our copy was made. Usage: same_times.py IMAGE SECONDS"""
import os
import subprocess
import sys

image, when = sys.argv[1], int(sys.argv[2])
# The file system also notes when it was last written to: e2fsprogs takes the time from here.
os.environ["E2FSPROGS_FAKE_TIME"] = str(when)


def debugfs(commands, *options):
    """Runs debugfs over the image and returns what it prints."""
    done = subprocess.run(
        ["debugfs", *options, "-f", "-", image], input=commands, text=True, capture_output=True, check=True
    )
    return done.stdout


def inodes():
    """Every inode in use, by the bitmap of inodes."""
    count = int(
        next(
            line.split(":")[1]
            for line in subprocess.run(["dumpe2fs", "-h", image], text=True, capture_output=True, check=True).stdout.splitlines()
            if line.startswith("Inode count")
        )
    )
    answer = debugfs("".join(f"testi <{i}>\n" for i in range(1, count + 1)))
    number = 0
    for line in answer.splitlines():
        if line.startswith("Inode "):
            number += 1
            if "is marked in use" in line:
                yield int(line.split()[1])


stamp = f"@{when}"
wanted = []
for inode in inodes():
    # 1 to 10 are the file system's own; 2 is its root.
    if inode > 10 or inode == 2:
        for field in ("ctime", "crtime", "atime"):
            wanted.append(f"set_inode_field <{inode}> {field} {stamp}\n")
        for field in ("ctime_extra", "crtime_extra", "atime_extra", "mtime_extra"):
            wanted.append(f"set_inode_field <{inode}> {field} 0\n")
debugfs("".join(wanted), "-w")
