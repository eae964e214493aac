# Sourced by the steps of image/build. Knows the folders, the clock of the build and
# a private state of apt, so that the machine's own package lists are left alone.

image=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(dirname "$image")
cache=${HINDSIGHT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hindsight}/image
suite=trixie
mkdir -p "$cache"

# Everything of ours carries the time of the last commit, whatever the machine's clock says.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$repo" log -1 --format=%ct 2>/dev/null || stat -c %Y "$repo/Cargo.toml")}
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC

say() { printf 'make image: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
# The words of a list without its comments.
words() { sed 's/#.*//' "$1" | grep -v '^[[:space:]]*$'; }

# Debian's address as this machine's own apt knows it.
mirror() {
    local found
    found=$(cat /etc/apt/sources.list.d/*.sources 2>/dev/null | sed -n 's/^URIs:[[:space:]]*//p' | tr ' ' '\n' | grep -m1 '/debian/*$' ||
        sed -n 's/^deb[[:space:]]*\(\[[^]]*\]\)*[[:space:]]*\([^[:space:]]*\).*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | grep -m1 '/debian/*$') || true
    [ -n "$found" ] || die "found no Debian archive in /etc/apt; add one there, or name it in HINDSIGHT_DEBIAN"
    echo "$found"
}
debian=${HINDSIGHT_DEBIAN:-$(mirror)}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# The archives an image is made of, one "deb" line each.
archives() {
    local one
    for one in "$suite" "$suite-updates" "$suite-backports"; do
        echo "deb [arch=arm64 signed-by=$keyring] $debian $one main non-free-firmware"
    done
    # Security fixes come from where this machine gets its own.
    cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null |
        grep -oE '(https?|mirror[^:]*)://[^ ]*debian-security/?' | grep -v '/archive/' | head -1 |
        while read -r one; do echo "deb [arch=arm64 signed-by=$keyring] $one $suite-security main non-free-firmware"; done || true
}

# A folder with lists of arm64 packages and an apt.conf that looks nowhere else.
apt_state() {
    local dir=$1
    mkdir -p "$dir/lists/partial" "$dir/archives/partial" "$dir/preferences.d"
    : >"$dir/status"
    archives >"$dir/sources.list"
    cat >"$dir/apt.conf" <<C
Dir::State "$dir"; Dir::State::lists "$dir/lists"; Dir::State::status "$dir/status";
Dir::Cache "$dir"; Dir::Etc::sourcelist "$dir/sources.list"; Dir::Etc::sourceparts "/dev/null";
Dir::Etc::parts "/dev/null"; Dir::Etc::main "/dev/null"; Dir::Etc::preferencesparts "$dir/preferences.d";
APT::Architecture "arm64"; APT::Architectures "arm64"; APT::Install-Recommends "false";
Acquire::Languages "none"; Acquire::Retries "3"; APT::Sandbox::User "root";
C
    APT_CONFIG=$dir/apt.conf apt-get -qq update >&2
}

# Installs what this step needs on the building machine.
need() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f='${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    [ "$(id -u)" = 0 ] || die "needs these packages: apt-get install ${missing[*]}"
    say "installing ${missing[*]}"
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null 2>&1 ||
        { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null; }
}
