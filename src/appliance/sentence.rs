//! What the box says of itself to staff, in notices, and why a file of the card cannot be used.
//!
//! Not here: where a notice goes (`notices`), what is wrong with the card's configuration (`config`).

use crate::base::Sentence;

crate::sentences! {
    /// A notice: what is wrong (it names nothing of the house), and what to do about it.
    pub enum BoxSentence {
        CardUnreadable {} = "box_card_unreadable": "the card's first part cannot be read"
            => "put the card into a computer and let it repair the drive, or flash it anew; the last good configuration runs",
        /// `problems`: one a line, in these three.
        LastGoodConfigRuns { problems: String } = "box_last_good_config_runs":
            "the configuration cannot be used, the last good one runs" => "{problems}",
        NoCameraConfigured { problems: String } = "box_no_camera_configured":
            "no camera is configured yet" => "{problems}",
        NoConfigRuns { problems: String } = "box_no_config_runs":
            "the configuration cannot be used, so no camera is watched" => "{problems}",
        TwoConfigs {} = "box_two_configs": "two configurations are on the card"
            => "hindsight.toml counts; delete this one, or rename it to hindsight.toml (let Windows show the ends of names first)",
        WifiUnreadable { error: String } = "box_wifi_unreadable": "the Wi-Fi's file cannot be read"
            => "{error}; copy it there anew",
        WifiUnusable { why: Sentence } = "box_wifi_unusable": "the Wi-Fi cannot be joined" => "{why}",
        WifiPasswordLost { ssid: String } = "box_wifi_password_lost": "the Wi-Fi's password is not known any more"
            => "it was kept on a disk that is not here; write the password of {ssid} behind \"password =\" again",
        WifiPasswordShown { error: String } = "box_wifi_password_shown": "the Wi-Fi's password stands on the card"
            => "it was taken over, but could not be blanked: {error}; delete it there yourself",
        KeysUnusable { why: Sentence } = "box_keys_unusable": "the keys for logging in cannot be used" => "{why}",

        HighlightsOnCard {} = "box_highlights_on_card": "highlights go to the card"
            => "plug in an empty SSD and restart the box; until then they go to the card, which is small and wears out",
        /// A disk is plugged in that is not used; another notice says why.
        HighlightsOnCardDespiteDisk {} = "box_highlights_on_card_despite_disk": "highlights go to the card"
            => "see to the disk that is plugged in, or plug in an empty SSD, and restart the box; until then they go to the card, which is small and wears out",
        HighlightsInMemory {} = "box_highlights_in_memory": "highlights are lost when the power goes"
            => "plug in an empty SSD and restart the box; until then nothing that is saved outlives the power; the card lacks its part for highlights: flash it anew",
        HighlightsInMemoryDespiteDisk {} = "box_highlights_in_memory_despite_disk": "highlights are lost when the power goes"
            => "see to the disk that is plugged in, or plug in an empty SSD, and restart the box; until then nothing that is saved outlives the power; the card lacks its part for highlights: flash it anew",
        DiskReadOnly {} = "box_disk_read_only": "a disk cannot be written to"
            => "it says that it is read-only: move its switch, or use another",
        DiskTooSmall {} = "box_disk_too_small": "a disk is too small" => "use a larger one",
        DiskUnreadable { why: String } = "box_disk_unreadable": "a disk cannot be read"
            => "{why}: see to its cable, or use another",
        DiskForeign { holds: String, serial: String } = "box_disk_foreign": "a disk is not used, for it is not empty"
            => "it holds {holds}, and nothing is ever erased unasked; to erase it and use it, make a file use-this-disk.txt beside hindsight.toml with the line {serial}, and restart the box",
        /// The file names a disk that is not this one.
        DiskForeignOtherAgreed { holds: String, serial: String, agreed: String } = "box_disk_foreign_other_agreed":
            "a disk is not used, for it is not empty"
            => "it holds {holds}, and nothing is ever erased unasked; to erase it and use it, make a file use-this-disk.txt beside hindsight.toml with the line {serial} (it says \"{agreed}\" now, which is another), and restart the box",
        DiskForeignNameless { holds: String } = "box_disk_foreign_nameless": "a disk is not used, for it is not empty"
            => "it holds {holds}, and nothing is ever erased unasked; it has no serial of its own, so erase it at a computer, or use another",
        SecondDisk { used: String } = "box_second_disk": "a second disk of Hindsight is plugged in"
            => "{used} is used; unplug the other, its highlights stay on it",
        DiskGone {} = "box_disk_gone": "the disk of the highlights is gone"
            => "see to its cable and power and restart the box; its highlights are on it and nowhere else. If it is to stay away, delete known-disk.txt beside hindsight.toml",
        DiskMended { mended: String } = "box_disk_mended": "the disk was damaged and has been mended"
            => "{mended}; see whether highlights are missing (\"hindsight verify\"); if it happens again, replace the disk",
        /// What to do: another sentence.
        DiskUnusableOnCard { error: String, advice: Sentence } = "box_disk_unusable_on_card":
            "the disk cannot be used, highlights go to the card" => "{error}; {advice}",
        DiskUnusableInMemory { error: String, advice: Sentence } = "box_disk_unusable_in_memory":
            "the disk cannot be used, highlights are lost when the power goes" => "{error}; {advice}",
        CardUnusable { error: String } = "box_card_unusable":
            "the card cannot hold highlights, they are lost when the power goes"
            => "{error}; plug in an SSD, or flash the card anew",
    }
}

crate::sentences! {
    /// What to do with a disk that cannot be used.
    pub enum DiskAdvice {
        SaveAndReplace {} = "box_disk_save_and_replace":
            "it is left as it is: save its highlights at a computer (ext4), then replace it",
        UseAnother {} = "box_disk_use_another": "use another disk",
    }
}

crate::sentences! {
    /// Why a file of the card cannot be used, and what would be right.
    pub enum CardFileError {
        NotUtf8 { line: usize } = "box_file_not_utf8":
            "line {line} has a letter that is not UTF-8; save the file as UTF-8 in the editor",
        ZeroByte { line: usize } = "box_file_zero_byte":
            "line {line} holds a zero byte: the file is damaged, or no text; copy it there anew",
        NoText {} = "box_file_no_text": "is damaged, or no text; save it as UTF-8 in the editor",
        Unread { error: String } = "box_file_unread": "{error}",
        NoKey { line: usize } = "box_file_no_key":
            "line {line} is no public key; put one a line, as in the file of your computer whose name ends in .pub",
    }
}

crate::sentences! {
    /// Why `wifi.txt` names no network that can be joined.
    pub enum WifiError {
        NoSsid {} = "box_wifi_no_ssid": "there is a password but no ssid; add a line ssid = NAME",
        LongSsid {} = "box_wifi_long_ssid": "ssid is longer than 32 bytes, which no network's name is",
        Country {} = "box_wifi_country": "country is two letters, like BR or DE",
        NoPassword {} = "box_wifi_no_password":
            "there is no password; add a line password = SECRET (or open = yes)",
        Line { line: usize } = "box_wifi_line":
            "line {line}: write ssid = NAME, password = SECRET and country = BR, each on a line of its own",
        Password { characters: usize } = "box_wifi_password":
            "password has {characters} characters; those of Wi-Fi have 8 to 63, plain letters, digits and signs",
    }
}
